"""Tables of a page, made from any part of its record: a new measure needs no line here.

Every number keeps its place in the record, as a JSON pointer (RFC 6901), and its exact value, so
that what is shown can be checked against what is stored.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from molvae.evaluate.text import cell

DEEPEST = 6  # levels of a record that are taken apart; what lies below is written as JSON

ENDS = ("95 % from", "to")  # columns of an interval

Names = Mapping[str, str]  # key in a record -> what to call it


class Cell(NamedTuple):
    """One cell of a table.

    Attributes:
        text: what is shown.
        pointer: the place of a number in the record; "" for words.
        value: the number as JSON has it.
    """

    text: str
    pointer: str = ""
    value: str = ""


class Table(NamedTuple):
    """A table with a title; the first cell of each row is its heading."""

    title: str
    columns: list[str]
    rows: list[list[Cell]]


def pointer(*keys: str | int) -> str:
    """Return the JSON pointer to a part of a record.

    >>> pointer("values", "FCD/Test", 0)
    '/values/FCD~1Test/0'
    """
    return "".join("/" + str(key).replace("~", "~0").replace("/", "~1") for key in keys)


def shown(value: Any, place: str) -> Cell:
    """Return the cell of a value: numbers as the command line writes them."""
    if isinstance(value, bool):
        return Cell("yes" if value else "no")
    if value is None or isinstance(value, int | float):
        return Cell(cell(value), place, json.dumps(value))
    if isinstance(value, list) and not any(isinstance(item, list | dict) for item in value):
        return Cell(", ".join(shown(item, "").text for item in value))
    return Cell(value if isinstance(value, str) else json.dumps(value))


def listing(
    title: str,
    values: Mapping[str, Any],
    place: str,
    *,
    names: Names | None = None,
    intervals: Mapping[str, Any] | None = None,
) -> Table:
    """Return a table of names and values; parts that are tables themselves are left out.

    Args:
        title: of the table.
        values: any part of the record.
        place: its pointer.
        names: what to call its keys.
        intervals: name -> the two ends of the interval of its value; see `interval`.
    """
    names, intervals = names or {}, intervals or {}
    rows = []
    for key, value in values.items():
        if isinstance(value, dict):
            continue
        row = [Cell(names.get(key, key)), shown(value, place + pointer(key))]
        if intervals:
            row += interval(intervals, key)
        rows.append(row)
    columns = ["", "value", *(ENDS if intervals else ())]
    return Table(title, columns, rows)


def interval(intervals: Mapping[str, Any], name: str) -> list[Cell]:
    """Return the cells of the two ends of an interval of a report; empty ones where it has none."""
    if name not in intervals:
        return [Cell(""), Cell("")]
    place = pointer("report", "intervals", name)
    return [shown(end, place + pointer(number)) for number, end in enumerate(intervals[name])]


def grid(
    title: str,
    table: Mapping[str, Mapping[str, Any]],
    place: str,
    *,
    columns: Names | None = None,
    names: Names | None = None,
) -> Table:
    """Return a table of records: a row each, and a column for every key that any of them has.

    Args:
        title: of the table.
        table: name -> record.
        place: its pointer.
        columns: keys that come first, and what to call them.
        names: what to call the rows.
    """
    columns, names = columns or {}, names or {}
    present = dict.fromkeys(key for row in table.values() for key in row)
    keys = [key for key in columns if key in present]
    keys += [key for key in present if key not in columns]
    rows = [
        [Cell(names.get(name, name))]
        + [shown(row[k], place + pointer(name, k)) if k in row else Cell("") for k in keys]
        for name, row in table.items()
    ]
    return Table(title, ["", *(columns.get(key, key) for key in keys)], rows)


def tables(
    title: str, value: Any, place: str, *, names: Names | None = None, depth: int = 0
) -> Iterable[Table]:
    """Yield the tables of any part of the record, however deep it goes."""
    if not isinstance(value, dict):
        yield Table(title, ["", "value"], [[Cell(title), shown(value, place)]])
        return
    if not value:
        return
    inner = [part for part in value.values() if isinstance(part, dict)]
    if len(inner) == len(value) and not any(_has_tables(part) for part in inner):
        yield grid(title, value, place, names=names)
        return
    if len(inner) < len(value):
        yield listing(title, value, place, names=names)
    for key, part in value.items():
        if isinstance(part, dict):
            inside = part if depth < DEEPEST else json.dumps(part)
            heading = f"{title}: {(names or {}).get(key, key)}"
            yield from tables(heading, inside, place + pointer(key), names=names, depth=depth + 1)


def _has_tables(part: Mapping[str, Any]) -> bool:
    return any(isinstance(value, dict) for value in part.values())
