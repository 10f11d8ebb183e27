"""Requested against realized properties.

Properties are measured on the molecules themselves, never read from the file under test.
"""

from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any, NamedTuple

import numpy as np

from molvae.arguments import is_missing, listed
from molvae.errors import UsageError
from molvae.evaluate.parsed import Parsed
from molvae.evaluate.sets import Numbers, mean
from molvae.targets import Range, as_range

# A value, a range, no target.
Request = float | Range | tuple[float | None, float | None] | None

# Distance that still counts as a hit, without a reference set: about half the standard
# deviation among the drug-like molecules of MOSES (https://doi.org/10.3389/fphar.2020.565644),
# and for counts the exact number
TOLERANCES: dict[str, float] = {
    "MW": 14.0,  # Da
    "LogP": 0.45,
    "TPSA": 9.0,  # A^2
    "QED": 0.05,
    "SA": 0.23,
    "Fsp3": 0.085,
}
EXACT = 0.5  # the tolerance of counts: the nearest integer
IN_SDS = 0.5  # the tolerance with a reference set, in its standard deviations


class Requests(NamedTuple):
    """The targets of N molecules for one property."""

    low: np.ndarray  # lower ends, shape (N,); -inf for an open end, NaN without a target
    high: np.ndarray  # upper ends, shape (N,); equal to `low` for a value

    @property
    def asked(self) -> np.ndarray:
        """Whether a molecule has a target, shape (N,)."""
        return np.asarray(~np.isnan(self.low))

    @property
    def points(self) -> np.ndarray:
        """Whether the target is a value, not a range, shape (N,)."""
        return np.asarray(self.low == self.high)

    def error(self, realized: np.ndarray) -> np.ndarray:
        """Return the signed distance to the target, shape (N,).

        It is zero within a range; outside, it is the distance to the nearer end, negative below.
        """
        below = np.minimum(realized - self.low, 0.0)
        above = np.maximum(realized - self.high, 0.0)
        return np.where(self.asked, below + above, np.nan)


def read_requests(asked: Request | Sequence[Request], *, count: int, name: str) -> Requests:
    """Return the targets of `count` molecules for the property `name`.

    `asked` is a number or a pair (low, high) for all molecules, or a sequence with one target for
    each, None or NaN without a target. None is an open end of a pair too.

    Raises:
        UsageError: for an empty range, a point that is not finite, or a wrong number of requests.

    Example:
        >>> read_requests([2.5, (0, 1), None], count=3, name="LogP").high
        array([2.5, 1. , nan])
    """
    if isinstance(asked, Real | tuple) or is_missing(asked):
        each: list[Any] = [asked] * count
    else:
        each = listed(f"targets of {name}", asked, "targets, one for each molecule")
    if len(each) != count:
        raise UsageError(f"targets of {name}: {len(each)} requests for {count} molecules.")
    ends = np.full((count, 2), np.nan)
    for row, request in enumerate(each):
        try:
            ends[row] = np.nan if is_missing(request) else as_range(name, request)
        except UsageError as error:
            raise UsageError(f"molecule {row}: {error}") from error
    return Requests(*ends.T)


def tolerance(name: str, scale: float | None) -> float:
    """Return the distance from a requested value that counts as a hit, in the property's unit.

    It is half the standard deviation `scale` of the reference set; without one, half that of
    drug-like molecules, and for counts the exact number.
    """
    return IN_SDS * scale if scale else TOLERANCES.get(name, EXACT)


def fit_line(x: np.ndarray, y: np.ndarray) -> tuple[float | None, float | None]:
    """Fit y to x, both shape (N,), by least squares.

    Returns:
        The slope, None with fewer than 2 distinct x, and R2, None also where y does not vary.
    """
    if np.unique(x).size < 2:
        return None, None
    slope, intercept = np.polyfit(x, y, 1)
    varies = y.max() > y.min()
    residuals = y - (slope * x + intercept)
    return float(slope), float(1.0 - residuals.var() / y.var()) if varies else None


def control(
    parsed: Parsed,
    requests: Mapping[str, Requests],
    *,
    scales: Mapping[str, float] | None = None,
) -> dict[str, dict[str, float | None]]:
    """Compare the targets of N molecules with their properties, one property after the other.

    Errors are averaged over the molecules that could be measured, as in MolGPT
    (https://doi.org/10.1021/acs.jcim.1c00600), hit rates over all molecules with a target: an
    invalid molecule is a miss. Scales are standard deviations in a reference set.

    Returns:
        For each property `asked` and `measured` (molecules), `mae` and `bias` (its unit), `mae_sd`
        (in standard deviations, with a scale), `hit_rate`, `tolerance` of values,
        `slope` (1: the target is followed exactly, 0: it is ignored) and `r2` of realized on
        requested values. `joint`: the hit rate of all targets at once, over the molecules with
        several.
    """
    scales = scales or {}
    values: dict[str, dict[str, float | None]] = {}
    asked, missed = np.zeros(len(parsed), dtype=int), np.zeros(len(parsed), dtype=bool)
    for name, wanted in requests.items():
        if not wanted.asked.any():
            continue
        realized = parsed.measured(name)  # (N,), NaN where invalid
        near = np.where(wanted.points, tolerance(name, scales.get(name)), 0.0)
        hits = np.abs(wanted.error(realized)) <= near  # NaN is a miss
        values[name] = _score(name, wanted, realized, hits=hits, scale=scales.get(name))
        asked += wanted.asked
        missed |= wanted.asked & ~hits
    several = asked > 1
    if several.any():
        values["joint"] = {
            "asked": int(several.sum()),
            "hit_rate": float((~missed[several]).mean()),
        }
    return values


def _score(
    name: str, requests: Requests, realized: np.ndarray, *, hits: np.ndarray, scale: float | None
) -> Numbers:
    asked, points = requests.asked, requests.points & ~np.isnan(realized)
    error = requests.error(realized)
    mae = mean(np.abs(error))
    score: Numbers = {
        "asked": int(asked.sum()),
        "measured": int((~np.isnan(error)).sum()),
        "mae": mae,
        "bias": mean(error),
        "hit_rate": float(hits[asked].mean()),
    }
    if scale and mae is not None:
        score["mae_sd"] = mae / scale
    if requests.points.any():
        score["tolerance"] = tolerance(name, scale)
    slope, r2 = fit_line(requests.low[points], realized[points])
    return score if slope is None else score | {"slope": slope, "r2": r2}
