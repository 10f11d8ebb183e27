"""Percentile intervals from resampled molecules (Efron 1979).

Each resample draws N of the N generated strings with replacement, as weights, so that nothing is
parsed twice; the reference and the training set stay as they are. Means, and what follows from
means, have an interval. The share of distinct molecules (uniqueness) has none, since every
resample contains copies, nor have statistics of pairs and covariances (IntDiv, FCD). A distance
between distributions cannot fall below 0, and each resample adds the distance between it and the
sample, so the interval of a small distance lies somewhat high.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np

from molvae.evaluate import moses
from molvae.evaluate.control import Requests, fit_line, tolerance
from molvae.evaluate.distributions import MEASURED, known
from molvae.evaluate.parsed import SHAPES
from molvae.evaluate.sets import Columns, Sets
from molvae.evaluate.work import Work

LEVELS = (0.025, 0.975)  # of a 95 % interval

Statistic = Callable[[np.ndarray], Sequence[float | None]]  # of weights, shape (N,)
Named = Iterator[tuple[str, np.ndarray]]  # metrics, and the N values that each is the mean of


def intervals(
    sets: Sets,
    columns: Columns,
    *,
    requests: Mapping[str, Requests],
    scales: Mapping[str, float],
    resamples: int,
    work: Work,
) -> dict[str, tuple[float, float]]:
    """Compute 95 % intervals of metrics; those in tables have the name "table.row.column".

    `columns` has, for metrics that are means, the values of the N strings, NaN where a string does
    not count. Metrics that are undefined are left out.
    """
    means = {**columns, **dict(_of_tables(sets)), **dict(_of_control(sets, requests, scales))}
    distances = dict(_distances(sets))
    names, statistics = [*means, *distances], [means_of(means.values()), *distances.values()]
    for name, wanted in requests.items():
        names += [f"control.{name}.slope", f"control.{name}.r2"]
        statistics.append(_line_of(wanted, sets.generated.measured(name)))
    samples = np.empty((resamples, len(names)))
    count, rng = len(sets.generated), np.random.default_rng(sets.seed)
    for done, row in enumerate(samples, start=1):
        weights = np.bincount(rng.integers(count, size=count), minlength=count).astype(np.float64)
        row[:] = [value for statistic in statistics for value in statistic(weights)]
        work.report("Resampling", done, resamples)
    found = {}
    for name, values in zip(names, samples.T, strict=True):
        if (values := known(values)).size:
            low, high = np.quantile(values, LEVELS)
            found[name] = (float(low), float(high))
    return found


def means_of(columns: Iterable[np.ndarray]) -> Statistic:
    """Return the weighted means of columns, shape (N,), each over its values that are not NaN."""
    values = np.stack(list(columns))
    counted = (~np.isnan(values)).astype(np.float32)
    values[np.isnan(values)] = 0.0

    def means(weights: np.ndarray) -> list[float]:
        totals = counted @ weights
        with np.errstate(invalid="ignore"):  # of columns without any value
            return list((values @ weights) / totals)

    return means


def wasserstein_of(column: np.ndarray, reference: np.ndarray) -> Statistic:
    """Return the first Wasserstein distance of a weighted column (N,) from values (M,).

    Everything is sorted once: `scipy.stats.wasserstein_distance` would sort in every resample.
    """
    rows = np.flatnonzero(~np.isnan(column))
    rows = rows[np.argsort(column[rows], kind="stable")]
    values, others = column[rows], np.sort(known(reference))
    if not (values.size and others.size):
        return lambda weights: [np.nan]
    points = np.unique(np.concatenate([values, others]))
    widths = np.diff(points)
    below = np.searchsorted(values, points[:-1], side="right")
    theirs = np.searchsorted(others, points[:-1], side="right") / others.size

    def distance(weights: np.ndarray) -> list[float]:
        total = np.concatenate([[0.0], np.cumsum(weights[rows])])
        if not total[-1]:
            return [np.nan]
        return [float(np.abs(total[below] / total[-1] - theirs) @ widths)]

    return distance


def _line_of(wanted: Requests, realized: np.ndarray) -> Statistic:
    """Return slope and R2 of realized on requested values, both shape (N,)."""
    rows = np.flatnonzero(wanted.points & ~np.isnan(realized))

    def line(weights: np.ndarray) -> tuple[float | None, float | None]:
        drawn = np.repeat(rows, weights[rows].astype(int))
        return fit_line(wanted.low[drawn], realized[drawn])

    return line


def _of_tables(sets: Sets) -> Named:
    """Yield the means in the tables `rings` and `properties`."""
    generated, reference = sets.generated, sets.reference
    for column, name in enumerate(SHAPES):
        values = generated.shapes[:, column]
        yield f"rings.{name}.generated", values
        if reference is not None and (others := known(reference.shapes[:, column])).size:
            yield f"rings.{name}.difference", values - float(others.mean())
    for name in generated.names:
        values = generated.measured(name)
        yield f"properties.{name}.mean", values
        if reference is not None and name in reference.names:
            others = known(reference.measured(name))
            if others.size and others.std() > 0:
                yield f"properties.{name}.shift", (values - others.mean()) / others.std()


def _of_control(sets: Sets, requests: Mapping[str, Requests], scales: Mapping[str, float]) -> Named:
    """Yield the means in the table `control`."""
    for name, wanted in requests.items():
        scale = scales.get(name)
        error = wanted.error(sets.generated.measured(name))
        hits = np.abs(error) <= np.where(wanted.points, tolerance(name, scale), 0.0)
        yield f"control.{name}.mae", np.abs(error)
        yield f"control.{name}.bias", error
        yield f"control.{name}.hit_rate", np.where(wanted.asked, hits, np.nan)
        if scale:
            yield f"control.{name}.mae_sd", np.abs(error) / scale


def _distances(sets: Sets) -> Iterator[tuple[str, Statistic]]:
    """Yield the Wasserstein distances from the reference."""
    generated, reference = sets.generated, sets.reference
    if reference is None:
        return
    for column, name in enumerate(SHAPES):
        if name in MEASURED:
            values, others = generated.shapes[:, column], reference.shapes[:, column]
            yield f"rings.{name}.wasserstein", wasserstein_of(values, others)
    of_moses = {ours: name for name, ours in moses.WASSERSTEIN.items() if "Test" in sets.tests}
    for name in generated.names:
        if name in reference.names:
            distance = wasserstein_of(generated.measured(name), reference.measured(name))
            yield f"properties.{name}.wasserstein", distance
            if name in of_moses:
                yield of_moses[name], distance
