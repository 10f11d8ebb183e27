"""q(z given x): a bidirectional LSTM over the symbols of a molecule."""

import torch
from torch import Tensor, nn

from molvae.config import ModelConfig
from molvae.model.embedding import symbol_embedding
from molvae.model.latent import Posterior

LOG_VAR_RANGE = (-8.0, 1.0)  # narrower than e^-4 is a delta, wider than e^0.5 leaves the prior


class Encoder(nn.Module):
    """Encode a molecule in both directions into the Gaussian of its latent code.

    The conditions are no input, so that one latent space serves every subset of them. Each
    direction is an LSTM of its own, and the backward one reads every molecule reversed within its
    own length: padding then changes nothing, and no packing is needed.
    """

    def __init__(self, config: ModelConfig, vocabulary_size: int) -> None:
        super().__init__()
        size = config.encoder_size
        self.embedding = symbol_embedding(vocabulary_size, config.symbol_size)
        self.forwards = nn.LSTM(config.symbol_size, size, batch_first=True)
        self.backwards = nn.LSTM(config.symbol_size, size, batch_first=True)
        self.norm = nn.LayerNorm(6 * size)
        self.hidden = nn.Sequential(nn.Linear(6 * size, 2 * size), nn.SiLU())
        self.mean = nn.Linear(2 * size, config.latent_size)
        self.log_var = nn.Linear(2 * size, config.latent_size)

    def forward(self, ids: Tensor, lengths: Tensor) -> Posterior:
        """Encode molecules.

        Args:
            ids: symbol ids, padded, shape (B, T).
            lengths: symbols of each molecule without padding, shape (B,).
        """
        steps = torch.arange(ids.shape[1], device=ids.device)
        inside = steps < lengths[:, None]  # (B, T)
        mirrored = torch.where(inside, lengths[:, None] - 1 - steps, steps)
        features = []
        for lstm, order in ((self.forwards, ids), (self.backwards, ids.gather(1, mirrored))):
            states = lstm(self.embedding(order))[0].float()  # (B, T, H)
            features += _pool(states, inside, lengths)
        hidden = self.hidden(self.norm(torch.cat(features, dim=1)))
        low, high = LOG_VAR_RANGE
        return Posterior(
            self.mean(hidden).float(), self.log_var(hidden).float().clamp(min=low, max=high)
        )


def _pool(states: Tensor, inside: Tensor, lengths: Tensor) -> list[Tensor]:
    """Return mean, maximum and last of the states (B, T, H) within each molecule, each (B, H)."""
    outside = ~inside[:, :, None]
    mean = states.masked_fill(outside, 0.0).sum(dim=1) / lengths[:, None]
    highest = states.masked_fill(outside, float("-inf")).amax(dim=1)
    last = states[torch.arange(len(states), device=states.device), lengths - 1]
    return [mean, highest, last]
