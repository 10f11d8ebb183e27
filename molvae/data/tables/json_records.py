"""JSON lines, with an object for each row, and JSON files with an array of such objects.

Numbers stay text, so that `1e400` is refused as in any other table.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from molvae.data.tables.cells import plain
from molvae.data.tables.columns import choose_smiles_column
from molvae.data.tables.files import OpenFile
from molvae.data.tables.lines import LONG_LINE, is_cut, read_text, text_lines, to_bytes
from molvae.data.tables.records import Fields, Table, preview_columns, table_rows
from molvae.errors import InputError, Rejected

MAX_FILE = 64 * 2**20  # characters of a .json file; read whole, it takes six times as much memory
_EXPECTED = 'one JSON object a row is expected, such as {"smiles": "CCO"}'
_ARRAY = "an array of objects is expected; pandas writes one by to_json(orient='records')"


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise Rejected("a key stands twice")
    return made


class _Number(NamedTuple):
    """A number as it is spelled."""

    text: str


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_float=lambda text: _Number(text),
    parse_int=lambda text: _Number(text),
    parse_constant=lambda word: None if word == "NaN" else word,
)


def read_lines(file: OpenFile, smiles_column: str) -> Table:
    """Read JSON lines; columns are the keys of the first 1,000 rows, missing ones are empty.

    Blank lines are skipped. The line of a row is its physical line.
    """
    return _table(file, _line_records(text_lines(file)), smiles_column)


def read_array(file: OpenFile, smiles_column: str) -> Table:
    """Read a JSON file: an array of objects, alone or as the one such array within an object.

    JSON lines in a .json file are read too. The line of a row is its number, from 1, or in JSON
    lines its physical line.

    Raises:
        InputError: when it is no such JSON, or larger than 64 MiB, since it is read whole.
    """
    text = read_text(file, limit=MAX_FILE)
    if text is None:
        raise InputError(
            f"{file.where}: JSON of over {MAX_FILE // 2**20} MiB is not read whole; write one"
            " object a line and name it .jsonl."
        )
    if _is_lines(text):
        return _table(file, _line_records(re.split(r"\r\n|\r|\n", text)), smiles_column)
    array = _array(file.where, text)
    records = (_record(number, item) for number, item in enumerate(array, 1))
    return _table(file, records, smiles_column, total=len(array))


def _table(
    file: OpenFile, records: Iterator[Fields], smiles_column: str, *, total: int = 0
) -> Table:
    columns, preview, placed, late = preview_columns(file, records, expected=_EXPECTED)
    cells = [record.cells for record in preview]
    smiles = choose_smiles_column(file.where, columns, cells, smiles_column)
    rows = table_rows(file, columns, smiles, placed)
    return Table(file, columns, smiles, rows, late=late, total=total)


def _line_records(lines: Iterable[str]) -> Iterator[Fields]:
    for number, line in enumerate(lines, 1):
        if is_cut(line):
            yield Fields(number, {}, LONG_LINE)
        elif line.strip():
            try:
                yield _record(number, _decode(line))
            except Rejected as rejected:
                yield Fields(number, {}, rejected.reason)


def _is_lines(text: str) -> bool:
    """Return whether text is JSON lines: a second object follows the first one."""
    first, _, rest = text.lstrip().partition("\n")
    if not (first.startswith("{") and rest.lstrip().startswith("{")):
        return False
    try:
        return isinstance(_decode(first), dict)
    except Rejected:
        return False


def _decode(text: str) -> Any:
    try:
        return _DECODER.decode(text)
    except (ValueError, RecursionError) as error:
        raise Rejected("not JSON", str(error)) from error


def _array(where: str, text: str) -> list[Any]:
    try:
        value = _decode(text)
    except Rejected as rejected:
        raise InputError(f"{where}: {rejected}; is it cut off?") from rejected
    if isinstance(value, dict):
        inner = [each for each in value.values() if isinstance(each, list)]
        arrays = [each for each in inner if each and isinstance(each[0], dict)] or inner
        value = arrays[0] if len(arrays) == 1 else None
    if not isinstance(value, list):
        raise InputError(f"{where}: {_ARRAY}.")
    return value


def _record(number: int, value: Any) -> Fields:
    if not isinstance(value, dict):
        return Fields(number, {}, "not a JSON object")
    cells = {key: _cell(cell) for key, cell in value.items()}
    literal = [key for key, cell in value.items() if isinstance(cell, _Number | bool | None)]
    return Fields(number, cells, literal=literal)


def _cell(value: Any) -> str:
    value = _spelled(value)
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def _spelled(value: Any) -> Any:
    """Return a value with the text of each number in it."""
    if isinstance(value, _Number):
        return value.text
    if isinstance(value, list):
        return [_spelled(item) for item in value]
    return {k: _spelled(item) for k, item in value.items()} if isinstance(value, dict) else value


def write_lines(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[bytes]:
    """Yield an object on each line; numbers stay numbers, missing and infinite values are null."""
    for row in rows:
        cells = {name: plain(value) for name, value in zip(columns, row, strict=True)}
        yield to_bytes(f"{json.dumps(cells, ensure_ascii=False, allow_nan=False)}\n")


def write_array(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[bytes]:
    """Yield an array of objects, each on a line."""
    before = b"[\n"
    for line in write_lines(columns, rows):
        yield before + line.rstrip(b"\n")
        before = b",\n"
    yield b"[]\n" if before == b"[\n" else b"\n]\n"
