"""The values of cells, as text and as Python values.

Cells stay text: `NA` and `nan` in the SMILES column are not missing values, and
`N`, `NO` and `[Na]` are molecules.
"""

import json
import math
from contextlib import suppress
from typing import cast

import numpy as np

from molvae.data.tables.lines import to_bytes
from molvae.data.tables.numbers import DECIMALS, parse_number
from molvae.errors import Rejected
from molvae.normalizer import LARGEST

# What pandas, R, Excel, KNIME and people write for a missing value; spelled so, `Na` is not.
MISSING = {"", "NA", "na", "N/A", "n/a", "n.a.", "<NA>", "NaN", "nan", "NAN", "-NaN", "-nan", "NaT"}
MISSING |= {"None", "none", "NONE", "NULL", "Null", "null", "?", "-", "--", "\u2013", "\u2014", "."}
MISSING |= {"#N/A", "#N/A N/A", "#NA", "#DIV/0!", "#NUM!", "#VALUE!", "#REF!", "#NAME?", "#NULL!"}
MISSING |= {"1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN"}


def is_missing(cell: str) -> bool:
    """Return whether a cell is empty or says that it has no value."""
    return cell.strip() in MISSING


def number(cell: str, *, field: str, decimal: str = "") -> float:
    """Return the number of a cell, in ASCII; NaN for a missing one.

    Args:
        cell: its text.
        field: the name of its column.
        decimal: as in `numbers.parse_number`.

    Raises:
        Rejected: "not a number" for anything else: `inf`, `1e400`, `1,5`, `1_0`, `True`; "number
            too large" for one that 32 bits cannot hold.

    >>> number(" -2.18 ", field="logS")
    -2.18
    """
    text = cell.strip()
    value = parse_number(text, decimal)
    if value is None and text in MISSING:
        return math.nan
    if value is None or math.isinf(value):
        hint = "" if value else _how_to_write(text)
        raise Rejected("not a number", f"{text[:40]!a}{hint}", field=field)
    if abs(value) > LARGEST:
        raise Rejected("number too large", f"{text[:40]!a}, at most {LARGEST:.2g}", field=field)
    return value


def _how_to_write(text: str) -> str:
    """Return advice on a number with separators or a typographic minus, or a bound, else ""."""
    if text[:1] in ("<", ">", "~", "\u2264", "\u2265"):
        return "; a bound is no value: leave the cell empty, or write a number"
    found = (parse_number(text.replace("\u2212", "-"), decimal) for decimal in DECIMALS)
    readings = {value for value in found if value is not None}
    meant = " or ".join(map(cell_text, sorted(readings, reverse=True)))
    if len(readings) > 1:
        return f"; {meant}? Write it without separators, and the decimal point as a dot"
    return f"; write {meant}" if readings else ""


def plain(value: object) -> bool | int | float | str | None:
    """Return a value for a format with types: numbers that are not finite are None."""
    value = value.item() if isinstance(value, np.generic) else value
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return to_bytes(str(value)).decode("utf-8", errors="replace")


def literal(cell: str) -> bool | int | float | str | None:
    """Return the number or truth value that a cell was in a file with types; None for nothing.

    >>> [literal(cell) for cell in ("5.10", "7", "true", "", "1e400")]
    [5.1, 7, True, None, '1e400']
    """
    value: object = cell or None
    with suppress(ValueError):
        value = json.loads(cell)
    is_value = isinstance(value, bool | int | float) and math.isfinite(value)
    return cast(bool | int | float, value) if is_value else cell or None


def cell_text(value: object) -> str:
    """Return a value as the text of a cell; None and NaN are empty.

    >>> [cell_text(value) for value in ("CCO", 2.50, 3.0, True, None)]
    ['CCO', '2.5', '3', 'true', '']
    """
    if value is None or value != value:
        return ""
    if isinstance(value, bool | np.bool_):
        return str(value).lower()
    return str(value).removesuffix(".0") if isinstance(value, float | np.floating) else str(value)
