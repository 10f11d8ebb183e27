"""What metrics look at, and what they say."""

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

PAIRS_LIMIT = 30_000  # molecules of which all pairs are looked at; what MOSES samples

Numbers = dict[str, float | None]
Columns = dict[str, np.ndarray]  # name -> values of N strings, NaN where one has none


class GuacaMol(NamedTuple):
    """What GuacaMol compares: a sample of the training set, and the generated molecules.

    Attributes:
        training: of the sample.
        generated: of the first distinct molecules.
        chemnet: moments of ChemNet's activations on the generated molecules and on the sample,
            where they were asked for.
    """

    training: Described
    generated: Described
    chemnet: tuple[Moments, Moments] | None = None


class Sets(NamedTuple):
    """What a metric may look at.

    Attributes:
        generated: the molecules under test, N of them.
        reference: molecules to compare distributions with.
        training: what the generator was trained on.
        seed: of any subset that a metric draws.
        tests: name -> test set, as MOSES names them: Test, TestSF.
        chemnet: moments of ChemNet's activations on four random quarters of the generated
            molecules; none where they were not asked for or are too few.
        reference_given: rows of the reference, of which `reference` may hold a part.
        guacamol: what that suite compares.
        similarities: test set -> largest Tanimoto similarity to it of each molecule of the sample.
        usage: ring systems and symbols of the training set, where they were looked for.
        nearness: of the sample to the training set, where that was asked for.
        control: the same of molecules of the reference.
    """

    generated: Parsed
    reference: Parsed | Reference | None = None
    training: Training | None = None
    seed: int = 0
    tests: Mapping[str, Reference] = MappingProxyType({})
    chemnet: tuple[Moments, ...] = ()
    reference_given: int = 0
    guacamol: GuacaMol | None = None
    similarities: Mapping[str, np.ndarray] = MappingProxyType({})
    usage: Usage | None = None
    nearness: Nearness | None = None
    control: Nearness | None = None

    def sample_rows(self) -> np.ndarray:
        """Return which strings are the sample: all valid ones, or 30,000 drawn with the seed."""
        return drawn(np.flatnonzero(self.generated.valid), self.seed)

    def sample(self) -> np.ndarray:
        """Return the fingerprints of the sample."""
        fingerprints: np.ndarray = self.generated.fingerprints[self.sample_rows()]
        return fingerprints

    def of_each(self, sampled: np.ndarray) -> np.ndarray:
        """Return values of the sample as values of the N strings, NaN of those not in it."""
        column = np.full(len(self.generated), np.nan)
        column[self.sample_rows()] = sampled
        return column


class Metric(NamedTuple):
    """One way to judge a set of molecules.

    Attributes:
        function: from the sets to named numbers.
        suites: the collections it belongs to.
        of_each: the values of the N strings whose means the numbers are, where they are means.
    """

    function: Callable[[Sets], Numbers]
    suites: tuple[str, ...] = ("basic",)
    of_each: Callable[[Sets], Columns] | None = None


def drawn(rows: np.ndarray, seed: int) -> np.ndarray:
    """Return rows, of more than 30,000 as many as that, drawn with the seed."""
    if rows.size <= PAIRS_LIMIT:
        return rows
    return np.random.default_rng(seed).choice(rows, PAIRS_LIMIT, replace=False)


def mean(column: np.ndarray) -> float | None:
    """Return the mean of what is not NaN; None where everything is."""
    known = column[~np.isnan(column)]
    return float(known.mean(dtype=np.float64)) if known.size else None
