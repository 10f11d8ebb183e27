"""p(z given c), fitted to the codes of the training set when the model is done."""

from collections.abc import Callable
from dataclasses import replace

from molvae.config import PriorConfig
from molvae.dataset import MoleculeDataset
from molvae.model.cvae import ConditionalVAE
from molvae.model.flow import FlowPrior
from molvae.model.prior import JointGaussian, Prior, StandardNormal
from molvae.train.encoding import encode_split
from molvae.train.flow import fit_flow

GAUSSIAN_MOLECULES = 50_000  # enough for a covariance of a hundred dimensions
FLOW_MOLECULES = 500_000  # what is kept of them takes some hundred megabytes


def fit_joint_gaussian(
    model: ConditionalVAE, dataset: MoleculeDataset, *, seed: int, limit: int = GAUSSIAN_MOLECULES
) -> JointGaussian:
    """Fit p(z, c) in closed form to the codes of up to `limit` training molecules."""
    codes = encode_split(model, dataset, split="train", limit=limit, seed=seed)
    return JointGaussian.fit(codes.means, codes.log_vars.exp(), codes.conditions)


def adapted(prior: Prior, config: PriorConfig) -> Prior | None:
    """Return a prior with other settings of its use; None where they ask for another fit."""
    had = prior.config
    if isinstance(prior, FlowPrior):
        used = replace(
            had, flow_guidance=config.flow_guidance, integration_steps=config.integration_steps
        )
        return FlowPrior(prior.velocity, config) if used == config else None
    if had.prior != config.prior:  # all other settings are a flow's
        return None
    assert isinstance(prior, JointGaussian | StandardNormal)
    return prior._replace(config=config)


def fit_prior(
    model: ConditionalVAE,
    dataset: MoleculeDataset,
    config: PriorConfig,
    *,
    seed: int,
    report: Callable[[int, float], None] = lambda steps, loss: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Prior | None:
    """Fit the prior that is asked for.

    Args:
        model: in evaluation mode.
        dataset: what it was trained on.
        config: which prior, and the sizes of what is learned.
        seed: of all randomness.
        report: told a flow's steps and its loss now and then.
        should_stop: asked after every step of a flow.

    Returns:
        The prior; None when asked to stop.
    """
    if config.prior == "standard":
        return StandardNormal(config)
    if config.prior == "joint-gaussian":
        return fit_joint_gaussian(model, dataset, seed=seed)._replace(config=config)
    codes = encode_split(model, dataset, split="train", limit=FLOW_MOLECULES, seed=seed)
    return fit_flow(
        codes,
        config,
        groups=dataset.normalizer.groups,
        device=next(model.parameters()).device,
        seed=seed,
        report=report,
        should_stop=should_stop,
    )
