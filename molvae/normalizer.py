"""Property values <-> zero-mean, unit-scale conditions; class labels one-hot."""

import math
import re
from collections.abc import Container, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from molvae.errors import ArtifactError, UsageError, did_you_mean

LEVELS = np.concatenate([[0.001], np.linspace(0.01, 0.99, 99), [0.999]])  # of the quantiles, (Q,)
# The smallest scale of a class, that of 1 % of the molecules. With the scale of 1 in 10,000, one
# molecule would lie a hundred standard deviations from the others and dominate the loss.
MIN_CLASS_SCALE = 0.1
EVEN_ODDS = 0.5  # standard deviation of a class that half of the molecules have, the largest

HEAVY = 2.0  # standard deviations of the bulk: values that vary more have outliers or a heavy tail
FAR = 10.0  # standard deviations of the bulk from the median: an outlier, maybe a slip of the pen
FEW = 0.01  # largest share of outliers; more of them are a tail

LARGEST = float(np.finfo(np.float32).max)  # of the values of a dataset

Classes = Mapping[str, tuple[str, ...]]  # class label -> its classes
NO_CLASSES: Classes = {}
Reading = float | Mapping[str, float]  # a number; for a class label a score a class, about 0 to 1


def class_column(label: str, word: str) -> str:
    """Return the name of the column that is 1 for the molecules of a class, 0 for the others."""
    return f"{label}={word}"


def class_key(word: str) -> str | float:
    """Return a key that equal classes share: case does not matter, and `1.0` equals `1`.

    >>> class_key("Active") == class_key("active"), class_key("1.0") == class_key("1")
    (True, True)
    """
    try:
        number = float(word) if word.isascii() and "_" not in word else math.nan
    except ValueError:
        number = math.nan
    return number if math.isfinite(number) else word.casefold()


def bulk_scale(quantiles: np.ndarray) -> float:
    """Return the standard deviation of a normal distribution with the same middle half.

    Where half of the values are equal, the middle 80 % count; 0 where these are equal, too.

    Args:
        quantiles: at `LEVELS`, shape (Q,).
    """
    return float((quantiles[75] - quantiles[25]) / 1.349 or (quantiles[90] - quantiles[10]) / 2.563)


def find_outliers(values: np.ndarray) -> np.ndarray:
    """Return which finite values are so far from the bulk that their spread says nothing of it.

    Args:
        values: shape (N,).

    Returns:
        A mask, shape (N,), with as many as are far: few outliers, or a heavy tail.
    """
    quantiles = np.quantile(values, LEVELS)
    bulk = bulk_scale(quantiles)
    if not 0.0 < HEAVY * bulk < values.std():
        return np.zeros(len(values), dtype=bool)
    far: np.ndarray = np.abs(values - quantiles[50]) > FAR * bulk
    return far


def are_few(outliers: np.ndarray) -> bool:
    """Return whether these are outliers of a bulk: one, or at most 1 % of the values."""
    return 0 < int(outliers.sum()) <= max(1.0, FEW * len(outliers))


def resembles_number(word: str) -> bool:
    """Return whether a word is a number or an error in one, such as `1,5`, `1_0`, `inf`, `nan`."""
    try:
        float(word.replace(",", "."))
    except ValueError:
        return False
    return True


def quoted(word: str) -> str:
    """Return a class as `split_classes` reads it: in quotes where it could mean something else.

    >>> quoted("active"), quoted("1..10 uM"), quoted('5" or more | less')
    ('active', '"1..10 uM"', '"5"" or more | less"')
    """
    is_slip = resembles_number(word) and isinstance(class_key(word), str)
    needed = is_slip or _SIGNS.search(word)
    return '"{}"'.format(word.replace('"', '""')) if needed else word


def split_classes(text: str) -> list[str]:
    """Return the classes that `a|b` names; a sign in quotes is part of a class.

    >>> split_classes('active | "a|b"')
    ['active', 'a|b']
    """
    found = _CLASS.findall(f"{text}|")
    return [plain or inside.replace('""', '"') for inside, plain in found]


_SIGNS = re.compile(r'[="|]|\.\.')
_CLASS = re.compile(r'\s*(?:"((?:[^"]|"")*)"|([^|]*?))\s*\|')


class PropertyNormalizer(NamedTuple):
    """The scale of each property, fitted on the training split only.

    Few outliers of a label (`find_outliers`) count as the farthest of its other values.

    NaN means "unspecified" throughout: it passes through both directions unchanged.

    Attributes:
        names: the P columns of conditions, in order: a property or numeric label has one; a class
            label L has `L=a`, `L=b`, ... with 1 for the class of a molecule and 0 for the others.
        mean: shape (P,), in each property's unit; for a class, its frequency.
        scale: standard deviations, shape (P,).
        quantiles: of the training split at `LEVELS` (p0.1, p1 to p99, p99.9), shape (P, Q).
        classes: of each class label, in order.
    """

    names: tuple[str, ...]
    mean: np.ndarray
    scale: np.ndarray
    quantiles: np.ndarray
    classes: Classes = NO_CLASSES

    @classmethod
    def fit(
        cls,
        names: Sequence[str],
        values: np.ndarray,
        *,
        classes: Classes = NO_CLASSES,
        labels: Container[str] = (),
    ) -> "PropertyNormalizer":
        """Fit to training values, shape (N, P), NaN where a label is missing.

        Args:
            names: of the columns.
            values: in their units; 0 or 1 for a class.
            classes: of the class labels; all of their columns are among `names`.
            labels: names of numbers that people wrote: their few outliers may be slips of the pen.

        Raises:
            UsageError: for a property that does not vary: there is nothing to condition on.
        """
        class_columns = _class_columns(classes)
        quantiles = np.empty((len(names), len(LEVELS)))
        mean, scale = np.empty(len(names)), np.empty(len(names))
        for column, name in enumerate(names):
            known = values[:, column][np.isfinite(values[:, column])]
            if known.size < 2 or known.min() == known.max():
                raise UsageError(
                    f"'{name}' does not vary in the training split ({known.size} values):"
                    " leave it out."
                )
            if name in labels and are_few(outliers := find_outliers(known)):
                known = np.clip(known, known[~outliers].min(), known[~outliers].max())
            quantiles[column] = np.quantile(known, LEVELS)
            clipped = np.clip(known, quantiles[column, 0], quantiles[column, -1])
            mean[column], scale[column] = clipped.mean(), clipped.std() or known.std()
            if name in class_columns:  # the rarest class is not an outlier either
                quantiles[column, 0], quantiles[column, -1] = 0.0, 1.0
                mean[column] = known.mean()
                scale[column] = max(known.std(), MIN_CLASS_SCALE)
        return cls(tuple(names), mean, scale, quantiles, dict(classes))

    @property
    def quantities(self) -> tuple[str, ...]:
        """The properties and labels, each class label once, in order."""
        owner = _class_columns(self.classes)
        return tuple(dict.fromkeys(owner.get(name, name) for name in self.names))

    @property
    def groups(self) -> tuple[int, ...]:
        """The number of the quantity that each column belongs to, shape (P,)."""
        owner = _class_columns(self.classes)
        numbers = {name: number for number, name in enumerate(self.quantities)}
        return tuple(numbers[owner.get(name, name)] for name in self.names)

    @property
    def scales(self) -> dict[str, float]:
        """The scale that values are judged on: of a class label `EVEN_ODDS`, else one deviation.

        It is the standard deviation, or that of the bulk where outliers make it much larger.
        """
        bulks = [bulk_scale(quantiles) for quantiles in self.quantiles]
        scales = {
            name: bulk if 0.0 < HEAVY * bulk < scale else scale
            for name, scale, bulk in zip(self.names, self.scale.tolist(), bulks, strict=True)
        }
        return {name: scales.get(name, EVEN_ODDS) for name in self.quantities}

    @property
    def rates(self) -> dict[str, dict[str, float]]:
        """The share of the training molecules that each class of each class label has."""
        return {
            label: dict(zip(words, self.mean[self.columns(label)].tolist(), strict=True))
            for label, words in self.classes.items()
        }

    def columns(self, label: str) -> list[int]:
        """Return the positions of a class label's columns, in the order of its classes."""
        return [self.names.index(class_column(label, word)) for word in self.classes[label]]

    def reading(self, values: Mapping[str, float], name: str) -> Reading:
        """Return the value of a quantity from values by column: a number, or one for each class."""
        if name not in self.classes:
            return values[name]
        return {word: values[class_column(name, word)] for word in self.classes[name]}

    @property
    def low(self) -> np.ndarray:
        """The 0.1th percentile of the training split, shape (P,)."""
        low: np.ndarray = self.quantiles[:, 0]
        return low

    @property
    def high(self) -> np.ndarray:
        """The 99.9th percentile of the training split, shape (P,)."""
        high: np.ndarray = self.quantiles[:, -1]
        return high

    def normalize(self, values: np.ndarray) -> np.ndarray:
        """Clip values (N, P) to the training range and scale them; float32, NaN stays NaN."""
        clipped = np.clip(values, self.low, self.high)
        conditions: np.ndarray = ((clipped - self.mean) / self.scale).astype(np.float32)
        return conditions

    def restore(self, conditions: np.ndarray) -> np.ndarray:
        """Undo `normalize` (without the clipping): conditions (N, P) -> values in their units."""
        values: np.ndarray = conditions * self.scale + self.mean
        return values

    def resolve_class(self, label: str, word: str) -> str:
        """Return a class as this model spells it; see `class_key`.

        Raises:
            UsageError: listing the known classes and the nearest one.
        """
        classes = {class_key(known): known for known in self.classes[label]}
        key = class_key(" ".join(word.split()))
        if key not in classes:
            raise UsageError(
                f"target {label} = {word}: no such class"
                f"{did_you_mean(word, self.classes[label]) or '.'}"
                f" Its classes are {self.listed(label)}."
            )
        return classes[key]

    def listed(self, label: str) -> str:
        """Return the classes of a label as they are asked for, for messages."""
        return ", ".join(map(quoted, self.classes[label]))

    def describe(self, name: str) -> str:
        """Return a quantity's name, with the classes of a class label."""
        return f"{name} ({self.listed(name)})" if name in self.classes else name

    def quantile(self, name: str, level: np.ndarray) -> np.ndarray:
        """Return the training split's values of one property at these levels, each in 0..1."""
        values: np.ndarray = np.interp(level, LEVELS, self.quantiles[self.names.index(name)])
        return values

    def level(self, name: str, value: float) -> float:
        """Return the share of the training split below `value`, clipped to 0.001..0.999."""
        known = self.quantiles[self.names.index(name)]
        # A count such as HBD has many equal quantiles: those equal to `value` are not below it.
        return float(np.interp(np.nextafter(value, -np.inf), known, LEVELS))

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for a JSON header; the first versions had no class labels."""
        plain = {
            "names": list(self.names),
            "mean": self.mean.tolist(),
            "scale": self.scale.tolist(),
            "quantiles": self.quantiles.tolist(),
        }
        if self.classes:
            plain["classes"] = {label: list(words) for label, words in self.classes.items()}
        return plain

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> "PropertyNormalizer":
        """Rebuild from `to_dict`.

        Raises:
            ArtifactError: when shapes disagree, a scale is not a positive number, or a class has
                no column.
        """
        try:
            names = tuple(str(name) for name in plain["names"])
            mean, scale, quantiles = (
                np.array(plain[key], dtype=np.float64) for key in ("mean", "scale", "quantiles")
            )
            quantiles = quantiles.reshape(len(names), len(LEVELS))  # also where there are no names
            classes = {
                str(label): tuple(str(word) for word in words)
                for label, words in dict(plain.get("classes", {})).items()
            }
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ArtifactError(f"the normalizer inside is damaged: {error}.") from error
        count = len(names)
        good = (
            mean.shape == scale.shape == (count,)
            and len(set(names)) == count
            and np.isfinite(mean).all()
            and np.isfinite(quantiles).all()
            and bool(np.all((scale > 0) & np.isfinite(scale)))
            and _fits(classes, names)
        )
        if not good:
            raise ArtifactError("the normalizer inside is damaged: shapes or values are wrong.")
        return cls(names, mean, scale, quantiles, classes)


def _class_columns(classes: Classes) -> dict[str, str]:
    """Return column -> the class label that it belongs to."""
    return {class_column(label, word): label for label in classes for word in classes[label]}


def _fits(classes: Classes, names: Sequence[str]) -> bool:
    """Return whether every class has a column of its own, and no label the name of a column."""
    columns = _class_columns(classes)
    return (
        len(columns) == sum(map(len, classes.values()))
        and columns.keys() <= set(names)
        and not classes.keys() & set(names)
        and all(len({*map(class_key, words)}) == len(words) > 1 for words in classes.values())
    )
