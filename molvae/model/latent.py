"""The posterior q(z given x), and latent codes with noise.

A noise level s blends a code with standard normal noise: z_s = (1 - s) z + s noise, the straight
path of flow matching (Lipman et al. 2023, https://arxiv.org/abs/2210.02747). Level 0 is the whole
code, level 1 is noise alone.
"""

from typing import NamedTuple

import torch
from torch import Tensor


def corrupt(z: Tensor, noise: Tensor, level: Tensor) -> Tensor:
    """Blend codes (B, Z) with standard normal noise (B, Z) at noise levels (B,), 0 to 1."""
    share = level[:, None]
    return (1.0 - share) * z + share * noise


def expected(z: Tensor, level: Tensor) -> Tensor:
    """Return the best linear estimate of codes (B, Z) that were blended at noise levels (B,).

    It assumes a variance of 1 in each dimension, the target of the KL term. The estimate is the
    code itself at level 0 and zero at level 1.
    """
    share = level[:, None]
    kept = 1.0 - share
    return kept / (kept.square() + share.square()) * z


class Posterior(NamedTuple):
    """A diagonal Gaussian for each molecule.

    Attributes:
        mean: shape (B, Z).
        log_var: natural logarithm of the variance, shape (B, Z).
    """

    mean: Tensor
    log_var: Tensor

    def sample(self, noise: Tensor) -> Tensor:
        """Draw z (B, Z) from standard normal noise (B, Z), by the reparameterization trick."""
        return self.mean + noise * torch.exp(0.5 * self.log_var)

    def kl(self) -> Tensor:
        """KL divergence from the posterior to the standard normal, per dimension.

        Closed form of Kingma & Welling (2014), appendix B, https://arxiv.org/abs/1312.6114.

        Returns:
            Nats, shape (B, Z); never negative. Sum over Z for one number per molecule.
        """
        return 0.5 * (self.mean.square() + self.log_var.exp() - 1.0 - self.log_var)
