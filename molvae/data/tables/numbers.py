"""Numbers as spreadsheets write them: 1,200.5 and 1.200,5 and 1 200.

A separator of thousands in one table is the decimal sign of another: only a whole column can decide
what `1,200` is.
"""

import re
from collections.abc import Iterable

DECIMALS = (".", ",")
_PLAIN = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_GROUPED = re.compile(  # by a comma, an apostrophe or a space of any width
    r"[+-]?[1-9]\d{0,2}([,'\u2019 \u00a0\u2009\u202f])\d{3}(?:\1\d{3})*(?:\.\d*)?", re.ASCII
)
_SWAPPED = str.maketrans(".,", ",.")


def parse_number(text: str, decimal: str = "") -> float | None:
    """Return the number that a text is, None when it is none.

    Args:
        text: without white space around it.
        decimal: the decimal sign of a column with separators of thousands; "" for plain numbers.

    >>> [parse_number("1,200", decimal) for decimal in ("", ".", ",")]
    [None, 1200.0, 1.2]
    """
    text = text.translate(_SWAPPED) if decimal == "," else text
    if _PLAIN.fullmatch(text):
        return float(text)
    grouped = _GROUPED.fullmatch(text) if decimal else None
    return float(text.replace(grouped[1], "")) if grouped else None


def choose_decimal(texts: Iterable[str]) -> str:
    """Return the decimal sign of a column with separators, "" when only plain numbers are sure.

    It is the sign with which all numbers can be read. Where some may also be read with the other,
    such as `1,200`, another number must show the separator of thousands, as `12,300.5` does.

    >>> choose_decimal(["1,5", "7"]), choose_decimal(["1,200", "7"]), choose_decimal(["1,5", "1.5"])
    (',', '', '')
    """
    readings = {text: [parse_number(text, decimal) for decimal in DECIMALS] for text in texts}
    numbers = {text: values for text, values in readings.items() if values != [None, None]}
    if all(parse_number(text) is not None for text in numbers):
        return ""
    unclear = any(None not in values and values[0] != values[1] for values in numbers.values())
    for at, decimal in enumerate(DECIMALS):
        if all(values[at] is not None for values in numbers.values()):
            sure = [text for text, values in numbers.items() if values[1 - at] is None]
            if not unclear or any(_is_grouped(text, decimal) for text in sure):
                return decimal
    return ""


def _is_grouped(text: str, decimal: str) -> bool:
    return not _PLAIN.fullmatch(text.translate(_SWAPPED) if decimal == "," else text)
