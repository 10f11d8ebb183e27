"""p(z given c): where codes come from when no molecule is given.

A decoder that has learned z and c together is confused by a z drawn without regard to c. So the
prior is fitted after training to the codes of the training set, jointly with their properties.
"""

from collections.abc import Mapping
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from molvae.errors import ArtifactError

RIDGE = 1e-5  # added to variances: keeps the conditional covariance positive in float64


class Prior(Protocol):
    """What `sample` needs of a prior; a learned flow can stand in for the Gaussian."""

    def sample(self, conditions: Tensor, noise: Tensor) -> Tensor:
        """Draw codes (B, Z) given conditions (B, P), NaN = unspecified, and noise (B, Z)."""
        ...

    def arrays(self) -> dict[str, np.ndarray]:
        """Return what a checkpoint keeps."""
        ...


class JointGaussian(NamedTuple):
    """One Gaussian over (z, c), conditioned on whichever properties are named.

    Attributes:
        mean: of codes and standardized properties, float64, shape (Z + P,).
        covariance: float64, shape (Z + P, Z + P).
        latent_size: Z.
    """

    mean: Tensor
    covariance: Tensor
    latent_size: int

    @classmethod
    def fit(cls, codes: Tensor, variances: Tensor, conditions: Tensor) -> "JointGaussian":
        """Fit in closed form to the aggregate posterior of the training set.

        Each pair of variables is estimated from the molecules where both are known; the posterior
        variances are added to the codes' own spread (law of total variance).

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
        covariance = centered.T @ centered / (weights.T @ weights).clamp(min=1)
        covariance += torch.diag(
            torch.cat([variances.double().mean(0), torch.zeros(conditions.shape[1])])
        )
        return cls(mean, _positive(covariance), codes.shape[1])

    def given(self, conditions: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean (Z,) and Cholesky factor (Z, Z) of z given one row of conditions (P,)."""
        size = self.latent_size
        named = size + torch.flatnonzero(~torch.isnan(conditions))
        mean, covariance = self.mean[:size], self.covariance[:size, :size]
        if len(named):
            across = self.covariance[:size][:, named]  # (Z, S)
            within = self.covariance[named][:, named]  # (S, S)
            gain = torch.linalg.solve(within, across.T).T
            mean = mean + gain @ (conditions[named - size].double() - self.mean[named])
            covariance = covariance - gain @ across.T
        return mean, torch.linalg.cholesky(_positive(covariance))

    def sample(self, conditions: Tensor, noise: Tensor) -> Tensor:
        """Draw codes (B, Z) given conditions (B, P), NaN = unspecified, and noise (B, Z)."""
        codes = torch.empty(noise.shape, dtype=torch.float64)
        rows, which = torch.unique(
            torch.nan_to_num(conditions, nan=1e9), dim=0, return_inverse=True
        )
        for number, row in enumerate(rows.cpu()):
            mean, factor = self.given(torch.where(row == 1e9, torch.nan, row))
            members = (which == number).cpu()
            codes[members] = mean + noise.cpu()[members].double() @ factor.T
        return codes.to(device=noise.device, dtype=noise.dtype)

    def log_density(self, conditions: Tensor) -> float:
        """Return the log density of one row of conditions (P,), of those that are named."""
        named = self.latent_size + torch.flatnonzero(~torch.isnan(conditions))
        if not len(named):
            return 0.0
        gaussian = torch.distributions.MultivariateNormal(
            self.mean[named], _positive(self.covariance[named][:, named])
        )
        return float(gaussian.log_prob(conditions[named - self.latent_size].double()))

    def arrays(self) -> dict[str, np.ndarray]:
        """Return what a checkpoint keeps."""
        return {"mean": self.mean.numpy(), "covariance": self.covariance.numpy()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], *, latent_size: int) -> "JointGaussian":
        """Rebuild from `arrays`.

        Raises:
            ArtifactError: when shapes or values cannot be those of a Gaussian.
        """
        mean = torch.from_numpy(arrays["mean"].astype(np.float64))
        covariance = torch.from_numpy(arrays["covariance"].astype(np.float64))
        if mean.dim() != 1 or covariance.shape != (len(mean), len(mean)):
            raise ArtifactError("the prior inside is damaged: its shapes do not fit together.")
        if not (torch.isfinite(mean).all() and torch.isfinite(covariance).all()):
            raise ArtifactError("the prior inside is damaged: it holds values that are not finite.")
        return cls(mean, covariance, latent_size)


def _positive(covariance: Tensor) -> Tensor:
    """Return the nearest covariance without negative variances: pairwise estimates may have some."""
    values, vectors = torch.linalg.eigh((covariance + covariance.T) / 2)
    return (vectors * values.clamp(min=RIDGE)) @ vectors.T
