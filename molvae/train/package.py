"""The result of a training: weights, prior, held-out figures and provenance in one checkpoint."""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import numpy as np

from molvae.checkpoint import SAMPLE_MOLECULES, Checkpoint
from molvae.config import TrainConfig, as_dict
from molvae.dataset import MoleculeDataset
from molvae.model.cvae import ConditionalVAE
from molvae.train.health import measure_health
from molvae.train.priors import fit_joint_gaussian
from molvae.train.property_head import evaluate_head
from molvae.train.typicality import fit_typicality
from molvae.training_index import BloomFilter
from molvae.version import __version__

MAX_INDEX_ERROR = 1e-3  # of an index that knows an earlier training set too: ten times its own


def build_checkpoint(
    model: ConditionalVAE,
    dataset: MoleculeDataset,
    *,
    train: TrainConfig,
    trained: Mapping[str, Any],
    log: Sequence[Mapping[str, Any]] = (),
    earlier: BloomFilter | None = None,
) -> Checkpoint:
    """Fit a Gaussian prior, evaluate the model on held-out molecules, return one checkpoint.

    Args:
        model: in evaluation mode.
        dataset: its training data.
        train: settings of the training.
        trained: figures of the epoch with these weights; `log` has those of all epochs up to it.
        log: see `trained`.
        earlier: index of the molecules of an earlier training, which are not novel either.
    """
    health = measure_health(model, dataset, split="validation", seed=train.seed)
    head = evaluate_head(model, dataset, split="validation", seed=train.seed)
    typicality = fit_typicality(model, dataset, split="validation", seed=train.seed)
    members = dataset.members("train")
    known = int(dataset.provenance.get("init", {}).get("longest", 0))  # of the initial model
    index, against = _index(dataset.hashes[members], earlier)
    return Checkpoint(
        model=model,
        prior=fit_joint_gaussian(model, dataset, seed=train.seed),
        vocabulary=dataset.vocabulary,
        normalizer=dataset.normalizer,
        index=index,
        sample=_sample(dataset, seed=train.seed),
        fingerprints=dataset.training_fingerprints,
        rings=dataset.rings,
        provenance={
            **dataset.provenance,
            "dataset": dataset.fingerprint,
            "longest": max(known, int(dataset.lengths[members].max())),
            "train": as_dict(train),
            "training_molecules": len(members),
            "trained": dict(trained),
            "log": [dict(row) for row in log],
            "novel_against": against,
            "head": head,
            "typicality": typicality.to_dict(),
            "health": {"split": "validation", **health._asdict(), "passed": health.verdicts()},
            "trainer_versions": {
                "molvae": __version__,
                **{name: version(name) for name in ("torch", "numpy", "safetensors")},
            },
        },
    )


def _index(hashes: np.ndarray, earlier: BloomFilter | None) -> tuple[BloomFilter, str]:
    """Return the index of all training molecules, and its description.

    The filters of two sets differ in size and cannot be joined, but the new molecules can be added
    to the old filter unless it is too small for both.
    """
    if earlier is None:
        return BloomFilter.of(hashes), "the training set"
    both = earlier.with_members(hashes)
    if both.error_rate <= MAX_INDEX_ERROR:
        return both, "the training set and that of the model it began with"
    return (
        BloomFilter.of(hashes),
        "the training set alone: the index of the model it began with is too small for both",
    )


def _sample(dataset: MoleculeDataset, *, seed: int) -> np.ndarray:
    """Return standardized properties of some training molecules, shape (M, P)."""
    members = np.random.default_rng(seed).permutation(dataset.members("train"))[:SAMPLE_MOLECULES]
    return dataset.normalizer.normalize(dataset.properties[np.sort(members)])
