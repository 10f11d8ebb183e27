"""Tables of molecules: rows with the line they stand on, streamed; and written back.

Cells stay the text they are: `NA` and `nan` in the SMILES column are not missing values, and
`N`, `NO` and `[Na]` are molecules.
"""

import csv
import gzip
import io
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO, NamedTuple

from molvae.chem.smiles import check_text, parse
from molvae.data.lines import Lines, is_text, open_lines
from molvae.errors import InputError, Rejected, did_you_mean
from molvae.store import write_atomically

SMILES_NAMES = ("smiles", "canonical_smiles", "structure", "smi")  # in order of preference
ID_NAMES = ("id", "name", "title", "compound id", "molecule_chembl_id", "zinc_id")
PREVIEW = 20  # rows looked at to tell a header from a molecule
MAX_RECORD_LINES = 1000  # a quoted cell over more lines is a quote that nobody closed

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


def open_table(path: Path, *, smiles_column: str = "", format: str = "") -> Table:
    """Open a table of molecules.

    Args:
        path: a file; its format is told by its ending, `.gz` or not.
        smiles_column: the column that holds the SMILES, in any case; "": found by name
            (`SMILES_NAMES`), else the first column whose cells are molecules.
        format: one of `READERS`, to override the ending.

    Raises:
        InputError: when the file is no such table, with the cause; damage further on raises
            while the rows are read.
    """
    kind = format or format_of(path, READERS)
    lines = open_lines(path)
    return READERS[kind](lines, smiles_column)


def format_of(path: Path, known: Mapping[str, object]) -> str:
    """Return the format that a file's ending names.

    Raises:
        InputError: for an unknown ending, listing the known ones.
    """
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] == ".gz":
        suffixes.pop()
    ending = suffixes[-1].removeprefix(".") if suffixes else ""
    if ending not in known:
        raise InputError(
            f"{path}: its ending names no format that is known;"
            f" {', '.join('.' + name for name in known)}, each also with .gz."
        )
    return ending


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


def find_column(table: Table, name: str) -> str:
    """Return a table's spelling of a column's name, in any case.

    Raises:
        InputError: listing the columns, when there is none or more than one.
    """
    return _find(table.lines.path, table.columns, name)


def _find(path: Path, columns: Sequence[str], name: str) -> str:
    found = [column for column in columns if column == name]
    found = found or [column for column in columns if column.lower() == name.strip().lower()]
    if len(found) > 1:
        raise InputError(f"{path}: {len(found)} columns are named '{name}': rename one.")
    if not found:
        raise InputError(
            f"{path}: no column '{name}'{did_you_mean(name, columns)}"
            f" Its columns: {', '.join(columns)}."
        )
    return found[0]


def _read_separated(lines: Lines, smiles_column: str, *, separators: str) -> Table:
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
        return _table(lines, columns, smiles, True, chain(preview, records))
    columns = tuple(f"column_{place}" for place in range(1, len(preview[0][1]) + 1))
    smiles = columns[_molecule_columns(preview)[0]]
    return _table(lines, columns, smiles, False, chain(preview, records))


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
        if _is_molecule(cell)
        and (not rest or any(_is_molecule(cells[place]) for _, cells in rest if place < len(cells)))
    ]


def _is_molecule(cell: str) -> bool:
    try:
        parse(check_text(cell))
    except Rejected:
        return False
    return True


def _smiles_column(path: Path, columns: tuple[str, ...], preview: list[Record], wanted: str) -> str:
    if wanted:
        return _find(path, columns, wanted)
    known = {column.lower() for column in columns}
    for name in SMILES_NAMES:
        if name in known:
            return _find(path, columns, name)
    for place, column in enumerate(columns):
        if any(_is_molecule(cells[place]) for _, cells in preview if place < len(cells)):
            return column
    raise InputError(
        f"{path}: no column of SMILES; name it with --smiles-column."
        f" Its columns: {', '.join(columns)}."
    )


def _table(
    lines: Lines,
    columns: tuple[str, ...],
    smiles: str,
    has_header: bool,
    records: Iterable[Record],
) -> Table:
    at = columns.index(smiles)
    id_at = _id_column(columns)
    name = lines.path.name

    def rows() -> Iterator[Row]:
        for line, cells in records:
            text = cells[at] if at < len(cells) else ""
            title = cells[id_at] if id_at is not None and id_at < len(cells) else ""
            fault = _fault(cells, len(columns))
            yield Row(name, line, text, title, dict(zip(columns, cells, strict=False)), fault)

    return Table(name, columns, smiles, has_header, rows(), lines)


def _id_column(columns: tuple[str, ...]) -> int | None:
    lower = [column.lower() for column in columns]
    return next((lower.index(name) for name in ID_NAMES if name in lower), None)


def _fault(cells: list[str], columns: int) -> str:
    if not all(map(is_text, cells)):
        return "not UTF-8"
    if len(cells) > columns and any(cells[columns:]):
        return "too many cells"
    return ""


def _read_smi(lines: Lines, smiles_column: str) -> Table:
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
    wanted = _find(lines.path, columns, smiles_column) if smiles_column else columns[0]
    table = _table(lines, columns, wanted, has_header, records)
    return table


def _smi_records(lines: Lines) -> Iterator[Record]:
    for line, text in enumerate(lines.text, 1):
        cells = text.rstrip("\r\n").split("\t") if "\t" in text else text.split(maxsplit=1)
        if any(cells):
            yield line, cells


def _read_csv(lines: Lines, smiles_column: str) -> Table:
    return _read_separated(lines, smiles_column, separators=",;\t")


def _read_tsv(lines: Lines, smiles_column: str) -> Table:
    return _read_separated(lines, smiles_column, separators="\t,;")


READERS: dict[str, Callable[[Lines, str], Table]] = {
    "smi": _read_smi,
    "csv": _read_csv,
    "tsv": _read_tsv,
}


def write_table(
    target: Path | BinaryIO,
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    format: str = "",
) -> None:
    """Write a table: to a path atomically, or to a binary stream such as stdout's.

    Args:
        target: a path, whose ending names the format and compression, or an open stream.
        columns: their names; .smi takes the SMILES column and, if there is one, the ID column.
        rows: cells as long as `columns`; None and NaN are written as empty cells.
        format: one of `WRITERS`, to override the ending; "csv" for a stream when not given.

    Raises:
        InputError: for an unknown ending.
        MolvaeError: when the path cannot be written to; what was there stays.
    """
    if isinstance(target, Path):
        kind = format or format_of(target, WRITERS)
        content = b"".join(WRITERS[kind](columns, rows))
        if target.suffix.lower() == ".gz":
            content = gzip.compress(content, mtime=0)  # the same table, the same bytes
        write_atomically(target, content)
        return
    for piece in WRITERS[format or "csv"](columns, rows):
        target.write(piece)


def _cell(value: object) -> str:
    return "" if value is None or value != value else str(value)


def _write_separated(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, separator: str
) -> Iterator[bytes]:
    line = io.StringIO()
    writer = csv.writer(line, delimiter=separator, lineterminator="\n")
    for row in chain([columns], rows):
        writer.writerow([_cell(value) for value in row])
        yield line.getvalue().encode("utf-8", errors="surrogateescape")
        line.seek(0)
        line.truncate()


def _write_smi(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[bytes]:
    lower = [column.lower() for column in columns]
    smiles = next((lower.index(name) for name in SMILES_NAMES if name in lower), 0)
    title = _id_column(tuple(columns))
    for row in rows:
        cells = [row[smiles]] if title is None else [row[smiles], row[title]]
        text = "\t".join(" ".join(_cell(cell).split()) for cell in cells)
        yield f"{text}\n".encode("utf-8", errors="surrogateescape")


Writer = Callable[[Sequence[str], Iterable[Sequence[object]]], Iterator[bytes]]
WRITERS: dict[str, Writer] = {
    "smi": _write_smi,
    "csv": partial(_write_separated, separator=","),
    "tsv": partial(_write_separated, separator="\t"),
}
