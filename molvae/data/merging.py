"""The rows of each molecule -> one molecule, with the labels and the split of all of them."""

from array import array
from collections import Counter
from collections.abc import Container, Sequence
from math import ceil
from typing import NamedTuple

import numpy as np

from molvae.chem.selfies import decode_canonical
from molvae.data.collection import NONE, Collection
from molvae.data.labels import MOST, Label
from molvae.data.spelling import unit_reason
from molvae.data.tally import Disagreement, Reject
from molvae.errors import Rejected
from molvae.vocabulary import Vocabulary

FULL_MIN_COUNT = 20_000  # molecules from which on `min_count` holds unreduced


class Merged(NamedTuple):
    """The N distinct molecules that are left.

    Attributes:
        numbers: of each molecule in the collection, int64, shape (N,).
        ids: as in `MoleculeDataset`; so are `offsets`, `hashes` and `vocabulary`.
        values: properties, then labels as `Label.parse` returns them, float32, shape (N, P).
        scaffolds: hash of each Murcko scaffold, uint64, shape (N,).
        fingerprints: packed, uint8, shape (N, 128); None where they are not kept.
        split: from the split column, uint8, shape (N,).
        left_out: the symbols that are too rare, with the number of their molecules.
        min_count: the number of molecules that a symbol needed.
        rejects: all rows that are left out, in order.
        disagreements: labels of a row that differ from those of an earlier row, in order.
    """

    numbers: np.ndarray
    ids: np.ndarray
    offsets: np.ndarray
    values: np.ndarray
    hashes: np.ndarray
    scaffolds: np.ndarray
    fingerprints: np.ndarray | None
    split: np.ndarray
    vocabulary: Vocabulary
    left_out: dict[str, int]
    min_count: int
    rejects: list[Reject]
    disagreements: list[Disagreement]


class _Rows(NamedTuple):
    """The rows with a molecule and usable labels, in order.

    Attributes:
        row: the number of each in the collection.
        molecule: the number of its molecule, in order of first usable rows.
        labels: values as `Label.parse` returns them, one array for each label.
    """

    row: np.ndarray
    molecule: np.ndarray
    labels: list[np.ndarray]


def merge(
    collection: Collection, labels: Sequence[Label], *, min_count: int, known: Container[str]
) -> Merged:
    """Merge the rows of each molecule.

    The first row stays. A numeric label becomes the mean over the rows, a class the one that most
    rows have, and none when two classes tie. Of several splits the most held-out one wins, so that
    no molecule of a test is trained on.

    Args:
        collection: all rows.
        labels: how the label columns are interpreted.
        min_count: number of molecules that a symbol needs, less in a small table.
        known: symbols that are never too rare.
    """
    rejects = dict(collection.rejects)
    rows, numbers = _usable_rows(collection, labels, rejects)
    ids, offsets, counts = _symbols(collection, numbers)
    needed = scaled_count(min_count, len(numbers))
    vocabulary, left_out = Vocabulary.from_counts(counts, min_count=needed, known=known)
    keep = _without_rare(collection, rows, numbers, left_out, rejects)
    settled = [
        (_majority if label.classes else _mean)(rows.molecule, values, len(numbers))
        for label, values in zip(labels, rows.labels, strict=True)
    ]
    width = len(collection.values) // max(len(collection.hashes), 1)
    values = np.frombuffer(collection.values).reshape(len(collection.hashes), width)[numbers]
    split = np.zeros(len(numbers), dtype=np.uint8)
    np.maximum.at(split, rows.molecule, np.frombuffer(collection.split, dtype=np.uint8)[rows.row])
    lengths = np.diff(offsets)
    return Merged(
        numbers=numbers[keep],
        ids=vocabulary.encode(collection.symbols).astype(np.uint16)[ids[np.repeat(keep, lengths)]],
        offsets=np.concatenate([[0], np.cumsum(lengths[keep])]).astype(np.int64),
        values=np.column_stack([values, *settled])[keep].astype(np.float32),
        hashes=np.frombuffer(collection.hashes, dtype=np.uint64)[numbers][keep],
        scaffolds=np.frombuffer(collection.scaffolds, dtype=np.uint64)[numbers][keep],
        fingerprints=_fingerprints(collection, numbers[keep]),
        split=split[keep],
        vocabulary=vocabulary,
        left_out=left_out,
        min_count=needed,
        rejects=[rejects[row] for row in sorted(rejects)],
        disagreements=_disagreements(collection, labels, rows, settled, keep),
    )


def scaled_count(count: int, molecules: int) -> int:
    """Return a number of molecules that is asked for, less in a small table but at least one."""
    return max(1, ceil(count * min(1.0, molecules / FULL_MIN_COUNT)))


def _usable_rows(
    collection: Collection, labels: Sequence[Label], rejects: dict[int, Reject]
) -> tuple[_Rows, np.ndarray]:
    """Reject the rows whose labels cannot be used.

    Returns:
        The other rows, and the number of each of their molecules in the collection.
    """
    molecules = np.frombuffer(collection.molecules, dtype=np.int64)
    usable = molecules != NONE
    columns: list[np.ndarray] = []
    for cells, label in reversed([*zip(collection.labels, labels, strict=True)]):
        values, causes = cells.values(label)
        columns.insert(0, values[: len(molecules)])
        for row, cause in causes.items():
            if row < len(molecules):  # a strict run stops before all rows are done
                rejects[row] = collection.reject(row, cause)
                usable[row] = False
    rows = np.flatnonzero(usable)
    numbers, first, place = np.unique(molecules[rows], return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return _Rows(rows, rank[place], [values[rows] for values in columns]), numbers[order]


def _symbols(
    collection: Collection, numbers: np.ndarray
) -> tuple[np.ndarray, np.ndarray, dict[str, int]]:
    """Return provisional ids, offsets, and the number of molecules that hold each symbol."""
    ids, offsets = array("H"), [0]
    counts: Counter[int] = Counter()
    for number in numbers.tolist():
        symbols = collection.symbols_of(number)
        counts.update(set(symbols))
        ids.extend(symbols)
        offsets.append(len(ids))
    names = list(collection.symbols)
    return (
        np.frombuffer(ids, dtype=np.uint16),
        np.array(offsets, dtype=np.int64),
        {names[i]: count for i, count in counts.items()},
    )


def _fingerprints(collection: Collection, numbers: np.ndarray) -> np.ndarray | None:
    """Return the fingerprints of molecules, None where the collection keeps none."""
    packed = np.frombuffer(collection.fingerprints, dtype=np.uint8)
    return packed.reshape(len(collection.hashes), -1)[numbers] if packed.size else None


def _without_rare(
    collection: Collection,
    rows: _Rows,
    numbers: np.ndarray,
    left_out: dict[str, int],
    rejects: dict[int, Reject],
) -> np.ndarray:
    """Reject every row of the molecules with a rare symbol; return the mask of the others, (N,)."""
    if not left_out:
        return np.ones(len(numbers), dtype=bool)
    names = list(collection.symbols)
    rare = {collection.symbols[symbol] for symbol in left_out}
    keep = np.array([rare.isdisjoint(collection.symbols_of(n)) for n in numbers.tolist()])
    for at in np.flatnonzero(~keep[rows.molecule]):
        symbols = [names[i] for i in collection.symbols_of(numbers[rows.molecule[at]])]
        found = ", ".join(symbol for symbol in dict.fromkeys(symbols) if symbol in left_out)
        cause = Rejected("rare symbol", found)
        row = int(rows.row[at])
        rejects[row] = collection.reject(row, cause, smiles=decode_canonical(symbols))
    return keep


def _mean(molecule: np.ndarray, values: np.ndarray, count: int) -> np.ndarray:
    """Return the mean over the rows of each molecule, shape (count,); NaN where none has one."""
    known = np.isfinite(values)
    rows = np.bincount(molecule[known], minlength=count)
    sums = np.bincount(molecule[known], weights=values[known], minlength=count)
    return np.where(rows, sums / np.maximum(rows, 1), np.nan)


def _majority(molecule: np.ndarray, values: np.ndarray, count: int) -> np.ndarray:
    """Return the most frequent class of each molecule, shape (count,); NaN where classes tie."""
    known = np.isfinite(values)
    pairs, rows = np.unique(
        molecule[known] * MOST + values[known].astype(np.int64), return_counts=True
    )
    member = pairs // MOST
    most = np.zeros(count, dtype=np.int64)
    np.maximum.at(most, member, rows)
    wins = rows == most[member]
    settled = np.full(count, np.nan)
    settled[member[wins]] = pairs[wins] % MOST
    settled[np.bincount(member[wins], minlength=count) > 1] = np.nan
    return settled


def _disagreements(
    collection: Collection,
    labels: Sequence[Label],
    rows: _Rows,
    settled: Sequence[np.ndarray],
    keep: np.ndarray,
) -> list[Disagreement]:
    """Return every label of a row that differs from the first one of its molecule."""
    found: dict[tuple[int, int], Disagreement] = {}
    for at, (label, values) in enumerate(zip(labels, rows.labels, strict=True)):
        known = np.flatnonzero(np.isfinite(values) & keep[rows.molecule])
        _, first, place = np.unique(rows.molecule[known], return_index=True, return_inverse=True)
        first = known[first][place]
        differs = values[known] != values[first]
        for this, earlier in zip(known[differs].tolist(), first[differs].tolist(), strict=True):
            row, other = int(rows.row[this]), int(rows.row[earlier])
            in_units = "" if label.classes else unit_reason(values[earlier], values[this])
            found[row, at] = Disagreement(
                label.column,
                *collection.place(row),
                label.text(values[this]),
                *collection.place(other),
                label.text(values[earlier]),
                label.text(settled[at][rows.molecule[this]]),
                in_units or collection.reason(row, other),
            )
    return [found[key] for key in sorted(found)]
