"""How near to its training set a model applies: a limit on the similarity, from held-out molecules.

A prediction is worth its stated error where the molecule is as near to the training set as the
molecules on which the error was found. So the limit is the similarity that 5 % of these fall short
of. Where fewer than 100 are held out, training molecules, each compared with the others, make up
the number. Letters: N molecules, M of them in training.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from molvae.chem.neighbors import nearest
from molvae.dataset import TRAIN, VALIDATION
from molvae.errors import ArtifactError

MOST_TRAINING = 20_000  # training molecules whose fingerprints are kept, 2.5 MB
FEW = 100  # held-out molecules, of which 5 % are a handful
FAR = 0.05  # share of the held-out molecules that are beyond the limit
KEY = "applicability"  # in the provenance of a dataset and of a model


class Applicability(NamedTuple):
    """The rule by which a molecule is too far from the training set.

    Attributes:
        limit: Tanimoto similarity to the nearest training molecule, below which a molecule is out
            of distribution.
        held_out: molecules of the validation split that the limit was fitted on.
        training: training molecules that were compared with the others to the same end.
    """

    limit: float
    held_out: int
    training: int

    @classmethod
    def fit(cls, fingerprints: np.ndarray, split: np.ndarray, *, seed: int) -> "Applicability":
        """Fit the limit.

        Args:
            fingerprints: packed, shape (N, 128); at least two are of training molecules.
            split: of each molecule, shape (N,).
            seed: of the choice of training molecules, where they are needed.
        """
        training = fingerprints[split == TRAIN]
        held_out, _ = nearest(fingerprints[split == VALIDATION], training)
        missing = min(max(FEW - len(held_out), 0), len(training))
        chosen = np.random.default_rng(seed).permutation(len(training))[:missing]
        similar = held_out
        if missing:
            similar = np.append(held_out, nearest(training, training, others=True)[0][chosen])
        return cls(float(np.quantile(similar, FAR)), len(held_out), missing)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for a JSON header."""
        return self._asdict()

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> "Applicability":
        """Rebuild from `to_dict`.

        Raises:
            ArtifactError: when a header, which may come from anywhere, holds something else.
        """
        try:
            found = cls(float(plain["limit"]), int(plain["held_out"]), int(plain["training"]))
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ArtifactError(f"the model is damaged: its applicability: {error}.") from error
        if not (0.0 <= found.limit <= 1.0 and min(found[1:]) >= 0):
            raise ArtifactError("the model is damaged: its applicability: values are wrong.")
        return found

    def __str__(self) -> str:
        """Return the rule as a line of text."""
        and_training = f" and {self.training} training molecules" if self.training else ""
        return (
            f"ood: nearest below {self.limit:.2f}, as of {FAR:.0%} of {self.held_out} held-out"
            f"{and_training}"
        )
