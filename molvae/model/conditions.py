"""Properties, any of them unspecified, -> condition embedding."""

import torch
from torch import Tensor, nn


class ConditionEmbedding(nn.Module):
    """Embed standardized properties, with a mask that tells the unspecified ones apart.

    The features are `[value * mask, 1 - mask]` as in STGG+ (https://arxiv.org/abs/2407.09357),
    so that one network serves every subset of the properties.
    """

    def __init__(self, n_conditions: int, size: int) -> None:
        super().__init__()
        hidden = 2 * size
        self.layers = nn.Sequential(
            nn.Linear(2 * n_conditions, hidden),
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


def hide(conditions: Tensor, generator: torch.Generator) -> Tensor:
    """Hide a random subset of each row's properties, so that any subset can be asked for later.

    The number kept is uniform on 0..P and which ones are kept is uniform too (STGG+).

    Args:
        conditions: shape (B, P), NaN = unspecified.
        generator: a CPU generator: the same draw on every device.

    Returns:
        A copy, shape (B, P), with NaN where hidden.
    """
    rows, count = conditions.shape
    keep = torch.randint(0, count + 1, (rows, 1), generator=generator)
    rank = torch.rand(rows, count, generator=generator).argsort(dim=1).argsort(dim=1)
    return conditions.masked_fill((rank >= keep).to(conditions.device), float("nan"))
