"""The content of a latent space, and the gap between prior and posterior.

Letters: N molecules, Z latent dimensions, P properties.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from scipy.optimize import minimize
from scipy.special import expit

from molvae.chem.selfies import is_consistent
from molvae.generation.proposals import propose
from molvae.generator import MoleculeGenerator
from molvae.model.latent import Posterior, corrupt
from molvae.presets import SERIES_NOISE
from molvae.suites.model_card import without_selection
from molvae.train.property_head import area_under_curve

RIDGE = 1e-3  # of the regressions, on standardized columns
MAX_AUC = 0.55  # of prior against posterior; above, their codes can be told apart


def linear_probe(
    codes: np.ndarray, values: np.ndarray, names: Sequence[str], *, seed: int
) -> dict[str, float | None]:
    """Predict each property linearly from the codes.

    Ridge regression (Alain & Bengio 2016, arXiv 1610.01644) of values (N, P), NaN where unknown,
    on codes (N, Z), fitted to one half of the molecules.

    Returns:
        R2 on the other half, by property; None if a half has no spread.
    """
    found: dict[str, float | None] = {}
    for column, name in enumerate(names):
        known = np.flatnonzero(~np.isnan(values[:, column]))
        known = np.random.default_rng(seed).permutation(known)
        fit, test = known[: len(known) // 2], known[len(known) // 2 :]
        if len(fit) < 2 or np.ptp(values[test, column]) == 0.0:
            found[name] = None
            continue
        mean, scale = codes[fit].mean(axis=0), codes[fit].std(axis=0) + 1e-9
        inputs = (codes[fit] - mean) / scale
        target = values[fit, column].astype(np.float64)
        gram = inputs.T @ inputs + RIDGE * len(fit) * np.eye(inputs.shape[1])
        weights = np.linalg.solve(gram, inputs.T @ (target - target.mean()))
        left = values[test, column] - target.mean() - (codes[test] - mean) / scale @ weights
        found[name] = float(1.0 - left.var() / values[test, column].var())
    return found


def two_sample_auc(first: np.ndarray, second: np.ndarray, *, seed: int) -> float:
    """Return the ROC AUC of a classifier between two sets of codes.

    Logistic regression on the codes, their squares and products, fitted to one half of each set
    and tested on the other (a classifier two-sample test, Lopez-Paz & Oquab 2017,
    arXiv 1610.06545). The sets have shapes (N1, Z) and (N2, Z).

    Returns:
        0.5 if they cannot be told apart, 1 if they always can.
    """
    codes = np.concatenate([first, second]).astype(np.float64)
    codes = (codes - codes.mean(axis=0)) / (codes.std(axis=0) + 1e-9)
    upper = np.triu_indices(codes.shape[1])
    inputs = np.hstack([codes, (codes[:, :, None] * codes[:, None, :])[:, *upper]])
    inputs = (inputs - inputs.mean(axis=0)) / (inputs.std(axis=0) + 1e-9)
    inputs = np.hstack([inputs, np.ones((len(inputs), 1))])
    labels = np.repeat([0.0, 1.0], [len(first), len(second)])
    order = np.random.default_rng(seed).permutation(len(labels))
    fit, test = order[: len(order) // 2], order[len(order) // 2 :]
    weights = minimize(
        partial(_logistic_loss, inputs=inputs[fit], labels=labels[fit]),
        np.zeros(inputs.shape[1]),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 200},
    ).x
    scores, ones = inputs[test] @ weights, labels[test] == 1.0
    return area_under_curve(scores[ones], scores[~ones])


def _logistic_loss(
    weights: np.ndarray, *, inputs: np.ndarray, labels: np.ndarray
) -> tuple[float, np.ndarray]:
    """Return the mean cross-entropy with a small penalty, and its gradient."""
    raw = inputs @ weights
    loss = float(np.mean(np.logaddexp(0.0, raw) - labels * raw)) + RIDGE * float(weights @ weights)
    slope = inputs.T @ (expit(raw) - labels) / len(labels) + 2.0 * RIDGE * weights
    return loss, slope


def prior_gap(
    generator: MoleculeGenerator, posterior: Posterior, conditions: torch.Tensor, *, seed: int
) -> dict[str, Any]:
    """Compare codes of real molecules with codes from the prior.

    Codes are compared without noise, which would make any two sets alike. They are decoded at the
    default noise level of the model, but no higher than that of a path, since nothing of a code
    is left at level 1.

    Args:
        generator: the model.
        posterior: q(z given x) of held-out molecules, shapes (N, Z).
        conditions: their standardized properties, NaN where unknown, shape (N, P).
        seed: of all randomness.

    Returns:
        `auc`: of the classifier, with the prior not conditioned on properties; `auc_given`: with
        the prior conditioned on all properties, which the classifier sees too, so that it detects
        a prior that ignores them. `acceptance_posterior`, `acceptance_prior`: acceptance rate of
        the strings decoded from either, at the level `noise` and the default temperature. A prior
        with holes is worse in all of them.
    """
    random = torch.Generator().manual_seed(seed)
    shape = posterior.mean.shape
    z = posterior.sample(torch.randn(shape, generator=random).to(posterior.mean.device)).cpu()
    prior = generator.checkpoint.prior
    nothing = torch.full_like(conditions, float("nan"))
    drawn = torch.randn(shape, generator=random)
    free, given = prior.sample(nothing, drawn), prior.sample(conditions, drawn)
    known = torch.nan_to_num(conditions)
    level = min(generator.defaults.noise or 0.0, SERIES_NOISE)
    noise = torch.randn(shape, generator=random)
    noisy = corrupt(z, noise, torch.full((len(z),), level))
    return {
        "noise": level,
        "auc": two_sample_auc(z.numpy(), free.numpy(), seed=seed),
        "auc_given": two_sample_auc(
            torch.cat([z, known], dim=1).numpy(),
            torch.cat([given, known], dim=1).numpy(),
            seed=seed,
        ),
        "acceptance_posterior": _acceptance(generator, noisy, level, seed=seed),
        "acceptance_prior": _acceptance(
            generator, prior.sample(nothing, drawn, level=level), level, seed=seed
        ),
    }


def latent_verdicts(gap: Mapping[str, Any]) -> dict[str, bool]:
    """Return pass or fail by the name of each test."""
    return {"prior_gap": gap["auc"] <= MAX_AUC, "prior_gap_given": gap["auc_given"] <= MAX_AUC}


def _acceptance(generator: MoleculeGenerator, z: torch.Tensor, level: float, *, seed: int) -> float:
    """Decode each code (N, Z) without targets, and return the acceptance rate."""

    def codes(slots: Sequence[int], conditions: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        return z[list(slots)]

    free = np.full((len(z), len(generator.normalizer.names)), np.nan)
    settings = generator.model.settings(replace(without_selection(generator), noise=level))
    proposals = propose(
        generator.model, range(len(z)), free, 0, settings=settings, seed=seed, codes=codes
    )
    return sum(each.ended and is_consistent(each.symbols) for each in proposals) / len(proposals)
