"""Validity, uniqueness, novelty, diversity: sets of molecules in, named numbers out.

A metric is a function of `Sets` and one line in `METRICS`. It returns named numbers: None for one
that is not defined on these molecules, and nothing at all when what it compares with was not
given. Definitions follow MOSES (Polykovskiy 2020, https://doi.org/10.3389/fphar.2020.565644)
unless a docstring says otherwise.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from molvae.chem.similarity import tanimoto_matrix
from molvae.errors import UsageError
from molvae.evaluate.parsed import Parsed
from molvae.evaluate.training import KnownMolecules, Training

UNIQUE_AT = (1_000, 10_000)  # MOSES reports uniqueness among the first 1,000 and 10,000
DIVERSITY_LIMIT = 10_000  # molecules: 10^8 pairs, a few seconds on one core
BLOCK = 1_024  # rows of the similarity matrix held at a time: 40 MB at the limit

Numbers = dict[str, float | None]


class Sets(NamedTuple):
    """What a metric may look at.

    Attributes:
        generated: the molecules under test, N of them.
        reference: molecules to compare distributions with.
        training: what the generator was trained on.
        seed: of any subset that a metric draws.
    """

    generated: Parsed
    reference: Parsed | None = None
    training: Training | None = None
    seed: int = 0


class Metric(NamedTuple):
    """One way to judge a set of molecules.

    Attributes:
        function: from the sets to named numbers.
        suites: the collections it belongs to.
    """

    function: Callable[[Sets], Numbers]
    suites: tuple[str, ...] = ("basic",)


def validity(sets: Sets) -> Numbers:
    """Share of all N strings that are a molecule; an empty string is none."""
    valid = sets.generated.valid
    return {"validity": float(valid.mean()) if valid.size else None}


def uniqueness(sets: Sets) -> Numbers:
    """Share of distinct molecules among the valid ones: all, and the first k in order.

    Two strings are one molecule when their canonical SMILES, stereo included, are the same.
    `uniqueness@k` is left out when there are fewer than k valid molecules: it would be another
    number under the same name.
    """
    molecules = sets.generated.molecules
    shares: Numbers = {"uniqueness": len(set(molecules)) / len(molecules) if molecules else None}
    for count in UNIQUE_AT:
        if len(molecules) >= count:
            shares[f"uniqueness@{count}"] = len(set(molecules[:count])) / count
    return shares


def novelty(sets: Sets) -> Numbers:
    """Share of the distinct valid molecules that are not in the training set.

    How a molecule is written does not matter. Where stereo marks occur, `novelty_without_stereo`
    compares molecules without them, as GuacaMol does (Brown 2019,
    https://doi.org/10.1021/acs.jcim.8b00839): a model that writes no stereo finds nothing again
    in a training set that has it, and looks novel for that reason alone. A training set that
    sometimes takes a new molecule for a known one adds how often, as `novelty_error_rate`.
    """
    if sets.training is None:
        return {}
    distinct = list(dict.fromkeys(sets.generated.molecules))
    if not distinct:
        return {"novelty": None}
    training = sets.training
    shares: Numbers = {"novelty": float((~training.contains(distinct)).mean())}
    if training.error_rate:
        shares["novelty_error_rate"] = training.error_rate
    if isinstance(training, KnownMolecules) and (training.has_stereo or sets.generated.has_stereo):
        flat = list(dict.fromkeys(sets.generated.molecules_without_stereo))
        shares["novelty_without_stereo"] = float((~training.contains_without_stereo(flat)).mean())
    return shares


def internal_diversity(sets: Sets) -> Numbers:
    """How unlike each other the valid molecules are: 0 all the same, 1 nothing in common.

    IntDiv_p = 1 - mean over molecules of (mean of T^p to all molecules, self included)^(1/p), with
    T the Tanimoto similarity of Morgan fingerprints (radius 2, 1024 bits), for p = 1 and 2
    (Benhenda 2017, https://arxiv.org/abs/1708.08227). For p = 2 the root is taken for each
    molecule before the average, which is what MOSES's published numbers are; the formula in its
    paper takes it once at the end and comes out up to .03 lower. Duplicates count. Of more than
    10,000 molecules a subset drawn with the seed is taken.
    """
    generated = sets.generated
    rows = np.flatnonzero(generated.valid)
    if rows.size == 0:
        return {"IntDiv1": None, "IntDiv2": None}
    if rows.size > DIVERSITY_LIMIT:
        rows = np.random.default_rng(sets.seed).choice(rows, DIVERSITY_LIMIT, replace=False)
    first, second = _mean_similarities(generated.fingerprints[rows])
    return {"IntDiv1": 1.0 - first, "IntDiv2": 1.0 - second}


def _mean_similarities(packed: np.ndarray) -> tuple[float, float]:
    """Return the means over molecules of mean T and of root mean square T to all of them.

    Args:
        packed: fingerprints, shape (N, bytes), N > 0.
    """
    first = second = 0.0
    for start in range(0, len(packed), BLOCK):
        similarity = tanimoto_matrix(packed[start : start + BLOCK], packed)  # (block, N)
        first += float(similarity.mean(axis=1, dtype=np.float64).sum())
        second += float(np.sqrt(np.square(similarity).mean(axis=1, dtype=np.float64)).sum())
    return first / len(packed), second / len(packed)


def measure(sets: Sets, *, suite: str = "basic") -> Numbers:
    """Compute every metric of a suite.

    Raises:
        UsageError: for an unknown suite.
    """
    if suite not in suites():
        raise UsageError(f"unknown suite '{suite}'. Known: {', '.join(suites())}.")
    numbers: Numbers = {}
    for metric in METRICS.values():
        if suite in metric.suites:
            numbers |= metric.function(sets)
    return numbers


def suites() -> tuple[str, ...]:
    """Return the names of all suites."""
    return tuple(dict.fromkeys(name for metric in METRICS.values() for name in metric.suites))


METRICS: Mapping[str, Metric] = {
    "validity": Metric(validity),
    "uniqueness": Metric(uniqueness),
    "novelty": Metric(novelty),
    "internal diversity": Metric(internal_diversity),
}
