"""The sets that metrics take, and the records of their results."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from molvae.evaluate.descriptors import Described
from molvae.evaluate.fcd import Moments
from molvae.evaluate.memorization import Nearness
from molvae.evaluate.parsed import Parsed
from molvae.evaluate.references import Reference
from molvae.evaluate.training import Training
from molvae.evaluate.usage import Usage

PAIRS_LIMIT = 30_000  # molecules of which all pairs are compared; the sample size of MOSES

Numbers = dict[str, float | None]
Columns = dict[str, np.ndarray]  # name -> values of N strings, NaN for a string without


class GuacaMol(NamedTuple):
    """The first distinct molecules, and a sample of the training set.

    `chemnet` has moments of ChemNet's activations on the former and the latter, if requested.
    `not_described` is the number of those molecules whose description failed or took too long.
    """

    training: Described
    generated: Described
    chemnet: tuple[Moments, Moments] | None = None
    not_described: int = 0


class Sets(NamedTuple):
    """The input of a metric; parts are missing that its suite does not need."""

    generated: Parsed  # N molecules
    reference: Parsed | Reference | None = None
    training: Training | None = None
    seed: int = 0
    tests: Mapping[str, Reference] = MappingProxyType({})  # as MOSES names them: Test, TestSF
    # Moments of ChemNet's activations on four random quarters of the generated molecules; empty if
    # not requested or with too few molecules.
    chemnet: tuple[Moments, ...] = ()
    reference_given: int = 0  # rows; `reference` may be a subset
    guacamol: GuacaMol | None = None
    # Test set -> largest Tanimoto similarity to it of each molecule of the sample.
    similarities: Mapping[str, np.ndarray] = MappingProxyType({})
    usage: Usage | None = None  # of the training set
    known_parents: int = 0  # novel molecules whose standard form is in the training set
    nearness: Nearness | None = None  # of the sample to the training set
    control: Nearness | None = None  # of molecules of the reference to the training set

    def sample_rows(self) -> np.ndarray:
        """Return the rows of the sample: all valid ones, or 30,000 chosen with the seed."""
        return choose_rows(np.flatnonzero(self.generated.valid), self.seed)

    def sample(self) -> np.ndarray:
        """Return the fingerprints of the sample."""
        return np.asarray(self.generated.fingerprints[self.sample_rows()])

    def of_each(self, sampled: np.ndarray) -> np.ndarray:
        """Return values of the sample as values of the N strings, NaN outside it."""
        column = np.full(len(self.generated), np.nan)
        column[self.sample_rows()] = sampled
        return column


class Metric(NamedTuple):
    """A metric and its suites.

    `of_each` returns the values of the N strings, if the metric is a mean over strings.
    """

    function: Callable[[Sets], Numbers]
    suites: tuple[str, ...] = ("basic",)
    of_each: Callable[[Sets], Columns] | None = None


def mean_metric(columns: Callable[[Sets], Columns], suite: str = "basic") -> Metric:
    """Return a metric whose numbers are the means of columns over strings."""
    return Metric(
        lambda sets: {name: mean(column) for name, column in columns(sets).items()},
        (suite,),
        columns,
    )


def choose_rows(rows: np.ndarray, seed: int) -> np.ndarray:
    """Return rows, or 30,000 of them chosen with the seed."""
    if rows.size <= PAIRS_LIMIT:
        return rows
    return np.random.default_rng(seed).choice(rows, PAIRS_LIMIT, replace=False)


def mean(column: np.ndarray) -> float | None:
    """Return the mean of the values that are not NaN; None without any."""
    known = column[~np.isnan(column)]
    return float(known.mean(dtype=np.float64)) if known.size else None
