"""A Gaussian process on molecules: what scores are expected of those not yet scored.

The kernel is the Tanimoto (min-max) similarity of count fingerprints: nothing is fitted. The
constants are those of Tripp & Hernandez-Lobato 2024, https://arxiv.org/abs/2406.07709.

Letters: N molecules with scores, M without, D features.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from rdkit import Chem
from rdkit.Chem import rdFingerprintGenerator
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.sparse import csr_array

RADIUS, BITS = 3, 2048
LEVELS = 64  # of a count that are told apart
NOISE = 1e-4
LARGEST = 3000  # molecules of an exact process; the time grows with the third power
BETA = (-2.0, 0.0)  # exponents of ten of the weight of the doubt

_generator = rdFingerprintGenerator.GetMorganGenerator(radius=RADIUS, fpSize=BITS)


@lru_cache(maxsize=50_000)
def _features(smiles: str) -> np.ndarray:
    """Return the features of a molecule: a bit that counts c is there as its levels 1 to c.

    So the sum of minima over two molecules' counts is the number of features that they share.
    """
    counts = _generator.GetCountFingerprintAsNumPy(Chem.MolFromSmiles(smiles))
    bits = np.flatnonzero(counts)
    times = np.minimum(counts[bits], LEVELS)
    levels = np.arange(times.sum()) - np.repeat(np.cumsum(times) - times, times)
    return np.asarray(np.repeat(bits, times) * LEVELS + levels, dtype=np.int32)


def features(smiles: Sequence[str]) -> csr_array:
    """Return the features of N molecules, each 0 or 1, shape (N, D)."""
    rows = [_features(each) for each in smiles]
    ends = np.cumsum([0, *map(len, rows)])
    columns = np.concatenate([np.empty(0, dtype=np.int32), *rows])
    ones = np.ones(len(columns), dtype=np.float32)
    return csr_array((ones, columns, ends), shape=(len(rows), BITS * LEVELS))


def similarities(first: csr_array, second: csr_array) -> np.ndarray:
    """Return min-max similarities, sum of minima / sum of maxima, shape (N, M), float64."""
    shared = (first @ second.T).toarray().astype(float)
    sizes = (np.asarray(each.sum(axis=1), dtype=float) for each in (first, second))
    mine, others = sizes
    found: np.ndarray = shared / np.maximum(mine[:, None] + others[None, :] - shared, 1.0)
    return found


def scaled(scores: np.ndarray) -> np.ndarray:
    """Return scores from about 0 to 1, what has none (NaN) as the worst.

    The process expects 0 far from all it knows: little of what is unknown is good.
    """
    low, high = np.nanmin(scores), np.nanmax(scores)
    spread = high - low
    return np.nan_to_num((scores - low) / spread if spread > 0.0 else scores * 0.0, nan=0.0)


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
    """Return the expected scores of molecules, scaled, and their standard deviations.

    Args:
        known: N SMILES.
        scores: of these, NaN where there is none, shape (N,).
        unknown: M SMILES.

    Returns:
        Both of shape (M,).
    """
    rows = subset(scores) if len(scores) > LARGEST else np.arange(len(scores))
    mine, others = features([known[row] for row in rows.tolist()]), features(unknown)
    kernel = similarities(mine, mine) + NOISE * np.eye(len(rows))
    factor = cholesky(kernel, lower=True)
    across = similarities(mine, others)
    mean = across.T @ cho_solve((factor, True), scaled(scores[rows]))
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
