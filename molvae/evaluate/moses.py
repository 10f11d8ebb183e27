"""The metrics of MOSES, under its names, with its numbers.

Polykovskiy 2020, https://doi.org/10.3389/fphar.2020.565644; where the paper and the code of
molsets 0.3.1 differ, these metrics follow the code, as the published numbers do. The protocol is
30,000 molecules, invalid ones included, from each of three seeds.
"""

from collections.abc import Callable, Mapping

import numpy as np

from molvae.chem.similarity import mean_similarities
from molvae.evaluate.distributions import compare, known
from molvae.evaluate.fcd import at_size, frechet_distance, join
from molvae.evaluate.references import Reference
from molvae.evaluate.sets import Columns, Numbers, Sets
from molvae.evaluate.training import Training

PROTOCOL = 30_000  # molecules
UNIQUE_AT = (1_000, 10_000)
WASSERSTEIN = {"logP": "LogP", "SA": "SA", "QED": "QED", "weight": "MW"}  # its name: ours


def valid(sets: Sets) -> Columns:
    """Share of all N strings that are valid."""
    return {"valid": sets.generated.valid.astype(np.float64)}


def unique(sets: Sets) -> Numbers:
    """Share of distinct molecules among the first k valid ones, or among all if there are fewer.

    MOSES has one name for both; a note reports the latter.
    """
    molecules = sets.generated.molecules
    first = {k: molecules[:k] for k in UNIQUE_AT}
    return {
        f"unique@{k}": len(set(some)) / len(some) if some else None for k, some in first.items()
    }


def fcd(sets: Sets) -> Numbers:
    """Frechet ChemNet distance of all valid molecules to each test set; lower is better.

    If N is not the protocol's 30,000, `FCD/Test@30000` estimates the distance of that many
    molecules of the same generator, from the distances of halves and quarters.
    """
    numbers: Numbers = {}
    extrapolated: Numbers = {}
    for label, test in sets.tests.items():
        if not sets.chemnet or test.chemnet is None:
            numbers[f"FCD/{label}"] = None
            continue
        numbers[f"FCD/{label}"] = frechet_distance(join(sets.chemnet), test.chemnet)
        if len(sets.generated) != PROTOCOL:
            estimate = at_size(sets.chemnet, test.chemnet, PROTOCOL)
            extrapolated[f"FCD/{label}@{PROTOCOL}"] = estimate
    return numbers | extrapolated


def snn(sets: Sets) -> Columns:
    """Mean over the valid molecules of the largest Tanimoto similarity to a test molecule."""
    return {
        f"SNN/{label}": sets.of_each(similarity) for label, similarity in sets.similarities.items()
    }


def frag(sets: Sets) -> Numbers:
    """Cosine similarity of the counts of BRICS fragments."""
    found = sets.generated.structures.fragments
    return _for_each(sets, "Frag", lambda test: _cosine(found, test.fragments))


def scaf(sets: Sets) -> Numbers:
    """Cosine similarity of the counts of scaffolds with two rings or more."""
    found = sets.generated.structures.scaffolds
    return _for_each(sets, "Scaf", lambda test: _cosine(found, test.scaffolds))


def internal_diversity(sets: Sets) -> Numbers:
    """Internal diversity of the valid molecules; see `molvae.evaluate.metrics`."""
    first, second = diversity(sets)
    return {"IntDiv": first, "IntDiv2": second}


def filters(sets: Sets) -> Columns:
    """Share of the valid molecules that pass the filters of MOSES.

    Medicinal chemistry filters and PAINS, no charge, no ring of 8 or more, atoms C N S O F Cl Br H.
    """
    generated = sets.generated
    return {"Filters": np.where(generated.valid, ~generated.alerted, np.nan)}


def novelty(sets: Sets) -> Columns:
    """Share of the distinct valid molecules that are not in the training set."""
    return {} if sets.training is None else {"Novelty": new_of_each(sets, sets.training)}


def new_of_each(sets: Sets, training: Training) -> np.ndarray:
    """Return whether the first string of each molecule is novel, NaN for the others, (N,)."""
    first: dict[str, int] = {}
    for row, smiles in enumerate(sets.generated.canonical):
        if smiles:
            first.setdefault(smiles, row)
    column = np.full(len(sets.generated), np.nan)
    column[list(first.values())] = ~training.contains(list(first))
    return column


def wasserstein(sets: Sets) -> Numbers:
    """Wasserstein distances of four properties to those of the test set."""
    test = sets.tests.get("Test")
    if test is None:
        return {}
    pairs = {
        name: [known(part.measured(ours)) for part in (sets.generated, test)]
        for name, ours in WASSERSTEIN.items()
    }
    return {name: compare(*pair)["wasserstein"] for name, pair in pairs.items()}


def diversity(sets: Sets) -> tuple[float | None, float | None]:
    """Return 1 - mean T and 1 - mean of the root of mean T^2 over pairs, self included.

    The second takes the root for each molecule before the average, as the published numbers of
    MOSES do; the formula in its paper takes it once at the end and is up to 0.03 lower.
    """
    fingerprints = sets.sample()
    if not len(fingerprints):
        return None, None
    mean, of_squares = mean_similarities(fingerprints)
    return 1.0 - float(mean.mean()), 1.0 - float(np.sqrt(of_squares).mean())


def _for_each(sets: Sets, name: str, function: Callable[[Reference], float | None]) -> Numbers:
    return {f"{name}/{label}": function(test) for label, test in sets.tests.items()}


def _cosine(one: Mapping[str, int], other: Mapping[str, int]) -> float | None:
    if not one or not other:
        return None
    shared = sum(count * other.get(name, 0) for name, count in one.items())
    lengths = [sum(count * count for count in counts.values()) for counts in (one, other)]
    return float(shared / np.sqrt(float(lengths[0]) * float(lengths[1])))
