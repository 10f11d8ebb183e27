"""Validity, uniqueness, novelty, diversity: sets of molecules in, named numbers out.

A metric is a function of `Sets` and one line in `METRICS`. It returns named numbers: None for a
number that is undefined on these molecules, and an empty dict without the set that it compares
with. Definitions follow MOSES (Polykovskiy 2020, https://doi.org/10.3389/fphar.2020.565644)
unless a docstring says otherwise.
"""

from collections.abc import Mapping

import numpy as np

from molvae.evaluate import guacamol, moses, precedence
from molvae.evaluate.sets import Columns, Metric, Numbers, Sets, mean, mean_metric
from molvae.evaluate.training import KnownMolecules

UNIQUE_AT = (1_000, 10_000)  # MOSES reports uniqueness among the first 1,000 and 10,000


def validity(sets: Sets) -> Columns:
    """Share of all N strings that are valid; an empty string is not."""
    return {"validity": sets.generated.valid.astype(np.float64)}


def uniqueness(sets: Sets) -> Numbers:
    """Share of distinct molecules among the valid ones: all, and the first k in order.

    Two strings are one molecule if their canonical SMILES, stereo included, are the same.
    `uniqueness@k` is left out with fewer than k valid molecules.
    """
    molecules = sets.generated.molecules
    shares: Numbers = {"uniqueness": len(set(molecules)) / len(molecules) if molecules else None}
    for count in UNIQUE_AT:
        if len(molecules) >= count:
            shares[f"uniqueness@{count}"] = len(set(molecules[:count])) / count
    return shares


def novelty(sets: Sets) -> Numbers:
    """Share of the distinct valid molecules that are not in the training set.

    Molecules are compared as canonical SMILES. If stereo marks occur, `novelty_without_stereo`
    compares molecules without them, as GuacaMol does (Brown 2019,
    https://doi.org/10.1021/acs.jcim.8b00839): the molecules of a model without stereo all differ
    from a training set with stereo. `novelty_error_rate` is the share of new molecules that the
    training set takes for known ones, if it is not 0.
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


def novelty_of_each(sets: Sets) -> Columns:
    """Return 1 or 0 for the first string of each molecule, NaN for the others."""
    training = sets.training
    return {} if training is None else {"novelty": moses.new_of_each(sets, training)}


def memorization(sets: Sets) -> Numbers:
    """Similarity of the molecules, and of a test set, to the training set.

    `training_similarity` is the mean over at most 30,000 valid molecules of the largest Tanimoto
    similarity to any training molecule (SNN is the same for the test set), `near_copies` the share
    of novel molecules with 0.9 or more. `training_similarity_reference` and
    `near_copies_reference` are the same numbers of the reference: a generator that does not
    overfit is about as near to the training set as the reference.
    """
    numbers = {name: mean(column) for name, column in memorization_of_each(sets).items()}
    if sets.control is not None:
        numbers["training_similarity_reference"] = mean(sets.control.similarity)
        numbers["near_copies_reference"] = mean(sets.control.near_copies)
    return numbers


def memorization_of_each(sets: Sets) -> Columns:
    """Return the values of each string, NaN outside the sample."""
    if sets.nearness is None:
        return {}
    return {
        "training_similarity": sets.of_each(sets.nearness.similarity),
        "near_copies": sets.of_each(sets.nearness.near_copies),
    }


def internal_diversity(sets: Sets) -> Numbers:
    """Internal diversity of the valid molecules: 0 all the same, 1 nothing in common.

    IntDiv_p = 1 - mean over molecules of (mean of T^p to all molecules, self included)^(1/p), with
    T the Tanimoto similarity of Morgan fingerprints (radius 2, 1024 bits), for p = 1 and 2
    (Benhenda 2017, https://arxiv.org/abs/1708.08227). Duplicates count. With more than
    30,000 molecules it is computed on a subset chosen with the seed.
    """
    first, second = moses.diversity(sets)
    return {"IntDiv1": first, "IntDiv2": second}


def measure(sets: Sets, *, suite: str = "basic") -> Numbers:
    """Compute every metric of a suite, one of `suites`."""
    numbers: Numbers = {}
    for metric in METRICS.values():
        if suite in metric.suites:
            numbers |= metric.function(sets)
    return numbers


def means(sets: Sets, *, suite: str) -> Columns:
    """Return the values of the N strings for each metric of a suite that is a mean over strings."""
    columns: Columns = {}
    for metric in METRICS.values():
        if suite in metric.suites and metric.of_each is not None:
            columns |= metric.of_each(sets)
    return columns


def suites() -> tuple[str, ...]:
    """Return the names of all suites."""
    return tuple(dict.fromkeys(name for metric in METRICS.values() for name in metric.suites))


METRICS: Mapping[str, Metric] = {
    "validity": mean_metric(validity),
    "uniqueness": Metric(uniqueness),
    "novelty": Metric(novelty, of_each=novelty_of_each),
    "internal diversity": Metric(internal_diversity),
    "ring precedence": Metric(
        precedence.ring_precedence, of_each=precedence.ring_precedence_of_each
    ),
    "ring sizes and symbols": Metric(precedence.usage_distances),
    "memorization": Metric(
        memorization, ("basic", "moses", "guacamol"), of_each=memorization_of_each
    ),
    "MOSES valid": mean_metric(moses.valid, "moses"),
    "MOSES unique": Metric(moses.unique, ("moses",)),
    "MOSES FCD": Metric(moses.fcd, ("moses",)),
    "MOSES SNN": mean_metric(moses.snn, "moses"),
    "MOSES Frag": Metric(moses.frag, ("moses",)),
    "MOSES Scaf": Metric(moses.scaf, ("moses",)),
    "MOSES IntDiv": Metric(moses.internal_diversity, ("moses",)),
    "MOSES Filters": mean_metric(moses.filters, "moses"),
    "MOSES Novelty": mean_metric(moses.novelty, "moses"),
    "MOSES Wasserstein": Metric(moses.wasserstein, ("moses",)),
    "GuacaMol validity": mean_metric(guacamol.validity, "guacamol"),
    "GuacaMol uniqueness": Metric(guacamol.uniqueness, ("guacamol",)),
    "GuacaMol novelty": Metric(guacamol.novelty, ("guacamol",)),
    "GuacaMol KL": Metric(guacamol.kl_divergence, ("guacamol",)),
    "GuacaMol FCD": Metric(guacamol.fcd, ("guacamol",)),
}
