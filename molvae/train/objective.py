"""The loss of molecules whose randomness is already drawn."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from molvae.config import ModelConfig
from molvae.model.conditions import hide
from molvae.model.cvae import ConditionalVAE
from molvae.model.latent import corrupt
from molvae.model.losses import property_loss, reconstruction_loss
from molvae.train.batches import Batch
from molvae.train.precision import Precision

# Noise levels are uniform, stretched by this share at both ends and clipped: one molecule in six
# comes with its whole code and one with none of it, the two levels that are used most.
ENDS = 0.25


class DrawnBatch(NamedTuple):
    """A batch with all the randomness of its loss, so that any part of it has the same loss.

    Attributes:
        ids: as in `Batch`, shape (B, T).
        lengths: as in `Batch`, shape (B,).
        conditions: as in `Batch`, shape (B, P).
        shown: the conditions that the decoder sees, NaN = hidden from it, shape (B, P).
        noise: what the codes are drawn with, shape (B, Z).
        level: how much noise the decoder finds in them, shape (B,); 0 unless it is taught noise.
        blended: that noise, shape (B, Z); not heeded at level 0.
    """

    ids: Tensor
    lengths: Tensor
    conditions: Tensor
    shown: Tensor
    noise: Tensor
    level: Tensor
    blended: Tensor

    @classmethod
    def draw(
        cls,
        batch: Batch,
        generator: torch.Generator,
        *,
        model: ModelConfig,
        groups: Sequence[int] | None = None,
    ) -> "DrawnBatch":
        """Draw what a batch needs, on the CPU: the same on every device.

        Args:
            batch: the molecules.
            generator: of all randomness.
            model: its latent size Z, and whether its decoder is taught noise.
            groups: see `hide`.
        """
        shown = hide(batch.conditions, generator, groups=groups)
        noise = torch.randn(len(batch.ids), model.latent_size, generator=generator)
        level, blended = torch.zeros(len(batch.ids)), torch.zeros_like(noise)
        if model.noise_conditional:
            uniform = torch.rand(len(batch.ids), generator=generator)
            level = ((1.0 + 2.0 * ENDS) * uniform - ENDS).clamp(0.0, 1.0)
            blended = torch.randn(noise.shape, generator=generator)
        return cls(*batch, shown, noise, level, blended)

    def rows(self, first: int, end: int) -> "DrawnBatch":
        """Return some of the molecules."""
        return DrawnBatch(*(part[first:end] for part in self))

    def pieces(self, count: int) -> Iterator["DrawnBatch"]:
        """Divide the molecules into so many parts, as far as there are molecules."""
        rows = len(self.ids)
        for piece in range(count):
            first, end = rows * piece // count, rows * (piece + 1) // count
            if first < end:
                yield self.rows(first, end)

    def to(self, device: torch.device) -> "DrawnBatch":
        """Return the batch on another device."""
        return DrawnBatch(*(part.to(device, non_blocking=True) for part in self))


class Terms(NamedTuple):
    """The terms of the loss of each molecule, nats, each of shape (B,)."""

    reconstruction: Tensor
    kl: Tensor
    property_error: Tensor

    def sums(self) -> Tensor:
        """Return the number of molecules and the sum of each term, float64, shape (4,)."""
        count = self.kl.new_full((), len(self.kl))
        return torch.stack([count, *(term.detach().sum() for term in self)]).double()


def terms(model: ConditionalVAE, batch: DrawnBatch, precision: Precision) -> Terms:
    """Pass molecules through a model; all is on the model's device."""
    with precision.autocast():
        posterior = model.encode(batch.ids, batch.lengths)
        z = corrupt(posterior.sample(batch.noise), batch.blended, batch.level)
        logits = model.decode(z, batch.shown, batch.ids, batch.level)
        predicted = model.predict_properties(posterior.mean)
    return Terms(
        reconstruction_loss(logits, batch.ids),
        posterior.kl().sum(dim=1),
        property_loss(predicted, batch.conditions),
    )


@torch.no_grad()
def kl(model: ConditionalVAE, batch: DrawnBatch, precision: Precision) -> Tensor:
    """Return each molecule's KL, nats, shape (B,), for the price of the encoder alone."""
    with precision.autocast():
        return model.encode(batch.ids, batch.lengths).kl().sum(dim=1)


def one_seed(*key: int) -> int:
    """Return one number for a key of several, distinct noise for each; a last 0 counts as none."""
    return int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0] >> 1)
