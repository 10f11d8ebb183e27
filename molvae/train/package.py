"""What a training leaves behind: weights, prior and provenance as one checkpoint."""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
import torch

from molvae import __version__
from molvae.bloom import BloomFilter
from molvae.checkpoint import Checkpoint
from molvae.config import TrainConfig, as_dict
from molvae.dataset import MoleculeDataset
from molvae.model.cvae import ConditionalVAE
from molvae.model.prior import JointGaussian
from molvae.train.batches import collate
from molvae.train.health import examine

PRIOR_MOLECULES = 50_000  # enough for a covariance of a hundred dimensions


def package(
    model: ConditionalVAE,
    dataset: MoleculeDataset,
    *,
    train: TrainConfig,
    trained: Mapping[str, Any],
    log: Sequence[Mapping[str, Any]] = (),
) -> Checkpoint:
    """Fit the prior, examine the model on held-out molecules, and put all in one checkpoint.

    Args:
        model: in evaluation mode.
        dataset: what it was trained on.
        train: how.
        trained: the figures of the epoch whose weights these are.
        log: those of every epoch up to it.
    """
    health = examine(model, dataset, split="validation", seed=train.seed)
    members = dataset.members("train")
    return Checkpoint(
        model=model,
        prior=fit_prior(model, dataset, seed=train.seed),
        vocabulary=dataset.vocabulary,
        normalizer=dataset.normalizer,
        index=BloomFilter.of(dataset.hashes[members]),
        provenance={
            **dataset.provenance,
            "dataset": dataset.fingerprint,
            "longest": int(dataset.lengths[members].max()),
            "train": as_dict(train),
            "training_molecules": len(members),
            "trained": dict(trained),
            "log": [dict(row) for row in log],
            "health": {"split": "validation", **health._asdict(), "passed": health.verdicts()},
            "trainer_versions": {
                "molvae": __version__,
                **{name: version(name) for name in ("torch", "numpy", "safetensors")},
            },
        },
    )


@torch.inference_mode()
def fit_prior(
    model: ConditionalVAE, dataset: MoleculeDataset, *, seed: int, limit: int = PRIOR_MOLECULES
) -> JointGaussian:
    """Fit p(z, c) to the codes of up to `limit` training molecules."""
    device = next(model.parameters()).device
    members = np.random.default_rng(seed).permutation(dataset.members("train"))[:limit]
    members = members[np.argsort(dataset.lengths[members], kind="stable")]
    means, variances, conditions = [], [], []
    for begin in range(0, len(members), 500):
        batch = collate(dataset, members[begin : begin + 500])
        posterior = model.encode(batch.ids.to(device), batch.lengths.to(device))
        means.append(posterior.mean.cpu())
        variances.append(posterior.log_var.exp().cpu())
        conditions.append(batch.conditions)
    return JointGaussian.fit(torch.cat(means), torch.cat(variances), torch.cat(conditions))
