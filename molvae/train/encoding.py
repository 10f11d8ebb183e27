"""Posteriors of the molecules of a dataset."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from molvae.dataset import MoleculeDataset
from molvae.model.cvae import ConditionalVAE
from molvae.train.batches import collate

AT_ONCE = 500  # molecules


class Codes(NamedTuple):
    """Posteriors of N molecules, with their properties.

    Attributes:
        means: of the posteriors, float32, shape (N, Z).
        log_vars: shape (N, Z).
        conditions: standardized properties, NaN = unknown, shape (N, P).
    """

    means: Tensor
    log_vars: Tensor
    conditions: Tensor


@torch.inference_mode()
def encode(
    model: ConditionalVAE, dataset: MoleculeDataset, members: np.ndarray, *, at_once: int = AT_ONCE
) -> Codes:
    """Encode molecules of a dataset; the result is on the CPU."""
    device = next(model.parameters()).device
    parts = []
    for begin in range(0, len(members), at_once):
        batch = collate(dataset, members[begin : begin + at_once])
        posterior = model.encode(batch.ids.to(device), batch.lengths.to(device))
        parts.append((posterior.mean.cpu(), posterior.log_var.cpu(), batch.conditions))
    return Codes(*(torch.cat(columns) for columns in zip(*parts, strict=True)))
