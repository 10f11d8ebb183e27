"""Rows of a table of molecules, whatever the format."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import NamedTuple

from molvae.data.tables.columns import find, id_place
from molvae.data.tables.files import OpenFile, name_of
from molvae.data.tables.lines import is_text, not_utf8
from molvae.errors import InputError, Rejected

PREVIEW = 1000  # records whose keys or data fields become columns


class Record(NamedTuple):
    """A record of a table, as the reader of a format yields it.

    Attributes:
        line: physical line on which it begins, from 1; without lines, its number.
        cells: in the order of the columns; a missing one is empty.
        fault: why it cannot be used, in short, then a colon and details; "" when it can.
        literal: places of the cells that are no text in a file with types: numbers, truth values
            and nothing (`cells.literal`).
    """

    line: int
    cells: Sequence[str]
    fault: str = ""
    literal: Collection[int] = ()


class Fields(NamedTuple):
    """A record of a format in which each record names its cells; otherwise as `Record`."""

    line: int
    cells: Mapping[str, str]
    fault: str = ""
    literal: Collection[str] = ()


class Row(NamedTuple):
    """A row of a table.

    Attributes:
        file: base name of the file.
        line: as in `Record`.
        smiles: the SMILES cell, unchanged; in an SD file the mol block (`chem.molblock`).
        id: the cell of an ID column, "" without one.
        cells: all cells, as many as the table has columns and in their order.
        fault: as in `Record`.
        literal: as in `Record`.
    """

    file: str
    line: int
    smiles: str
    id: str
    cells: tuple[str, ...]
    fault: str = ""
    literal: Collection[int] = ()

    def check(self) -> None:
        """Raise `Rejected` for a row with a fault."""
        if self.fault:
            reason, _, detail = self.fault.partition(": ")
            raise Rejected(reason, detail, field="")


class Table(NamedTuple):
    """An open table; the rows can be read once.

    Attributes:
        file: the open file; its sha256 is complete when the rows are read.
        columns: as in the header, where a name may be empty or stand twice, or made up
            (`column_1`) when there is none.
        smiles: the place of the one that holds the SMILES.
        rows: in the order of the file.
        begins: the line on which the rows begin.
        line_is_row: whether a blank line is a row without a molecule.
        late: names of cells that are left out, since no record among the first `PREVIEW` has them;
            complete when the rows are read.
        total: the number of rows, where a file is opened as a whole; else 0.
        typed: whether all values of a column have one type.
    """

    file: OpenFile
    columns: tuple[str, ...]
    smiles: int
    rows: Iterator[Row]
    begins: int = 2
    line_is_row: bool = False
    late: Collection[str] = ()
    total: int = 0
    typed: bool = False

    @property
    def name(self) -> str:
        """The base name of the file, as in its rows."""
        return name_of(self.file.path)

    @property
    def smiles_column(self) -> str:
        """The name of the column that holds the SMILES."""
        return self.columns[self.smiles]


def table_rows(
    file: OpenFile, columns: Sequence[str], smiles: int, records: Iterable[Record]
) -> Iterator[Row]:
    """Yield the rows of a table; one that is not UTF-8 or has more cells than columns has a fault.

    The arguments are as in `Table`; `records` follow the header.
    """
    id_at = id_place(columns)
    name = name_of(file.path)
    width = len(columns)
    for line, given, fault, literal in records:
        cells = (*given, *("",) * (width - len(given)))[:width]
        title = "" if id_at is None else cells[id_at]
        if not all(map(is_text, cells)):
            fault = next(not_utf8(cell) for cell in cells if not is_text(cell))
        elif not fault and any(given[width:]):
            fault = "too many cells"
        yield Row(name, line, cells[smiles], title, cells, fault, literal)


def preview_columns(
    file: OpenFile, records: Iterator[Fields], *, expected: str
) -> tuple[tuple[str, ...], list[Record], Iterator[Record], set[str]]:
    """Read the first `PREVIEW` records, whose keys are the columns.

    Returns:
        All their keys in order of appearance, those records, all records, and the other keys of
        later ones, which are left out: complete when all records are read.

    Raises:
        InputError: when there is no record, or none can be used; the message says what is
            `expected`.
    """
    preview = list(islice(records, PREVIEW))
    if not preview:
        raise InputError(f"{file.where}: no rows.")
    if all(record.fault for record in preview):
        raise InputError(f"{file.where}: {preview[0].fault}; {expected}.")
    columns = tuple(dict.fromkeys(key for record in preview for key in record.cells))
    places, late = {column: place for place, column in enumerate(columns)}, set[str]()

    def placed(record: Fields) -> Record:
        late.update(record.cells.keys() - places.keys())
        cells = tuple(record.cells.get(column, "") for column in columns)
        literal = [places[name] for name in record.literal if name in places]
        return Record(record.line, cells, record.fault, literal)

    first = list(map(placed, preview))
    return columns, first, chain(first, map(placed, records)), late


def find_column(table: Table, name: str) -> int:
    """Return the place of a column by its name, in any case; errors as in `columns.find`."""
    return find(table.file.where, table.columns, name)
