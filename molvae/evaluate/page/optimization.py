"""What a page shows of an optimization: its curve, and the molecules with the best scores."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from molvae.evaluate.control import Requests
from molvae.evaluate.page.molecules import Shown, shown
from molvae.evaluate.parsed import Parsed

BEST = 12  # molecules shown
TOP = 10  # best molecules whose mean is drawn
POINTS = 400  # of the curve


class Calls(NamedTuple):
    """The N rows of a table that `molvae optimize` wrote, the best first.

    Attributes:
        numbers: of the calls in their order, shape (N,), NaN for a row that was none.
        scores: shape (N,), NaN where there is none.
    """

    numbers: np.ndarray
    scores: np.ndarray

    @property
    def scored(self) -> np.ndarray:
        """The rows with a number and a score, the best first."""
        return np.flatnonzero(np.isfinite(self.numbers) & np.isfinite(self.scores))

    @property
    def less_is_better(self) -> bool:
        """Whether the first rows have the lowest scores."""
        rows = self.scored
        return bool(rows.size) and bool(self.scores[rows[0]] < self.scores[rows[-1]])


def curve(calls: Calls) -> dict[str, list[float]]:
    """Return the best score, and the mean of the ten best, by calls, from ten scores on.

    Calls without a score count as calls.
    """
    sign = -1.0 if calls.less_is_better else 1.0
    rows = np.flatnonzero(np.isfinite(calls.numbers))
    scores = sign * calls.scores[rows[np.argsort(calls.numbers[rows], kind="stable")]]
    ends = np.unique(np.linspace(1, len(scores), POINTS).round().astype(int))
    found: dict[str, list[float]] = {"calls": [], "best": [], "mean of the ten best": []}
    for end in ends.tolist():
        known = np.sort(scores[:end][np.isfinite(scores[:end])])[::-1][:TOP]
        if known.size == TOP:
            point = end, sign * known[0], sign * known.mean()
            for column, value in zip(found.values(), point, strict=True):
                column.append(float(value))
    return found


def best_molecules(calls: Calls, parsed: Parsed, requests: Mapping[str, Requests]) -> list[Shown]:
    """Return the molecules with the best scores, each with its score."""
    found = []
    for row in [int(row) for row in calls.scored if parsed.valid[row]][:BEST]:
        molecule = shown(parsed, requests, row)
        molecule["values"] = {"score": float(calls.scores[row]), **molecule["values"]}
        found.append(molecule)
    return found
