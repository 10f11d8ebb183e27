"""Text and tables for people: data to stdout, everything else to stderr."""

import json
import os
import re
import sys
from collections.abc import Iterable, Sequence
from typing import TextIO

import click

from molvae.errors import printable


def say(text: object, *, quiet: bool = False) -> None:
    """Write one message to stderr, on one line, unless `quiet`."""
    if quiet:
        return
    try:
        click.echo(printable(text), err=True)
    except BrokenPipeError:  # nobody reads messages any more, which is no reason to stop the work
        drop(sys.stderr)


def drop(stream: TextIO) -> None:
    """Point a stream to a place where it can be flushed: its reader has left."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def describe_table(name: str, rows: int, smiles_column: str) -> str:
    """Return the size of a table that was read, and its column of molecules, in words."""
    return f"{name}: {rows:,} rows, SMILES in column '{smiles_column}'."


def print_json(value: object) -> None:
    """Write a value to stdout as JSON, with null for numbers that are not finite.

    JSON itself escapes only some of the characters that `printable` escapes.
    """
    from molvae.files.plain import plain

    text = json.dumps(plain(value), indent=2, ensure_ascii=False, allow_nan=False)
    click.echo(re.sub(r"[^\n -~]", lambda found: _json_letter(found.group()), text))


def _json_letter(letter: str) -> str:
    return letter if letter.isprintable() else json.dumps(letter)[1:-1]


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, numbers: bool = False
) -> None:
    """Write a table to stdout, fitted to the terminal; without one, each row on one line.

    With `numbers`, all columns but the last are aligned right, and each row stays on one line.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for place, column in enumerate(columns, 1):
        is_number = numbers and place < len(columns)
        header = Text(printable(column))
        table.add_column(header, overflow="fold", justify="right" if is_number else "left")
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    # A pipe has no width, and `grep` needs whole lines.
    width = None if sys.stdout.isatty() and not numbers else 10_000
    console = Console(width=width, highlight=False)
    with console.capture() as capture:
        console.print(table)
    click.echo("\n".join(line.rstrip() for line in capture.get().splitlines()))
