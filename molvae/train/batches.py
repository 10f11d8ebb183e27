"""Dataset -> padded batches, the same ones for the same seed and epoch."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from molvae.dataset import MoleculeDataset
from molvae.vocabulary import EOS, PAD

CHUNK = 16  # batches sorted by length together: little padding, and still a different mix each time


class Batch(NamedTuple):
    """Molecules side by side.

    Attributes:
        ids: tokens, EOS, then padding, int64, shape (B, T).
        lengths: tokens of each molecule, EOS included, shape (B,).
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

    Args:
        lengths: tokens of each molecule, shape (N,).
        batch_size: molecules in a batch; the last one may be smaller.
        seed: of the training.
        epoch: 0, 1, ...

    Returns:
        Positions in `lengths`, one array a batch; together each molecule once.
    """
    random = np.random.default_rng((seed, epoch))
    shuffled = random.permutation(len(lengths))
    batches = []
    for begin in range(0, len(shuffled), CHUNK * batch_size):
        chunk = shuffled[begin : begin + CHUNK * batch_size]
        chunk = chunk[np.argsort(lengths[chunk], kind="stable")]
        batches += [chunk[i : i + batch_size] for i in range(0, len(chunk), batch_size)]
    return [batches[i] for i in random.permutation(len(batches))]


def collate(dataset: MoleculeDataset, members: np.ndarray) -> Batch:
    """Pad these molecules into one batch."""
    lengths = dataset.offsets[members + 1] - dataset.offsets[members] + 1  # EOS
    ids = np.full((len(members), int(lengths.max())), PAD, dtype=np.int64)
    for row, member in enumerate(members):
        ids[row, : lengths[row] - 1] = dataset.molecule(member)
        ids[row, lengths[row] - 1] = EOS
    conditions = dataset.normalizer.normalize(dataset.properties[members])
    return Batch(torch.from_numpy(ids), torch.from_numpy(lengths), torch.from_numpy(conditions))
