"""Find the most similar molecule of a large set for many molecules, exactly and fast.

An upper bound on the shared bits, from fingerprints folded to a fifth of their length, rules out
nearly all pairs: a product of small matrices. The bits of the few remaining pairs are counted.
Letters: N molecules, D bytes of a fingerprint (bits / 8), K numbers of a folded one.
"""

from collections.abc import Callable

import numpy as np

from molvae.chem.similarity import bit_counts, tanimoto_of_counts

# The bound is tight where common bits keep a column of their own and only rare ones share one.
# The two numbers were the fastest of those tried on MOSES.
_OWN_COLUMN = 64
_SHARED_COLUMNS = 128
_ROWS, _COLUMNS = 1024, 4096  # pairs bounded at a time; 16 MB stay in the processor's cache
_SLACK = 1e-3  # of a bit, against rounding; the true counts are whole numbers


def nearest(
    first: np.ndarray,
    second: np.ndarray,
    *,
    others: bool = False,
    report: Callable[[int], object] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Find the most similar of `second` for each of `first`.

    Args:
        first: packed fingerprints, shape (N1, D).
        second: packed fingerprints, shape (N2, D), N2 > 0.
        others: both are the same set, and a molecule is no neighbor of itself; N2 > 1.
        report: called with how many of `second` were compared with.

    Returns:
        Tanimoto similarity, shape (N1,) float32, and index into `second`, shape (N1,) int64; the
        first index where several are equally similar.
    """
    search = _Search(first, second, others=others)
    counts = search.second_counts
    by_size = np.argsort(counts, kind="stable")  # so that the sizes within a block are similar
    blocks = [by_size[start : start + _COLUMNS] for start in range(0, len(second), _COLUMNS)]
    usual = search.first_counts.mean() if len(first) else 0.0
    blocks.sort(key=lambda columns: abs(float(counts[columns].mean()) - usual))  # likely ones first
    layout = _layout(second)
    queries = _fold(first, layout)  # (N1, K)
    done = 0
    for columns in blocks:
        folded = _fold(second[columns], layout).T  # (K, columns)
        for top in range(0, len(first), _ROWS):
            rows = np.arange(top, min(top + _ROWS, len(first)))
            search.update(rows, columns, queries[rows] @ folded)
        done += len(columns)
        if report is not None:
            report(done)
    return search.similarity, search.index


def nearest_each(pairs: list[tuple[np.ndarray, np.ndarray]]) -> list[np.ndarray]:
    """Return the similarities of `nearest` for each pair of sets; for worker processes."""
    return [nearest(first, second)[0] for first, second in pairs]


class _Search:
    """The most similar molecule found so far for each row."""

    def __init__(self, first: np.ndarray, second: np.ndarray, *, others: bool) -> None:
        self.first, self.second, self.others = first, second, others
        self.first_counts, self.second_counts = bit_counts(first), bit_counts(second)
        self.similarity = np.full(len(first), -1.0, dtype=np.float32)
        self.index = np.full(len(first), len(second), dtype=np.int64)

    def update(self, rows: np.ndarray, columns: np.ndarray, bound: np.ndarray) -> None:
        """Update the best of each row from a block of pairs and a bound on their shared bits."""
        fewest = int(self.second_counts[columns[0]])
        peak = bound.argmax(axis=1)
        live = np.flatnonzero(bound[np.arange(len(rows)), peak] >= self._needed(rows, fewest))
        self._count(rows[live], columns[peak[live]])  # likely the best: rules out most others
        rows = rows[live]
        bound = bound if len(live) == len(bound) else bound[live]
        left = np.flatnonzero(bound >= self._needed(rows, fewest)[:, None])
        row, column = np.divmod(left, len(columns))
        self._count(rows[row], columns[column])

    def _needed(self, rows: np.ndarray, fewest: int) -> np.ndarray:
        """Return the shared bits that a molecule of `fewest` bits needs to equal the best.

        From T = c / (a + b - c): c = (a + b) T / (1 + T).
        """
        best = np.maximum(self.similarity[rows], 0.0)
        needed = (self.first_counts[rows] + fewest) * best / (1.0 + best) - _SLACK
        return np.asarray(needed, dtype=np.float32)

    def _count(self, rows: np.ndarray, columns: np.ndarray) -> None:
        """Compute the similarity of pairs and keep the best of each row."""
        if self.others:
            apart = rows != columns
            rows, columns = rows[apart], columns[apart]
        shared = bit_counts(self.first[rows] & self.second[columns])
        similarity = tanimoto_of_counts(
            shared, self.first_counts[rows], self.second_counts[columns]
        )
        ranking = np.lexsort((columns, -similarity, rows))
        rows, at = np.unique(rows[ranking], return_index=True)
        columns, similarity = columns[ranking][at], similarity[ranking][at]
        better = similarity > self.similarity[rows]
        better |= (similarity == self.similarity[rows]) & (columns < self.index[rows])
        self.similarity[rows[better]] = similarity[better]
        self.index[rows[better]] = columns[better]


def _layout(packed: np.ndarray) -> np.ndarray:
    """Order the bits by how common they are, in a sample; the first get a column of their own."""
    sample = packed[:: max(1, len(packed) // 4096)]
    common = np.unpackbits(sample, axis=1).sum(axis=0, dtype=np.int64)
    order: np.ndarray = np.argsort(-common, kind="stable")
    return order


def _fold(packed: np.ndarray, layout: np.ndarray) -> np.ndarray:
    """Add up the bits that share a column, shape (N, K) float32.

    A product of two such sums is at least the product of each bit with itself, so that the
    product of two rows is at least the number of bits that they share.
    """
    bits = np.unpackbits(packed, axis=1)[:, layout]  # (N, bits)
    rare = bits[:, _OWN_COLUMN:]
    rare = np.pad(rare, ((0, 0), (0, -rare.shape[1] % _SHARED_COLUMNS)))
    layers = rare.shape[1] // _SHARED_COLUMNS
    sums = rare.reshape(-1, layers, _SHARED_COLUMNS).sum(axis=1, dtype=np.float32)
    return np.concatenate([bits[:, :_OWN_COLUMN].astype(np.float32), sums], axis=1)
