"""Detection of out-of-distribution molecules, by comparison with held-out molecules.

A likelihood alone is not enough: models of sequences find short and simple strings of an unknown
kind as likely as their training data (Nalisnick et al. 2019, https://arxiv.org/abs/1810.09136). So
several figures of a molecule are taken together as a point, and its Mahalanobis distance from the
points of the held-out molecules is compared with theirs (after "density of states estimation",
Morningstar et al. 2021, https://arxiv.org/abs/2006.09273, with one Gaussian). With `druglike` and
500 molecules of each set, the area under the ROC curve against ZINC's test split is 0.998 for QM9
(0.60 by nats per molecule alone), 1.000 for ChEMBL's macrocycles and 0.947 for peptides; 93, 99 and
89 % of them, and 0.8 % of ZINC's, are beyond the limit. `benchmarks/scores.py` compares this with
each figure alone.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from molvae.errors import ArtifactError
from molvae.normalizer import LEVELS

# The figures of a point, (F,): nats per molecule separates long molecules, nats per symbol short
# ones; and the error of the property head on the molecule's own properties.
FIGURES = ("nll", "nll_per_symbol", "misreading")
WORDS = ("{} nats", "{} nats a symbol", "the model misreads its properties by {} sd")
RARE = 0.99  # share of the held-out molecules within the limit
MIN_MOLECULES = 100  # fewer have no hundredth
CODES = 4  # drawn for each molecule; each costs as much again, and the bound tightens slowly
MAX_CODES = 1024  # that a header may ask for
RIDGE = 1e-6  # added to variances: a figure may be the same for all
LARGE = 1e12  # upper limit of a mean or variance; NaN fails it too


class Typicality(NamedTuple):
    """The distribution of the held-out molecules, F figures each.

    Attributes:
        split: the part of the dataset that they are from.
        molecules: N.
        codes: samples for the nll of each.
        given: the properties that were conditions.
        mean: of each of `FIGURES`, shape (F,).
        covariance: shape (F, F).
        quantiles: of their Mahalanobis distances, at `normalizer.LEVELS`, shape (Q,).
    """

    split: str
    molecules: int
    codes: int
    given: tuple[str, ...]
    mean: np.ndarray
    covariance: np.ndarray
    quantiles: np.ndarray

    @classmethod
    def fit(
        cls, points: np.ndarray, *, split: str, codes: int, given: Sequence[str]
    ) -> "Typicality":
        """Fit to the points of held-out molecules, shape (N, F), at least one."""
        mean = points.mean(axis=0)
        covariance = np.cov(points, rowvar=False, bias=True)
        covariance += np.diag(RIDGE * (1.0 + np.diag(covariance)))
        quantiles = np.quantile(_distance(points, mean, covariance), LEVELS)
        return cls(split, len(points), codes, tuple(given), mean, covariance, quantiles)

    def distance(self, points: np.ndarray) -> np.ndarray:
        """Return the Mahalanobis distance of points (N, F) from the held-out ones, (N,)."""
        return _distance(points, self.mean, self.covariance)

    def level(self, distances: np.ndarray) -> np.ndarray:
        """Return the share of the held-out molecules that are nearer, 0.001 to 0.999, (N,)."""
        share: np.ndarray = np.interp(distances, self.quantiles, LEVELS)
        return share

    def is_odd(self, distances: np.ndarray) -> np.ndarray:
        """Return whether molecules are farther than `RARE` of the held-out ones, shape (N,)."""
        limit = np.interp(RARE, LEVELS, self.quantiles)
        odd: np.ndarray = (distances > limit) & (self.molecules >= MIN_MOLECULES)
        return odd

    def oddest(self, point: np.ndarray) -> str:
        """Return a text on the most unusual figure of a point (F,), beside the usual value."""
        spread = np.sqrt(np.diag(self.covariance))
        odd = int(np.argmax(np.abs(point - self.mean) / spread))
        usual = f"{self.mean[odd]:.3g} +- {spread[odd]:.2g}"
        return f"{WORDS[odd].format(f'{point[odd]:.3g}')}, where {usual} is usual"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for a JSON header."""
        arrays = {key: getattr(self, key).tolist() for key in ("mean", "covariance", "quantiles")}
        return {
            "figures": list(FIGURES),
            "split": self.split,
            "molecules": self.molecules,
            "codes": self.codes,
            "given": list(self.given),
            **arrays,
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> "Typicality":
        """Rebuild from `to_dict`.

        Raises:
            ArtifactError: when a header, which may come from anywhere, holds something else.
        """
        try:
            mean, covariance, quantiles = (
                np.array(plain[key], dtype=np.float64)
                for key in ("mean", "covariance", "quantiles")
            )
            figures, given = tuple(plain["figures"]), tuple(map(str, plain["given"]))
            split, molecules, codes = str(plain["split"]), plain["molecules"], plain["codes"]
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ArtifactError(f"the model is damaged: its typicality: {error}.") from error
        size = len(FIGURES)
        good = (
            figures == FIGURES
            and (mean.shape, covariance.shape) == ((size,), (size, size))
            and quantiles.shape == LEVELS.shape
            and all(np.all(np.abs(each) < LARGE) for each in (mean, covariance, quantiles))
            and bool(np.all(np.diff(quantiles) >= 0.0))
            and _is_count(molecules)
            and _is_count(codes, high=MAX_CODES)
            and _is_positive(covariance)
        )
        if not good:
            raise ArtifactError("the model is damaged: its typicality: shapes or values are wrong.")
        return cls(split, molecules, codes, given, mean, covariance, quantiles)


def _distance(points: np.ndarray, mean: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    whitened = np.linalg.solve(np.linalg.cholesky(covariance), (points - mean).T)
    distance: np.ndarray = np.sqrt(np.square(whitened).sum(axis=0))
    return distance


def _is_count(value: Any, *, high: float = np.inf) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= high


def _is_positive(covariance: np.ndarray) -> bool:
    try:
        np.linalg.cholesky(covariance - 0.5 * RIDGE * np.eye(len(covariance)))
    except np.linalg.LinAlgError:
        return False
    return bool(np.allclose(covariance, covariance.T))
