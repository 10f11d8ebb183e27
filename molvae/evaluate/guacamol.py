"""GuacaMol's distribution learning: five scores from 0 to 1, higher is better.

Brown 2019, https://doi.org/10.1021/acs.jcim.8b00839. The protocol is 10,000 molecules against
10,000 of the training set, chosen with numpy's seed 42. The protocol samples a generator until it
has that many valid, or distinct, molecules; so give a table of more than 10,000 rows.
"""

import numpy as np
from scipy.stats import entropy, gaussian_kde

from molvae.evaluate.descriptors import CONTINUOUS, DESCRIPTORS, Described
from molvae.evaluate.fcd import frechet_distance
from molvae.evaluate.sets import Columns, Numbers, Sets
from molvae.evaluate.training import KnownMolecules

PROTOCOL = 10_000  # molecules
TRAINING_SEED = 42
POINTS = 1_000  # at which densities are compared
BINS = 10
NEVER_ZERO = 1e-10  # added to densities, so that their ratio exists
SIMILARITY = "internal_similarity"


def size(generated: int) -> int:
    """Return the number of molecules that count: 10,000, or all if there are fewer."""
    return min(generated, PROTOCOL)


def training_sample(rows: int) -> np.ndarray:
    """Return the rows of the training set in the protocol's sample."""
    random = np.random.RandomState(TRAINING_SEED)  # the legacy stream that GuacaMol uses
    chosen: np.ndarray = random.choice(rows, min(rows, PROTOCOL), replace=False)
    return chosen


def validity(sets: Sets) -> Columns:
    """Share of the first 10,000 strings that are valid."""
    column = np.full(len(sets.generated), np.nan)
    limit = size(len(sets.generated))
    column[:limit] = sets.generated.valid[:limit]
    return {"validity": column}


def uniqueness(sets: Sets) -> Numbers:
    """Share of distinct molecules, without stereo, among the first 10,000 valid ones.

    Missing molecules count as not unique.
    """
    limit = size(len(sets.generated))
    found = set(sets.generated.molecules_without_stereo[:limit])
    return {"uniqueness": len(found) / limit if limit else None}


def novelty(sets: Sets) -> Numbers:
    """Share of the first 10,000 distinct molecules that are not in the training set.

    Stereo is ignored; missing molecules count as not novel.
    """
    if not isinstance(sets.training, KnownMolecules):
        return {}
    limit = size(len(sets.generated))
    flat = sets.generated.flat_of(list(dict.fromkeys(sets.generated.molecules))[:limit])
    new = ~sets.training.contains_without_stereo(list(dict.fromkeys(flat)))
    return {"novelty": float(new.sum()) / limit if limit else None}


def kl_divergence(sets: Sets) -> Numbers:
    """Mean of exp(-KL) over nine descriptors and the largest similarity within each set.

    KL is the divergence of the generated distribution from the training set's, in nats; each is
    reported beside the score.
    """
    if sets.guacamol is None:
        return {}
    divergences = kl_divergences(sets.guacamol.training, sets.guacamol.generated)
    scores = [0.0 if kl is None else float(np.exp(-kl)) for kl in divergences.values()]
    named = {f"KL {name}": kl for name, kl in divergences.items()}
    return {"KL divergence": float(np.mean(scores)), **named}


def fcd(sets: Sets) -> Numbers:
    """exp(-FCD / 5) of the first 10,000 valid molecules against 10,000 of the training set.

    Another 10,000 molecules of ChEMBL score 0.929, the upper limit.
    """
    if sets.guacamol is None:
        return {}
    moments = sets.guacamol.chemnet
    if moments is None:
        return {"FCD score": None, "FCD": None}
    distance = frechet_distance(*moments)
    return {"FCD score": float(np.exp(-0.2 * distance)), "FCD": distance}


def kl_divergences(training: Described, generated: Described) -> dict[str, float | None]:
    """Return KL(training || generated) in nats for each descriptor; None if undefined."""
    pairs = {
        name: (training.descriptors[:, column], generated.descriptors[:, column])
        for column, name in enumerate(DESCRIPTORS)
    }
    pairs[SIMILARITY] = (training.similarity, generated.similarity)
    return {
        name: _continuous(*pair) if name in (*CONTINUOUS, SIMILARITY) else _discrete(*pair)
        for name, pair in pairs.items()
    }


def _continuous(baseline: np.ndarray, sampled: np.ndarray) -> float | None:
    """Compare kernel densities at 1,000 points; None without any spread."""
    if min(len(np.unique(baseline)), len(np.unique(sampled))) < 2:
        return None
    both = np.concatenate([baseline, sampled])
    points = np.linspace(both.min(), both.max(), num=POINTS)
    densities = [gaussian_kde(values)(points) + NEVER_ZERO for values in (baseline, sampled)]
    return float(entropy(*densities))


def _discrete(baseline: np.ndarray, sampled: np.ndarray) -> float | None:
    """Compare histograms in 10 bins of the training set; None if they are empty."""
    if not (len(baseline) and len(sampled)):
        return None
    counts, edges = np.histogram(baseline, bins=BINS)
    others, _ = np.histogram(sampled, bins=edges)
    if not others.any():
        return None
    width = np.diff(edges)
    densities = [part / part.sum() / width + NEVER_ZERO for part in (counts, others)]
    return float(entropy(*densities))
