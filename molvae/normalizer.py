"""Property values <-> zero-mean, unit-scale conditions."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from molvae.errors import ArtifactError, UsageError, did_you_mean

LEVELS = np.concatenate([[0.001], np.linspace(0.01, 0.99, 99), [0.999]])  # (Q,) of the quantiles


class PropertyNormalizer(NamedTuple):
    """The scale of each property, fitted on the training split only.

    NaN means "unspecified" throughout: it passes through both directions unchanged.

    Attributes:
        names: the P properties and labels, in the order of every column of conditions.
        mean: shape (P,), in each property's unit.
        scale: standard deviations, shape (P,).
        quantiles: of the training split at `LEVELS` (p0.1, p1 to p99, p99.9), shape (P, Q).
    """

    names: tuple[str, ...]
    mean: np.ndarray
    scale: np.ndarray
    quantiles: np.ndarray

    @classmethod
    def fit(cls, names: Sequence[str], values: np.ndarray) -> "PropertyNormalizer":
        """Fit to training values, shape (N, P), NaN where a label is missing.

        Raises:
            UsageError: for a property that never varies: there is nothing to condition on.
        """
        quantiles = np.empty((len(names), len(LEVELS)))
        mean, scale = np.empty(len(names)), np.empty(len(names))
        for column, name in enumerate(names):
            known = values[:, column][np.isfinite(values[:, column])]
            if known.size < 2 or known.min() == known.max():
                raise UsageError(
                    f"'{name}' does not vary in the training split ({known.size} values):"
                    " leave it out."
                )
            quantiles[column] = np.quantile(known, LEVELS)
            clipped = np.clip(known, quantiles[column, 0], quantiles[column, -1])
            mean[column], scale[column] = clipped.mean(), clipped.std() or known.std()
        return cls(tuple(names), mean, scale, quantiles)

    @property
    def low(self) -> np.ndarray:
        """The 0.1th percentile of the training split, shape (P,)."""
        low: np.ndarray = self.quantiles[:, 0]
        return low

    @property
    def high(self) -> np.ndarray:
        """The 99.9th percentile of the training split, shape (P,)."""
        high: np.ndarray = self.quantiles[:, -1]
        return high

    def normalize(self, values: np.ndarray) -> np.ndarray:
        """Clip values (N, P) to the training range and scale them; float32, NaN stays NaN."""
        clipped = np.clip(values, self.low, self.high)
        conditions: np.ndarray = ((clipped - self.mean) / self.scale).astype(np.float32)
        return conditions

    def restore(self, conditions: np.ndarray) -> np.ndarray:
        """Undo `normalize` (without the clipping): conditions (N, P) -> values in their units."""
        values: np.ndarray = conditions * self.scale + self.mean
        return values

    def resolve(self, name: str) -> str:
        """Return this model's spelling of a property's name.

        Raises:
            UsageError: listing the known names and the nearest one.
        """
        by_lower = {known.lower(): known for known in self.names}
        if name.lower() not in by_lower:
            raise UsageError(
                f"unknown property '{name}'{did_you_mean(name, self.names) or '.'}"
                f" This model knows {', '.join(self.names)}."
            )
        return by_lower[name.lower()]

    def vector(self, targets: Mapping[str, float]) -> np.ndarray:
        """Return targets by name as one row of values, shape (P,), unnamed ones NaN.

        Raises:
            UsageError: for an unknown name or a value that is not finite.
        """
        row = np.full(len(self.names), np.nan)
        for name, value in targets.items():
            if not math.isfinite(value):
                raise UsageError(f"target {name} = {value}: not a finite number.")
            row[self.names.index(self.resolve(name))] = value
        return row

    def quantile(self, name: str, level: np.ndarray) -> np.ndarray:
        """Return the training split's values of one property at these levels, each in 0..1."""
        values: np.ndarray = np.interp(level, LEVELS, self.quantiles[self.names.index(name)])
        return values

    def level(self, name: str, value: float) -> float:
        """Return the share of the training split below `value`, clipped to 0.001..0.999."""
        known = self.quantiles[self.names.index(name)]
        # A count such as HBD has many equal quantiles: just below `value` lie none of those.
        return float(np.interp(np.nextafter(value, -np.inf), known, LEVELS))

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for a JSON header."""
        return {
            "names": list(self.names),
            "mean": self.mean.tolist(),
            "scale": self.scale.tolist(),
            "quantiles": self.quantiles.tolist(),
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> "PropertyNormalizer":
        """Rebuild from `to_dict`.

        Raises:
            ArtifactError: when shapes disagree or a scale is not a positive number.
        """
        try:
            names = tuple(str(name) for name in plain["names"])
            mean, scale, quantiles = (
                np.array(plain[key], dtype=np.float64) for key in ("mean", "scale", "quantiles")
            )
            quantiles = quantiles.reshape(len(names), len(LEVELS))  # also where there are no names
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ArtifactError(f"the normalizer inside is damaged: {error}.") from error
        count = len(names)
        good = (
            mean.shape == scale.shape == (count,)
            and len(set(names)) == count
            and np.isfinite(mean).all()
            and np.isfinite(quantiles).all()
            and bool(np.all((scale > 0) & np.isfinite(scale)))
        )
        if not good:
            raise ArtifactError("the normalizer inside is damaged: shapes or values are wrong.")
        return cls(names, mean, scale, quantiles)
