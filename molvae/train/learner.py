"""What learns: the weights, their moving average, and the optimizer that moves them."""

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from molvae.config import ModelConfig, TrainConfig
from molvae.dataset import MoleculeDataset
from molvae.errors import MolvaeError
from molvae.model.cvae import ConditionalVAE
from molvae.train.averaging import follow
from molvae.train.batches import Batch
from molvae.train.evaluation import loss_of
from molvae.train.gradients import Gradients
from molvae.train.objective import DrawnBatch, one_seed
from molvae.train.optimizer import optimizer_for
from molvae.train.precision import Precision
from molvae.train.processes import ALONE, Processes
from molvae.train.schedules import kl_weight, learning_rate


class Learner:
    """A model in training. A step is decided by seed and number, not by the steps before it.

    Args:
        dataset: its vocabulary and properties give the model its ends.
        model: sizes.
        train: how to train.
        device: "cpu", "cuda", "cuda:1".
        initial: weights to begin from; random when None.
        processes: those that share each batch.
        notice: told when the device's memory asks for smaller pieces.

    Raises:
        MolvaeError: when `initial` belongs to another network.
        UsageError: when the device has no such precision.
    """

    def __init__(
        self,
        dataset: MoleculeDataset,
        *,
        model: ModelConfig,
        train: TrainConfig,
        device: str = "cpu",
        initial: Mapping[str, Tensor] | None = None,
        processes: Processes = ALONE,
        notice: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.dataset, self.config = dataset, train
        self.precision = Precision.choose(train.precision, torch.device(device))
        self.model = network(dataset, model, seed=train.seed)
        if initial is not None:
            _begin_from(initial, self.model)
        self.model.to(self.precision.device)
        self.averaged = {n: w.detach().clone() for n, w in self.model.state_dict().items()}
        self.optimizer = optimizer_for(self.model, train, self.precision.products)
        self.gradients = Gradients(
            self.model, config=train, precision=self.precision, processes=processes, notice=notice
        )

    def step(self, batch: Batch, *, number: int, progress: float) -> np.ndarray:
        """Take one step.

        Args:
            batch: the molecules of all processes.
            number: steps taken before.
            progress: how far the schedules are, 0 to 1.

        Returns:
            Molecules, and the sums of the three terms over them, float64, shape (4,).

        Raises:
            MolvaeError: when loss or gradient is no number; the weights are then as before.
        """
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.config, progress)
        beta, seed = kl_weight(self.config, progress), one_seed(self.config.seed, number)
        drawn = DrawnBatch.draw(
            batch,
            torch.Generator().manual_seed(seed),
            model=self.model.config,
            groups=self.dataset.normalizer.groups,
        )
        self.model.train()
        sums = self.gradients.compute(drawn, beta=beta, seed=seed)
        loss = loss_of(sums[1:] / sums[0], self.config, beta=beta)
        must_be_finite("loss", loss, number, precision=self.precision.name)
        self.precision.unscale(self.optimizer)
        norm = clip_grad_norm_(self.model.parameters(), self.config.clip)
        if self.precision.scaler is None:  # a scaler skips such steps and lowers its scale
            must_be_finite("gradient", float(norm), number, precision=self.precision.name)
        self.precision.step(self.optimizer)
        follow(self.averaged, self.model, decay=self.config.ema, steps=number + 1)
        return sums

    def averaged_model(self) -> ConditionalVAE:
        """Return a model of the averaged weights, in evaluation mode."""
        model = network(self.dataset, self.model.config, seed=self.config.seed)
        model.load_state_dict(self.averaged)
        return model.to(self.precision.device).eval()


def network(dataset: MoleculeDataset, config: ModelConfig, *, seed: int) -> ConditionalVAE:
    """Return an untrained model with the vocabulary and the properties of a dataset."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return ConditionalVAE(config, len(dataset.vocabulary), len(dataset.normalizer.names))


def must_be_finite(name: str, value: float, step: int, *, precision: str) -> None:
    """Refuse a number that is none.

    Raises:
        MolvaeError: with what helps: other settings, which a training cannot be resumed with.
    """
    if not np.isfinite(value):
        exact = "" if precision == "fp32" else " or with --precision fp32"
        raise MolvaeError(
            f"the {name} is {value} at step {step}. What was saved last is sound; train in a new"
            f" folder with a smaller --learning-rate{exact}, from the beginning or with --init from"
            " the best epoch of this one."
        )


def _begin_from(initial: Mapping[str, Tensor], model: ConditionalVAE) -> None:
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
