"""Targets of a molecule: points, ranges and classes for any of a model's properties."""

import math
import re
import warnings
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Union

import numpy as np

from molvae.arguments import by_name, to_float
from molvae.chem.properties import PROPERTIES
from molvae.chem.properties import resolve as resolve_property
from molvae.errors import UsageError, did_you_mean
from molvae.normalizer import (
    LARGEST,
    PropertyNormalizer,
    Reading,
    class_key,
    quoted,
    resembles_number,
    split_classes,
)

Range = tuple[float, float]  # low, high; equal for a point, infinite where an end is open
Wanted = Range | str  # of a class label: a class, or several as `a|b`, each as `quoted`
Ends = Sequence[float | None]  # the same as people write it: None where it is open
NO_RATES: Mapping[str, float] = {}
Targets = Union[Mapping[str, float | Ends | str], "Request"]

NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
QUOTED = re.compile(r'(?:^|(?<=[=|]))\s*"(?:[^"]|"")*"')  # a class whose signs mean nothing
SPAN = re.compile(r"\d+(\.\d+)?-\d+(\.\d+)?", re.ASCII)  # how people write ranges elsewhere


@dataclass(frozen=True)
class Request:
    """The targets of a molecule, checked against one model.

    Attributes:
        ranges: property to (low, high), class label to the classes allowed as `a|b`; spelled as
            the model spells them, in the order of its properties.
        normalizer: of the model.
    """

    ranges: Mapping[str, Wanted]
    normalizer: PropertyNormalizer

    @staticmethod
    def parse(texts: Iterable[str]) -> dict[str, Wanted]:
        """Return the targets that texts such as `LogP=2.5` or `QED=0.8..0.95` name.

        A class with a sign in its name stands in quotes: `dose="1..10"|"10|20"`. The names are not
        checked: that takes a model, and `for_model`.

        Raises:
            UsageError: for a text that cannot be read, an empty range, or a name given twice.

        >>> Request.parse(["LogP=2.5", "MW=..400"])
        {'LogP': (2.5, 2.5), 'MW': (-inf, 400.0)}
        """
        ranges: dict[str, Wanted] = {}
        for text in texts:
            at = _blanked(text).rfind("=")
            name, value = text[: max(at, 0)].strip(), text[at + 1 :].strip()
            if not (name and value):
                raise UsageError(
                    f"'{text}': write NAME=VALUE or NAME=LOW..HIGH, such as LogP=2.5, LogP=2..3 or"
                    " MW=..400."
                )
            if name.lower() in (known.lower() for known in ranges):
                raise UsageError(f"'{text}': {name} has a target already; give one range.")
            ranges[name] = parse_target(name, value)
        return ranges

    @classmethod
    def for_model(cls, targets: Targets | None, normalizer: PropertyNormalizer) -> "Request":
        """Check targets against a model and spell them as it does; a `Request` of it stays.

        Args:
            targets: property or label to a value, (low, high) or classes; RDKit's names of
                properties are understood. None asks for nothing.
            normalizer: of the model.

        Raises:
            UsageError: for an unknown name or class, a name given twice, NaN, an empty range, or a
                value that the property cannot have.
        """
        if isinstance(targets, Request):
            if targets.normalizer is normalizer:
                return targets
            targets = targets.ranges
        ranges: dict[str, Wanted] = {}
        for name, wanted in by_name("targets", {} if targets is None else targets).items():
            known = spell(name, normalizer)
            if known in ranges:
                raise UsageError(f"target {known}: given twice; give one point or one range.")
            if known in normalizer.classes:
                ranges[known] = _as_classes(known, wanted, normalizer)
            else:
                ranges[known] = _possible(known, as_range(known, wanted))
        in_order = {name: ranges[name] for name in normalizer.quantities if name in ranges}
        return cls(in_order, normalizer)

    def __bool__(self) -> bool:
        """Whether anything is asked."""
        return bool(self.ranges)

    def __str__(self) -> str:
        """Return the request as the command line reads it: `LogP=2.5, QED=0.8..0.95`."""
        return ", ".join(f"{name}={format_range(wanted)}" for name, wanted in self.ranges.items())

    def cells(self) -> dict[str, str]:
        """Return the targets as cells of a table, under names such as `target_LogP`."""
        return {f"target_{name}": format_range(wanted) for name, wanted in self.ranges.items()}

    @property
    def unfamiliar(self) -> list[str]:
        """The targets that lie outside the training range, p0.1 to p99.9; a class never does."""
        found = []
        for name, wanted in self.ranges.items():
            if not isinstance(wanted, str):
                (low, high), column = wanted, self.normalizer.names.index(name)
                if low > self.normalizer.high[column] or high < self.normalizer.low[column]:
                    found.append(name)
        return found

    def outside(self, name: str) -> str:
        """Return a sentence on a target that lies outside the training range."""
        normalizer = self.normalizer
        column = normalizer.names.index(name)
        low, high = normalizer.low[column], normalizer.high[column]
        return (
            f"{name}={format_range(self.ranges[name])} lies outside the model's training range"
            f" {low:.3g}..{high:.3g}; the nearest value there is used"
        )

    def point(self, random: np.random.Generator) -> np.ndarray:
        """Choose the one value of each property that a molecule is generated for.

        Within a range, values are as frequent as in the training set, so that `QED=0.8..` asks for
        0.8 to 0.9 more often than for the rare 0.94; and so are classes, where several are allowed.

        Returns:
            Values in their units, NaN = not asked, shape (P,).
        """
        normalizer = self.normalizer
        row = np.full(len(normalizer.names), np.nan)
        for name, wanted in self.ranges.items():
            if isinstance(wanted, str):
                columns = np.array(normalizer.columns(name))
                allowed = alternatives(wanted, normalizer.classes[name])
                shares = normalizer.mean[columns] * np.isin(normalizer.classes[name], allowed)
                row[columns] = 0.0
                row[random.choice(columns, p=shares / shares.sum())] = 1.0
            else:
                row[normalizer.names.index(name)] = _choose_value(name, wanted, normalizer, random)
        return row

    def fill_in(self, points: np.ndarray) -> np.ndarray:
        """Return points (N, P) with the targets in all of them; a range gives one value to all."""
        fixed = self.point(np.random.default_rng(0))
        return np.where(np.isnan(fixed), points, fixed)

    def distance(self, values: Mapping[str, Reading]) -> float:
        """Return how far values by name are from the targets, in variances of the training set.

        A target that has no value is passed over.
        """
        scales = self.normalizer.scales
        return sum(
            (miss(values[name], wanted) / scales[name]) ** 2
            for name, wanted in self.ranges.items()
            if name in values
        )

    def missed(self, values: Mapping[str, Reading], *, within: float) -> list[str]:
        """Return the targets that values by name miss.

        Args:
            values: by name; a target that has no value is passed over.
            within: how far from a point still meets it, in standard deviations.
        """
        scales, rates = self.normalizer.scales, self.normalizer.rates
        return [
            name
            for name, wanted in self.ranges.items()
            if name in values
            and not is_hit(
                values[name],
                wanted,
                tolerance=within * scales[name],
                rates=rates.get(name, NO_RATES),
            )
        ]


def warn_of_targets(requests: Iterable[Request]) -> None:
    """Warn once of each target outside the training range, as the command line does."""
    strange = {name: each for each in requests for name in each.unfamiliar}
    for name, request in strange.items():
        warnings.warn(request.outside(name), stacklevel=3)


def spell(name: str, normalizer: PropertyNormalizer) -> str:
    """Return a model's spelling of a property or label; RDKit's names are understood.

    Raises:
        UsageError: when it has no such one, listing those it has, with their units.
    """
    name, names = str(name), normalizer.quantities
    by_lower = {known.lower(): known for known in names}
    same = name if name.lower() in by_lower else _alias(name)
    if same.lower() in by_lower:
        return by_lower[same.lower()]
    more = ""
    if same in PROPERTIES:
        what = f"this model was not trained on {same}."
    else:
        near = did_you_mean(same, names)
        what = f"unknown property '{same}'{near or '.'}"
        more = "" if near else " Other labels are learned: molvae prepare --label, molvae train."
    if same.partition("=")[0].lower() in map(str.lower, normalizer.classes):  # LABEL=<=1
        what += " A class with an equals sign in its name needs quotes."
    known = [str(PROPERTIES.get(name, normalizer.describe(name))) for name in names]
    raise UsageError(f"{what} This model knows {', '.join(known) or 'none'}.{more}")


def _alias(name: str) -> str:
    """Return our name of a property by any of its names, or `name` when there is none."""
    try:
        return resolve_property(name).name
    except UsageError:
        return name


def _possible(name: str, wanted: Range) -> Range:
    """Return a range that the property can have a value in."""
    if name in PROPERTIES:
        start, end = PROPERTIES[name].low, PROPERTIES[name].high
        if wanted[0] > end or wanted[1] < start:
            possible = f"at least {start:g}" if math.isinf(end) else f"{start:g} to {end:g}"
            raise UsageError(
                f"target {name} = {format_range(wanted)}: impossible, {name} is {possible}."
            )
    return wanted


def parse_target(name: str, value: str) -> Wanted:
    """Return the target that a text such as `2.5`, `0.8..0.95` or `active` names.

    Raises:
        UsageError: for a text that cannot be read, or an empty range.
    """
    if name.lower() in {known.lower() for known in PROPERTIES}:
        return parse_range(name, value)
    bare = _blanked(value)
    if not (".." in bare or resembles_number(bare)):  # no slip such as `nan`, `2,5` or `1_0`
        return value
    try:
        return parse_range(name, value)
    except UsageError as error:
        hint = f"A class of that name needs quotes: {name}={quoted(value)}"
        raise UsageError(f"{error} {hint}") from error


def _blanked(text: str) -> str:
    """Return a text of the same length, without the signs of classes in quotes."""
    return QUOTED.sub(lambda found: "x" * len(found[0]), text)


def parse_range(name: str, value: str) -> Range:
    """Return the range, or the point, that a text such as `0.8..0.95` names; errors name both."""
    text = f"{name}={value}"
    start, dots, end = (part.strip() for part in value.partition(".."))
    if not dots:
        point = _parse_number(text, start)
        return point, point
    if not (start or end):
        raise UsageError(f"'{text}': a range needs at least one end, such as 1.. or 1..3.")
    low = _parse_number(text, start) if start else -math.inf
    high = _parse_number(text, end) if end else math.inf
    if low > high:
        raise UsageError(f"'{text}': an empty range; did you mean {end}..{start}?")
    return low, high


def _parse_number(text: str, word: str) -> float:
    """Read a plain ASCII number: `float` alone would take 1_0, nan and inf as well."""
    number = float(word) if NUMBER.fullmatch(word) else math.nan
    if LARGEST < abs(number) < math.inf:
        raise UsageError(f"'{text}': '{word}' is too large, more than {LARGEST:.2g}.")
    if not math.isfinite(number):
        hint = "; write the decimal point as a dot" if "," in word else ""
        hint = f"; a range is {'..'.join(word.split('-'))}" if SPAN.fullmatch(word) else hint
        raise UsageError(f"'{text}': '{word}' is not a finite number{hint}.")
    return number


def as_range(name: str, wanted: object) -> Range:
    """Return a value or two ends, also of numpy or in a list, as a range.

    Raises:
        UsageError: for anything else, a value that is missing or not finite, or an empty range.
    """
    if isinstance(wanted, str):
        raise UsageError(
            f"target {name} = {wanted}: not a number, and {name} has no classes; a range is"
            " (1.0, 3.0), with None for an open end."
        )
    try:
        low, high = _ends(wanted)
    except (TypeError, ValueError, OverflowError) as error:
        raise UsageError(
            f"target {name} = {wanted!r:.40}: not a finite number: give a number, or a range such"
            f" as (1.0, 3.0) with None for an open end. Leave {name} out to leave it free."
        ) from error
    if low == high and math.isinf(low):
        raise UsageError(f"target {name} = {format_range((low, high))}: not a finite number.")
    if low > high:
        raise UsageError(f"target {name} = {format_range((low, high))}: an empty range.")
    return low, high


def _ends(wanted: Any) -> Range:
    """Return two floats, infinite where an end is None.

    Raises:
        TypeError: for what is no number, such as None for both ends.
        ValueError: for more or fewer than two ends, or a missing one.
    """
    low, high = wanted if np.ndim(wanted) else (wanted, wanted)
    if low is high is None:
        raise TypeError
    ends = -math.inf if low is None else to_float(low), math.inf if high is None else to_float(high)
    if any(map(math.isnan, ends)):
        raise ValueError("a missing value")
    return ends


def _as_classes(label: str, wanted: object, normalizer: PropertyNormalizer) -> str:
    """Return one or more classes in the model's spelling and order; a class may be a number."""
    text = wanted if isinstance(wanted, str) else ""
    if not isinstance(wanted, str):
        low, high = as_range(label, wanted)
        if low < high:
            raise UsageError(
                f"target {label} = {format_range((low, high))}: a range; {label} has the classes"
                f" {normalizer.listed(label)}. Join several with |."
            )
        text = f"{low:.17g}"
    classes = normalizer.classes[label]
    is_one = class_key(" ".join(text.split())) in map(class_key, classes)
    words = [text] if is_one else split_classes(text)
    allowed = {normalizer.resolve_class(label, word) for word in words}
    return "|".join(quoted(word) for word in classes if word in allowed)


def alternatives(wanted: str, classes: Container[str]) -> tuple[str, ...]:
    """Return the classes that `a|b` allows; a class that has the sign in its name is one."""
    return (wanted,) if wanted in classes else tuple(split_classes(wanted))


def format_range(wanted: Wanted) -> str:
    """Write a request as the command line reads it: `2.5`, `0.8..0.95`, `..400`, `active`."""
    if isinstance(wanted, str):
        return wanted
    low, high = wanted
    if low == high:
        return _digits(low)
    return "..".join("" if math.isinf(end) else _digits(end) for end in wanted)


def _digits(value: float) -> str:
    """Return a number with as many digits as it takes to read it again, at least six."""
    return f"{value:g}" if float(f"{value:g}") == value else repr(float(value))


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


def probabilities(reading: Mapping[str, float]) -> dict[str, float]:
    """Return the probability of each class; the property head itself may leave 0 to 1.

    >>> probabilities({"active": 0.25, "inactive": 0.75, "toxic": -0.1})
    {'active': 0.25, 'inactive': 0.75, 'toxic': 0.0}
    """
    positive = {word: max(value, 0.0) for word, value in reading.items()}
    total = sum(positive.values())
    even = 1.0 / len(positive)
    return {word: value / total if total else even for word, value in positive.items()}


def certainty(reading: Mapping[str, float], wanted: str) -> float:
    """Return the certainty of the requested classes, about 0 to 1."""
    return sum(reading[word] for word in alternatives(wanted, reading))


def likeliest(reading: Mapping[str, float]) -> str:
    """Return the most likely class."""
    return max(reading, key=reading.__getitem__)


def raised(reading: Mapping[str, float], rates: Mapping[str, float]) -> str:
    """Return the class whose probability is the most times its share of the training set.

    A rare class is hardly ever the most likely one, however well it is recognized.
    """
    chances = probabilities(reading)
    return max(chances, key=lambda word: chances[word] / rates[word])


def miss(got: Reading, wanted: Wanted) -> float:
    """Return the distance of a value from its target, in its unit: 0 inside a range, NaN for NaN.

    For a class label, the distance is 1 minus the certainty of the requested classes.
    """
    if isinstance(wanted, str):
        return max(1.0 - certainty(got, wanted), 0.0) if isinstance(got, Mapping) else math.nan
    if isinstance(got, Mapping) or math.isnan(got):
        return math.nan
    low, high = wanted
    return max(low - got, got - high, 0.0)


def is_hit(
    got: Reading, wanted: Wanted, *, tolerance: float, rates: Mapping[str, float] = NO_RATES
) -> bool:
    """Return whether a value is inside its range, or within `tolerance` of a point.

    A class label is a hit when a requested class is the one whose probability is the most times
    its share of the training set; without these `rates`, when it is the most likely class.
    """
    if isinstance(wanted, str):
        if not isinstance(got, Mapping):
            return False
        word = raised(got, rates) if rates else likeliest(got)
        return word in alternatives(wanted, got)
    return miss(got, wanted) <= (tolerance if wanted[0] == wanted[1] else 0.0)
