"""Tables of molecules by format: open one to stream its rows, write one whole."""

import gzip
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import BinaryIO

from molvae.data import separated, smi
from molvae.data.lines import Lines, open_lines
from molvae.data.records import Table
from molvae.errors import InputError
from molvae.store import write_atomically

Reader = Callable[[Lines, str], Table]  # open file, SMILES column or ""
Writer = Callable[[Sequence[str], Iterable[Sequence[object]]], Iterator[bytes]]


def open_table(path: Path, *, smiles_column: str = "", format: str = "") -> Table:
    """Open a table of molecules.

    Args:
        path: a file; its format is told by its ending, `.gz` or not.
        smiles_column: the column that holds the SMILES, in any case; "": found by name
            (`SMILES_NAMES`), else the first column whose cells are molecules.
        format: one of `READERS`, to override the ending.

    Raises:
        InputError: when the file is no such table, with the cause; damage further on raises
            while the rows are read.
    """
    kind = format or format_of(path, READERS)
    lines = open_lines(path)
    return READERS[kind](lines, smiles_column)


def format_of(path: Path, known: Mapping[str, object]) -> str:
    """Return the format that a file's ending names.

    Raises:
        InputError: for an unknown ending, listing the known ones.
    """
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] == ".gz":
        suffixes.pop()
    ending = suffixes[-1].removeprefix(".") if suffixes else ""
    if ending not in known:
        raise InputError(
            f"{path}: its ending names no format that is known;"
            f" {', '.join('.' + name for name in known)}, each also with .gz."
        )
    return ending


def write_table(
    target: Path | BinaryIO,
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    format: str = "",
) -> None:
    """Write a table: to a path atomically, or to a binary stream such as stdout's.

    Args:
        target: a path, whose ending names the format and compression, or an open stream.
        columns: their names; .smi takes the SMILES column and, if there is one, the ID column.
        rows: cells as long as `columns`; None and NaN are written as empty cells.
        format: one of `WRITERS`, to override the ending; "csv" for a stream when not given.

    Raises:
        InputError: for an unknown ending.
        MolvaeError: when the path cannot be written to; what was there stays.
    """
    if isinstance(target, Path):
        kind = format or format_of(target, WRITERS)
        content = b"".join(WRITERS[kind](columns, rows))
        if target.suffix.lower() == ".gz":
            content = gzip.compress(content, mtime=0)  # the same table, the same bytes
        write_atomically(target, content)
        return
    for piece in WRITERS[format or "csv"](columns, rows):
        target.write(piece)


READERS: dict[str, Reader] = {
    "smi": smi.read,
    "csv": partial(separated.read, separators=",;\t"),  # of equally frequent ones the first
    "tsv": partial(separated.read, separators="\t,;"),
}
WRITERS: dict[str, Writer] = {
    "smi": smi.write,
    "csv": partial(separated.write, separator=","),
    "tsv": partial(separated.write, separator="\t"),
}
