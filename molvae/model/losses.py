"""The evidence lower bound, term by term, in nats per molecule."""

import torch
from torch import Tensor
from torch.nn import functional

from molvae.vocabulary import PAD


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
    property_weight: float,
) -> Tensor:
    """Return the loss, a scalar: the weighed sum of the terms' means; each has the shape (B,)."""
    return reconstruction.mean() + beta * kl.mean() + property_weight * property_error.mean()
