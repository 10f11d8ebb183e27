"""p(z given c), fitted to the codes of the training set when the model is done."""

from molvae.config import PriorConfig
from molvae.dataset import MoleculeDataset
from molvae.model.cvae import ConditionalVAE
from molvae.model.prior import JointGaussian, Prior, StandardNormal
from molvae.train.batches import choose
from molvae.train.encoding import encode

GAUSSIAN_MOLECULES = 50_000  # enough for a covariance of a hundred dimensions


def fit_joint_gaussian(
    model: ConditionalVAE, dataset: MoleculeDataset, *, seed: int, limit: int = GAUSSIAN_MOLECULES
) -> JointGaussian:
    """Fit p(z, c) in closed form to the codes of up to `limit` training molecules."""
    codes = encode(model, dataset, choose(dataset, "train", limit=limit, seed=seed))
    return JointGaussian.fit(codes.means, codes.log_vars.exp(), codes.conditions)


def fit_prior(
    model: ConditionalVAE, dataset: MoleculeDataset, config: PriorConfig, *, seed: int
) -> Prior:
    """Fit the prior that `config` names to a model in evaluation mode."""
    if config.prior == "standard":
        return StandardNormal()
    return fit_joint_gaussian(model, dataset, seed=seed)
