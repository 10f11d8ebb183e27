"""Places to write to, refused before the work rather than after it; and what is written."""

import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from molvae.cli.terminal import say
from molvae.errors import UsageError


def is_device(path: Path) -> bool:
    """Tell whether a file is a device or a pipe, which hold nothing that could be lost."""
    return path.exists() and not path.is_file()


def check_output(path: Path, *, force: bool, inputs: Iterable[Path | None] = ()) -> None:
    """Check that a file can be written.

    Args:
        path: the file to be.
        force: an existing one may be overwritten.
        inputs: what the same command reads or writes besides.

    Raises:
        UsageError: saying what is in the way and which flag mends it.
    """
    place = os.path.realpath(path)
    if any(other is not None and place == os.path.realpath(other) for other in inputs):
        raise UsageError(f"{path}: is read or written already by the same command.")
    if path.is_dir():
        raise UsageError(f"{path}: is a folder; name a file in it.")
    if is_device(path):
        return
    if path.exists() and not force:
        raise UsageError(f"{path}: exists; --force overwrites it.")
    if not os.access(os.path.dirname(place), os.W_OK | os.X_OK):
        raise UsageError(f"{path.parent}: no such folder, or no right to write there.")


def check_table(
    path: Path, *, format: str = "", force: bool, inputs: Iterable[Path | None] = ()
) -> None:
    """Check that a table of molecules can be written.

    Args:
        path: the file to be; `-` is stdout.
        format: what it is to be whatever its ending says; "" when that decides.
        force: an existing one may be overwritten.
        inputs: what the same command reads or writes besides.

    Raises:
        UsageError: as `check_output`; for an ending that names no format, an extra that is
            missing, and for Parquet on a terminal.
    """
    from molvae.data.tables.files import STDIO
    from molvae.data.tables.tables import output_format

    kind = output_format(path, format=format)
    if path != STDIO:
        check_output(path, force=force, inputs=inputs)
    elif kind == "parquet" and sys.stdout.isatty():
        raise UsageError("Parquet is no text: name a file with -o, or redirect stdout.")


def tell_names(columns: Sequence[str], kind: str, *, quiet: bool) -> tuple[str, ...]:
    """Return the names that columns get in a format, and name on stderr those that it changes.

    Args:
        columns: their names.
        kind: of the format.
        quiet: say nothing.
    """
    from molvae.data.tables.tables import names_in

    names = names_in(kind, columns)
    for place, (column, name) in enumerate(zip(columns, names, strict=True), 1):
        if name != column:
            what = f"'{column}'" if column else "without a name"
            say(f"Column {place}, {what}, is written to {kind} as '{name}'.", quiet=quiet)
    return names


def rounded(value: object) -> object:
    """Return a value as a table holds it: six digits say more than a model knows."""
    return float(f"{value:.6g}") if isinstance(value, float) else value
