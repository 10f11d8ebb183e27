"""Label columns: numbers, or words from a few classes. The cells of all files decide which.

While the rows are read, each distinct text of a column is kept once. The texts are interpreted when
all rows are there, so that no file is read twice and a class of the last row is known.
"""

import math
from array import array
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np

from molvae.data.tables.cells import cell_text, is_missing, number
from molvae.data.tables.numbers import DECIMALS, choose_decimal, parse_number
from molvae.errors import Rejected, UsageError, did_you_mean
from molvae.normalizer import class_key, resembles_number

FEW = 20  # different words that become classes without --label NAME:class
MOST = 50  # classes that a label may have: each is a condition of the model
# What may follow the colon of --label NAME:KIND; log10 is a number of which the logarithm is taken.
KINDS = ("class", "number", "log10")


class Label(NamedTuple):
    """A label column, and how its cells are interpreted.

    Attributes:
        column: its name, as the user spelled it.
        classes: its classes, in order; none for numbers.
        decimal: of numbers with separators, as in `numbers.parse_number`.
        log10: whether the label is the logarithm of the number.
    """

    column: str
    classes: tuple[str, ...] = ()
    decimal: str = ""
    log10: bool = False

    @property
    def name(self) -> str:
        """The name of the condition: the column's, or `log10_IC50` for the logarithm of `IC50`."""
        return f"log10_{self.column}" if self.log10 else self.column

    def parse(self, cell: str) -> float:
        """Return the value of a cell: a number, or the position of its class; NaN when missing.

        Raises:
            Rejected: "not a number", "number too large", "no logarithm" or "unknown class".

        >>> Label("activity", ("active", "inactive")).parse(" Inactive")
        1.0
        """
        if not self.classes:
            value = number(cell, field=self.column, decimal=self.decimal)
            if self.log10 and value <= 0:
                detail = f"{cell.strip()[:40]!a} is not above 0"
                raise Rejected("no logarithm", detail, field=self.column)
            return math.log10(value) if self.log10 else value
        position = _positions(self.classes).get(class_key(_word(cell)))
        if position is not None:
            return float(position)
        if is_missing(cell):
            return math.nan
        raise Rejected("unknown class", f"{_word(cell)[:40]!a}", field=self.column)

    def text(self, value: float) -> str:
        """Return the number or class that `parse` returned as text; "" for NaN."""
        if math.isnan(value):
            return ""
        if self.classes:
            return self.classes[int(value)]
        return f"{10**value if self.log10 else value:g}"

    def one_hot(self, positions: np.ndarray) -> np.ndarray:
        """Return 1 for the class of a molecule and 0 for the others, NaN where it has none.

        Positions in `classes`, or NaN, of shape (N,) become an array of shape (N, classes).
        """
        hot = (positions[:, None] == np.arange(len(self.classes))).astype(positions.dtype)
        return np.where(np.isnan(positions)[:, None], np.nan, hot)


class LabelCells:
    """The cells of one label column, in the order of the rows.

    Args:
        column: its name.
        kind: one of `KINDS`, or "" when the cells decide.
    """

    def __init__(self, column: str, kind: str = "") -> None:
        self.column, self.kind = column, kind
        self._plain = Label(column, log10=kind == "log10")
        self.name = self._plain.name
        self._codes: dict[str, int] = {}  # of each distinct text, in order of appearance
        self._not_numbers = bytearray()  # whether the text of a code must be a class
        self._words: dict[str | float, str] = {}  # the classes so far, where they are asked for
        self._rows = array("I")  # the code of each row's cell

    def add(self, cell: str) -> bool:
        """Add the cell of the next row; return whether its row is rejected if labels are numbers.

        An unusable row has an empty cell.

        Raises:
            UsageError: when classes are asked for, and this is one too many.
        """
        code = self._codes.setdefault(cell, len(self._codes))
        if code == len(self._not_numbers):
            is_class = self.kind == "class"
            self._not_numbers.append(not (is_class or _can_parse(self._plain, cell)))
            if is_class and not is_missing(cell):
                self._words.setdefault(class_key(_word(cell)), _word(cell))
                self._check_number(self._words)
        self._rows.append(code)
        return bool(self._not_numbers[code])

    def refuses(self, cell: str) -> bool:
        """Return whether no other cell can change that the row of this one is rejected."""
        if self.kind not in ("number", "log10") or is_missing(cell):
            return False
        labels = [self._plain._replace(decimal=decimal) for decimal in ("", *DECIMALS)]
        return not any(_can_parse(label, cell) for label in labels)

    def label(self, place: Callable[[int], str]) -> Label:
        """Return the label, of numbers or classes.

        A column of numbers is a number and one of up to 20 different words a class. A column with
        both is a number when most cells are; the rows with words are then rejected.

        Args:
            place: returns where the row of this number is, for messages.

        Raises:
            UsageError: when the column has more than 50 classes, or there is more than one way to
                interpret it.
        """
        if self.kind in ("number", "log10"):
            return self._of_numbers()
        words, numbers, classes = self._texts()
        if not self.kind and (not words or self._count(numbers) > self._count(words)):
            return self._of_numbers()
        self._check_number(classes)
        if not self.kind and numbers:
            raise self._ambiguous(
                f"{self._count(numbers):,} cells are numbers ({self._first(numbers, place)}),"
                f" {self._count(words):,} are words ({self._first(words, place)})"
            )
        if not self.kind and len(classes) > FEW:
            raise self._ambiguous(f"{len(classes)} different words ({self._first(words, place)})")
        order = sorted(classes, key=lambda key: (isinstance(key, str), key))
        return Label(self.column, tuple(classes[key] for key in order))

    def values(self, label: Label) -> tuple[np.ndarray, dict[int, Rejected]]:
        """Return the value of each row, shape (R,), and why a row has none that can be used."""
        found: list[float] = []
        causes: dict[int, Rejected] = {}
        for cell, code in self._codes.items():
            try:
                found.append(label.parse(cell))
            except Rejected as cause:
                causes[code] = cause
                found.append(math.nan)
        codes = np.frombuffer(self._rows, dtype=np.uint32)
        bad = np.flatnonzero(np.isin(codes, list(causes)))
        return np.array(found)[codes], {int(row): causes[int(codes[row])] for row in bad}

    def notes(self, label: Label, place: Callable[[int], str]) -> list[str]:
        """Return what is read otherwise than it is written, in words."""
        cells = [(cell, code) for cell, code in self._codes.items() if cell.strip()]
        missing = {
            cell: code for cell, code in cells if is_missing(cell) and math.isnan(label.parse(cell))
        }
        found = []
        if missing:
            words = ", ".join(dict.fromkeys(cell.strip() for cell in missing))
            rename = "; rename a class that is called so" if label.classes else ""
            count = self._count(missing)
            rows = f"{count:,} row{'s' * (count > 1)}"
            found.append(f"{self.column}: {words} means no value ({rows}){rename}")
        odd = [cell for cell, code in cells if self._not_numbers[code]] if label.decimal else []
        read = [cell for cell in odd if parse_number(cell.strip(), label.decimal) is not None]
        if read:
            cell = read[0]
            value = cell_text(parse_number(cell.strip(), label.decimal))
            where = place(self._rows.index(self._codes[cell]))
            found.append(f"{self.column}: {cell.strip()} is read as {value} ({where})")
        return found

    def _of_numbers(self) -> Label:
        """Return the label of numbers, plain or with separators."""
        odd = any(self._not_numbers)
        texts = (cell.strip() for cell in self._codes if not is_missing(cell))
        return self._plain._replace(decimal=choose_decimal(texts) if odd else "")

    def _texts(self) -> tuple[dict[str, int], dict[str, int], dict[str | float, str]]:
        """Return the codes of words, those of numbers, and the classes that are possible."""
        words: dict[str, int] = {}
        numbers: dict[str, int] = {}
        classes: dict[str | float, str] = {}
        signs = {cell.strip() for cell in self._codes}
        for cell, code in self._codes.items():
            is_class = not is_missing(cell) or (cell.strip() == "-" and "+" in signs)
            if is_class:
                word = _word(cell)
                is_number = _is_numeric(word)
                (numbers if is_number else words)[cell] = code
                if self.kind or not is_number:
                    classes.setdefault(class_key(word), word)
        return words, numbers, classes

    def _count(self, codes: dict[str, int]) -> int:
        """Return the number of cells that have one of these codes."""
        rows = np.bincount(np.frombuffer(self._rows, dtype=np.uint32), minlength=len(self._codes))
        return int(rows[list(codes.values())].sum())

    def _first(self, codes: dict[str, int], place: Callable[[int], str]) -> str:
        """Return the first of the texts with its place."""
        cell, code = next(iter(codes.items()))
        return f"{place(self._rows.index(code))}: {_word(cell)[:40]!a}"

    def _check_number(self, classes: Mapping[str | float, str]) -> None:
        if len(classes) > MOST:
            some = ", ".join(f"{word[:20]!a}" for word in list(classes.values())[:3])
            raise UsageError(
                f"label '{self.column}': more than {MOST} different words ({some}, ...), too many"
                " for classes; group them, or leave the label out."
            )

    def _ambiguous(self, found: str) -> UsageError:
        return UsageError(
            f"label '{self.column}': {found}. --label '{self.column}:class' takes every cell for a"
            f" class, --label '{self.column}:number' leaves out the rows with words."
        )


def label_cells(texts: Sequence[str], columns: Sequence[str]) -> list[LabelCells]:
    """Return the label columns of `--label NAME`, and of `NAME:KIND` with one of `KINDS`.

    A column of the first table whose name has a colon is found by its whole name.

    Raises:
        UsageError: for an unknown kind.
    """
    return [LabelCells(*_split_kind(text, columns)) for text in texts]


def _split_kind(text: str, columns: Sequence[str]) -> tuple[str, str]:
    """Split `NAME:class` where no column has that name: (name, "class", "number", ... or "")."""
    name, _, kind = (part.strip() for part in text.rpartition(":"))
    lower = {column.lower() for column in columns}
    if text.strip().lower() in lower:
        return text, ""
    if kind.lower() in KINDS:
        return name, kind.lower()
    if name.lower() in lower:
        known = [*columns, *(f"{name}:{each}" for each in KINDS)]
        raise UsageError(
            f"label '{text}': no column has this name, and after a colon stands one of"
            f" {', '.join(KINDS)}{did_you_mean(text, known) or '.'}"
            f" The columns: {', '.join(columns)}."
        )
    return text, ""  # a name that is missing is refused with the columns that exist


def _word(cell: str) -> str:
    """Return a cell without needless white space."""
    return " ".join(cell.split())


def _can_parse(label: Label, cell: str) -> bool:
    try:
        label.parse(cell)
    except Rejected:
        return False
    return True


def _is_numeric(word: str) -> bool:
    """Return whether a word is a number, maybe with separators, or an error in one."""
    return resembles_number(word) or any(parse_number(word, sign) for sign in DECIMALS)


@cache
def _positions(classes: tuple[str, ...]) -> dict[str | float, int]:
    return {class_key(word): position for position, word in enumerate(classes)}
