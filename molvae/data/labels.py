"""Label columns: numbers, or words from a few classes; which of the two is seen before the work.

All cells of a column are looked at once before any chemistry is done: reading them takes about a
hundredth of the time, and a class that first shows in the last row is known from the start.
"""

import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from molvae.config import DataConfig
from molvae.data.tables import records, tables
from molvae.errors import Rejected, UsageError
from molvae.normalizer import class_key

FEW = 20  # different words that are taken for classes without being told
MOST = 50  # classes that a label may have: each is a condition of the model
KINDS = ("class", "number")  # what may stand behind the colon of --label NAME:KIND


class Label(NamedTuple):
    """A label column, and how its cells are read.

    Attributes:
        name: of the column, as the user spelled it.
        classes: its classes, in order; none for numbers.
    """

    name: str
    classes: tuple[str, ...] = ()

    def read(self, cell: str) -> float:
        """Read a cell: a number, or the position of its class; NaN for an empty one.

        Raises:
            Rejected: "not a number", or "unknown class" when the file changed since it was
                looked at.

        >>> Label("activity", ("active", "inactive")).read(" Inactive")
        1.0
        """
        if not self.classes:
            return records.number(cell, field=self.name)
        word = _word(cell)
        if not word:
            return math.nan
        position = _positions(self.classes).get(class_key(word))
        if position is None:
            raise Rejected("unknown class", f"{word[:40]!a}", field=self.name)
        return float(position)

    def write(self, value: float) -> str:
        """Write what `read` returned: a number or a class, nothing for NaN."""
        if math.isnan(value):
            return ""
        return self.classes[int(value)] if self.classes else f"{value:g}"

    def one_hot(self, positions: np.ndarray) -> np.ndarray:
        """Return 1 for the class of a molecule and 0 for the others, NaN where it has none.

        Args:
            positions: in `classes`, or NaN, shape (N,).

        Returns:
            Shape (N, number of classes).
        """
        hot = (positions[:, None] == np.arange(len(self.classes))).astype(positions.dtype)
        return np.where(np.isnan(positions)[:, None], np.nan, hot)


def find_labels(
    paths: Sequence[Path], config: DataConfig, *, format: str = ""
) -> tuple[Label, ...]:
    """Find the label columns, and tell numbers from classes by the cells of all files.

    `NAME:class` and `NAME:number` say it, where no column is named so. Otherwise a column of
    numbers is a number, one of up to 20 different words a class, and of both a number when most
    cells are; then the rows with words are rejected as they are read.

    Raises:
        InputError: for a file that is no table.
        UsageError: for a column that is not there, has more than 50 classes, or could be read in
            more than one way.
    """
    if not config.labels:
        return ()
    asked = [_split_kind(text, _columns(paths[0], config, format)) for text in config.labels]
    seen = {name: _Seen(name, kind) for name, kind in asked if kind != "number"}
    for path in paths if seen else ():
        _look(path, config, format, list(seen.values()))
    return tuple(seen[name].decide() if name in seen else Label(name) for name, _ in asked)


def _columns(path: Path, config: DataConfig, format: str) -> tuple[str, ...]:
    table = tables.open_table(path, smiles_column=config.smiles_column, format=format)
    table.file.close()
    return table.columns


def _split_kind(text: str, columns: Sequence[str]) -> tuple[str, str]:
    """Split `NAME:class` where no column has that name: (name, "class", "number" or "")."""
    name, _, kind = (part.strip() for part in text.rpartition(":"))
    lower = {column.lower() for column in columns}
    if text.strip().lower() in lower or name.lower() not in lower:
        return text, ""  # a name that is not there is refused with the columns that are
    if kind.lower() not in KINDS:
        raise UsageError(f"label '{text}': behind the colon stands {' or '.join(KINDS)}.")
    return name, kind.lower()


def _look(path: Path, config: DataConfig, format: str, seen: list["_Seen"]) -> None:
    table = tables.open_table(path, smiles_column=config.smiles_column, format=format)
    columns = [records.find_column(table, one.name) for one in seen]
    for row in table.rows:
        if not row.fault:
            for one, column in zip(seen, columns, strict=True):
                one.add(row.cells[column], f"{row.file}:{row.line}")


class _Seen:
    """What the cells of one label column hold.

    Args:
        name: of the column.
        kind: what the user says it is, "" when it shall be found out.
    """

    def __init__(self, name: str, kind: str) -> None:
        self.name, self.kind = name, kind
        self.numbers = self.words = 0  # cells
        self.number = self.word = ""  # the first of each and where it stands, for messages
        self.classes: dict[str | float, str] = {}  # up to one more than can be

    def add(self, cell: str, where: str) -> None:
        """Count one cell."""
        word = _word(cell)
        if not word:
            return
        if _is_like_number(word):
            self.numbers += 1
            self.number = self.number or f"{where}: {word[:40]!a}"
            if not self.kind:
                return
        else:
            self.words += 1
            self.word = self.word or f"{where}: {word[:40]!a}"
        if len(self.classes) <= MOST:
            self.classes.setdefault(class_key(word), word)

    def decide(self) -> Label:
        """Return the label.

        Raises:
            UsageError: see `find_labels`.
        """
        if not self.kind and (not self.words or self.numbers > self.words):
            return Label(self.name)
        if len(self.classes) > MOST:
            some = ", ".join(f"{word[:20]!a}" for word in list(self.classes.values())[:3])
            raise UsageError(
                f"label '{self.name}': more than {MOST} different words ({some}, ...), too many"
                " for classes; group them, or leave the label out."
            )
        if not self.kind and self.numbers:
            raise self._undecided(
                f"{self.numbers:,} cells are numbers ({self.number}),"
                f" {self.words:,} are words ({self.word})"
            )
        if not self.kind and len(self.classes) > FEW:
            raise self._undecided(f"{len(self.classes)} different words ({self.word})")
        order = sorted(self.classes, key=lambda key: (isinstance(key, str), key))
        return Label(self.name, tuple(self.classes[key] for key in order))

    def _undecided(self, what: str) -> UsageError:
        return UsageError(
            f"label '{self.name}': {what}. --label '{self.name}:class' takes every cell for a"
            f" class, --label '{self.name}:number' leaves out the rows with words."
        )


def _word(cell: str) -> str:
    """Return a cell without needless white space."""
    return " ".join(cell.split())


def _is_like_number(word: str) -> bool:
    """Tell whether a word is a number or a slip of one, such as `1,5`, `1_0`, `inf` or `nan`."""
    try:
        float(word.replace(",", "."))
    except ValueError:
        return False
    return True


@cache
def _positions(classes: tuple[str, ...]) -> dict[str | float, int]:
    return {class_key(word): position for position, word in enumerate(classes)}
