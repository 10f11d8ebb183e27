"""The moving average of weights, which generalizes better than the weights themselves."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn


def follow(averaged: Mapping[str, Tensor], network: nn.Module, *, decay: float, steps: int) -> None:
    """Move an average towards a network's weights, in place.

    Args:
        averaged: the average of each weight, by name.
        network: what it is the average of.
        decay: share of the average that stays, once it is no longer young.
        steps: how far training is. A young average would remember the random start, so the share
            that stays grows with them.
    """
    kept = min(decay, (1 + steps) / (10 + steps))
    with torch.no_grad():
        for name, weight in network.state_dict().items():
            averaged[name].lerp_(weight, 1.0 - kept)
