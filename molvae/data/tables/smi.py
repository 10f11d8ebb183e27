"""SMILES files: a molecule on each line, SMILES or CXSMILES, then white space and its ID."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from molvae.data.tables.cells import cell_text
from molvae.data.tables.columns import find, id_place, is_molecule, ranked_places
from molvae.data.tables.files import OpenFile
from molvae.data.tables.lines import LONG_LINE, MAX_SHOWN, is_cut, text_lines, to_bytes
from molvae.data.tables.records import Record, Table, table_rows
from molvae.errors import InputError


def read(file: OpenFile, smiles_column: str) -> Table:
    """Read a molecule from each line: SMILES, white space, ID; with or without a header."""
    rows = _rows(text_lines(file))
    first = next(rows, None)
    if first is None:
        raise InputError(f"{file.where}: no rows.")
    header = _header(first.cells, smiles_column)
    if header is None:
        first = _with_extension(first, 0)
        more = (f"column_{place}" for place in range(3, len(first.cells) + 1))
        columns: tuple[str, ...] = ("smiles", "id", *more)
        smiles = find(file.where, columns, smiles_column) if smiles_column else 0
        rows = chain([first], rows)
    else:
        columns, smiles = header
    width = 0 if header is None else len(columns)
    rows = (_with_extension(record, width) for record in rows)
    found = table_rows(file, columns, smiles, rows)
    begins = 1 if header is None else 2
    return Table(file, columns, smiles, found, begins=begins, line_is_row=True)


def _header(cells: Sequence[str], wanted: str) -> tuple[tuple[str, ...], int] | None:
    """Return the columns and the place of the SMILES; None when this row is a molecule."""
    columns = tuple(cell.strip() for cell in cells)
    if wanted:
        lower = wanted.strip().lower()
        named = [place for place, column in enumerate(columns) if column.lower() == lower]
    else:
        named = ranked_places(columns, loose=False) or ranked_places(columns[:1])
    if not named or is_molecule(cells[0]):
        return None
    return columns if len(columns) > 1 else (*columns, "id"), named[0]


def _rows(text: Iterator[str]) -> Iterator[Record]:
    for line, content in enumerate(text, 1):
        if is_cut(content):
            yield Record(line, [content[:MAX_SHOWN]], LONG_LINE)
            continue
        tabs = "\t" in content
        cells = content.strip("\r\n").split("\t") if tabs else content.strip().split(maxsplit=1)
        if any(cells):
            yield Record(line, cells)


def _with_extension(record: Record, width: int) -> Record:
    """Return a record whose SMILES has the extension of CXSMILES that follows it, `|...|`.

    It is left out of the ID, but stays where a header of `width` names has a column for it.
    """
    smiles, *rest = record.cells
    if not (rest and rest[0].startswith("|")):
        return record
    extension, bar, name = rest[0][1:].partition("|")
    has_cell = len(record.cells) == width > 2
    following = rest if has_cell else [*filter(None, [name.strip()]), *rest[1:]]
    return record._replace(cells=[f"{smiles} |{extension}{bar}", *following])


def write(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, smiles: int
) -> Iterator[bytes]:
    """Yield SMILES, tab, ID, without a header; white space inside a cell becomes a space."""
    title = id_place(columns)
    places = [smiles] if title is None else [smiles, title]
    for row in rows:
        text = "\t".join(" ".join(cell_text(row[place]).split()) for place in places)
        yield to_bytes(f"{text}\n")
