"""The values of cells, as text and as Python values.

Cells stay text: `NA` and `nan` in the SMILES column are not missing values, and
`N`, `NO` and `[Na]` are molecules.
"""

import math
import re

import numpy as np

from molvae.data.tables.lines import to_bytes
from molvae.errors import Rejected

_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)


def number(cell: str, *, field: str) -> float:
    """Return the number of a cell, in ASCII; NaN for an empty cell.

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
    """Return a value for a format with types: numbers that are not finite are None."""
    value = value.item() if isinstance(value, np.generic) else value
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return to_bytes(str(value)).decode("utf-8", errors="replace")


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
