"""p(z given c) by flow matching: noise carried to codes along learned straight paths.

The path is that of `latent.corrupt`, so a flow that stops at a noise level hands the decoder codes
just as noisy as it met in training (Lipman et al. 2023, https://arxiv.org/abs/2210.02747; a prior
fitted after the autoencoder: Dai & Wipf 2019, https://arxiv.org/abs/1903.05789).

Letters besides those of the room: S width of the network, K its blocks.
"""

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from molvae.config import PriorConfig
from molvae.errors import ArtifactError
from molvae.model.conditions import ConditionEmbedding
from molvae.model.latent import corrupt

FREQUENCIES = 16  # of the noise level's features


class Velocity(nn.Module):
    """d z_s / d s at a noise level s, given conditions: residual blocks steered by both (adaLN).

    Peebles & Xie 2023, https://arxiv.org/abs/2212.09748: each block's shift, scale and gate are
    read off the level and the conditions, and every gate begins at zero.
    """

    def __init__(self, config: PriorConfig, latent_size: int, n_conditions: int) -> None:
        super().__init__()
        size = config.flow_size
        self.conditions = ConditionEmbedding(n_conditions, size)
        self.level = nn.Sequential(nn.Linear(2 * FREQUENCIES, size), nn.SiLU())
        self.into = nn.Linear(latent_size, size)
        self.blocks = nn.ModuleList(_Block(size) for _ in range(config.flow_blocks))
        self.norm = nn.LayerNorm(size)
        self.out = nn.Linear(size, latent_size)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, z: Tensor, level: Tensor, conditions: Tensor) -> Tensor:
        """Return the velocity (B, Z) of codes (B, Z) at noise levels (B,), conditions (B, P)."""
        turns = torch.pi * level[:, None] * torch.arange(1, FREQUENCIES + 1, device=z.device)
        steer = self.level(torch.cat([turns.sin(), turns.cos()], dim=1))
        steer = nn.functional.silu(steer + self.conditions(conditions))
        states = self.into(z)
        for block in self.blocks:
            states = block(states, steer)
        velocity: Tensor = self.out(self.norm(states))
        return velocity


class _Block(nn.Module):
    def __init__(self, size: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(size, elementwise_affine=False)
        self.layers = nn.Sequential(nn.Linear(size, 2 * size), nn.SiLU(), nn.Linear(2 * size, size))
        self.steer = nn.Linear(size, 3 * size)
        nn.init.zeros_(self.steer.weight)
        nn.init.zeros_(self.steer.bias)

    def forward(self, states: Tensor, steer: Tensor) -> Tensor:
        shift, scale, gate = self.steer(steer).chunk(3, dim=1)
        after: Tensor = states + gate * self.layers(self.norm(states) * (1.0 + scale) + shift)
        return after


class FlowPrior:
    """Codes by integrating a velocity from pure noise down to the level that is wanted.

    Args:
        velocity: the network, in evaluation mode.
        config: its sizes, integration steps and guidance.
    """

    def __init__(self, velocity: Velocity, config: PriorConfig) -> None:
        self.velocity, self.config = velocity, config

    @torch.inference_mode()
    def sample(self, conditions: Tensor, noise: Tensor, *, level: float = 0.0) -> Tensor:
        """Draw codes (B, Z) given conditions (B, P), NaN = unspecified, and noise (B, Z).

        Heun's method on equal steps from level 1 to `level`; a path that is cut short takes
        proportionally fewer. At level 1 the noise comes back as it is.
        """
        device = next(self.velocity.parameters()).device
        z, asked = noise.to(device), conditions.to(device)
        steps = max(1, round(self.config.integration_steps * (1.0 - level))) if level < 1 else 0
        levels = np.linspace(1.0, level, steps + 1).tolist()
        for here, there in pairwise(levels):
            first = self._guided(z, here, asked)
            guess = z + (there - here) * first
            z = z + 0.5 * (there - here) * (first + self._guided(guess, there, asked))
        codes: Tensor = z.to(device=noise.device, dtype=noise.dtype)
        return codes

    def _guided(self, z: Tensor, level: float, conditions: Tensor) -> Tensor:
        """Overstate the conditions (classifier-free guidance, https://arxiv.org/abs/2207.12598)."""
        weight, levels = self.config.flow_guidance, z.new_full((len(z),), level)
        velocity: Tensor = self.velocity(z, levels, conditions)
        if weight == 1.0 or bool(torch.isnan(conditions).all()):
            return velocity
        free = self.velocity(z, levels, torch.full_like(conditions, float("nan")))
        guided: Tensor = free + weight * (velocity - free)
        return guided

    def arrays(self) -> dict[str, np.ndarray]:
        """Return what a checkpoint keeps."""
        return {n: w.detach().cpu().numpy() for n, w in self.velocity.state_dict().items()}

    @classmethod
    def from_arrays(
        cls,
        arrays: Mapping[str, np.ndarray],
        *,
        config: PriorConfig,
        latent_size: int,
        n_conditions: int,
    ) -> "FlowPrior":
        """Rebuild from `arrays` the prior of Z = `latent_size` and P = `n_conditions`.

        Raises:
            ArtifactError: when the arrays are not those of such a network.
        """
        with torch.device("meta"):
            velocity = Velocity(config, latent_size, n_conditions)
        for name, weight in velocity.state_dict().items():
            if arrays[name].shape != tuple(weight.shape) or not np.isfinite(arrays[name]).all():
                raise ArtifactError(f"the prior inside is damaged: its {name:.40} does not fit.")
        velocity.load_state_dict(
            {n: torch.from_numpy(arrays[n].astype(np.float32)) for n in velocity.state_dict()},
            assign=True,
        )
        return cls(velocity.eval(), config)


def flow_loss(
    velocity: Velocity, z: Tensor, conditions: Tensor, noise: Tensor, level: Tensor
) -> Tensor:
    """Return the squared error of the velocity, summed over Z, shape (B,).

    Args:
        velocity: the network.
        z: codes of molecules, shape (B, Z).
        conditions: of the same molecules, NaN = hidden, shape (B, P).
        noise: standard normal, shape (B, Z).
        level: noise levels, shape (B,).
    """
    error = velocity(corrupt(z, noise, level), level, conditions) - (noise - z)
    squared: Tensor = error.square().sum(dim=1)
    return squared
