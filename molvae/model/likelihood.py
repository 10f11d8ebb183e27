"""The likelihood of molecules under a model: bounds on -log p(x given c), in nats.

A noise-conditional decoder needs no bound: at noise level 1 the code holds no information, and the
reconstruction loss there is -log p(x given c) itself.

More letters for shapes: K codes sampled for each molecule, F figures.
"""

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from molvae.model.cvae import ConditionalVAE
from molvae.model.losses import property_loss, reconstruction_loss


class Likelihood(NamedTuple):
    """The likelihood of B molecules, in nats per molecule.

    Attributes:
        costs: -log p(x given z, c) with each code, shape (K, B).
        weights: log of p(x, z given c) / q(z given x), shape (K, B); log p(x given c) itself, K
            times, of a noise-conditional model.
        kl: KL(q(z given x) to N(0, I)), shape (B,).
        misreading: root mean square error of the property head over the known properties, in
            standard deviations of the training set, shape (B,); 0 where none is known.
    """

    costs: Tensor
    weights: Tensor
    kl: Tensor
    misreading: Tensor

    def nll(self, codes: int) -> Tensor:
        """Return the upper bound on -log p(x given c) that the first `codes` give, shape (B,).

        One code gives a draw of the ELBO, more of them a tighter bound (Burda et al. 2016,
        https://arxiv.org/abs/1509.00519).
        """
        return math.log(codes) - torch.logsumexp(self.weights[:codes], dim=0)

    def figures(self, symbols: Tensor, *, codes: int) -> np.ndarray:
        """Return the figures of molecules, float64, shape (B, F); see `ood.FIGURES`.

        Args:
            symbols: SELFIES symbols of each, and one for its end, shape (B,).
            codes: number of codes to use.
        """
        nll = self.nll(codes)
        columns = torch.stack([nll, nll / symbols, self.misreading], dim=1)
        return columns.double().cpu().numpy()


def without_code(model: ConditionalVAE, conditions: Tensor, ids: Tensor) -> Tensor:
    """Return -log p(x given c) of a noise-conditional model, nats, shape (B,).

    Args:
        model: in evaluation mode, `noise_conditional`.
        conditions: standardized properties, NaN = unspecified, shape (B, P).
        ids: symbols, EOS, then padding, shape (B, T).
    """
    nothing = conditions.new_zeros(len(ids), model.config.latent_size)
    logits = model.decode(nothing, conditions, ids, level=conditions.new_ones(len(ids)))
    return reconstruction_loss(logits, ids)


def noise_of(hashes: Iterable[int], *, codes: int, size: int) -> Tensor:
    """Return the noise of molecules by their 64-bit hashes, shape (K, B, Z).

    The noise of a molecule depends on neither the other molecules nor the number of codes.
    """
    drawn = [
        np.random.Generator(np.random.Philox(key=int(each))).standard_normal((codes, size))
        for each in hashes
    ]
    return torch.from_numpy(np.stack(drawn, axis=1).astype(np.float32))


@torch.inference_mode()
def likelihood(
    model: ConditionalVAE, ids: Tensor, lengths: Tensor, conditions: Tensor, noise: Tensor
) -> Likelihood:
    """Compute the likelihood of molecules, with K codes sampled from each posterior.

    Args:
        model: in evaluation mode.
        ids: symbols, EOS, then padding, shape (B, T).
        lengths: symbols of each molecule, EOS included, shape (B,).
        conditions: standardized properties, NaN = unspecified, shape (B, P).
        noise: standard normal, shape (K, B, Z).
    """
    posterior = model.encode(ids, lengths)
    costs, weights = [], []
    for each in noise:  # one after the other: together they would need K times the memory
        z = posterior.sample(each)
        cost = reconstruction_loss(model.decode(z, conditions, ids), ids)
        # log p(z) - log q(z given x): the constants of the two Gaussians cancel
        ratio = 0.5 * (each.square() + posterior.log_var - z.square()).sum(dim=1)
        costs.append(cost)
        weights.append(ratio - cost)
    if model.config.noise_conditional:
        exact = without_code(model, conditions, ids)
        weights = [-exact] * len(noise)
    known = (~torch.isnan(conditions)).sum(dim=1).clamp(min=1)
    error = property_loss(model.predict_properties(posterior.mean), conditions)
    return Likelihood(
        costs=torch.stack(costs),
        weights=torch.stack(weights),
        kl=posterior.kl().sum(dim=1),
        misreading=(2.0 * error / known).sqrt(),
    )
