"""Cells of a table: text, and the values that text stands for.

Cells stay the text they are: `NA` and `nan` in the SMILES column are not missing values, and
`N`, `NO` and `[Na]` are molecules.
"""

import math
import re

import numpy as np

from molvae.data.tables.lines import to_bytes
from molvae.errors import Rejected

_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)


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
