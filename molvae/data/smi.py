"""SMILES files: one molecule a line, then white space and its ID."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice

from molvae.data.lines import Lines
from molvae.data.records import (
    SMILES_NAMES,
    Record,
    Table,
    cell_text,
    find,
    id_column,
    is_molecule,
    make_table,
)
from molvae.errors import InputError


def read(lines: Lines, smiles_column: str) -> Table:
    """Read one molecule a line: SMILES, white space, ID; with or without a header."""
    records = _smi_records(lines)
    first = list(islice(records, 1))
    if not first:
        raise InputError(f"{lines.path}: no rows.")
    cells = first[0][1]
    column = _smiles_column(cells, smiles_column)
    if column is None:
        names = ("smiles", "id")
        wanted = find(lines.path, names, smiles_column) if smiles_column else "smiles"
        return make_table(lines, names, wanted, False, chain(first, records))
    columns = tuple(cells) if len(cells) > 1 else (cells[0], "id")
    return make_table(lines, columns, cells[column], True, records)


def _smiles_column(cells: list[str], wanted: str) -> int | None:
    """Return the place of the SMILES column in a header; None when this is a first molecule."""
    lower = [cell.strip().lower() for cell in cells]
    names = (wanted.lower(),) if wanted else SMILES_NAMES
    found = next((lower.index(name) for name in names if name in lower), None)
    return None if found is None or is_molecule(cells[0]) else found


def _smi_records(lines: Lines) -> Iterator[Record]:
    for line, text in enumerate(lines.text, 1):
        cells = text.strip("\r\n").split("\t") if "\t" in text else text.strip().split(maxsplit=1)
        if any(cells):
            yield line, cells


def write(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[bytes]:
    """Write SMILES, tab, ID, without a header; white space inside a cell becomes a space."""
    lower = [column.lower() for column in columns]
    smiles = next((lower.index(name) for name in SMILES_NAMES if name in lower), 0)
    title = id_column(tuple(columns))
    for row in rows:
        cells = [row[smiles]] if title is None else [row[smiles], row[title]]
        text = "\t".join(" ".join(cell_text(cell).split()) for cell in cells)
        yield f"{text}\n".encode("utf-8", errors="surrogateescape")
