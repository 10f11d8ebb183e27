"""A Gaussian process on molecules: what scores are expected of those not yet scored.

The kernel has two parts. One is the Tanimoto (min-max) similarity of count fingerprints, as in
Tripp & Hernandez-Lobato 2024, https://arxiv.org/abs/2406.07709. It cannot tell which of the
molecules near one parent has the right LogP or size, so the other part compares a few properties.
Scores count by their rank. Nothing is fitted.

Letters: N molecules with scores, M without, D features, P properties.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from rdkit import Chem
from rdkit.Chem import rdFingerprintGenerator
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.sparse import csr_array
from scipy.spatial.distance import cdist
from scipy.special import ndtri
from scipy.stats import rankdata

from molvae.chem.properties import measure

RADIUS, BITS = 2, 2048
LEVELS = 64  # of a count that are told apart
# Properties of the second part, and what makes two molecules differ: twice the spread of drugs.
WIDTHS = {"LogP": 3.0, "TPSA": 50.0, "HeavyAtoms": 9.0, "Rings": 2.0, "AromaticRings": 2.0}
SHARE = 0.7  # of the second part
NOISE = 1e-3
LARGEST = 3000  # molecules of an exact process; the time grows with the third power
BETA = (-2.0, 0.0)  # exponents of ten of the weight of the doubt

_generator = rdFingerprintGenerator.GetMorganGenerator(radius=RADIUS, fpSize=BITS)


class Described(NamedTuple):
    """What the process knows of N molecules: fragments (N, D), 0 or 1, and properties (N, P)."""

    fragments: csr_array
    properties: np.ndarray


@lru_cache(maxsize=50_000)
def _described(smiles: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the fragments of a molecule, and its properties in units of `WIDTHS`.

    A bit that counts c is there as its levels 1 to c, so the sum of minima over two molecules'
    counts is the number of levels that they share.
    """
    mol = Chem.MolFromSmiles(smiles)
    counts = _generator.GetCountFingerprintAsNumPy(mol)
    bits = np.flatnonzero(counts)
    times = np.minimum(counts[bits], LEVELS)
    levels = np.arange(times.sum()) - np.repeat(np.cumsum(times) - times, times)
    fragments = np.asarray(np.repeat(bits, times) * LEVELS + levels, dtype=np.int32)
    return fragments, measure(mol, tuple(WIDTHS)) / np.array(list(WIDTHS.values()))


def describe(smiles: Sequence[str]) -> Described:
    """Return what the process knows of N molecules."""
    found = [_described(each) for each in smiles]
    columns = np.concatenate([np.empty(0, dtype=np.int32), *(row for row, _ in found)])
    ends = np.cumsum([0, *(len(row) for row, _ in found)])
    ones = np.ones(len(columns), dtype=np.float32)
    fragments = csr_array((ones, columns, ends), shape=(len(found), BITS * LEVELS))
    return Described(fragments, np.reshape([row for _, row in found], (-1, len(WIDTHS))))


def similarities(first: csr_array, second: csr_array) -> np.ndarray:
    """Return min-max similarities, sum of minima / sum of maxima, shape (N, M), float64."""
    shared = (first @ second.T).toarray().astype(float)
    sizes = (np.asarray(each.sum(axis=1), dtype=float) for each in (first, second))
    mine, others = sizes
    found: np.ndarray = shared / np.maximum(mine[:, None] + others[None, :] - shared, 1.0)
    return found


def covariances(first: Described, second: Described) -> np.ndarray:
    """Return how alike the process takes molecules to be, 0 to 1, shape (N, M)."""
    near = np.exp(-0.5 * cdist(first.properties, second.properties, "sqeuclidean"))
    alike = similarities(first.fragments, second.fragments)
    return np.asarray((1.0 - SHARE) * alike + SHARE * near)


def normal(scores: np.ndarray) -> np.ndarray:
    """Return scores as the quantiles of a normal distribution, what has none (NaN) as the worst.

    So differences among the best count as much as elsewhere, however the scores are spread, and
    far from all that it knows the process expects the median, 0.
    """
    ranks = rankdata(np.where(np.isnan(scores), -np.inf, scores))
    return np.asarray(ndtri((ranks - 0.5) / len(ranks)))


def subset(scores: np.ndarray) -> np.ndarray:
    """Return the rows that a process of at most `LARGEST` molecules knows.

    These are the best half, and of the others the latest.
    """
    order = np.argsort(np.nan_to_num(-scores, nan=np.inf), kind="stable")
    best, rest = order[: LARGEST // 2], np.sort(order[LARGEST // 2 :])
    return np.sort(np.concatenate([best, rest[-(LARGEST - len(best)) :]]))


def expect(
    known: Sequence[str], scores: np.ndarray, unknown: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the expected scores of molecules, as `normal` ones, and their standard deviations.

    Args:
        known: N SMILES.
        scores: of these, NaN where there is none, shape (N,).
        unknown: M SMILES.

    Returns:
        Both of shape (M,).
    """
    rows = subset(scores) if len(scores) > LARGEST else np.arange(len(scores))
    mine, others = describe([known[row] for row in rows.tolist()]), describe(unknown)
    factor = cholesky(covariances(mine, mine) + NOISE * np.eye(len(rows)), lower=True)
    across = covariances(mine, others)
    mean = across.T @ cho_solve((factor, True), normal(scores[rows]))
    explained = solve_triangular(factor, across, lower=True)
    return mean, np.sqrt(np.maximum(1.0 - (explained**2).sum(axis=0), 0.0))


def choose(mean: np.ndarray, doubt: np.ndarray, n: int, random: np.random.Generator) -> list[int]:
    """Return `n` different molecules by their upper confidence bounds.

    Each of them weighs the doubt otherwise, so that a batch both explores and exploits.
    """
    chosen: list[int] = []
    for weight in 10.0 ** random.uniform(*BETA, size=min(n, len(mean))):
        bounds = mean + weight * doubt
        bounds[chosen] = -np.inf
        chosen.append(int(np.argmax(bounds)))
    return chosen
