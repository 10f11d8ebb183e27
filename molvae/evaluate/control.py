"""Asked against got: how near molecules came to the properties that were requested.

What was realized is measured on the molecules themselves, never taken from the file under test.
"""

from collections.abc import Mapping, Sequence
from numbers import Real
from typing import NamedTuple, cast

import numpy as np

from molvae.errors import UsageError
from molvae.evaluate.parsed import Parsed
from molvae.targets import Range, format_range

Request = float | Range | None  # a point, a range, nothing

# How near counts as a hit, where no reference set gives the scale: about half the standard
# deviation among the drug-like molecules of MOSES (https://doi.org/10.3389/fphar.2020.565644),
# and for counts the exact number.
TOLERANCES: dict[str, float] = {
    "MW": 14.0,  # Da
    "LogP": 0.45,
    "TPSA": 9.0,  # A^2
    "QED": 0.05,
    "SA": 0.23,
    "Fsp3": 0.085,
}
EXACT = 0.5  # the tolerance of counts: the nearest integer
IN_SDS = 0.5  # the tolerance where a reference set is known, in its standard deviations


class Requests(NamedTuple):
    """What was asked of each of N molecules for one property.

    Attributes:
        low: lower ends, shape (N,); -inf for an open end, NaN where nothing was asked.
        high: upper ends, shape (N,); equal to `low` where a point was asked.
    """

    low: np.ndarray
    high: np.ndarray

    @property
    def asked(self) -> np.ndarray:
        """Whether anything was asked of a molecule, shape (N,)."""
        asked: np.ndarray = ~np.isnan(self.low)
        return asked

    @property
    def points(self) -> np.ndarray:
        """Whether a single value, no range, was asked of a molecule, shape (N,)."""
        points: np.ndarray = self.low == self.high
        return points

    def error(self, realized: np.ndarray) -> np.ndarray:
        """Return the signed distance to what was asked, shape (N,).

        Within a range it is zero; outside it is the distance to the nearer end, negative below.
        """
        below = np.minimum(realized - self.low, 0.0)
        above = np.maximum(realized - self.high, 0.0)
        return np.where(self.asked, below + above, np.nan)


def read_requests(asked: Request | Sequence[Request], *, count: int, name: str) -> Requests:
    """Read what was asked of `count` molecules for the property `name`.

    Args:
        asked: a number or a pair (low, high): the same of all; any other sequence: one request
            for each molecule, None or NaN where nothing was asked.
        count: number of molecules, N.
        name: of the property, for the error message.

    Raises:
        UsageError: for an empty range, a point that is not finite, or a wrong number of requests.

    Example:
        >>> read_requests([2.5, (0, 1), None], count=3, name="LogP").high
        array([2.5, 1. , nan])
    """
    single = asked is None or isinstance(asked, Real | tuple)
    each = cast(Sequence[Request], [asked] * count if single else asked)
    if len(each) != count:
        raise UsageError(f"targets of {name}: {len(each)} requests for {count} molecules.")
    ends = np.full((count, 2), np.nan)
    for row, request in enumerate(each):
        if request is not None:
            ends[row] = request  # a point fills both ends
    low, high = ends.T
    odd = (low > high) | ((low == high) & np.isinf(low)) | (np.isnan(low) != np.isnan(high))
    if odd.any():
        row = int(odd.argmax())
        raise UsageError(
            f"target of {name}, molecule {row + 1}: {format_range((low[row], high[row]))}"
            " is no number or range that a value can meet."
        )
    return Requests(low, high)


def tolerance(name: str, scale: float | None) -> float:
    """Return how far from a requested point still counts as a hit, in the property's unit.

    Half a standard deviation `scale` of the reference set; without one, half the standard
    deviation of drug-like molecules, and for counts the exact number.
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
    """Compare what was asked of N molecules with what they are, one property after the other.

    Errors are over the molecules that could be measured, as in MolGPT
    (https://doi.org/10.1021/acs.jcim.1c00600). Hit rates are over all of which something was
    asked: an invalid molecule is a miss.

    Args:
        parsed: the molecules, with every property of `requests` among those measured.
        requests: property -> what was asked, N each.
        scales: property -> standard deviation in a reference set.

    Returns:
        For each property `asked` and `measured` (molecules), `mae` and `bias` (its unit), `mae_sd`
        (in standard deviations, when a scale is known), `hit_rate`, `tolerance` of points,
        `slope` and `r2` of realized on requested points. `joint`: the hit rate of all requests
        at once, over the molecules of which several properties were asked.
    """
    scales = scales or {}
    values: dict[str, dict[str, float | None]] = {}
    asked, missed = np.zeros(len(parsed), dtype=int), np.zeros(len(parsed), dtype=bool)
    for name, wanted in requests.items():
        if not wanted.asked.any():
            continue
        realized = parsed.measured(name)  # (N,), NaN where invalid
        hits = _hits(wanted, realized, tolerance(name, scales.get(name)))
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


def _hits(requests: Requests, realized: np.ndarray, near: float) -> np.ndarray:
    """Return whether each of N molecules is within what was asked; NaN is a miss."""
    hits: np.ndarray = np.abs(requests.error(realized)) <= np.where(requests.points, near, 0.0)
    return hits


def _score(
    name: str, requests: Requests, realized: np.ndarray, *, hits: np.ndarray, scale: float | None
) -> dict[str, float | None]:
    asked, points = requests.asked, requests.points & ~np.isnan(realized)
    error = requests.error(realized)
    known = error[~np.isnan(error)]
    score: dict[str, float | None] = {
        "asked": int(asked.sum()),
        "measured": known.size,
        "mae": float(np.abs(known).mean()) if known.size else None,
        "bias": float(known.mean()) if known.size else None,
        "hit_rate": float(hits[asked].mean()),
    }
    if scale and known.size:
        score["mae_sd"] = float(np.abs(known).mean()) / scale
    if requests.points.any():
        score["tolerance"] = tolerance(name, scale)
    slope, r2 = fit_line(requests.low[points], realized[points])
    return score if slope is None else score | {"slope": slope, "r2": r2}
