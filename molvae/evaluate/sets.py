"""What metrics look at, and what they say."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from molvae.evaluate.descriptors import Described
from molvae.evaluate.fcd import Moments
from molvae.evaluate.parsed import Parsed
from molvae.evaluate.references import Reference
from molvae.evaluate.training import Training

PAIRS_LIMIT = 30_000  # molecules of which all pairs are looked at; what MOSES samples

Numbers = dict[str, float | None]


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
    """

    generated: Parsed
    reference: Parsed | Reference | None = None
    training: Training | None = None
    seed: int = 0
    tests: Mapping[str, Reference] = MappingProxyType({})
    chemnet: tuple[Moments, ...] = ()
    reference_given: int = 0
    guacamol: GuacaMol | None = None

    def sample(self) -> np.ndarray:
        """Return the fingerprints of the valid molecules, of at most 30,000 drawn with the seed."""
        rows = np.flatnonzero(self.generated.valid)
        if rows.size > PAIRS_LIMIT:
            rows = np.random.default_rng(self.seed).choice(rows, PAIRS_LIMIT, replace=False)
        fingerprints: np.ndarray = self.generated.fingerprints[rows]
        return fingerprints


class Metric(NamedTuple):
    """One way to judge a set of molecules.

    Attributes:
        function: from the sets to named numbers.
        suites: the collections it belongs to.
    """

    function: Callable[[Sets], Numbers]
    suites: tuple[str, ...] = ("basic",)
