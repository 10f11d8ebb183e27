"""Rows of a table of molecules, whatever the format, and what a cell may say.

Cells stay the text they are: `NA` and `nan` in the SMILES column are not missing values, and
`N`, `NO` and `[Na]` are molecules.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import NamedTuple

import numpy as np

from molvae.chem.smiles import check_text, parse
from molvae.data.tables.files import OpenFile, name_of
from molvae.data.tables.lines import is_text, to_bytes
from molvae.errors import InputError, Rejected, UsageError, did_you_mean

# Bare names (`bare_name`) of columns of SMILES in order of preference; of the others, those that
# contain "smiles" come behind the second, and `LOOSE_NAMES` last.
SMILES_NAMES = ("smiles", "canonicalsmiles", "structure", "smi")
LOOSE_NAMES = ("molecule", "mol", "compound", "ligand")  # may as well hold names
OTHER_NOTATIONS = ("selfies", "smarts", "inchi")  # some of which also read as SMILES
ID_NAMES = ("id", "name", "title", "compound id", "molecule_chembl_id", "zinc_id")
MAX_WORD = 3  # letters of a word, as of a class, that may read as a molecule: CI, CM, NO, OCN
LOOKED_AT = 100  # records in which molecules are looked for
PREVIEW = 1000  # records whose keys or data fields become columns

_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_SELFIES = re.compile(r"(?:\[[^\]]*\]){2,}")


class Record(NamedTuple):
    """One record as a format's reader hands it on.

    Attributes:
        line: physical line it begins on, from 1; where there are no lines, its number.
        cells: in the order of the columns; one that is not there is empty.
        fault: why it cannot be used, "" when it can.
    """

    line: int
    cells: Sequence[str]
    fault: str = ""


class Fields(NamedTuple):
    """One record of a format in which each names its cells.

    Attributes:
        line: as in `Record`.
        cells: by name.
        fault: as in `Record`.
    """

    line: int
    cells: Mapping[str, str]
    fault: str = ""


class Row(NamedTuple):
    """One record of a table.

    Attributes:
        file: base name of the file.
        line: physical line on which the record begins, from 1; in Parquet and JSON, its number.
        smiles: the SMILES cell as it stands; in an SD file the mol block (`chem.molblock`).
        id: the cell of an ID column, "" without one.
        cells: all cells, as many as the table has columns and in their order.
        fault: why the record as a whole cannot be used, "" when it can.
    """

    file: str
    line: int
    smiles: str
    id: str
    cells: tuple[str, ...]
    fault: str = ""


class Table(NamedTuple):
    """An open table; the rows can be read once.

    Attributes:
        columns: as in the header, where a name may be empty or stand twice, or made up
            (`column_1`) when there is none.
        smiles: the place of the one that holds the SMILES.
        has_header: whether the first line named the columns.
        rows: in the order of the file.
        file: the open file; its sha256 is complete when the rows are read.
        line_is_row: whether a line that is blank stands for a row without a molecule.
        late: names of cells that are left out, since no record among the first `PREVIEW` has them;
            complete when the rows are read.
        total: the number of rows, where a file is opened as a whole; else 0.
    """

    columns: tuple[str, ...]
    smiles: int
    has_header: bool
    rows: Iterator[Row]
    file: OpenFile
    line_is_row: bool
    late: set[str]
    total: int = 0

    @property
    def name(self) -> str:
        """The base name of the file, as in its rows."""
        return name_of(self.file.path)

    @property
    def smiles_column(self) -> str:
        """The name of the column that holds the SMILES."""
        return self.columns[self.smiles]


def make_table(
    file: OpenFile,
    columns: tuple[str, ...],
    smiles: int,
    records: Iterable[Record],
    *,
    has_header: bool = True,
    line_is_row: bool = False,
    late: set[str] | None = None,
    total: int = 0,
) -> Table:
    """Make a table of an open file whose columns are known.

    Args:
        file: the open file.
        columns: their names, in order.
        smiles: the place of the one that holds the SMILES.
        records: what follows the header.
        has_header: whether the file named them.
        line_is_row: as in `Table`.
        late: as in `Table`, filled while `records` are read.
        total: as in `Table`.
    """
    id_at = id_place(columns)
    name = name_of(file.path)
    width = len(columns)

    def rows() -> Iterator[Row]:
        for line, given, fault in records:
            cells = (*given, *("",) * (width - len(given)))[:width]
            title = "" if id_at is None else cells[id_at]
            whole = all(map(is_text, cells))
            fault = fault if whole else "not UTF-8"
            yield Row(name, line, cells[smiles], title, cells, fault)

    late = set() if late is None else late
    return Table(columns, smiles, has_header, rows(), file, line_is_row, late, total)


def preview_columns(
    file: OpenFile, records: Iterator[Fields], *, expected: str
) -> tuple[tuple[str, ...], list[Record], Iterator[Record], set[str]]:
    """Read the first `PREVIEW` records, whose keys are the columns.

    Returns:
        Every key of theirs in order of appearance, those records, the records behind them, and
        the other keys of these, which are left out: complete when they are read.

    Raises:
        InputError: when there is no record, or none of them can be used: then the file is not
            what is `expected`.
    """
    preview = list(islice(records, PREVIEW))
    if not preview:
        raise InputError(f"{file.where}: no rows.")
    if all(record.fault for record in preview):
        raise InputError(f"{file.where}: {preview[0].fault}; {expected}.")
    columns = tuple(dict.fromkeys(key for record in preview for key in record.cells))

    known, late = frozenset(columns), set[str]()

    def placed(record: Fields) -> Record:
        late.update(record.cells.keys() - known)
        cells = tuple(record.cells.get(column, "") for column in columns)
        return Record(record.line, cells, record.fault)

    return columns, list(map(placed, preview)), map(placed, records), late


def choose_smiles_column(
    where: str, columns: tuple[str, ...], preview: Sequence[Record], wanted: str
) -> int:
    """Return the place of the column of SMILES: the one named, else by name, else by content.

    Args:
        where: the file, for messages.
        columns: to choose from.
        preview: records that are looked at for molecules.
        wanted: what the user named, "" for nothing.

    Raises:
        UsageError: when there is no column that is `wanted`.
        InputError: when none is found or several have the same name.
    """
    if wanted:
        return find(where, columns, wanted)
    ranked = ranked_places(columns)
    names = [bare_name(columns[place]) for place in ranked]
    if names and (same := names.count(names[0])) > 1 and names[0] in SMILES_NAMES:
        raise InputError(
            f"{where}: {same} columns are named '{columns[ranked[0]]}': choose with"
            " --smiles-column or rename one."
        )
    cells = by_column([record.cells for record in preview[:LOOKED_AT]], len(columns))
    place = smiles_place(columns, cells)
    if place is None:
        raise InputError(
            f"{where}: no column of SMILES; name it with --smiles-column."
            f" Its columns: {', '.join(columns)}."
        )
    return place


def by_column(rows: Sequence[Sequence[str]], width: int) -> list[list[str]]:
    """Return the cells of each of the first `width` columns, where rows have them."""
    return [[cells[place] for cells in rows if place < len(cells)] for place in range(width)]


def smiles_place(columns: Sequence[str], cells: Sequence[Sequence[str]]) -> int | None:
    """Return the place of the column that holds the SMILES: by name, else by content.

    Args:
        columns: to choose from.
        cells: of each column, those that are looked at.
    """
    ranked = ranked_places(columns)
    for place in ranked:
        if bare_name(columns[place]) in SMILES_NAMES[:2] or _are_molecules(cells[place]):
            return place
    found = molecule_place(cells, columns)
    # Without a molecule in any column, each row of the one that is named so has its reason.
    return ranked[0] if found is None and ranked else found


def bare_name(column: str) -> str:
    """Return a column's name in lower case, without what separates its words.

    >>> bare_name("Canonical_Smiles")
    'canonicalsmiles'
    """
    return re.sub(r"[\W_]+", "", column).lower()


def ranked_places(columns: Sequence[str], *, loose: bool = True) -> list[int]:
    """Return the places of columns that are named as one of SMILES is, the preferred ones first.

    Args:
        columns: to choose from.
        loose: whether names that may as well be those of other columns count (`LOOSE_NAMES`).
    """
    known = SMILES_NAMES + LOOSE_NAMES * loose

    def rank(place: int) -> int:
        bare = bare_name(columns[place])
        if bare in SMILES_NAMES[:2]:
            return SMILES_NAMES.index(bare)
        if "smiles" in bare:
            return 2
        return 3 + known.index(bare) if bare in known else -1

    return sorted((place for place in range(len(columns)) if rank(place) >= 0), key=rank)


def molecule_place(cells: Sequence[Sequence[str]], columns: Sequence[str] = ()) -> int | None:
    """Return the place of the column in which most cells look like molecules, None without one.

    Where no cell does, as in a table of water and ethanol: the first column in which all cells read
    as molecules and most differ, as classes do not.

    Args:
        cells: of each column, those that are looked at.
        columns: their names, if they have any; one of another notation is not taken.
    """
    places = [
        place
        for place in range(len(cells))
        if not (columns and any(word in bare_name(columns[place]) for word in OTHER_NOTATIONS))
    ]
    counts = {place: sum(map(looks_like_molecule, cells[place])) for place in places}
    best = max(places, key=lambda place: counts[place], default=None)
    if best is None or counts[best]:
        return best
    return next((place for place in places if _are_distinct_molecules(cells[place])), None)


def written_smiles(
    columns: Sequence[str], rows: Iterable[Sequence[object]]
) -> tuple[int, Iterator[Sequence[object]]]:
    """Return the place of the column of molecules in a table to write, and its rows.

    It is the one that reading the table would find, the first where none is.
    """
    remaining = iter(rows)
    preview = list(islice(remaining, LOOKED_AT))
    cells = [[cell_text(row[place]) for row in preview] for place in range(len(columns))]
    return smiles_place(columns, cells) or 0, chain(preview, remaining)


def _are_molecules(cells: Sequence[str]) -> bool:
    """Tell whether at least half of the cells that are not empty read as molecules."""
    told = [cell for cell in cells if cell.strip()]
    return bool(told) and 2 * sum(map(is_molecule, told)) >= len(told)


def _are_distinct_molecules(cells: Sequence[str]) -> bool:
    told = [cell for cell in cells if cell.strip()]
    return bool(told) and 2 * len(set(told)) > len(told) and all(map(is_molecule, told))


def id_place(columns: Sequence[str]) -> int | None:
    """Return the place of the column that names molecules (`ID_NAMES`), None without one."""
    lower = [column.lower() for column in columns]
    return next((lower.index(name) for name in ID_NAMES if name in lower), None)


def find_column(table: Table, name: str) -> int:
    """Return the place of a table's column, whose name is spelled in any case.

    Raises:
        UsageError: listing the columns, when there is none.
        InputError: when there is more than one.
    """
    return find(table.file.where, table.columns, name)


def find(where: str, columns: Sequence[str], name: str) -> int:
    """Return the place of the one of `columns` that is `name`, exactly or else in any case.

    Raises:
        UsageError: listing the columns, when there is none.
        InputError: when there is more than one.
    """
    lower = name.strip().lower()
    found = [place for place, column in enumerate(columns) if column == name]
    found = found or [place for place, column in enumerate(columns) if column.lower() == lower]
    if len(found) > 1:
        raise InputError(f"{where}: {len(found)} columns are named '{name}': rename one.")
    if not found:
        raise UsageError(
            f"{where}: no column '{name}'{did_you_mean(name, columns) or '.'}"
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


def plain(value: object) -> bool | int | float | str | None:
    """Return a value as formats with types hold it; what is no finite number is missing."""
    value = value.item() if isinstance(value, np.generic) else value
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return to_bytes(str(value)).decode("utf-8", errors="replace")


def cell_text(value: object) -> str:
    """Write one value as the text of a cell; None and NaN are empty.

    >>> [cell_text(value) for value in ("CCO", 2.50, 3.0, True, None)]
    ['CCO', '2.5', '3', 'true', '']
    """
    if value is None or value != value:
        return ""
    if isinstance(value, bool | np.bool_):
        return str(value).lower()
    return str(value).removesuffix(".0") if isinstance(value, float | np.floating) else str(value)


def is_molecule(cell: str) -> bool:
    """Tell whether a cell reads as a molecule."""
    try:
        parse(check_text(cell))
    except Rejected:
        return False
    return True


def looks_like_molecule(cell: str) -> bool:
    """Tell whether a cell reads as a molecule and is no letter or short word that also would.

    >>> [looks_like_molecule(cell) for cell in ("CCOC", "C=O", "CI", "NO", "lidocaine")]
    [True, True, False, False, False]
    """
    text = cell.strip()
    is_word = len(text) <= MAX_WORD and text.isalpha()
    return not is_word and not _SELFIES.fullmatch(text) and is_molecule(text)
