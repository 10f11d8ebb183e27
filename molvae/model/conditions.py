"""Properties, any of them unspecified, -> condition embedding."""

import warnings
from collections.abc import Sequence

import torch
from torch import Tensor, nn


class ConditionEmbedding(nn.Module):
    """Embed standardized properties, with a mask of the unspecified ones.

    The features are `[value * mask, 1 - mask]` as in STGG+ (https://arxiv.org/abs/2407.09357),
    so that one network serves every subset of the properties.
    """

    def __init__(self, n_conditions: int, size: int) -> None:
        super().__init__()
        hidden = 2 * size
        self.layers = nn.Sequential(
            layer(2 * n_conditions, hidden),
            nn.SiLU(),
            nn.Linear(hidden, hidden),
            nn.SiLU(),
            nn.Linear(hidden, size),
        )

    def forward(self, conditions: Tensor) -> Tensor:
        """Embed conditions (B, P), NaN = unspecified, as (B, C)."""
        unspecified = torch.isnan(conditions)
        values = torch.nan_to_num(conditions, nan=0.0)
        features: Tensor = self.layers(torch.cat([values, unspecified.to(values.dtype)], dim=1))
        return features


def layer(inputs: int, outputs: int) -> nn.Linear:
    """Return a linear layer from or to properties, without torch's warning when there are none."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Initializing zero-element tensors")
        return nn.Linear(inputs, outputs)


def drop_conditions(
    conditions: Tensor, generator: torch.Generator, *, groups: Sequence[int] | None = None
) -> Tensor:
    """Drop a random subset of each row's properties, so that any subset can be a condition later.

    The number kept is uniform on 0..P and which ones are kept is uniform too (STGG+). The columns
    of one class label are dropped together and count as one property.

    Args:
        conditions: shape (B, P), NaN = unspecified.
        generator: a CPU generator: the same draw on every device.
        groups: number of the property that each column belongs to, from 0 on, shape (P,); None:
            each column is one.

    Returns:
        A copy, shape (B, P), with NaN where dropped.
    """
    rows, columns = conditions.shape
    owner = torch.arange(columns) if groups is None else torch.tensor(groups, dtype=torch.long)
    count = int(owner.max()) + 1 if columns else 0
    keep = torch.randint(0, count + 1, (rows, 1), generator=generator)
    rank = torch.rand(rows, count, generator=generator).argsort(dim=1).argsort(dim=1)
    dropped = (rank >= keep)[:, owner]
    return conditions.masked_fill(dropped.to(conditions.device), float("nan"))
