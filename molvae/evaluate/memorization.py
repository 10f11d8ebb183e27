"""Does a generator write down what it was shown: the nearest molecule of the training set.

A good generator is near its training set, and so is a test set that was drawn beside it. What
tells a memorizer is being nearer than the test set is.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from molvae.chem.neighbors import nearest
from molvae.chem.similarity import BITS, fingerprints
from molvae.chem.smiles import canonical_molecule
from molvae.errors import Rejected
from molvae.evaluate.training import Training
from molvae.evaluate.work import Tick
from molvae.parallel.workers import Jobs, Lost, map_chunks

NEAR = 0.9  # Tanimoto similarity, Morgan radius 2, 1024 bits: a methyl group more, hardly else


class Nearness(NamedTuple):
    """How near molecules are to a training set, N of them.

    Attributes:
        similarity: largest Tanimoto similarity to a training molecule, shape (N,).
        novel: whether a molecule is not in the training set, shape (N,).
    """

    similarity: np.ndarray
    novel: np.ndarray

    @property
    def near_copies(self) -> np.ndarray:
        """Whether a molecule is novel and hardly so; NaN where it is not novel, shape (N,)."""
        return np.where(self.novel, self.similarity >= NEAR, np.nan)


def nearness(
    canonical: Sequence[str],
    packed: np.ndarray,
    *,
    training: Training,
    training_fingerprints: np.ndarray,
    report: Callable[[int], object] | None = None,
) -> Nearness:
    """Compare molecules with a whole training set.

    Args:
        canonical: SMILES of N molecules.
        packed: their fingerprints, shape (N, 128).
        training: tells which of them are in it.
        training_fingerprints: of all its molecules, shape (M, 128), M > 0.
        report: called with how many of the M were compared with.
    """
    similarity, _ = nearest(packed, training_fingerprints, report=report)
    return Nearness(similarity, ~training.contains(canonical))


def fingerprints_of(
    smiles: Iterable[str], *, jobs: Jobs = 0, tick: Tick | None = None
) -> np.ndarray:
    """Return fingerprints of molecules, packed, shape (M, 128); what is no molecule is left out.

    Args:
        smiles: the molecules.
        jobs: worker processes, or an executor; 0 works in this one.
        tick: called once for each string.
    """
    packed = bytearray()
    for _, found in map_chunks(_fingerprint_all, smiles, jobs=jobs):
        if not isinstance(found, Lost):
            packed += found
        if tick is not None:
            tick()
    return np.frombuffer(packed, np.uint8).reshape(-1, BITS // 8)


def _fingerprint_all(smiles: list[str]) -> list[bytes]:
    return [_fingerprint(text) for text in smiles]


def _fingerprint(text: str) -> bytes:
    try:
        return bytes(fingerprints([canonical_molecule(text)[1]])[0])
    except Rejected:
        return b""
