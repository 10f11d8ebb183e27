"""Percentile intervals from resampled molecules (Efron 1979).

Each resample draws N of the N generated strings with replacement, as weights, so that nothing is
parsed twice; the reference and the training set stay as they are. Means, and what follows from
means, have an interval. The share of distinct molecules (uniqueness) has none, since every
resample contains copies, nor have statistics of pairs and covariances (IntDiv, FCD). A distance
between distributions cannot fall below 0, and each resample adds the distance between it and the
sample, so the interval of a small distance lies somewhat high.
"""

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from molvae.evaluate import moses
from molvae.evaluate.control import Requests, fit_line, tolerance
from molvae.evaluate.distributions import MEASURED, known
from molvae.evaluate.parsed import SHAPES
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
        columns: name -> values of the N strings whose mean is a metric, NaN where a string does
            not count.
        requests: property -> the targets of the N strings.
        scales: property -> standard deviation of the reference.
        resamples: number of resamples, drawn with the seed of the sets.
        work: reports the progress.

    Returns:
        Metric -> (low, high); in tables under "table.row.column". Undefined metrics are left out.
    """
    statistics = {name: mean_of(column) for name, column in columns.items()}
    statistics |= dict(_compared(sets)) | dict(_controlled(sets, requests, scales))
    if "Test" in sets.tests:
        for name, ours in moses.WASSERSTEIN.items():
            statistics[name] = statistics[f"properties.{ours}.wasserstein"]
    samples = np.empty((resamples, len(statistics)))
    count = len(sets.generated)
    rng = np.random.default_rng(sets.seed)
    for done, row in enumerate(samples, start=1):
        weights = np.bincount(rng.integers(count, size=count), minlength=count).astype(np.float64)
        row[:] = [statistic(weights) for statistic in statistics.values()]
        work.report("Resampling", done, resamples)
    found = {}
    for name, values in zip(statistics, samples.T, strict=True):
        if (values := known(values)).size:
            low, high = np.quantile(values, LEVELS)
            found[name] = (float(low), float(high))
    return found


def mean_of(column: np.ndarray) -> Statistic:
    """Return the weighted mean of the values of a column, shape (N,), that are not NaN."""
    counted = ~np.isnan(column)
    values, counts = np.where(counted, column, 0.0), counted.astype(np.float32)

    def mean(weights: np.ndarray) -> float:
        total = float(weights @ counts)
        return float(weights @ values) / total if total else np.nan

    return mean


def wasserstein_of(column: np.ndarray, reference: np.ndarray) -> Statistic:
    """Return the first Wasserstein distance of a weighted column (N,) from values (M,).

    Everything is sorted once: `scipy.stats.wasserstein_distance` would sort in every resample.
    """
    rows = np.flatnonzero(~np.isnan(column))
    rows = rows[np.argsort(column[rows], kind="stable")]
    values, others = column[rows], np.sort(known(reference))
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


def _line_of(x: np.ndarray, y: np.ndarray, figure: int) -> Statistic:
    """Return the slope (figure 0) or R2 (figure 1) of y on x, both shape (N,)."""
    rows = np.flatnonzero(~np.isnan(x + y))

    def line(weights: np.ndarray) -> float:
        drawn = np.repeat(rows, weights[rows].astype(int))
        value = fit_line(x[drawn], y[drawn])[figure]
        return np.nan if value is None else value

    return line


def _shifted(statistic: Statistic, by: float, scale: float = 1.0) -> Statistic:
    return lambda weights: (statistic(weights) - by) / scale


def _compared(sets: Sets) -> Iterator[tuple[str, Statistic]]:
    """Yield the statistics of the tables `rings` and `properties`."""
    reference = sets.reference
    for column, name in enumerate(SHAPES):
        values = sets.generated.shapes[:, column]
        yield f"rings.{name}.generated", mean_of(values)
        if reference is not None:
            others = known(reference.shapes[:, column])
            if others.size:
                yield f"rings.{name}.difference", _shifted(mean_of(values), float(others.mean()))
            if name in MEASURED:
                yield f"rings.{name}.wasserstein", wasserstein_of(values, others)
    for name in sets.generated.names:
        values = sets.generated.measured(name)
        yield f"properties.{name}.mean", mean_of(values)
        if reference is not None and name in reference.names:
            others = known(reference.measured(name))
            yield f"properties.{name}.wasserstein", wasserstein_of(values, others)
            if others.size and others.std() > 0:
                shift = _shifted(mean_of(values), float(others.mean()), float(others.std()))
                yield f"properties.{name}.shift", shift


def _controlled(
    sets: Sets, requests: Mapping[str, Requests], scales: Mapping[str, float]
) -> Iterator[tuple[str, Statistic]]:
    """Yield the statistics of the table `control`."""
    for name, wanted in requests.items():
        if not wanted.asked.any():
            continue
        realized, scale = sets.generated.measured(name), scales.get(name)
        error = wanted.error(realized)
        near = np.where(wanted.points, tolerance(name, scale), 0.0)
        mae = mean_of(np.abs(error))
        yield f"control.{name}.mae", mae
        yield f"control.{name}.bias", mean_of(error)
        yield (
            f"control.{name}.hit_rate",
            mean_of(np.where(wanted.asked, np.abs(error) <= near, np.nan)),
        )
        if scale:
            yield f"control.{name}.mae_sd", _shifted(mae, 0.0, scale)
        targets = np.where(wanted.points, wanted.low, np.nan)
        for figure, title in enumerate(("slope", "r2")):
            yield f"control.{name}.{title}", _line_of(targets, realized, figure)
