"""What is asked of a molecule: a point or a range for any of the model's properties."""

import math
from collections.abc import Mapping

import numpy as np

from molvae.errors import UsageError
from molvae.normalizer import PropertyNormalizer

Range = tuple[float, float]  # low, high; equal for a point, infinite where an end is open
Targets = Mapping[str, float | Range]


def as_ranges(targets: Targets, normalizer: PropertyNormalizer) -> dict[str, Range]:
    """Check a request and spell it as the model does.

    Returns:
        Property to (low, high), in the order of the model's properties.

    Raises:
        UsageError: for an unknown name, a name given twice, NaN, or an empty range.
    """
    ranges: dict[str, Range] = {}
    for name, wanted in targets.items():
        known = normalizer.resolve(name)
        if known in ranges:
            raise UsageError(f"target {known}: given twice; give one point or one range.")
        low, high = wanted if isinstance(wanted, tuple) else (wanted, wanted)
        if math.isnan(low) or math.isnan(high) or (low == high and math.isinf(low)):
            raise UsageError(f"target {known} = {format_range((low, high))}: not a finite number.")
        if low > high:
            raise UsageError(f"target {known} = {format_range((low, high))}: an empty range.")
        ranges[known] = (float(low), float(high))
    return {name: ranges[name] for name in normalizer.names if name in ranges}


def format_range(wanted: Range) -> str:
    """Write a range as the command line reads it: `2.5`, `0.8..0.95`, `..400`."""
    low, high = wanted
    if low == high:
        return f"{low:g}"
    return f"{'' if math.isinf(low) else f'{low:g}'}..{'' if math.isinf(high) else f'{high:g}'}"


def unfamiliar(ranges: Mapping[str, Range], normalizer: PropertyNormalizer) -> list[str]:
    """Name the targets that lie outside what the model was trained on (p0.1 to p99.9)."""
    found = []
    for name, (low, high) in ranges.items():
        column = normalizer.names.index(name)
        if low > normalizer.high[column] or high < normalizer.low[column]:
            found.append(name)
    return found


def choose_point(
    ranges: Mapping[str, Range], normalizer: PropertyNormalizer, random: np.random.Generator
) -> np.ndarray:
    """Choose the one value of each property that a molecule is drawn for.

    Within a range, values are as frequent as in the training set, so that `QED=0.8..` asks for
    0.8 to 0.9 more often than for the rare 0.94.

    Returns:
        Values in their units, NaN = not asked, shape (P,).
    """
    row = np.full(len(normalizer.names), np.nan)
    for column, name in enumerate(normalizer.names):
        if name not in ranges:
            continue
        low, high = ranges[name]
        if low < high:
            beyond = float(np.nextafter(high, np.inf))  # `high` itself may be asked for
            levels = normalizer.level(name, low), normalizer.level(name, beyond)
            value = float(normalizer.quantile(name, np.array(random.uniform(*levels))))
            row[column] = min(max(value, low), high)
        else:
            row[column] = low
    return row


def misses(
    values: np.ndarray, ranges: Mapping[str, Range], normalizer: PropertyNormalizer
) -> np.ndarray:
    """Return how far each asked property is from its range, in its unit, 0 inside, shape (S,).

    Args:
        values: of the model's properties, NaN where not known, shape (P,).
        ranges: the request; its S properties in order.
        normalizer: of the model.
    """
    distances = []
    for name, (low, high) in ranges.items():
        value = values[normalizer.names.index(name)]
        distances.append(max(low - value, value - high, 0.0) if value == value else math.nan)
    return np.array(distances)
