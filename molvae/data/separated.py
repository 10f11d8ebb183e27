"""Comma-, tab- and semicolon-separated tables, with or without a header."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice

from molvae.data.files import OpenFile
from molvae.data.lines import text_lines, to_bytes
from molvae.data.records import (
    SMILES_NAMES,
    Record,
    Table,
    cell_text,
    choose_smiles_column,
    find,
    is_molecule,
    make_table,
)
from molvae.errors import InputError

PREVIEW = 20  # rows looked at to tell a header from a molecule
MAX_RECORD_LINES = 1000  # a quoted cell over more lines is a quote that nobody closed

Cells = tuple[int, list[str]]  # physical line, cells


def read(file: OpenFile, smiles_column: str, *, separators: str) -> Table:
    """Read comma-, tab- or semicolon-separated text with or without a header.

    Args:
        file: the open file.
        smiles_column: as in `tables.open_table`.
        separators: to choose from; of equally frequent ones in the first line, the first.
    """
    text = text_lines(file)
    first = next(text, "")
    separator = max(separators, key=_outside_quotes(first).count)
    rows = _rows(file.where, chain([first], text), separator)
    preview = list(islice(rows, PREVIEW))
    if not preview:
        raise InputError(f"{file.where}: no rows.")
    has_header = _has_header(preview, smiles_column)
    if has_header:
        columns = tuple(cell.strip() for cell in preview.pop(0)[1])
        known = list(positional(columns, preview))
        smiles = choose_smiles_column(file.where, columns, known, smiles_column)
    else:
        columns = tuple(f"column_{place}" for place in range(1, len(preview[0][1]) + 1))
        smiles = columns[_molecule_columns(preview)[0]]
        smiles = find(file.where, columns, smiles_column) if smiles_column else smiles
    return make_table(
        file,
        columns,
        smiles,
        positional(columns, chain(preview, rows)),
        has_header=has_header,
        line_is_row=len(columns) == 1,
    )


def positional(columns: Sequence[str], rows: Iterable[Cells]) -> Iterator[Record]:
    """Give the cells of each row the names of their columns."""
    for line, cells in rows:
        fault = "too many cells" if any(cells[len(columns) :]) else ""
        yield Record(line, dict(zip(columns, cells, strict=False)), fault)


def _outside_quotes(line: str) -> str:
    return re.sub(r'"[^"]*"', "", line)


def _rows(where: str, text: Iterator[str], separator: str) -> Iterator[Cells]:
    reader = csv.reader(text, delimiter=separator)
    while True:
        begin = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise InputError(
                f"{where}:{begin}: {error}; is a quote opened and not closed?"
            ) from error
        if cells is None:
            return
        if reader.line_num - begin > MAX_RECORD_LINES:
            raise InputError(f"{where}:{begin}: a quote is opened and not closed.")
        if cells:
            yield begin, cells


def _has_header(preview: list[Cells], smiles_column: str) -> bool:
    """Tell a header from a first molecule; a wrong guess would lose that molecule."""
    names = {cell.strip().lower() for cell in preview[0][1]}
    known = {smiles_column.strip().lower()} if smiles_column else set(SMILES_NAMES)
    if names & known:
        return True
    return not _molecule_columns(preview)


def _molecule_columns(rows: list[Cells]) -> list[int]:
    """Columns that hold a molecule in the first row and, if there are any, in a later one."""
    first, rest = rows[0][1], rows[1:]
    return [
        place
        for place, cell in enumerate(first)
        if is_molecule(cell)
        and (not rest or any(is_molecule(cells[place]) for _, cells in rest if place < len(cells)))
    ]


def write(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, separator: str
) -> Iterator[bytes]:
    """Write a header and rows, one piece of bytes a row; cells are quoted where they must be."""
    line = io.StringIO()
    writer = csv.writer(line, delimiter=separator, lineterminator="\n")
    for row in chain([columns], rows):
        writer.writerow([cell_text(value) for value in row])
        yield to_bytes(line.getvalue())
        line.seek(0)
        line.truncate()
