"""Rows of a table of molecules, whatever the format, and what a cell may say.

Cells stay the text they are: `NA` and `nan` in the SMILES column are not missing values, and
`N`, `NO` and `[Na]` are molecules.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from molvae.chem.smiles import check_text, parse
from molvae.data.lines import Lines, is_text
from molvae.errors import InputError, Rejected, did_you_mean

SMILES_NAMES = ("smiles", "canonical_smiles", "structure", "smi")  # in order of preference
ID_NAMES = ("id", "name", "title", "compound id", "molecule_chembl_id", "zinc_id")

_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)

Record = tuple[int, list[str]]  # physical line it begins on, cells


class Row(NamedTuple):
    """One record of a table.

    Attributes:
        file: base name of the file.
        line: physical line on which the record begins, from 1.
        smiles: the SMILES cell as it stands.
        id: the cell of an ID column, "" without one.
        cells: all cells by column.
        fault: why the record as a whole cannot be used, "" when it can.
    """

    file: str
    line: int
    smiles: str
    id: str
    cells: Mapping[str, str]
    fault: str = ""


class Table(NamedTuple):
    """An open table; the rows can be read once.

    Attributes:
        name: base name of the file.
        columns: as in the header, or made up (`column_1`) when there is none.
        smiles_column: the one that holds the SMILES.
        has_header: whether the first line named the columns.
        rows: in the order of the file.
        lines: the open file; its sha256 is complete when the rows are read.
    """

    name: str
    columns: tuple[str, ...]
    smiles_column: str
    has_header: bool
    rows: Iterator[Row]
    lines: Lines


def make_table(
    lines: Lines,
    columns: tuple[str, ...],
    smiles: str,
    has_header: bool,
    records: Iterable[Record],
) -> Table:
    """Make a table of an open file whose columns are known.

    Args:
        lines: the open file.
        columns: their names, in order.
        smiles: the one that holds the SMILES.
        has_header: whether the file named them.
        records: what follows the header.
    """
    at = columns.index(smiles)
    id_at = id_column(columns)
    name = lines.path.name

    def rows() -> Iterator[Row]:
        for line, cells in records:
            text = cells[at] if at < len(cells) else ""
            title = cells[id_at] if id_at is not None and id_at < len(cells) else ""
            fault = _fault(cells, len(columns))
            yield Row(name, line, text, title, dict(zip(columns, cells, strict=False)), fault)

    return Table(name, columns, smiles, has_header, rows(), lines)


def id_column(columns: tuple[str, ...]) -> int | None:
    """Return the place of the column that names molecules (`ID_NAMES`), None without one."""
    lower = [column.lower() for column in columns]
    return next((lower.index(name) for name in ID_NAMES if name in lower), None)


def _fault(cells: list[str], columns: int) -> str:
    if not all(map(is_text, cells)):
        return "not UTF-8"
    if len(cells) > columns and any(cells[columns:]):
        return "too many cells"
    return ""


def find_column(table: Table, name: str) -> str:
    """Return a table's spelling of a column's name, in any case.

    Raises:
        InputError: listing the columns, when there is none or more than one.
    """
    return find(table.lines.path, table.columns, name)


def find(path: Path, columns: Sequence[str], name: str) -> str:
    """Return the one of `columns` that is `name`, exactly or else in any case.

    Raises:
        InputError: listing the columns, when there is none or more than one.
    """
    found = [column for column in columns if column == name]
    found = found or [column for column in columns if column.lower() == name.strip().lower()]
    if len(found) > 1:
        raise InputError(f"{path}: {len(found)} columns are named '{name}': rename one.")
    if not found:
        raise InputError(
            f"{path}: no column '{name}'{did_you_mean(name, columns) or '.'}"
            f" Its columns: {', '.join(columns)}."
        )
    return found[0]


def number(cell: str, *, field: str) -> float:
    """Read a numeric cell: an ASCII number; NaN for an empty one.

    Raises:
        Rejected: "not a number" for anything else: `nan`, `inf`, `1e400`, `1,5`, `1_0`, `True`.

    >>> number(" -2.18 ", field="logS")
    -2.18
    """
    text = cell.strip()
    if not text:
        return math.nan
    value = float(text) if _NUMBER.fullmatch(text) else math.nan
    if not math.isfinite(value):
        hint = "; write the decimal point as a dot" if "," in text else ""
        raise Rejected("not a number", f"{text[:40]!a}{hint}", field=field)
    return value


def cell_text(value: object) -> str:
    """Write one value as the text of a cell; None and NaN are empty."""
    return "" if value is None or value != value else str(value)


def is_molecule(cell: str) -> bool:
    """Tell whether a cell reads as a molecule."""
    try:
        parse(check_text(cell))
    except Rejected:
        return False
    return True
