"""Comma-, tab- and semicolon-separated tables, with or without a header."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path

from molvae.data.lines import Lines
from molvae.data.records import (
    SMILES_NAMES,
    Record,
    Table,
    cell_text,
    find,
    is_molecule,
    make_table,
)
from molvae.errors import InputError

PREVIEW = 20  # rows looked at to tell a header from a molecule
MAX_RECORD_LINES = 1000  # a quoted cell over more lines is a quote that nobody closed


def read(lines: Lines, smiles_column: str, *, separators: str) -> Table:
    """Read comma-, tab- or semicolon-separated text with or without a header."""
    first = next(lines.text, "")
    separator = max(separators, key=_outside_quotes(first).count)
    records = _records(lines, chain([first], lines.text), separator)
    preview = list(islice(records, PREVIEW))
    if not preview:
        raise InputError(f"{lines.path}: no rows.")
    if _has_header(preview, smiles_column):
        columns = tuple(cell.strip() for cell in preview.pop(0)[1])
        smiles = _smiles_column(lines.path, columns, preview, smiles_column)
        return make_table(lines, columns, smiles, True, chain(preview, records))
    columns = tuple(f"column_{place}" for place in range(1, len(preview[0][1]) + 1))
    smiles = columns[_molecule_columns(preview)[0]]
    return make_table(lines, columns, smiles, False, chain(preview, records))


def _outside_quotes(line: str) -> str:
    return re.sub(r'"[^"]*"', "", line)


def _records(lines: Lines, text: Iterator[str], separator: str) -> Iterator[Record]:
    reader = csv.reader(text, delimiter=separator)
    while True:
        begin = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise InputError(
                f"{lines.path}:{begin}: {error}; is a quote opened and not closed?"
            ) from error
        if cells is None:
            return
        if reader.line_num - begin > MAX_RECORD_LINES:
            raise InputError(f"{lines.path}:{begin}: a quote is opened and not closed.")
        if cells:
            yield begin, cells


def _has_header(preview: list[Record], smiles_column: str) -> bool:
    """Tell a header from a first molecule; a wrong guess would lose that molecule."""
    names = {cell.strip().lower() for cell in preview[0][1]}
    if smiles_column or names & set(SMILES_NAMES):
        return True
    return not _molecule_columns(preview)


def _molecule_columns(records: list[Record]) -> list[int]:
    """Columns that hold a molecule in the first record and, if there are any, in a later one."""
    first, rest = records[0][1], records[1:]
    return [
        place
        for place, cell in enumerate(first)
        if is_molecule(cell)
        and (not rest or any(is_molecule(cells[place]) for _, cells in rest if place < len(cells)))
    ]


def _smiles_column(path: Path, columns: tuple[str, ...], preview: list[Record], wanted: str) -> str:
    if wanted:
        return find(path, columns, wanted)
    for name in SMILES_NAMES:
        same = [column for column in columns if column.lower() == name]
        if len(same) > 1:
            raise InputError(
                f"{path}: {len(same)} columns are named '{name}': choose with --smiles-column"
                " or rename one."
            )
        if same:
            return same[0]
    for place, column in enumerate(columns):
        if any(is_molecule(cells[place]) for _, cells in preview if place < len(cells)):
            return column
    raise InputError(
        f"{path}: no column of SMILES; name it with --smiles-column."
        f" Its columns: {', '.join(columns)}."
    )


def write(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, separator: str
) -> Iterator[bytes]:
    """Write a header and rows, one piece of bytes a row; cells are quoted where they must be."""
    line = io.StringIO()
    writer = csv.writer(line, delimiter=separator, lineterminator="\n")
    for row in chain([columns], rows):
        writer.writerow([cell_text(value) for value in row])
        yield line.getvalue().encode("utf-8", errors="surrogateescape")
        line.seek(0)
        line.truncate()
