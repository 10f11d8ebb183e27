"""The evidence lower bound, term by term, in nats per molecule."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from molvae.vocabulary import PAD


class Elbo(NamedTuple):
    """One batch's loss and its terms.

    Attributes:
        loss: what training minimizes: a scalar.
        reconstruction: -log p(x given z, c), nats, shape (B,).
        kl: KL(q(z given x) to N(0, I)), nats, shape (B,).
        property_error: half the squared error over a molecule's known standardized properties,
            shape (B,): nats of a unit Gaussian, up to a constant.
    """

    loss: Tensor
    reconstruction: Tensor
    kl: Tensor
    property_error: Tensor


def reconstruction_loss(logits: Tensor, ids: Tensor) -> Tensor:
    """Return -log p of each molecule's tokens, its EOS included and padding not, nats, (B,).

    Args:
        logits: shape (B, T, V).
        ids: the tokens to be predicted, shape (B, T).
    """
    each = functional.cross_entropy(
        logits.flatten(0, 1), ids.flatten(), ignore_index=PAD, reduction="none"
    )
    return each.view(ids.shape).sum(dim=1)


def property_loss(predicted: Tensor, conditions: Tensor) -> Tensor:
    """Return half the squared error summed over the properties that are known, shape (B,)."""
    known = ~torch.isnan(conditions)
    error = torch.where(known, predicted - torch.nan_to_num(conditions, nan=0.0), 0.0)
    return 0.5 * error.square().sum(dim=1)


def weigh(
    reconstruction: Tensor,
    kl: Tensor,
    property_error: Tensor,
    *,
    beta: float,
    free_nats: float,
    property_weight: float,
) -> Elbo:
    """Combine the terms into the loss.

    The first `free_nats` of the batch's mean KL cost nothing (free bits on the total, Kingma et
    al. 2016, https://arxiv.org/abs/1606.04934), so that the code is worth using from the start.
    """
    charged = kl.mean().clamp(min=free_nats)
    loss = reconstruction.mean() + beta * charged + property_weight * property_error.mean()
    return Elbo(loss, reconstruction, kl, property_error)
