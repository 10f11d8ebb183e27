"""SMILES files: one molecule a line, then white space and its ID."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice

from molvae.data.lines import Lines
from molvae.data.records import SMILES_NAMES, Record, Table, cell_text, find, id_column, make_table
from molvae.errors import InputError


def read(lines: Lines, smiles_column: str) -> Table:
    """Read one molecule a line: SMILES, white space, ID; with or without a header."""
    records = _smi_records(lines)
    first = list(islice(records, 1))
    if not first:
        raise InputError(f"{lines.path}: no rows.")
    head = first[0][1][0].strip().lower()
    has_header = head in SMILES_NAMES or head == smiles_column.lower() != ""
    columns = tuple(first[0][1]) if has_header else ("smiles", "id")
    if has_header and len(columns) == 1:
        columns = (*columns, "id")
    records = records if has_header else chain(first, records)
    wanted = find(lines.path, columns, smiles_column) if smiles_column else columns[0]
    table = make_table(lines, columns, wanted, has_header, records)
    return table


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
