"""Labels of which a few molecules, or one slip of the pen, decide the scale."""

from collections.abc import Callable

import numpy as np

from molvae.data.labels import Label
from molvae.normalizer import are_few, find_outliers

SHOWN = 3  # rows that are named
POSITIVE = 0.95  # share of numbers above 0 from which on a logarithm helps


def describe_outliers(label: Label, values: np.ndarray, place: Callable[[int], str]) -> list[str]:
    """Return what the user should know of a numeric label's outliers, or heavy tail.

    Args:
        label: of numbers.
        values: of all rows as `Label.parse` returns them, NaN where a row has none, shape (R,).
        place: returns where the row of this number is.
    """
    rows = np.flatnonzero(np.isfinite(values))
    known = values[rows]
    far = find_outliers(known) if known.size else np.zeros(0, dtype=bool)
    if not far.any():
        return []
    apart = np.abs(known - np.median(known))
    farthest = np.argsort(-apart, kind="stable")[: min(SHOWN, int(far.sum()))]
    shown = ", ".join(f"{place(rows[at])} has {label.text(known[at])}" for at in farthest)
    more = f", and {far.sum() - SHOWN:,} more" if far.sum() > SHOWN else ""
    name, rest = label.name, known[~far]
    where = (
        f"{shown}{more}, where the others are {label.text(rest.min())} to {label.text(rest.max())}"
    )
    if not label.log10 and _has_even_logarithm(known):
        return [
            f"{name}: heavy-tailed: {where}. --label {label.column}:log10 takes the logarithm, so"
            " that targets distinguish the small values."
        ]
    if are_few(far):
        return [
            f"{name}: {where}. Is it a slip? The model takes it for the farthest of the others."
        ]
    return [f"{name}: heavy-tailed: {where}. Targets are judged on the scale of the others."]


def _has_even_logarithm(known: np.ndarray) -> bool:
    """Return whether the logarithm of nearly all values has no outliers."""
    above = known[known > 0.0]
    return len(above) >= POSITIVE * len(known) and not find_outliers(np.log10(above)).any()
