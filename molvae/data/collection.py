"""Distinct molecules as they come in, held in flat arrays: 1 M molecules take about 0.4 GB."""

import math
import re
from array import array
from collections import Counter
from collections.abc import Container
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from molvae.data.labels import Label
from molvae.data.rows import Item, Molecule
from molvae.errors import Rejected
from molvae.vocabulary import Vocabulary

_SYMBOL = re.compile(r"\[[^]]*\]|\.")  # the dot stands between the fragments of a mixture


class Place(NamedTuple):
    """Where a row stands: number of the file from 0, physical line from 1."""

    source: int
    line: int


class Conflict(NamedTuple):
    """Two rows of one molecule that disagree on a label.

    Attributes:
        label: its name.
        first: the row of the molecule that was the first to have the label.
        first_value: what that row says.
        other: the row that says something else.
        other_value: what.
        kept: what the molecule has in the end, "" when nothing.
    """

    label: str
    first: Place
    first_value: str
    other: Place
    other_value: str
    kept: str


@dataclass(slots=True)
class _Said:
    """What the rows of one molecule say of one label.

    Attributes:
        first: the first value.
        place: its row.
        total: the sum of all values.
        count: the number of rows that say anything.
        rows: how many of them say each class.
    """

    first: float
    place: Place
    total: float = 0.0
    count: int = 0
    rows: Counter[float] = field(default_factory=Counter)


class _Disagreement(NamedTuple):
    """A row that differs from the first one of its molecule in one label."""

    molecule: int
    label: int  # its position
    place: Place
    value: float


class Arrays(NamedTuple):
    """What was collected, as numpy arrays over the N molecules that are left.

    Attributes:
        ids: symbol ids end to end, uint16.
        offsets: molecule i is `ids[offsets[i]:offsets[i + 1]]`, int64, shape (N + 1,).
        values: properties, then labels as `Label.read` returns them, float32, shape (N, P).
        hashes: uint64, shape (N,).
        scaffolds: uint64, shape (N,).
        split: what a split column said, uint8, shape (N,).
    """

    ids: np.ndarray
    offsets: np.ndarray
    values: np.ndarray
    hashes: np.ndarray
    scaffolds: np.ndarray
    split: np.ndarray


class Collection:
    """Merges the rows of one molecule and keeps count.

    The first row of a molecule stays. A numeric label becomes the mean over its rows, a class the
    one that most of them have; where two classes tie the molecule has none. When the rows stand in
    different splits the most held-out one wins, so that nothing that is tested on is trained on.
    """

    def __init__(self, labels: tuple[Label, ...], computed: int) -> None:
        """Begin with nothing.

        Args:
            labels: the label columns.
            computed: how many values of a molecule come before its labels.
        """
        self.symbols: dict[str, int] = {}  # provisional ids, in order of appearance
        self.counts: Counter[str] = Counter()  # distinct molecules that hold a symbol
        self._labels = labels
        self._computed = computed
        self._width = computed + len(labels)
        self._by_hash: dict[int, int] = {}
        self._ids, self._offsets = array("H"), array("q", [0])
        self._values = array("d")
        self._hashes, self._scaffolds, self._split = array("Q"), array("Q"), array("B")
        self._sources, self._lines = array("H"), array("q")
        self._merged: list[tuple[int, Place]] = []
        self._said: dict[int, list[_Said | None]] = {}  # of molecules with several rows
        self._disagreements: list[_Disagreement] = []

    def __len__(self) -> int:
        """Return the number of distinct molecules."""
        return len(self._hashes)

    @property
    def merged(self) -> int:
        """The number of rows that were a molecule already seen."""
        return len(self._merged)

    def add(self, item: Item, molecule: Molecule) -> None:
        """Take in one row.

        Raises:
            Rejected: "hash collision" for the one case in 10^7 million-row tables in which two
                molecules share a hash.
        """
        symbols = _SYMBOL.findall(molecule.selfies)
        ids = array("H", [self.symbols.setdefault(s, len(self.symbols)) for s in symbols])
        known = self._by_hash.setdefault(molecule.hash, len(self))
        if known < len(self):
            if ids != self._ids[self._offsets[known] : self._offsets[known + 1]]:
                raise Rejected("hash collision", "another molecule has the same 64-bit hash")
            self._merge(known, item, molecule)
            return
        self.counts.update(set(symbols))
        self._ids.extend(ids)
        self._offsets.append(len(self._ids))
        self._values.extend(molecule.values)
        self._hashes.append(molecule.hash)
        self._scaffolds.append(molecule.scaffold)
        self._split.append(item.split)
        self._sources.append(item.source)
        self._lines.append(item.line)

    def _merge(self, known: int, item: Item, molecule: Molecule) -> None:
        place = Place(item.source, item.line)
        self._merged.append((known, place))
        self._split[known] = max(self._split[known], item.split)
        if known not in self._said:
            start = known * self._width + self._computed
            begin = Place(self._sources[known], self._lines[known])
            mine = self._values[start : start + len(self._labels)]
            self._said[known] = [
                _say(label, None, value, begin)
                for label, value in zip(self._labels, mine, strict=True)
            ]
        said = self._said[known]
        for at, value in enumerate(molecule.values[self._computed :]):
            before = said[at]
            if before is not None and not math.isnan(value) and value != before.first:
                self._disagreements.append(_Disagreement(known, at, place, value))
            said[at] = _say(self._labels[at], before, value, place)

    def conflicts(self, keep: np.ndarray) -> list[Conflict]:
        """Return the rows that disagree on a label, of the molecules of a mask (N,)."""
        found = []
        for molecule, at, place, value in self._disagreements:
            said, label = self._said[molecule][at], self._labels[at]
            if keep[molecule] and said is not None:
                kept = label.write(_settle(label, said))
                first, other = label.write(said.first), label.write(value)
                found.append(Conflict(label.name, said.place, first, place, other, kept))
        return found

    def vocabulary(
        self, min_count: int, known: Container[str]
    ) -> tuple[Vocabulary, dict[str, int]]:
        """Return the symbols of at least `min_count` molecules, and the others with counts.

        Those among `known` need one molecule.
        """
        return Vocabulary.from_counts(self.counts, min_count=min_count, known=known)

    def without(self, left_out: dict[str, int]) -> tuple[np.ndarray, list[tuple[Place, int]]]:
        """Find the molecules that hold none of these symbols.

        Returns:
            A mask over the molecules, shape (N,), and for every row of the others its place and
            the number of its molecule.
        """
        rare = np.array([symbol in left_out for symbol in self.symbols], dtype=bool)
        if not rare.any():
            return np.ones(len(self), dtype=bool), []
        starts = np.frombuffer(self._offsets, dtype=np.int64)[:-1]
        hit = np.logical_or.reduceat(rare[np.frombuffer(self._ids, dtype=np.uint16)], starts)
        rows = [
            (Place(self._sources[number], self._lines[number]), int(number))
            for number in np.flatnonzero(hit)
        ]
        rows += [(place, number) for number, place in self._merged if hit[number]]
        return ~hit, rows

    def symbols_of(self, number: int) -> list[str]:
        """Return the symbols of one molecule."""
        names = list(self.symbols)
        ids = self._ids[self._offsets[number] : self._offsets[number + 1]]
        return [names[i] for i in ids]

    def arrays(self, keep: np.ndarray, vocabulary: Vocabulary) -> Arrays:
        """Return the molecules of a mask (N,) with the ids of a vocabulary, labels settled."""
        for number, said in self._said.items():
            start = number * self._width + self._computed
            for at, (label, each) in enumerate(zip(self._labels, said, strict=True)):
                self._values[start + at] = math.nan if each is None else _settle(label, each)
        offsets = np.frombuffer(self._offsets, dtype=np.int64)
        lengths = offsets[1:] - offsets[:-1]
        final = vocabulary.encode(self.symbols).astype(np.uint16)
        ids = np.frombuffer(self._ids, dtype=np.uint16)[np.repeat(keep, lengths)]
        values = np.frombuffer(self._values, dtype=np.float64).reshape(len(self), self._width)
        return Arrays(
            ids=final[ids],
            offsets=np.concatenate([[0], np.cumsum(lengths[keep])]).astype(np.int64),
            values=values[keep].astype(np.float32),
            hashes=np.frombuffer(self._hashes, dtype=np.uint64)[keep],
            scaffolds=np.frombuffer(self._scaffolds, dtype=np.uint64)[keep],
            split=np.frombuffer(self._split, dtype=np.uint8)[keep],
        )


def _say(label: Label, before: _Said | None, value: float, place: Place) -> _Said | None:
    """Return what the rows of a molecule say of a label, with one more row."""
    if math.isnan(value):
        return before
    said = before or _Said(value, place)
    said.total += value
    said.count += 1
    if label.classes:
        said.rows[value] += 1
    return said


def _settle(label: Label, said: _Said) -> float:
    """Return the one value of a molecule whose rows may disagree; NaN for classes that tie."""
    if not label.classes:
        return said.total / said.count
    (first, rows), *others = said.rows.most_common(2)
    return math.nan if others and others[0][1] == rows else first
