"""Whether the training set has molecules that meet all targets at once.

Every target may lie within its own range and their combination nowhere: polar and greasy at once.
A model carries the properties of a sample of its training set to compare with.
Letters: M molecules of the sample, P properties, S of them asked for.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from molvae.normalizer import PropertyNormalizer
from molvae.targets import Request, Targets, Wanted, alternatives

NEAR = 0.5  # standard deviations within which a molecule has a property
USUAL = 0.99  # quantile of the distances between nearest neighbors that counts as usual
ASKERS = 512  # molecules of the sample whose nearest neighbors are computed


class Feasibility(NamedTuple):
    """What the training set has of a combination of properties.

    Attributes:
        share: of the training molecules, those within half a standard deviation of all targets.
        distance: from the targets to the nearest molecule of the sample, in standard deviations.
        usual: how far 99 % of molecules are at most from their nearest other one.
        nearest: the properties of that molecule, in their units: a combination that exists.
    """

    share: float
    distance: float
    usual: float
    nearest: Mapping[str, float]

    @property
    def ood(self) -> bool:
        """Whether no molecule of the training set is anywhere near."""
        return self.distance > max(self.usual, NEAR)


class PropertySample:
    """Properties of some molecules of the training set.

    Args:
        conditions: standardized, NaN where unknown, shape (M, P).
        normalizer: names and scale of the properties.
    """

    def __init__(self, conditions: np.ndarray, normalizer: PropertyNormalizer) -> None:
        self.conditions, self.normalizer = conditions.astype(np.float64), normalizer
        # Standard deviations of the bulk in one of the conditions: 1 without outliers, shape (P,).
        pairs = zip(normalizer.names, normalizer.scale.tolist(), strict=True)
        self.units = np.array([scale / normalizer.scales.get(name, scale) for name, scale in pairs])
        self.usual: dict[tuple[tuple[str, str], ...], float] = {}

    def judge(self, targets: Targets) -> Feasibility | None:
        """Compare a request with the sample.

        Returns:
            None without targets, or where the sample lacks their properties.
        """
        ranges = Request.for_model(targets, self.normalizer).ranges
        rows = self._of_class(ranges)
        columns, bounds = self._bounds(ranges)
        rows = rows[np.isfinite(rows[:, columns]).all(axis=1)]
        if not columns or not len(rows):
            return None
        low, high = bounds
        values = rows[:, columns] * self.units[columns]  # (M, S)
        missed = np.maximum(np.maximum(low - values, values - high), 0.0)
        distances = np.linalg.norm(missed, axis=1)
        best = int(distances.argmin())
        there = self.normalizer.restore(rows[best][None])[0]
        return Feasibility(
            share=float((missed <= NEAR).all(axis=1).sum() / len(self.conditions)),
            distance=float(distances[best]),
            usual=self._usual(ranges, values),
            nearest={self.normalizer.names[column]: float(there[column]) for column in columns},
        )

    def _of_class(self, ranges: Mapping[str, Wanted]) -> np.ndarray:
        """Return the rows that are of the classes asked for."""
        rows = self.conditions
        for name, wanted in ranges.items():
            if isinstance(wanted, str):
                classes = self.normalizer.classes[name]
                allowed = np.isin(classes, alternatives(wanted, classes))
                raw = self.normalizer.restore(rows)[:, self.normalizer.columns(name)]
                rows = rows[(raw[:, allowed] > 0.5).any(axis=1)]
        return rows

    def _bounds(self, ranges: Mapping[str, Wanted]) -> tuple[list[int], np.ndarray]:
        """Return the columns asked for by number, and their standardized bounds, shape (2, S)."""
        names = self.normalizer.names
        asked = {names.index(n): w for n, w in ranges.items() if not isinstance(w, str)}
        columns = list(asked)
        limits = np.array(list(asked.values()), dtype=np.float64).reshape(-1, 2).T
        mean, scale = (part[columns] for part in (self.normalizer.mean, self.normalizer.scale))
        return columns, (limits - mean) / scale * self.units[columns]

    def _usual(self, ranges: Mapping[str, Wanted], values: np.ndarray) -> float:
        """Return how far nearly all molecules are at most from their nearest other one.

        Which molecules these are, and of what values, follows from the names of the properties and
        from the classes asked for.
        """
        if len(values) < 2:
            return 0.0
        key = tuple((n, w if isinstance(w, str) else "") for n, w in ranges.items())
        if key not in self.usual:
            step = max(1, len(values) // ASKERS)
            askers = values[::step]
            squares = (values**2).sum(axis=1)
            apart = (askers**2).sum(axis=1)[:, None] + squares - 2.0 * askers @ values.T
            apart[np.arange(len(askers)), np.arange(len(askers)) * step] = np.inf
            nearest = np.sqrt(np.maximum(apart.min(axis=1), 0.0))
            self.usual[key] = float(np.quantile(nearest, USUAL))
        return self.usual[key]
