"""The validation loss, at the end of an epoch."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import nn

from molvae.config import TrainConfig
from molvae.dataset import MoleculeDataset
from molvae.model.cvae import ConditionalVAE
from molvae.model.losses import Elbo
from molvae.train.batches import DrawnBatch, collate
from molvae.train.precision import Precision
from molvae.train.processes import Processes
from molvae.train.step import elbo

BATCH = 500  # molecules whose randomness is drawn together


class Interrupted(Exception):
    """An evaluation was asked to stop."""


@contextmanager
def interruptible(model: ConditionalVAE, should_stop: Callable[[], bool]) -> Iterator[None]:
    """Call `should_stop` in each pass through the model.

    An evaluation spends its time in passes, so that it ends within one, and its functions need no
    argument for that.

    Raises:
        Interrupted: when it returned true.
    """

    def ask(module: nn.Module, inputs: object) -> None:
        if should_stop():
            raise Interrupted

    # The decoder's output comes at the end of a pass, and of every step where strings are written.
    parts = (model.encoder, model.decoder.output)
    hooks = [part.register_forward_pre_hook(ask) for part in parts]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


class Validation(NamedTuple):
    """Losses of held-out molecules, nats per molecule, named as in the log."""

    validation_reconstruction: float
    validation_kl: float
    validation_property_error: float
    validation_loss: float


@torch.no_grad()
def validate(
    model: ConditionalVAE,
    dataset: MoleculeDataset,
    *,
    config: TrainConfig,
    precision: Precision,
    processes: Processes,
    pieces: int,
) -> Validation | None:
    """Return the validation losses of an `interruptible` model in evaluation mode.

    As in training, each molecule has one code and a random subset of its conditions; both are the
    same in every epoch. Each process takes its share of the molecules, in so many pieces a batch.

    Returns:
        None when any process was asked to stop.
    """
    members = dataset.members("validation")
    generator = torch.Generator().manual_seed(config.seed)
    sums = torch.zeros(4, dtype=torch.float64, device=precision.device)
    interrupted = False
    try:
        for begin in range(0, len(members), BATCH):
            batch = collate(dataset, members[begin : begin + BATCH])
            groups = dataset.normalizer.groups
            drawn = DrawnBatch.draw(batch, generator, model=model.config, groups=groups)
            mine = drawn.rows(*processes.shard(len(batch.ids))).to(precision.device)
            for piece in mine.pieces(pieces):
                sums += elbo(model, piece, precision).sums()
    except Interrupted:
        interrupted = True
    if processes.any(interrupted):
        return None
    processes.all_reduce(sums)
    means = Elbo.of_sums(sums.cpu())
    reconstruction, kl, error = map(float, means)
    return Validation(reconstruction, kl, error, float(means.loss(config, beta=config.beta)))
