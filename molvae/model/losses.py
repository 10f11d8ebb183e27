"""The evidence lower bound (ELBO), term by term, in nats per molecule."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from molvae.config import TrainConfig
from molvae.vocabulary import PAD


class Elbo(NamedTuple):
    """The terms of the negative ELBO of B molecules, nats, each of shape (B,).

    Attributes:
        reconstruction: -log p(x given z, c).
        kl: KL(q(z given x) to N(0, I)).
        property_error: of the property head; see `property_loss`.
    """

    reconstruction: Tensor
    kl: Tensor
    property_error: Tensor

    def loss(self, config: TrainConfig, *, beta: float, mean_kl: Tensor | None = None) -> Tensor:
        """Return the loss, a scalar: the weighted sum of the terms' means.

        A mean KL below the free nats has no gradient (free bits on the total, Kingma et al. 2016,
        https://arxiv.org/abs/1606.04934), so that the decoder learns to use the code.

        Args:
            config: its free nats, and its weight of the property error.
            beta: present weight of the KL term.
            mean_kl: over the whole batch, when these molecules are a part of it.
        """
        kl = self.kl.mean()
        free = config.free_nats
        is_free = (kl if mean_kl is None else mean_kl) < free  # false for NaN, which stays visible
        charged = torch.where(is_free, free, kl)
        error = self.property_error.mean()
        return self.reconstruction.mean() + beta * charged + config.property_weight * error

    def sums(self) -> Tensor:
        """Return the number of molecules and the sum of each term, float64, shape (4,)."""
        count = self.kl.new_full((), len(self.kl))
        return torch.stack([count, *(term.detach().sum() for term in self)]).double()

    @classmethod
    def of_sums(cls, sums: Tensor) -> "Elbo":
        """Return the means of the terms from `sums`, added over batches, each of shape (1,)."""
        return cls(*(sums[1:, None] / sums[0]))


def reconstruction_loss(logits: Tensor, ids: Tensor) -> Tensor:
    """Return -log p of each molecule's symbols with EOS and without padding, nats, (B,).

    Args:
        logits: shape (B, T, V).
        ids: the symbols to be predicted, shape (B, T).
    """
    each = functional.cross_entropy(
        logits.flatten(0, 1), ids.flatten(), ignore_index=PAD, reduction="none"
    )
    return each.view(ids.shape).sum(dim=1)


def property_loss(predicted: Tensor, conditions: Tensor) -> Tensor:
    """Return half the squared error summed over the known properties, shape (B,)."""
    known = ~torch.isnan(conditions)
    error = torch.where(known, predicted - torch.nan_to_num(conditions, nan=0.0), 0.0)
    return 0.5 * error.square().sum(dim=1)
