"""The training loop: a dataset in, a checkpoint, a log and a configuration out."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch.nn.utils import clip_grad_norm_

from molvae.checkpoint import MODEL_FILE
from molvae.config import ModelConfig, TrainConfig, to_toml
from molvae.dataset import MoleculeDataset
from molvae.errors import InputError, MolvaeError
from molvae.model.conditions import hide
from molvae.model.cvae import ConditionalVAE
from molvae.model.losses import Elbo, property_loss, reconstruction_loss, weigh
from molvae.store import write_atomically
from molvae.train.batches import Batch, collate, order
from molvae.train.history import Epoch, write_log
from molvae.train.identity import identity
from molvae.train.package import package
from molvae.train.precision import Precision
from molvae.train.schedules import kl_weight, learning_rate
from molvae.train.state import TrainingState, load_state, save_state

CLOCK = ("molecules_per_second", "seconds")  # columns of the log that no two runs share
LOG_FILE, CONFIG_FILE, STATE_FILE = "log.csv", "config.toml", "state.safetensors"


class Progress(NamedTuple):
    """What a progress bar shows after a step; `seen` counts molecules since the first epoch."""

    epoch: int
    seen: int
    reconstruction: float
    kl: float
    property_error: float


class Trainer:
    """Train one model on one dataset in one run folder.

    The folder holds `model.safetensors` (the best epoch's averaged weights, ready to generate),
    `state.safetensors` (all that is needed to go on), `log.csv` and `config.toml`. Randomness is
    keyed by seed and step, so a resumed training takes the same steps as one never interrupted.

    Args:
        dataset: what to learn from; its training and validation splits are used.
        run: the folder, made when it is not there.
        model: sizes.
        train: how to train.
        device: "cpu", "cuda", "cuda:1".
        initial: weights to begin from, by the names and shapes of this model; random when None.
        resume: go on from the folder's state when there is one; `initial` must be what it was.
        report: called after every step, for a progress bar.
        should_stop: asked after every step; true saves the state and returns.

    Raises:
        InputError: when the dataset has no training or no validation molecules.
        MolvaeError: when the state to resume from belongs to other data or settings, or `initial`
            to another network.
    """

    def __init__(
        self,
        dataset: MoleculeDataset,
        run: Path,
        *,
        model: ModelConfig,
        train: TrainConfig,
        device: str = "cpu",
        initial: Mapping[str, torch.Tensor] | None = None,
        resume: bool = False,
        report: Callable[[Progress], None] = lambda progress: None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self.dataset, self.run, self.config, self.model_config = dataset, run, train, model
        self.device = torch.device(device)
        self.report, self.should_stop = report, should_stop
        self.members = dataset.members("train")
        self.validation = dataset.members("validation")
        if not len(self.members) or not len(self.validation):
            raise InputError(
                f"the dataset has {len(self.members)} training and {len(self.validation)}"
                " validation molecules: both are needed. Prepare it with another --split."
            )
        run.mkdir(parents=True, exist_ok=True)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(train.seed)
            self.model = ConditionalVAE(
                model, len(dataset.vocabulary), len(dataset.normalizer.names)
            )
        if initial is not None:
            _begin_from(initial, self.model)
        self.model.to(self.device)
        self.averaged = {n: p.detach().clone() for n, p in self.model.state_dict().items()}
        self.optimizer = _optimizer(self.model, train)
        self.precision = Precision.choose(train.precision, self.device)
        self.state = TrainingState()
        self.identity = identity(
            dataset, model=model, train=train, precision=self.precision.name, initial=initial
        )
        self.weights = sum(weight.numel() for weight in self.model.parameters())
        self.per_epoch = -(-len(self.members) // train.batch_size)
        if resume and (run / STATE_FILE).is_file():
            self.state = load_state(
                run / STATE_FILE, self.model, self.averaged, self.optimizer, self.identity
            )
            if self.precision.scaler is not None and self.state.scaler:
                self.precision.scaler.load_state_dict(self.state.scaler)

    @property
    def seen(self) -> int:
        """Molecules trained on since the first epoch."""
        return self.state.epoch * len(self.members) + int(self.state.sums[0])

    def fit(self) -> bool:
        """Train to the last epoch; return False when `should_stop` ended it sooner."""
        write_atomically(self.run / CONFIG_FILE, to_toml(self.model_config, self.config).encode())
        if not self.state.step:
            # From the first second on, nothing in the folder is of an older training.
            self._save_state()
            for name in (MODEL_FILE, LOG_FILE):
                (self.run / name).unlink(missing_ok=True)
        saved = time.monotonic()
        while self.state.epoch < self.config.epochs:
            for batch in self._remaining_batches():
                begun = time.monotonic()
                self._step(batch)
                self.state.seconds += time.monotonic() - begun
                stop = self.should_stop()
                if stop or time.monotonic() - saved > self.config.save_every:
                    self._save_state()
                    saved = time.monotonic()
                if stop:
                    return False
            self._finish_epoch()
            self._save_state()
            saved = time.monotonic()
        return True

    def _remaining_batches(self) -> Iterator[Batch]:
        """Yield what is left of the current epoch: all of it, or the rest after a resume."""
        batches = order(
            self.dataset.lengths[self.members],
            self.config.batch_size,
            seed=self.config.seed,
            epoch=self.state.epoch,
        )
        done = self.state.step - self.state.epoch * self.per_epoch
        for positions in batches[done:]:
            yield collate(self.dataset, self.members[positions])

    def _step(self, batch: Batch) -> None:
        progress = self.state.step / (self.per_epoch * self.config.epochs)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.config, progress)
        generator = torch.Generator().manual_seed(_key(self.config.seed, self.state.step))
        self.model.train()
        with (
            _seeded(self.config.seed, self.state.step)
            if self.model_config.dropout
            else nullcontext()
        ):
            elbo = self._elbo(self.model, batch, generator, beta=kl_weight(self.config, progress))
        self._must_be_finite("loss", elbo.loss)
        self.optimizer.zero_grad(set_to_none=True)
        self.precision.backward(elbo.loss, self.optimizer)
        norm = clip_grad_norm_(self.model.parameters(), self.config.clip)
        if self.precision.scaler is None:  # a scaler skips such steps and lowers its scale
            self._must_be_finite("gradient", norm)
        self.precision.step(self.optimizer)
        self.state.step += 1
        self._average()
        self._count(batch, elbo)

    def _must_be_finite(self, name: str, value: torch.Tensor) -> None:
        if not torch.isfinite(value):
            raise MolvaeError(
                f"the {name} is {value.item()} at step {self.state.step}. The last good weights are"
                f" in {self.run / STATE_FILE}; try a smaller --learning-rate, or --precision fp32."
            )

    def _elbo(
        self, model: ConditionalVAE, batch: Batch, generator: torch.Generator, *, beta: float
    ) -> Elbo:
        """Compute a model's loss on a batch with a random subset of its conditions shown."""
        shown = hide(batch.conditions, generator).to(self.device)
        noise = torch.randn(len(batch.ids), self.model_config.latent_size, generator=generator)
        batch = batch.to(self.device)
        with self.precision.autocast():
            posterior = model.encode(batch.ids, batch.lengths)
            z = posterior.sample(noise.to(self.device))
            logits = model.decode(z, shown, batch.ids)
            predicted = model.predict_properties(posterior.mean)
        return weigh(
            reconstruction_loss(logits, batch.ids),
            posterior.kl().sum(dim=1),
            property_loss(predicted, batch.conditions),
            beta=beta,
            free_nats=self.config.free_nats,
            property_weight=self.config.property_weight,
        )

    def _average(self) -> None:
        # A young average would remember the random start: the decay grows with the steps.
        decay = min(self.config.ema, (1 + self.state.step) / (10 + self.state.step))
        with torch.no_grad():
            for name, weight in self.model.state_dict().items():
                self.averaged[name].lerp_(weight, 1.0 - decay)

    def _count(self, batch: Batch, elbo: Elbo) -> None:
        terms = [
            float(t.detach().mean()) for t in (elbo.reconstruction, elbo.kl, elbo.property_error)
        ]
        self.state.sums += np.array([1.0, *terms]) * len(batch.ids)
        self.report(Progress(self.state.epoch, self.seen, *terms))

    def _finish_epoch(self) -> None:
        count, *sums = self.state.sums
        progress = self.state.step / (self.per_epoch * self.config.epochs)
        evaluated = self._averaged_model()
        held_out = self._validate(evaluated)
        reconstruction, kl, error = (float(total / count) for total in sums)
        epoch = Epoch(
            epoch=self.state.epoch + 1,
            step=self.state.step,
            reconstruction=reconstruction,
            kl=kl,
            property_error=error,
            beta=kl_weight(self.config, progress),
            learning_rate=learning_rate(self.config, progress),
            **held_out,
            molecules_per_second=count / self.state.seconds,
            seconds=self.state.seconds,
        )
        self.state.log.append(epoch)
        write_log(self.run / LOG_FILE, self.state.log)
        if epoch.validation_loss < self.state.best:
            self.state.best = epoch.validation_loss
            self._save_model(evaluated, epoch)
        self.state.next_epoch()

    def _averaged_model(self) -> ConditionalVAE:
        model = ConditionalVAE(
            self.model_config, len(self.dataset.vocabulary), len(self.dataset.normalizer.names)
        )
        model.load_state_dict(self.averaged)
        return model.to(self.device).eval()

    @torch.no_grad()
    def _validate(self, model: ConditionalVAE) -> dict[str, float]:
        """Return a model's validation losses, as in training: a random subset of conditions, one z.

        Both are the same in every epoch.
        """
        generator = torch.Generator().manual_seed(self.config.seed)
        sums = np.zeros(4)
        for begin in range(0, len(self.validation), 500):
            batch = collate(self.dataset, self.validation[begin : begin + 500])
            elbo = self._elbo(model, batch, generator, beta=self.config.beta)
            parts = [elbo.reconstruction, elbo.kl, elbo.property_error]
            sums += np.array([len(batch.ids), *(float(part.sum()) for part in parts)])
        count, reconstruction, kl, error = sums
        config = self.config
        loss = reconstruction / count + config.beta * max(kl / count, config.free_nats)
        return {
            "validation_reconstruction": reconstruction / count,
            "validation_kl": kl / count,
            "validation_property_error": error / count,
            "validation_loss": loss + config.property_weight * error / count,
        }

    def _save_model(self, model: ConditionalVAE, epoch: Epoch) -> None:
        # What the clock said stays in the log: the same training gives the same file.
        log = [
            {name: value for name, value in row._asdict().items() if name not in CLOCK}
            for row in self.state.log
        ]
        trained = {"precision": self.precision.name, "device": self.device.type, **log[-1]}
        checkpoint = package(model, self.dataset, train=self.config, trained=trained, log=log)
        checkpoint.save(self.run / MODEL_FILE)

    def _save_state(self) -> None:
        if self.precision.scaler is not None:
            self.state.scaler = self.precision.scaler.state_dict()
        save_state(
            self.run / STATE_FILE,
            self.state,
            self.model,
            self.averaged,
            self.optimizer,
            self.identity,
        )


def _begin_from(initial: Mapping[str, torch.Tensor], model: ConditionalVAE) -> None:
    own = {name: tuple(weight.shape) for name, weight in model.state_dict().items()}
    given = {name: tuple(weight.shape) for name, weight in initial.items()}
    odd = sorted(name for name in own.keys() | given.keys() if own.get(name) != given.get(name))
    if odd:
        raise MolvaeError(
            f"the weights to begin from belong to another network: {odd[0]} is of shape"
            f" {given.get(odd[0])} there, {own.get(odd[0])} here, and {len(odd) - 1} others differ."
        )
    model.load_state_dict(dict(initial))


def _optimizer(model: ConditionalVAE, config: TrainConfig) -> torch.optim.AdamW:
    """Return AdamW that decays matrices only: a bias or a norm has no reason to be small."""
    weights = list(model.parameters())
    groups = [
        {"params": [w for w in weights if w.dim() > 1], "weight_decay": config.weight_decay},
        {"params": [w for w in weights if w.dim() <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=(0.9, 0.99))


def _key(seed: int, step: int) -> int:
    """Return one number for (seed, step), distinct noise for each."""
    return int(np.random.SeedSequence((seed, step)).generate_state(1, np.uint64)[0] >> 1)


@contextmanager
def _seeded(seed: int, step: int) -> Iterator[None]:
    """Key dropout's noise by step too: torch draws it from the global generator only."""
    with torch.random.fork_rng():
        torch.manual_seed(_key(seed, step))
        yield
