"""How sure a number is: percentile intervals from resampled molecules (Efron 1979).

The N generated strings are drawn again N times with replacement, as weights, and nothing is parsed
twice; reference and training set stay as they are. That holds for means and for what follows from
means. It does not for shares of distinct molecules among copies (uniqueness), since a resample
always has copies, nor for statistics of pairs and of covariances (IntDiv, FCD): these have no
interval here. A distance between distributions cannot fall below 0, and a resample is as far from
the sample as that is from the truth, so the interval of a small distance lies somewhat high.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from molvae.evaluate import moses
from molvae.evaluate.control import Requests, tolerance
from molvae.evaluate.distributions import MEASURED
from molvae.evaluate.parsed import SHAPES, Parsed
from molvae.evaluate.references import Reference
from molvae.evaluate.sets import Columns, Sets
from molvae.evaluate.work import Work

LEVELS = (0.025, 0.975)  # of a 95 % interval

Statistic = Callable[[np.ndarray], float]  # of weights, shape (N,)
Interval = tuple[float, float]


def intervals(
    sets: Sets,
    columns: Columns,
    *,
    requests: Mapping[str, Requests],
    scales: Mapping[str, float],
    resamples: int,
    work: Work,
) -> dict[str, Interval]:
    """Compute 95 % intervals.

    Args:
        sets: the molecules.
        columns: name -> values of the N strings whose mean is a metric, NaN where one does not
            enter it.
        requests: property -> what was asked.
        scales: property -> standard deviation of the reference.
        resamples: how many to draw, with the seed of the sets.
        work: who is told how far it is.

    Returns:
        Metric -> (low, high); of tables under "table.row.column". Nothing of what is undefined.
    """
    statistics = {name: mean_of(column) for name, column in columns.items()}
    statistics |= _of_rings(sets) | _of_properties(sets) | _of_control(sets, requests, scales)
    if "Test" in sets.tests:
        for name, ours in moses.WASSERSTEIN.items():
            statistics[name] = statistics[f"properties.{ours}.wasserstein"]
    found = np.empty((resamples, len(statistics)))
    count = len(sets.generated)
    rng = np.random.default_rng(sets.seed)
    tick = work.ticker("Resampling", resamples)
    for row in found:
        weights = np.bincount(rng.integers(count, size=count), minlength=count).astype(np.float64)
        row[:] = [statistic(weights) for statistic in statistics.values()]
        if tick is not None:
            tick()
    defined = {
        name: column[~np.isnan(column)] for name, column in zip(statistics, found.T, strict=True)
    }
    return {
        name: (float(low), float(high))
        for name, values in defined.items()
        if values.size
        for low, high in [np.quantile(values, LEVELS)]
    }


def mean_of(column: np.ndarray) -> Statistic:
    """Return the weighted mean of what is not NaN of a column, shape (N,)."""
    known = ~np.isnan(column)
    values, counts = np.where(known, column, 0.0), known.astype(np.float32)

    def mean(weights: np.ndarray) -> float:
        total = float(weights @ counts)
        return float(weights @ values) / total if total else np.nan

    return mean


def wasserstein_of(column: np.ndarray, reference: np.ndarray) -> Statistic:
    """Return the first Wasserstein distance of a weighted column (N,) from values (M,)."""
    rows = np.flatnonzero(~np.isnan(column))
    rows = rows[np.argsort(column[rows], kind="stable")]
    values, others = column[rows], np.sort(reference[~np.isnan(reference)])
    if not (values.size and others.size):
        return lambda weights: np.nan
    points = np.unique(np.concatenate([values, others]))
    widths = np.diff(points)
    below = np.searchsorted(values, points[:-1], side="right")
    theirs = np.searchsorted(others, points[:-1], side="right") / others.size

    def distance(weights: np.ndarray) -> float:
        total = np.concatenate([[0.0], np.cumsum(weights[rows])])
        if not total[-1]:
            return np.nan
        return float(np.abs(total[below] / total[-1] - theirs) @ widths)

    return distance


class _Line(NamedTuple):
    """Means of products about the centers, from which a line follows."""

    x: Statistic
    y: Statistic
    xx: Statistic
    xy: Statistic
    yy: Statistic

    @classmethod
    def of(cls, x: np.ndarray, y: np.ndarray) -> "_Line":
        known = ~np.isnan(x + y)
        x, y = (np.where(known, each - each[known].mean(), np.nan) for each in (x, y))
        return cls(*(mean_of(each) for each in (x, y, x * x, x * y, y * y)))

    def slope(self, weights: np.ndarray) -> float:
        """Return the least-squares slope of y on x."""
        x, y, xx, xy, _ = (each(weights) for each in self)
        return (xy - x * y) / (xx - x * x) if xx > x * x else np.nan

    def r2(self, weights: np.ndarray) -> float:
        """Return the share of the variance of y that the line explains."""
        x, y, xx, xy, yy = (each(weights) for each in self)
        spread = (xx - x * x) * (yy - y * y)
        return (xy - x * y) ** 2 / spread if spread > 0 else np.nan


def _shifted(statistic: Statistic, by: float, scale: float = 1.0) -> Statistic:
    return lambda weights: (statistic(weights) - by) / scale


def _of_rings(sets: Sets) -> dict[str, Statistic]:
    found: dict[str, Statistic] = {}
    for column, name in enumerate(SHAPES):
        values = sets.generated.shapes[:, column]
        found[f"rings.{name}.generated"] = mean = mean_of(values)
        if sets.reference is None:
            continue
        others = sets.reference.shapes[:, column]
        if (known := others[~np.isnan(others)]).size:
            found[f"rings.{name}.difference"] = _shifted(mean, float(known.mean()))
        if name in MEASURED:
            found[f"rings.{name}.wasserstein"] = wasserstein_of(values, others)
    return found


def _of_properties(sets: Sets) -> dict[str, Statistic]:
    found: dict[str, Statistic] = {}
    reference: Parsed | Reference | None = sets.reference
    for name in sets.generated.names:
        values = sets.generated.measured(name)
        found[f"properties.{name}.mean"] = mean = mean_of(values)
        if reference is None or name not in reference.names:
            continue
        others = reference.measured(name)
        others = others[~np.isnan(others)]
        found[f"properties.{name}.wasserstein"] = wasserstein_of(values, others)
        if others.size and others.std() > 0:
            shift = _shifted(mean, float(others.mean()), float(others.std()))
            found[f"properties.{name}.shift"] = shift
    return found


def _of_control(
    sets: Sets, requests: Mapping[str, Requests], scales: Mapping[str, float]
) -> dict[str, Statistic]:
    found: dict[str, Statistic] = {}
    for name, wanted in requests.items():
        if not wanted.asked.any():
            continue
        realized, scale = sets.generated.measured(name), scales.get(name)
        error = wanted.error(realized)
        near = np.where(wanted.points, tolerance(name, scale), 0.0)
        hits = np.where(wanted.asked, np.abs(error) <= near, np.nan)
        found[f"control.{name}.mae"] = mae = mean_of(np.abs(error))
        found[f"control.{name}.bias"] = mean_of(error)
        found[f"control.{name}.hit_rate"] = mean_of(hits)
        if scale:
            found[f"control.{name}.mae_sd"] = _shifted(mae, 0.0, scale)
        asked = np.where(wanted.points, wanted.low, np.nan)
        if np.unique(asked[~np.isnan(asked + realized)]).size > 1:
            line = _Line.of(asked, realized)
            found[f"control.{name}.slope"] = line.slope
            found[f"control.{name}.r2"] = line.r2
    return found
