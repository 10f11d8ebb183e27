"""p(z given c): the distribution that latent codes are sampled from.

A code that is sampled independently of its conditions is unlike those of the training set. So the
prior is fitted after training to the codes of the training set, jointly with their properties.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from molvae.config import PriorConfig
from molvae.errors import ArtifactError

RIDGE = 1e-5  # added to variances: keeps the conditional covariance positive in float64


@dataclass(frozen=True)
class StandardNormal:
    """N(0, I), independent of the properties: the KL term pulls every posterior towards it."""

    @property
    def config(self) -> PriorConfig:
        """Its kind."""
        return PriorConfig(prior="standard")

    def sample(self, conditions: Tensor, noise: Tensor, *, level: float = 0.0) -> Tensor:
        """Draw codes (B, Z) from noise (B, Z), independent of the conditions (B, P)."""
        scale: float = ((1.0 - level) ** 2 + level**2) ** 0.5
        return scale * noise

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the arrays of a checkpoint: none."""
        return {}


class JointGaussian(NamedTuple):
    """One Gaussian over (z, c), conditioned on any subset of the properties.

    Attributes:
        mean: of codes and standardized properties, float64, shape (Z + P,).
        covariance: float64, shape (Z + P, Z + P).
        latent_size: Z.
    """

    mean: Tensor
    covariance: Tensor
    latent_size: int

    @property
    def config(self) -> PriorConfig:
        """Its kind."""
        return PriorConfig(prior="joint-gaussian")

    @classmethod
    def fit(cls, codes: Tensor, variances: Tensor, conditions: Tensor) -> "JointGaussian":
        """Fit in closed form to the aggregate posterior of the training set.

        Each pair of variables is estimated from the molecules where both are known; the posterior
        variances are added to the codes' own spread (law of total variance). The covariance of a
        property with the codes is shrunk by n / (n + Z), n being the molecules where it is known.

        Args:
            codes: posterior means, shape (N, Z).
            variances: posterior variances, shape (N, Z).
            conditions: standardized properties, NaN = unknown, shape (N, P).
        """
        values = torch.cat([codes, conditions], dim=1).double()
        known = ~torch.isnan(values)
        weights = known.double()
        mean = torch.nan_to_num(values).sum(0) / weights.sum(0).clamp(min=1)
        centered = torch.where(known, values - mean, 0.0)
        pairs = weights.T @ weights
        covariance = centered.T @ centered / pairs.clamp(min=1)
        # A label known for a few molecules correlates with some of the Z dimensions by chance.
        size = codes.shape[1]
        shrunk = pairs[:size, size:] / (pairs[:size, size:] + size)
        covariance[:size, size:] *= shrunk
        covariance[size:, :size] *= shrunk.T
        covariance += torch.diag(
            torch.cat([variances.double().mean(0), torch.zeros(conditions.shape[1])])
        )
        return cls(mean, _positive(covariance), codes.shape[1])

    def given(self, named: Tensor, *, level: float = 0.0) -> tuple[Tensor, Tensor]:
        """Return the distribution of z given some of the properties.

        Args:
            named: positions of those properties among all, shape (S,).
            level: noise level of the codes, 0 to 1.

        Returns:
            The regression of z on them (Z, S), and the Cholesky factor (Z, Z) of the remaining
            covariance, both of codes blended with noise.
        """
        size = self.latent_size
        across = self.covariance[:size][:, size + named]  # (Z, S)
        within = self.covariance[size + named][:, size + named]  # (S, S)
        gain = torch.linalg.solve(within, across.T).T if len(named) else across
        left = (1.0 - level) ** 2 * (self.covariance[:size, :size] - gain @ across.T)
        left += level**2 * torch.eye(size)
        return (1.0 - level) * gain, torch.linalg.cholesky(_positive(left))

    def sample(self, conditions: Tensor, noise: Tensor, *, level: float = 0.0) -> Tensor:
        """Draw codes (B, Z) given conditions (B, P), NaN = unspecified, and noise (B, Z).

        At a noise level above 0 they follow the distribution of `latent.corrupt`.
        """
        size = self.latent_size
        asked, normal = conditions.cpu().double(), noise.cpu().double()
        codes = torch.empty_like(normal)
        # A column more, since no rows are unique that have none.
        known = nn.functional.pad(~torch.isnan(asked), (0, 1))
        patterns, which = torch.unique(known, dim=0, return_inverse=True)
        for number, pattern in enumerate(patterns):
            named, members = pattern.nonzero()[:, 0], which == number
            gain, factor = self.given(named, level=level)
            surprise = asked[members][:, named] - self.mean[size + named]
            center = (1.0 - level) * self.mean[:size]
            codes[members] = center + surprise @ gain.T + normal[members] @ factor.T
        return codes.to(device=noise.device, dtype=noise.dtype)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the arrays of a checkpoint."""
        return {"mean": self.mean.numpy(), "covariance": self.covariance.numpy()}

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, np.ndarray], *, latent_size: int, n_conditions: int
    ) -> "JointGaussian":
        """Rebuild from `arrays` the prior of Z = `latent_size` and P = `n_conditions`.

        Raises:
            ArtifactError: when shapes or values cannot be those of a Gaussian.
        """
        mean = torch.from_numpy(arrays["mean"].astype(np.float64))
        covariance = torch.from_numpy(arrays["covariance"].astype(np.float64))
        size = latent_size + n_conditions
        if mean.shape != (size,) or covariance.shape != (size, size):
            raise ArtifactError("the prior inside is damaged: its shapes do not fit together.")
        if not (torch.isfinite(mean).all() and torch.isfinite(covariance).all()):
            raise ArtifactError("the prior inside is damaged: it holds values that are not finite.")
        symmetric = torch.allclose(covariance, covariance.T)
        if not symmetric or torch.linalg.cholesky_ex(covariance).info != 0:
            raise ArtifactError("the prior inside is damaged: its covariance is not positive.")
        return cls(mean, covariance, latent_size)


Prior = StandardNormal | JointGaussian


def _positive(covariance: Tensor) -> Tensor:
    """Return the nearest covariance of positive variances: pairwise estimates may lack them."""
    values, vectors = torch.linalg.eigh((covariance + covariance.T) / 2)
    nearest: Tensor = (vectors * values.clamp(min=RIDGE)) @ vectors.T
    return nearest
