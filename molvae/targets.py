"""What is asked of a molecule: points, ranges and classes for any of the model's properties."""

import math
from collections.abc import Container, Mapping

import numpy as np

from molvae.errors import UsageError
from molvae.normalizer import PropertyNormalizer, Reading, class_key

Range = tuple[float, float]  # low, high; equal for a point, infinite where an end is open
Wanted = Range | str  # of a class label: a class, or several as `a|b`
Ends = tuple[float | None, float | None]  # the same as people write it: None where it is open
Targets = Mapping[str, float | Ends | str]


def as_ranges(targets: Targets, normalizer: PropertyNormalizer) -> dict[str, Wanted]:
    """Check a request and spell it as the model does.

    Returns:
        Property to (low, high), class label to the classes allowed, in the order of the model's
        properties.

    Raises:
        UsageError: for an unknown name or class, a name given twice, NaN, or an empty range.
    """
    ranges: dict[str, Wanted] = {}
    for name, wanted in targets.items():
        known = normalizer.resolve(name)
        if known in ranges:
            raise UsageError(f"target {known}: given twice; give one point or one range.")
        if known in normalizer.classes:
            ranges[known] = _as_classes(known, wanted, normalizer)
        else:
            ranges[known] = _as_range(known, wanted)
    return {name: ranges[name] for name in normalizer.quantities if name in ranges}


def _as_range(name: str, wanted: float | Ends | str) -> Range:
    if isinstance(wanted, str):
        raise UsageError(
            f"target {name} = {wanted}: not a number, and {name} has no classes; a range is"
            " (1.0, 3.0), with None for an open end."
        )
    low, high = _closed(wanted) if isinstance(wanted, tuple) else (wanted, wanted)
    if math.isnan(low) or math.isnan(high) or (low == high and math.isinf(low)):
        raise UsageError(f"target {name} = {format_range((low, high))}: not a finite number.")
    if low > high:
        raise UsageError(f"target {name} = {format_range((low, high))}: an empty range.")
    return float(low), float(high)


def _closed(ends: Ends) -> Range:
    low, high = ends
    return -math.inf if low is None else low, math.inf if high is None else high


def _as_classes(label: str, wanted: float | Ends | str, normalizer: PropertyNormalizer) -> str:
    """Return one or more classes in the model's spelling and order; a class may be a number."""
    if isinstance(wanted, tuple) and (ends := _closed(wanted))[0] < ends[1]:
        raise UsageError(
            f"target {label} = {format_range(ends)}: a range; {label} has the classes"
            f" {', '.join(normalizer.classes[label])}. Join several with |."
        )
    text = wanted if isinstance(wanted, str) else f"{_as_range(label, wanted)[0]:.17g}"
    classes = normalizer.classes[label]
    is_one = class_key(text) in map(class_key, classes)
    words = [text] if is_one else [word.strip() for word in text.split("|")]
    allowed = {normalizer.resolve_class(label, word) for word in words}
    return "|".join(word for word in classes if word in allowed)


def alternatives(wanted: str, classes: Container[str]) -> tuple[str, ...]:
    """Return the classes that `a|b` allows; a class that has the sign in its name is one."""
    return (wanted,) if wanted in classes else tuple(wanted.split("|"))


def format_range(wanted: Wanted) -> str:
    """Write a request as the command line reads it: `2.5`, `0.8..0.95`, `..400`, `active`."""
    if isinstance(wanted, str):
        return wanted
    low, high = wanted
    if low == high:
        return f"{low:g}"
    return f"{'' if math.isinf(low) else f'{low:g}'}..{'' if math.isinf(high) else f'{high:g}'}"


def unfamiliar(ranges: Mapping[str, Wanted], normalizer: PropertyNormalizer) -> list[str]:
    """Name the targets that lie outside what the model was trained on (p0.1 to p99.9)."""
    found = []
    for name, wanted in ranges.items():
        if isinstance(wanted, str):  # a class is known from training, or refused
            continue
        (low, high), column = wanted, normalizer.names.index(name)
        if low > normalizer.high[column] or high < normalizer.low[column]:
            found.append(name)
    return found


def choose_point(
    ranges: Mapping[str, Wanted], normalizer: PropertyNormalizer, random: np.random.Generator
) -> np.ndarray:
    """Choose the one value of each property that a molecule is drawn for.

    Within a range, values are as frequent as in the training set, so that `QED=0.8..` asks for
    0.8 to 0.9 more often than for the rare 0.94; and so are classes, where several are allowed.

    Returns:
        Values in their units, NaN = not asked, shape (P,).
    """
    row = np.full(len(normalizer.names), np.nan)
    for name in normalizer.quantities:
        wanted = ranges.get(name)
        if isinstance(wanted, str):
            columns = np.array(normalizer.columns(name))
            allowed = alternatives(wanted, normalizer.classes[name])
            shares = normalizer.mean[columns] * np.isin(normalizer.classes[name], allowed)
            row[columns] = 0.0
            row[random.choice(columns, p=shares / shares.sum())] = 1.0
        elif wanted is not None:
            row[normalizer.names.index(name)] = _choose_value(name, wanted, normalizer, random)
    return row


def _choose_value(
    name: str, wanted: Range, normalizer: PropertyNormalizer, random: np.random.Generator
) -> float:
    low, high = wanted
    if low == high:
        return low
    beyond = float(np.nextafter(high, np.inf))  # `high` itself may be asked for
    levels = normalizer.level(name, low), normalizer.level(name, beyond)
    value = float(normalizer.quantile(name, np.array(random.uniform(*levels))))
    return min(max(value, low), high)


def certainty(reading: Mapping[str, float], wanted: str) -> float:
    """Return how much speaks for any of the classes wanted, about 0 to 1."""
    return sum(reading[word] for word in alternatives(wanted, reading))


def likeliest(reading: Mapping[str, float]) -> str:
    """Return the class that most speaks for."""
    return max(reading, key=reading.__getitem__)


def miss(got: Reading, wanted: Wanted) -> float:
    """Return how far a property is from what was asked, in its unit, 0 inside; NaN of NaN.

    Of a class label that is how much is missing, at most 1, of full certainty that the molecule
    is of a class that was asked for.
    """
    if isinstance(wanted, str):
        return max(1.0 - certainty(got, wanted), 0.0) if isinstance(got, Mapping) else math.nan
    if isinstance(got, Mapping) or math.isnan(got):
        return math.nan
    low, high = wanted
    return max(low - got, got - high, 0.0)


def is_hit(got: Reading, wanted: Wanted, *, tolerance: float) -> bool:
    """Tell whether a property is inside its range, or within `tolerance` of a point.

    A class label hits when the likeliest class is one that was asked for.
    """
    if isinstance(wanted, str):
        return isinstance(got, Mapping) and likeliest(got) in alternatives(wanted, got)
    return miss(got, wanted) <= (tolerance if wanted[0] == wanted[1] else 0.0)
