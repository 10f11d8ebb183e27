"""The posterior q(z given x)."""

from typing import NamedTuple

import torch
from torch import Tensor


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
