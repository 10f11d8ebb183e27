"""Dataset -> padded batches, the same ones for the same seed and epoch."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from molvae.config import ModelConfig
from molvae.dataset import MoleculeDataset
from molvae.model.conditions import drop_conditions
from molvae.vocabulary import EOS, PAD

CHUNK = 16  # batches sorted by length together: little padding, and still a different mix each time
# Noise levels are uniform, stretched by these shares at the ends and clipped: a sixth of the
# molecules get level 0 and a sixth level 1, the two levels that are used most.
BELOW, ABOVE = 0.25, 0.25


class Batch(NamedTuple):
    """Molecules side by side.

    Attributes:
        ids: symbols, EOS, then padding, int64, shape (B, T).
        lengths: symbols of each molecule, EOS included, shape (B,).
        conditions: standardized properties, NaN = unknown, float32, shape (B, P).
    """

    ids: Tensor
    lengths: Tensor
    conditions: Tensor

    def to(self, device: torch.device) -> "Batch":
        """Return the batch on another device."""
        return Batch(*(part.to(device, non_blocking=True) for part in self))


def order(lengths: np.ndarray, batch_size: int, *, seed: int, epoch: int) -> list[np.ndarray]:
    """Deal molecules into batches of similar length, shuffled anew each epoch.

    Returns:
        Positions in `lengths` (N,), one array a batch; together each molecule once. The last batch
        dealt may be smaller than `batch_size`.
    """
    random = np.random.default_rng((seed, epoch))
    shuffled = random.permutation(len(lengths))
    batches = []
    for begin in range(0, len(shuffled), CHUNK * batch_size):
        chunk = shuffled[begin : begin + CHUNK * batch_size]
        chunk = chunk[np.argsort(lengths[chunk], kind="stable")]
        batches += [chunk[i : i + batch_size] for i in range(0, len(chunk), batch_size)]
    return [batches[i] for i in random.permutation(len(batches))]


def choose(dataset: MoleculeDataset, split: str, *, limit: int, seed: int) -> np.ndarray:
    """Return up to `limit` molecules of a split, chosen by the seed, in order of length."""
    members = np.random.default_rng(seed).permutation(dataset.members(split))[:limit]
    return members[np.argsort(dataset.lengths[members], kind="stable")]  # little padding


def collate(dataset: MoleculeDataset, members: np.ndarray) -> Batch:
    """Pad these molecules into one batch."""
    lengths = dataset.offsets[members + 1] - dataset.offsets[members] + 1  # EOS
    ids = np.full((len(members), int(lengths.max())), PAD, dtype=np.int64)
    for row, member in enumerate(members):
        ids[row, : lengths[row] - 1] = dataset.molecule(member)
        ids[row, lengths[row] - 1] = EOS
    conditions = dataset.normalizer.normalize(dataset.properties[members])
    return Batch(torch.from_numpy(ids), torch.from_numpy(lengths), torch.from_numpy(conditions))


class DrawnBatch(NamedTuple):
    """A batch with the random numbers of its loss: the loss of a part is the same in any division.

    Attributes:
        ids, lengths, conditions: as in `Batch`.
        shown: the conditions that the decoder sees, NaN = hidden from it, shape (B, P).
        noise: standard normal, samples the codes from the posteriors, shape (B, Z).
        level: noise level of the codes that the decoder gets, shape (B,); 0 unless the model is
            noise-conditional.
        blended: that noise, shape (B, Z); not used at level 0.
        shares: weight of each molecule's property error, shape (B,): less than 1 where it is drawn
            several times in an epoch.
    """

    ids: Tensor
    lengths: Tensor
    conditions: Tensor
    shown: Tensor
    noise: Tensor
    level: Tensor
    blended: Tensor
    shares: Tensor

    @classmethod
    def draw(
        cls,
        batch: Batch,
        generator: torch.Generator,
        *,
        model: ModelConfig,
        groups: Sequence[int] | None = None,
        shares: Tensor | None = None,
    ) -> "DrawnBatch":
        """Draw the random numbers of a batch on the CPU: they are the same on every device.

        For the groups of columns see `drop_conditions`. Without `shares`, all are 1.
        """
        shown = drop_conditions(batch.conditions, generator, groups=groups)
        noise = torch.randn(len(batch.ids), model.latent_size, generator=generator)
        level, blended = torch.zeros(len(batch.ids)), torch.zeros_like(noise)
        if model.noise_conditional:
            uniform = torch.rand(len(batch.ids), generator=generator)
            level = ((1.0 + BELOW + ABOVE) * uniform - BELOW).clamp(0.0, 1.0)
            blended = torch.randn(noise.shape, generator=generator)
        shares = torch.ones(len(batch.ids)) if shares is None else shares
        return cls(*batch, shown, noise, level, blended, shares)

    def rows(self, first: int, end: int) -> "DrawnBatch":
        """Return some of the molecules."""
        return DrawnBatch(*(part[first:end] for part in self))

    def pieces(self, count: int) -> Iterator["DrawnBatch"]:
        """Divide the molecules into `count` parts, at most one a molecule."""
        rows = len(self.ids)
        for piece in range(count):
            first, end = rows * piece // count, rows * (piece + 1) // count
            if first < end:
                yield self.rows(first, end)

    def to(self, device: torch.device) -> "DrawnBatch":
        """Return the batch on another device."""
        return DrawnBatch(*(part.to(device, non_blocking=True) for part in self))
