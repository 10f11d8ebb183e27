"""Tests for posterior collapse and for unused conditions, on held-out molecules."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from molvae.dataset import MoleculeDataset
from molvae.model.cvae import ConditionalVAE
from molvae.model.likelihood import without_code
from molvae.model.losses import reconstruction_loss
from molvae.model.sampling import sample
from molvae.train.batches import Batch, collate
from molvae.vocabulary import PAD

ACTIVE = 0.01  # variance of the posterior mean, Burda et al. 2016, https://arxiv.org/abs/1509.00519
MIN_KL = 5.0  # nats per molecule: less is posterior collapse
MIN_ACTIVE = 0.25  # share of latent dimensions
MIN_SHUFFLED_Z = 5.0  # nats that the code of another molecule must cost
MIN_SHUFFLED_C = 1.0  # nats that the properties of another molecule must cost


class Health(NamedTuple):
    """Figures of a latent space, over N held-out molecules.

    Attributes:
        molecules: N.
        kl: KL(q(z given x) to N(0, I)), nats per molecule.
        reconstruction: -log p(x given z, c), z drawn from q, nats per molecule.
        active_units: share of dimensions whose posterior mean varies by more than 0.01.
        shuffled_z: rise of the reconstruction loss with the code of another molecule, nats.
        shuffled_c: rise of the reconstruction loss with the properties of another molecule, nats;
            of a noise-conditional model, without a code.
        exact_from_mean: share reconstructed exactly, by greedy decoding of the posterior mean.
        exact_from_sample: the same with z sampled from q.
        property_mae: mean absolute error of the property head, standardized, per property.
        language_model: -log p(x given c) without a code, nats per molecule, comparable with the sum
            of `kl` and `reconstruction`; None unless the model is noise-conditional.
    """

    molecules: int
    kl: float
    reconstruction: float
    active_units: float
    shuffled_z: float
    shuffled_c: float
    exact_from_mean: float
    exact_from_sample: float
    property_mae: tuple[float, ...]
    language_model: float | None = None

    def verdicts(self) -> dict[str, bool]:
        """Return pass or fail by test; without properties there is no test of the conditions."""
        passed = {
            "kl": self.kl >= MIN_KL,
            "active_units": self.active_units >= MIN_ACTIVE,
            "shuffled_z": self.shuffled_z >= MIN_SHUFFLED_Z,
        }
        if not np.isnan(self.property_mae).all():
            passed["shuffled_c"] = self.shuffled_c >= MIN_SHUFFLED_C
        return passed


@torch.inference_mode()
def measure_health(
    model: ConditionalVAE,
    dataset: MoleculeDataset,
    *,
    split: str,
    limit: int = 2000,
    seed: int = 0,
    batch_size: int = 250,
) -> Health:
    """Compute the figures of a model in evaluation mode, over up to `limit` held-out molecules."""
    device = next(model.parameters()).device
    members = dataset.members(split)
    chosen = np.random.default_rng(seed).permutation(members)[:limit]
    generator = torch.Generator().manual_seed(seed)
    parts = [
        _measure_batch(model, collate(dataset, chosen[i : i + batch_size]).to(device), generator)
        for i in range(0, len(chosen), batch_size)
    ]
    found = {name: torch.cat([part[name] for part in parts]).cpu() for name in parts[0]}
    return Health(
        molecules=len(chosen),
        kl=float(found["kl"].mean()),
        reconstruction=float(found["reconstruction"].mean()),
        active_units=float((found["means"].var(dim=0, correction=0) > ACTIVE).float().mean()),
        shuffled_z=float((found["shuffled_z"] - found["reconstruction"]).mean()),
        shuffled_c=float((found["shuffled_c"] - found["without_code"]).mean()),
        exact_from_mean=float(found["exact_mean"].float().mean()),
        exact_from_sample=float(found["exact_sample"].float().mean()),
        property_mae=tuple(float(error) for error in found["head_error"].nanmean(dim=0)),
        language_model=float(found["without_code"].mean())
        if model.config.noise_conditional
        else None,
    )


def _measure_batch(
    model: ConditionalVAE, batch: Batch, generator: torch.Generator
) -> dict[str, Tensor]:
    """Return the figures of each molecule of a batch."""
    posterior = model.encode(batch.ids, batch.lengths)
    noise = torch.randn(posterior.mean.shape, generator=generator).to(posterior.mean.device)
    z = posterior.sample(noise)

    def cost(code: Tensor, conditions: Tensor) -> Tensor:
        return reconstruction_loss(model.decode(code, conditions, batch.ids), batch.ids)

    others = batch.conditions.roll(1, dims=0)
    reconstruction = cost(z, batch.conditions)
    if model.config.noise_conditional:  # a whole code leaves nothing to the properties
        plain = without_code(model, batch.conditions, batch.ids)
        shuffled = without_code(model, others, batch.ids)
    else:
        plain, shuffled = reconstruction, cost(z, others)
    error = (model.predict_properties(posterior.mean) - batch.conditions).abs()
    return dict(
        kl=posterior.kl().sum(dim=1),
        means=posterior.mean,
        reconstruction=reconstruction,
        shuffled_z=cost(z.roll(1, dims=0), batch.conditions),
        shuffled_c=shuffled,
        without_code=plain,
        exact_mean=_exact(model, posterior.mean, batch),
        exact_sample=_exact(model, z, batch),
        head_error=error,
    )


def _exact(model: ConditionalVAE, z: Tensor, batch: Batch) -> Tensor:
    """Return whether greedy decoding reconstructs each molecule exactly, (B,)."""
    steps = batch.ids.shape[1]
    written = sample(model, z, batch.conditions, z.new_zeros(len(z), steps), temperature=0.0).ids
    padded = torch.full_like(batch.ids, PAD)
    padded[:, : written.shape[1]] = written
    return (padded == batch.ids).all(dim=1)
