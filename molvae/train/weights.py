"""What happens to weights besides the gradient step: where they begin, decay, moving average."""

from collections.abc import Mapping

import torch
from torch import Tensor

from molvae.config import ModelConfig, TrainConfig
from molvae.dataset import MoleculeDataset
from molvae.errors import MolvaeError
from molvae.model.cvae import ConditionalVAE


def network(dataset: MoleculeDataset, config: ModelConfig, *, seed: int) -> ConditionalVAE:
    """Return an untrained model with the vocabulary and the properties of a dataset."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return ConditionalVAE(config, len(dataset.vocabulary), len(dataset.normalizer.names))


def begin_from(initial: Mapping[str, Tensor], model: ConditionalVAE) -> None:
    """Load weights into a model.

    Raises:
        MolvaeError: when they belong to another network, naming a weight that tells.
    """
    own = {name: tuple(weight.shape) for name, weight in model.state_dict().items()}
    given = {name: tuple(weight.shape) for name, weight in initial.items()}
    odd = sorted(name for name in own.keys() | given.keys() if own.get(name) != given.get(name))
    if odd:
        raise MolvaeError(
            f"the weights to begin from belong to another network: of {len(own)} weights,"
            f" {len(odd)} differ; {odd[0]} has the shape {given.get(odd[0])} there and"
            f" {own.get(odd[0])} here."
        )
    model.load_state_dict(dict(initial))


def adamw(model: ConditionalVAE, config: TrainConfig) -> torch.optim.AdamW:
    """Return AdamW that decays matrices only: a bias or a norm has no reason to be small."""
    weights = list(model.parameters())
    groups = [
        {"params": [w for w in weights if w.dim() > 1], "weight_decay": config.weight_decay},
        {"params": [w for w in weights if w.dim() <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=(0.9, 0.99))


@torch.no_grad()
def average(
    averaged: Mapping[str, Tensor], model: ConditionalVAE, *, ema: float, step: int
) -> None:
    """Move the averaged weights towards the model's, after step 1, 2, ..."""
    # A young average would remember the random start: the decay grows with the steps.
    decay = min(ema, (1 + step) / (10 + step))
    for name, weight in model.state_dict().items():
        averaged[name].lerp_(weight, 1.0 - decay)
