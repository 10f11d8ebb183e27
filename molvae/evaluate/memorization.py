"""Memorization: the nearest training molecule of each generated molecule.

A good generator is near its training set, and so is a test set from the same source. A generator
that is nearer than the test set overfits.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from molvae.chem.neighbors import nearest
from molvae.chem.similarity import BITS, fingerprints
from molvae.chem.smiles import canonical_molecule, without_maps
from molvae.errors import Rejected
from molvae.evaluate.training import Training
from molvae.evaluate.work import Work
from molvae.parallel.workers import Lost

NEAR = 0.9  # Tanimoto similarity, Morgan radius 2, 1024 bits: for example one methyl group more


class Nearness(NamedTuple):
    """The similarity of N molecules to a training set."""

    similarity: np.ndarray  # largest Tanimoto similarity to a training molecule, shape (N,)
    novel: np.ndarray  # whether a molecule is not in the training set, shape (N,)

    @property
    def near_copies(self) -> np.ndarray:
        """Whether a novel molecule is nearly a training molecule; NaN if not novel, shape (N,)."""
        return np.where(self.novel, self.similarity >= NEAR, np.nan)


def nearness(
    canonical: Sequence[str],
    packed: np.ndarray,
    *,
    training: Training,
    training_fingerprints: np.ndarray,
    report: Callable[[int], object] | None = None,
) -> Nearness:
    """Compare N molecules with fingerprints (N, 128) with a training set, (M, 128), M > 0.

    `report` is called with the number of training molecules compared so far.
    """
    similarity, _ = nearest(packed, training_fingerprints, report=report)
    return Nearness(similarity, ~training.contains(canonical))


def fingerprints_of(smiles: Sequence[str], work: Work) -> np.ndarray:
    """Return packed fingerprints of a training set, shape (M, 128), without invalid strings."""
    packed = bytearray()
    for found in work.apply("Fingerprints of the training set", _fingerprint_all, smiles):
        if not isinstance(found, Lost):
            packed += found
    return np.frombuffer(packed, np.uint8).reshape(-1, BITS // 8)


def _fingerprint_all(smiles: list[str]) -> list[bytes]:
    found = []
    for text in smiles:
        try:
            found.append(bytes(fingerprints([canonical_molecule(without_maps(text))[1]])[0]))
        except Rejected:
            found.append(b"")
    return found
