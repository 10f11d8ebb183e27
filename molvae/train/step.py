"""A training step: batch -> loss -> gradients -> weights -> their moving average."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from molvae.config import ModelConfig
from molvae.dataset import MoleculeDataset
from molvae.errors import MolvaeError
from molvae.model.cvae import ConditionalVAE
from molvae.model.latent import corrupt
from molvae.model.losses import Elbo, property_loss, reconstruction_loss
from molvae.presets import Preset
from molvae.train.batches import Batch, DrawnBatch
from molvae.train.optimizer import kl_weight, learning_rate, make_optimizer, update_ema
from molvae.train.precision import Precision
from molvae.train.processes import ALONE, Processes


class Learner:
    """A model in training: its weights, their moving average and the optimizer.

    Args:
        dataset: its vocabulary and its properties determine the sizes of input and output.
        settings: sizes of the model, and how to train it.
        initial: weights to start from; random when None.
        processes: the processes that share each batch; with the device of this one.
        notice: called with a text when the device's memory is too small for a batch.

    Raises:
        MolvaeError: when `initial` belongs to another network.
        UsageError: when the device does not support the precision.
    """

    def __init__(
        self,
        dataset: MoleculeDataset,
        settings: Preset,
        *,
        initial: Mapping[str, Tensor] | None = None,
        processes: Processes = ALONE,
        notice: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.dataset, self.config = dataset, settings.train
        self.processes, self.notice = processes, notice
        self.precision = Precision.choose(self.config.precision, processes.device)
        self.model = untrained(dataset, settings.model, seed=self.config.seed)
        if initial is not None:
            _load_initial(self.model, initial)
        self.model.to(self.precision.device)
        self.averaged = {n: w.detach().clone() for n, w in self.model.state_dict().items()}
        self.optimizer = make_optimizer(self.model, self.config, self.precision.products)
        self.pieces = self.config.accumulate

    def step(
        self, batch: Batch, *, number: int, progress: float, shares: Tensor | None = None
    ) -> np.ndarray:
        """Take one step, which depends on the seed and its number, not on earlier random numbers.

        Args:
            batch: the molecules of all processes.
            number: steps taken before.
            progress: of the training, 0 to 1.
            shares: as of a `DrawnBatch`.

        Returns:
            The sums of `Elbo.sums` over the batch, float64, shape (4,).

        Raises:
            MolvaeError: when the loss or the gradient is not finite; the weights stay unchanged.
        """
        seed, beta = derived_seed(self.config.seed, number), kl_weight(self.config, progress)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.config, progress)
        drawn = DrawnBatch.draw(
            batch,
            torch.Generator().manual_seed(seed),
            model=self.model.config,
            groups=self.dataset.normalizer.groups,
            shares=shares,
        )
        self.model.train()
        sums = self.compute_gradients(drawn, beta=beta, seed=seed)
        mean = Elbo.of_sums(sums).loss(self.config, beta=beta)
        self.check_finite("loss", float(mean), number)
        scaler = self.precision.scaler
        scaler.unscale_(self.optimizer)
        norm = clip_grad_norm_(self.model.parameters(), self.config.clip)
        if not scaler.is_enabled():  # an enabled one skips such steps and lowers its scale
            self.check_finite("gradient", float(norm), number)
        scaler.step(self.optimizer)
        scaler.update()
        update_ema(self.averaged, self.model, decay=self.config.ema, steps=number + 1)
        return sums.numpy()

    def compute_gradients(self, batch: DrawnBatch, *, beta: float, seed: int) -> Tensor:
        """Compute in `.grad` the gradient of the mean loss over the whole batch.

        The result does not depend on how many processes share the batch, which is on the CPU, nor
        on the pieces that each process divides its part into. Only the noise of dropout differs.

        Returns:
            The sums of `Elbo.sums` over the batch, float64, shape (4,), on the CPU.

        Raises:
            MolvaeError: when a single molecule does not fit, or another process is gone.
        """
        first, end = self.processes.shard(len(batch.ids))
        mean_kl = _MeanKl(self.processes, len(batch.ids))
        before = self.pieces
        while (sums := self._accumulate(batch, first, end, beta, mean_kl, seed)) is None:
            if self.pieces >= end - first:
                raise MolvaeError(
                    f"{self.precision.device}: out of memory for a single molecule. Take a smaller"
                    " model, or --device cpu."
                )
            self.pieces = min(2 * self.pieces, end - first)
            torch.cuda.empty_cache()
        if self.pieces != before:
            self.notice(
                f"{self.precision.device} has no memory for {-(-(end - first) // before):,}"
                f" molecules at once: each step takes {self.pieces} pieces from now on. The"
                f" gradients are the same; --accumulate {self.pieces} begins like this."
            )
        self.processes.all_reduce_gradients(self.model)
        self.processes.all_reduce(sums)
        return sums.cpu()

    def _accumulate(
        self, batch: DrawnBatch, first: int, end: int, beta: float, mean_kl: "_MeanKl", seed: int
    ) -> Tensor | None:
        """Pass rows forwards and backwards, piece by piece; None when the memory is too small."""
        model, precision = self.model, self.precision
        model.zero_grad(set_to_none=True)
        sums = torch.zeros(4, dtype=torch.float64, device=precision.device)
        pieces = list(batch.rows(first, end).to(precision.device).pieces(self.pieces))
        try:
            if len(pieces) != 1:  # the mean KL is needed before the first backward pass
                known = [encoder_kl(model, piece, precision).sum() for piece in pieces]
                mean_kl.over_processes(sum(known, start=sums.new_zeros(())))
            for number, piece in enumerate(pieces):
                with _seeded((seed, first, number), model.config.dropout, precision.device):
                    terms = elbo(model, piece, precision)
                mean = mean_kl.over_processes(terms.kl.detach().sum())
                part = terms.loss(self.config, beta=beta, mean_kl=mean)
                scaled = precision.scaler.scale(part * (len(piece.ids) / len(batch.ids)))
                scaled.backward()  # type: ignore[no-untyped-call]
                sums += terms.sums()
        except torch.OutOfMemoryError:
            return None  # by then nothing holds on to the memory of the failed pass
        return sums

    def averaged_model(self) -> ConditionalVAE:
        """Return a model of the averaged weights, in evaluation mode."""
        model = untrained(self.dataset, self.model.config, seed=self.config.seed)
        model.load_state_dict(self.averaged)
        return model.to(self.precision.device).eval()

    def check_finite(self, name: str, value: float, step: int) -> None:
        """Check that a number is finite.

        Raises:
            MolvaeError: naming the settings that help, with which a training cannot be resumed.
        """
        if not np.isfinite(value):
            exact = "" if self.precision.name == "fp32" else " or with --precision fp32"
            raise MolvaeError(
                f"the {name} is {value} at step {step}. What was saved last is sound; train in a"
                f" new folder with a smaller --learning-rate{exact}, from the beginning or with"
                " --init from the best epoch of this one."
            )


def elbo(model: ConditionalVAE, batch: DrawnBatch, precision: Precision) -> Elbo:
    """Return the ELBO's terms of molecules; all is on the model's device."""
    with precision.autocast():
        posterior = model.encode(batch.ids, batch.lengths)
        z = corrupt(posterior.sample(batch.noise), batch.blended, batch.level)
        logits = model.decode(z, batch.shown, batch.ids, batch.level)
        predicted = model.predict_properties(posterior.mean)
    return Elbo(
        reconstruction_loss(logits, batch.ids),
        posterior.kl().sum(dim=1),
        property_loss(predicted, batch.conditions) * batch.shares,
    )


@torch.no_grad()
def encoder_kl(model: ConditionalVAE, batch: DrawnBatch, precision: Precision) -> Tensor:
    """Return each molecule's KL, nats, shape (B,), without a pass through the decoder."""
    with precision.autocast():
        return model.encode(batch.ids, batch.lengths).kl().sum(dim=1)


class _MeanKl:
    """The mean KL of a batch, computed once by all processes together.

    The free nats are compared with the mean over the batch, which no piece of it knows. The mean
    is kept, since a process that runs out of memory tries again while the others continue.
    """

    def __init__(self, processes: Processes, rows: int) -> None:
        self.processes, self.rows = processes, rows
        self.mean: Tensor | None = None

    def over_processes(self, kl_sum: Tensor) -> Tensor:
        """Return the mean; `kl_sum`, over this process's rows, is used the first time only."""
        if self.mean is None:
            total = kl_sum.double().reshape(1)
            self.processes.all_reduce(total)
            self.mean = total[0] / self.rows
        return self.mean


def untrained(dataset: MoleculeDataset, config: ModelConfig, *, seed: int) -> ConditionalVAE:
    """Return an untrained model with the vocabulary and the properties of a dataset."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return ConditionalVAE(config, len(dataset.vocabulary), len(dataset.normalizer.names))


def derived_seed(*key: int) -> int:
    """Return one seed for several numbers; a last 0 counts as none."""
    return int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0] >> 1)


def _load_initial(model: ConditionalVAE, initial: Mapping[str, Tensor]) -> None:
    own = {name: tuple(weight.shape) for name, weight in model.state_dict().items()}
    given = {name: tuple(weight.shape) for name, weight in initial.items()}
    odd = sorted(name for name in own.keys() | given.keys() if own.get(name) != given.get(name))
    if odd:
        raise MolvaeError(
            f"the initial weights belong to another network: {len(odd)} of {len(own)} weights"
            f" differ; {odd[0]} has the shape {given.get(odd[0])} there and {own.get(odd[0])} here."
        )
    model.load_state_dict(dict(initial))


@contextmanager
def _seeded(key: tuple[int, ...], dropout: float, device: torch.device) -> Iterator[None]:
    """Seed the noise of dropout: torch draws it from the global generator only."""
    if not dropout:
        yield
        return
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(derived_seed(*key))
        yield
