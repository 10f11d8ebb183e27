"""Tables of molecules by format: open one to stream its rows, write one piece by piece."""

import gzip
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from typing import BinaryIO, cast

from molvae.data.tables import json_records, parquet, sdf, separated, smi
from molvae.data.tables.columns import is_molecule, ranked_places, written_smiles
from molvae.data.tables.files import STDIO, OpenFile, is_pipe, open_file
from molvae.data.tables.lines import is_text, not_utf8, peek_text
from molvae.data.tables.records import Table
from molvae.errors import InputError, MolvaeError, UsageError, printable
from molvae.files.atomic import replacing

Reader = Callable[[OpenFile, str], Table]  # open file, SMILES column or ""
Writer = Callable[..., Iterator[bytes]]  # columns, rows; .smi and .sdf: smiles


def open_table(path: Path, *, smiles_column: str = "", format: str = "") -> Table:
    """Open a table of molecules.

    Args:
        path: a file, whose ending names its format, with or without `.gz`; `-` for stdin. The
            format of stdin and of pipes without an ending is recognized by the content.
        smiles_column: the column that holds the SMILES, in any case; "": found by name
            or else by content (`columns.smiles_place`); `columns.NO_MOLECULES`: not needed.
        format: one of `READERS`, to override the ending.

    Raises:
        InputError: when the file is no such table, with the cause; for later damage, while the
            rows are read.
        UsageError: when no column is named `smiles_column`, or an extra is missing.
    """
    file = open_file(path)
    try:
        by_content = is_pipe(path) and not path.suffix
        kind = format or (sniff(file) if by_content else format_of(path, READERS))
        if kind not in READERS:
            raise UsageError(f"format = {kind!r:.40}: one of {', '.join(READERS)}.")
        table = READERS[kind](file, smiles_column)
        _check_headings(table)
        return table
    except MolvaeError:
        file.close()
        raise


def _check_headings(table: Table) -> None:
    """Raise `InputError` for a heading that is not UTF-8, since it could not name its column."""
    for heading in table.columns:
        if not is_text(heading):
            raise InputError(f"{table.file.where}: a heading is {not_utf8(heading)}.")


def format_of(path: Path, known: Mapping[str, object]) -> str:
    """Return the format that a file's ending names, or raise `InputError` with the known ones."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] == ".gz":
        suffixes.pop()
    ending = suffixes[-1].removeprefix(".") if suffixes else ""
    if ending not in known:
        raise InputError(
            f"{path}: its ending names no known format: {', '.join('.' + name for name in known)};"
            " text also with .gz. --format names the format of a file with another ending."
        )
    return ending


def output_format(path: Path, *, format: str = "") -> str:
    """Return the format in which a table will be written, and check that it can be.

    Args:
        path: the future file; `-` for stdout, where CSV is the default.
        format: one of `WRITERS`, to override the ending.

    Raises:
        UsageError: for an unknown ending, or when an extra is missing.
    """
    try:
        kind = format or ("csv" if path == STDIO else format_of(path, WRITERS))
    except InputError as error:
        raise UsageError(str(error)) from error
    if kind == "parquet":
        if path.suffix.lower() == ".gz":
            raise UsageError(f"{path}: Parquet is compressed inside: leave .gz away.")
        parquet.require()
    return kind


def write_table(
    target: Path | BinaryIO,
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    format: str = "",
    smiles: int | None = None,
) -> None:
    """Write a table: to a path atomically, or to a stream; rows are written as they come.

    Args:
        target: a path, whose ending names the format and compression; `-` for stdout; or an open
            binary stream.
        columns: their names, which `names_in` may change; .smi takes the SMILES column and, if
            there is one, the ID column.
        rows: cells as long as `columns`; None and NaN are written as empty cells.
        format: one of `WRITERS`, to override the ending; "csv" for a stream when not given.
        smiles: the place of the column of molecules, which .smi and .sdf need; None to find it.

    Raises:
        UsageError: for an unknown ending, or when an extra is missing.
        MolvaeError: when the path cannot be written to; an existing file stays.
    """
    path = target if isinstance(target, Path) else STDIO
    kind = output_format(path, format=format)
    names = names_in(kind, columns)
    if kind in ("smi", "sdf"):
        if smiles is None:
            smiles, rows = written_smiles(names, rows)
        pieces = WRITERS[kind](names, rows, smiles=smiles)
    else:
        pieces = WRITERS[kind](names, rows)
    if not isinstance(target, Path) or target == STDIO:
        stream = sys.stdout.buffer if isinstance(target, Path) else target
        for piece in map(_for_terminal, pieces) if stream.isatty() else pieces:
            stream.write(piece)
        stream.flush()
        return
    with replacing(target) as file, _compressed(file, path) as packed:
        for piece in pieces:
            packed.write(piece)


def _for_terminal(piece: bytes) -> bytes:
    """Return a piece of a table without anything that a terminal would obey."""
    lines = piece.decode(errors="surrogateescape").split("\n")
    shown = ("\t".join(map(printable, line.split("\t"))) for line in lines)
    return "\n".join(shown).encode()


def names_in(kind: str, columns: Sequence[str]) -> tuple[str, ...]:
    """Return the names of columns as a format can store them.

    Comma- and tab-separated text can store any names. In other formats a column without a name is
    named by its place, `column_3`, and a repeated name gets a number, `pIC50_2`.
    """
    if kind in ("csv", "tsv", "smi"):
        return tuple(columns)
    given = [sdf.field_name(column) if kind == "sdf" else column for column in columns]
    names: list[str] = []
    for place, name in enumerate(given, 1):
        base = name or f"column_{place}"
        numbered = (f"{base}_{number}" for number in count(2))
        is_free = (name and name not in names) or base not in (*given, *names)
        names.append(base if is_free else next(n for n in numbered if n not in (*given, *names)))
    return tuple(names)


@contextmanager
def _compressed(file: BinaryIO, path: Path) -> Iterator[BinaryIO]:
    """Yield a stream that compresses, if the path ends in .gz."""
    if path.suffix.lower() != ".gz":
        yield file
        return
    # No time and no name inside: the same table, the same bytes.
    with gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=0) as packed:
        yield cast(BinaryIO, packed)


def sniff(file: OpenFile) -> str:
    """Return the format of a table, recognized by its first bytes."""
    if file.head.startswith(b"PAR1"):
        return "parquet"
    text = peek_text(file)
    if re.match(r"\s*\{.*\}\s*$", text, re.MULTILINE):
        return "jsonl"
    if re.match(r"\s*(?:\{|\[\s*[{\]])", text):
        return "json"
    if re.search(r"^M  END|^.{33,} V[23]000", text, re.MULTILINE):
        return "sdf"
    line = next(iter(text.splitlines()), "")
    words = line.split()
    is_name = bool(words) and not re.search("[,;]", words[0]) and ranked_places(words[:1])
    if not words or is_molecule(words[0]) or is_name:
        return "smi"
    return max(("csv", "tsv"), key=lambda kind: line.count("\t" if kind == "tsv" else ","))


READERS: dict[str, Reader] = {
    "smi": smi.read,
    "csv": partial(separated.read, separators=",;\t"),  # the first of equally frequent ones
    "tsv": partial(separated.read, separators="\t,;"),
    "sdf": sdf.read,
    "parquet": parquet.read,
    "json": json_records.read_array,
    "jsonl": json_records.read_lines,
}
WRITERS: dict[str, Writer] = {
    "smi": smi.write,
    "csv": partial(separated.write, separator=","),
    "tsv": partial(separated.write, separator="\t"),
    "sdf": sdf.write,
    "parquet": parquet.write,
    "json": json_records.write_array,
    "jsonl": json_records.write_lines,
}
