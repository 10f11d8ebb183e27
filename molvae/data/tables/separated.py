"""Comma-, tab- and semicolon-separated tables, with or without a header."""

import csv
import io
import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice

from molvae.chem.cxsmiles import is_extended
from molvae.data.tables.cells import cell_text
from molvae.data.tables.columns import (
    NO_MOLECULES,
    SMILES_NAMES,
    bare_name,
    by_column,
    choose_smiles_column,
    find,
    is_molecule,
    looks_like_molecule,
    molecule_place,
    ranked_places,
)
from molvae.data.tables.files import OpenFile
from molvae.data.tables.lines import (
    LONG_LINE,
    MAX_LINE,
    MAX_SHOWN,
    is_cut,
    text_lines,
    to_bytes,
)
from molvae.data.tables.records import Record, Table, table_rows
from molvae.errors import InputError

PREVIEW = 20  # rows that decide whether the first one is a header
MAX_RECORD_LINES = 1000  # a quoted cell of more lines is a quote that does not close
OPEN_QUOTE = "a quote opens and does not close"
_SEPARATOR = re.compile(r'"?sep=(.)"?\s*')  # a first line by which Excel knows the separator
CUT_OFF = "cut off in the last row"


def read(file: OpenFile, smiles_column: str, *, separators: str) -> Table:
    """Read comma-, tab- or semicolon-separated text with or without a header.

    Args:
        file: the open file.
        smiles_column: as in `tables.open_table`.
        separators: to choose from: the most frequent one of the first line.
    """
    text = text_lines(file)
    first = next(text, "")
    said = _SEPARATOR.fullmatch(first)
    separator = said[1] if said else max(separators, key=_outside_quotes(first).count)
    begins = 2 if said else 1
    rows = _rows(text if said else chain([first], text), separator, begins)
    preview = list(islice(rows, PREVIEW))
    if not preview:
        raise InputError(f"{file.where}: no rows.")
    if _has_header(preview, smiles_column):
        header = preview.pop(0)
        begins = header.line + 1
        if header.fault:
            raise InputError(f"{file.where}:{header.line}: {header.fault}, in the header.")
        columns = tuple(cell.strip() for cell in header.cells)
        if not smiles_column:
            _check_header(file.where, columns, preview)
        columns = _with_row_names(columns, preview, smiles_column)
        cells = [record.cells for record in preview]
        smiles = choose_smiles_column(file.where, columns, cells, smiles_column)
    else:
        columns = tuple(f"column_{place}" for place in range(1, len(preview[0].cells) + 1))
        smiles = molecule_place(_by_column(preview, len(columns))) or 0
        smiles = find(file.where, columns, smiles_column) if smiles_column else smiles
    found = table_rows(file, columns, smiles, chain(preview, rows))
    return Table(file, columns, smiles, found, begins=begins, line_is_row=len(columns) == 1)


def _check_header(where: str, columns: Sequence[str], preview: list[Record]) -> None:
    """Raise `InputError` for a header that comes later, or that another separator divides."""
    if not ranked_places(columns):
        for record in preview:
            if any(map(_is_heading, record.cells)) and not any(
                map(looks_like_molecule, record.cells)
            ):
                raise InputError(
                    f"{where}:{record.line}: the header, after lines that are no part of the table;"
                    " delete them."
                )
    if len(columns) > 1 or not preview:
        return
    lines = [record.cells[0] for record in preview]
    for separator, name in (("|", "'|'"), (" ", "spaces; --format smi reads SMILES and IDs")):
        count = columns[0].count(separator)
        more = {line.count(separator) - count for line in lines}  # 1 where R wrote names of rows
        if count and more in ({0}, {1}) and not (separator == " " and any(map(is_extended, lines))):
            raise InputError(f"{where}: commas, semicolons or tabs separate columns, not {name}.")


def _is_heading(cell: str) -> bool:
    return any(bare_name(part) in SMILES_NAMES[:2] for part in re.split(r"[,;\t|]", cell))


def _with_row_names(
    columns: tuple[str, ...], preview: list[Record], wanted: str
) -> tuple[str, ...]:
    """Return the columns with one more where R wrote names of rows, for which it has no heading."""
    rows = [record.cells for record in preview]
    if not rows or any(len(cells) != len(columns) + 1 for cells in rows):
        return columns
    named = [place for place, column in enumerate(columns) if column.lower() == wanted.lower()]
    for place in (named if wanted else ranked_places(columns))[:1]:
        is_shifted = any(is_molecule(cells[place + 1]) for cells in rows)
        if is_shifted and not any(is_molecule(cells[place]) for cells in rows):
            return ("", *columns)
    return columns


def _outside_quotes(line: str) -> str:
    return re.sub(r'"[^"]*"', "", line)


def _rows(text: Iterator[str], separator: str, start: int) -> Iterator[Record]:
    """Yield the records from the line `start`; every physical line belongs to one, or is blank.

    A quote that does not close costs only the line on which it opens: the next lines are read again
    as rows.
    """
    numbered = enumerate(text, start)
    again: deque[tuple[int, str]] = deque()

    def next_line() -> tuple[int, str] | None:
        return again.popleft() if again else next(numbered, None)

    width = 0
    is_ragged = False
    for line, content in iter(next_line, None):
        fault = ""
        if is_cut(content):
            cells, fault = [content[:MAX_SHOWN]], LONG_LINE
        elif '"' in content:
            expected = width or content.count(separator) + 1
            cells, fault, behind = _quoted(content, iter(next_line, None), separator, expected)
            again.extendleft(reversed(behind))
        else:
            whole = content.rstrip("\r\n")
            cells = whole.split(separator) if whole else []
        if cells and len(cells) < width and not fault:
            # Spreadsheets may leave out empty cells at the end of rows, but they end the last line.
            if not is_ragged and not content.endswith(("\n", "\r")):
                fault = f"{CUT_OFF}: {len(cells)} of {width} cells, and no end of line"
            is_ragged = True
        if cells:
            width = width if fault else width or len(cells)
            yield Record(line, cells, fault)


def _quoted(
    first: str, following: Iterable[tuple[int, str]], separator: str, width: int
) -> tuple[list[str], str, list[tuple[int, str]]]:
    """Read a record with quotes, which begins on the line `first`.

    Returns:
        Its cells, why it cannot be used ("" when it can), and the lines of `following` that were
        read but do not belong to it.
    """
    alone = csv.reader([first.rstrip("\r\n"), ""], delimiter=separator)
    try:
        cells = next(alone)
    except csv.Error:
        return [first[:MAX_SHOWN]], "cell too long", []
    if alone.line_num == 1:  # every quote closes on its own line
        return cells, "", []
    taken: list[tuple[int, str]] = []

    def text() -> Iterator[str]:
        yield first
        size = len(first)
        for each in islice(following, MAX_RECORD_LINES):
            taken.append(each)
            size += len(each[1])
            if size > MAX_LINE:
                return
            yield each[1]

    try:
        whole = next(csv.reader(text(), delimiter=separator, strict=True))
        swallowed = any(_holds_rows(cell, separator, width) for cell in whole)
    except csv.Error:
        swallowed = True
    return (cells, OPEN_QUOTE, taken) if swallowed else (whole, "", [])


def _holds_rows(cell: str, separator: str, width: int) -> bool:
    """Return whether a cell of several lines contains rows, because a quote does not close.

    Text has a space after a comma, rows have none.
    """
    lines = [line.split(separator) for line in cell.splitlines()]
    return len(lines) > 1 and any(
        looks_like_molecule(part)
        for parts in lines
        if len(parts) >= min(width, 2)
        for part in parts
        if part == part.strip()
    )


def _has_header(preview: list[Record], smiles_column: str) -> bool:
    """Return whether the first row is a header; a wrong answer would lose a molecule."""
    if smiles_column == NO_MOLECULES:
        return True
    first, rest = preview[0].cells, preview[1:]
    if smiles_column:
        named = smiles_column.strip().lower() in {cell.strip().lower() for cell in first}
    else:
        named = bool(ranked_places(first, loose=not any(map(looks_like_molecule, first))))
    if named:
        return True
    place = molecule_place(_by_column(rest or preview, len(first)))
    return place is None or not is_molecule(first[place])


def _by_column(records: list[Record], width: int) -> list[list[str]]:
    return by_column([record.cells for record in records], width)


def write(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, separator: str
) -> Iterator[bytes]:
    """Yield a header and rows as bytes; cells are quoted where necessary."""
    line = io.StringIO()
    # With these ends of lines, Python before 3.13 also quotes a cell that has one of them.
    writer = csv.writer(line, delimiter=separator, lineterminator="\r\n")
    for row in chain([columns], rows):
        writer.writerow([cell_text(value) for value in row])
        yield to_bytes(f"{line.getvalue()[:-2]}\n")
        line.seek(0)
        line.truncate()
