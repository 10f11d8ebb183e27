"""Tables of a page, made from any part of its record: a new metric needs no line here.

Every number keeps its place in the record, as a JSON pointer (RFC 6901), and its exact value, so
that the page can be checked against the record.
"""

import json
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from molvae.evaluate.text import cell

DEEPEST = 6  # levels of a record that become tables; below, a cell holds JSON
ENDS = ("95 % from", "to")  # columns of an interval

Names = Mapping[str, str]  # key in a record -> its title
NONE: Mapping[str, Any] = MappingProxyType({})


class Cell(NamedTuple):
    """One cell of a table."""

    text: str
    pointer: str = ""  # the place of a number in the record; "" for words
    value: str = ""  # the number as JSON


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
    """Return the cell of a value, with numbers as the command line writes them."""
    if isinstance(value, bool):
        return Cell("yes" if value else "no")
    if value is None or isinstance(value, int | float):
        return Cell(cell(value), place, json.dumps(value))
    if isinstance(value, list) and not any(isinstance(item, list | dict) for item in value):
        return Cell(", ".join(shown(item, "").text for item in value))
    return Cell(value if isinstance(value, str) else json.dumps(value))


def interval(intervals: Mapping[str, Any], name: str) -> list[Cell]:
    """Return the cells of the two ends of an interval, empty without an interval."""
    place = pointer("report", "intervals", name)
    ends = enumerate(intervals[name]) if name in intervals else ()
    return [shown(end, place + pointer(number)) for number, end in ends] or [Cell(""), Cell("")]


def listing(
    title: str,
    values: Mapping[str, Any],
    place: str,
    *,
    names: Names = NONE,
    intervals: Mapping[str, Any] = NONE,
) -> Table:
    """Return a table of a part of the record at `place`, without the parts that are tables too.

    `names` has titles of its keys, `intervals` the two ends of the interval of each value.
    """
    rows = [
        [
            Cell(names.get(key, key)),
            shown(value, place + pointer(key)),
            *(interval(intervals, key) if intervals else ()),
        ]
        for key, value in values.items()
        if not isinstance(value, dict)
    ]
    return Table(title, ["", "value", *(ENDS if intervals else ())], rows)


def grid(
    title: str,
    table: Mapping[str, Mapping[str, Any]],
    place: str,
    *,
    columns: Names = NONE,
    names: Names = NONE,
) -> Table:
    """Return a table of records, a row each, with a column for every key of any record.

    `columns` has the keys that come first, with their titles, and `names` titles of the rows.
    """
    present = dict.fromkeys(key for row in table.values() for key in row)
    keys = [key for key in columns if key in present]
    keys += [key for key in present if key not in columns]
    rows = [
        [
            Cell(names.get(name, name)),
            *(shown(row[k], place + pointer(name, k)) if k in row else Cell("") for k in keys),
        ]
        for name, row in table.items()
    ]
    return Table(title, ["", *(columns.get(key, key) for key in keys)], rows)


def tables(
    title: str, value: Any, place: str, *, names: Names = NONE, depth: int = 0
) -> Iterator[Table]:
    """Yield the tables of any part of the record, at any depth."""
    if not isinstance(value, dict):
        yield Table(title, ["", "value"], [[Cell(title), shown(value, place)]])
        return
    inner = {key: part for key, part in value.items() if isinstance(part, dict)}
    flat = not any(isinstance(v, dict) for part in inner.values() for v in part.values())
    if inner and len(inner) == len(value) and flat:
        yield grid(title, value, place, names=names)
        return
    if len(inner) < len(value):
        yield listing(title, value, place, names=names)
    for key, part in inner.items():
        inside = part if depth < DEEPEST else json.dumps(part)
        heading = f"{title}: {names.get(key, key)}"
        yield from tables(heading, inside, place + pointer(key), names=names, depth=depth + 1)
