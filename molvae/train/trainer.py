"""The training loop: from a dataset to a checkpoint, a log and a configuration."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from molvae.arguments import as_path, of_kind
from molvae.checkpoint import MODEL_FILE, Checkpoint
from molvae.config import check
from molvae.dataset import MoleculeDataset
from molvae.errors import ArtifactError, InputError, MolvaeError
from molvae.files.atomic import write_atomically
from molvae.model.cvae import ConditionalVAE
from molvae.presets import Preset, to_toml
from molvae.train.balance import repeats
from molvae.train.batches import Batch, collate, order
from molvae.train.evaluation import Interrupted, Validation, interruptible, validate
from molvae.train.folder import (
    CONFIG_FILE,
    EVENTS_FOLDER,
    LOG_FILE,
    STATE_FILE,
    lock_run,
    require_space,
)
from molvae.train.history import Epoch, events, remove_events, require_tensorboard, write_log
from molvae.train.identity import identity
from molvae.train.optimizer import kl_weight, learning_rate
from molvae.train.package import build_checkpoint
from molvae.train.priors import fit_prior
from molvae.train.processes import ALONE, Processes
from molvae.train.state import TrainingState, load_state, save_state
from molvae.train.step import Learner

OF_A_PRIOR = ("measured", "defaults")  # provenance that depends on the prior


class Progress(NamedTuple):
    """The figures of a progress bar; `seen` counts molecules since the first epoch."""

    epoch: int
    seen: int
    reconstruction: float
    kl: float
    property_error: float


class Trainer:
    """Train one model on one dataset in one run folder.

    The folder holds `model.safetensors` (the best epoch's averaged weights, ready to generate),
    `state.safetensors` (to resume from), `log.csv` and `config.toml`. Random numbers depend on seed
    and step, so that a resumed training takes the same steps as one without interruption.

    Args:
        dataset: its training and validation splits are used.
        run: the folder, made when it is not there.
        settings: sizes of the model, how to train it, and its prior.
        initial: model to start from, with the names and shapes of this one's weights; random
            weights when None. The molecules of its index are not novel to the new model either.
        resume: continue from the folder's state, if any; `initial` must be the same as before.
        tensorboard: write the log for TensorBoard too, in the folder's `tensorboard`.
        processes: the processes that share this training, with a common folder, and the device.
        report: called after every step, for a progress bar.
        notice: called with texts that need no action of the user.
        should_stop: called after every step, and often at the end of an epoch; when it returns
            true, the state is saved and `fit` returns.

    Raises:
        UsageError: for a setting out of its range.
        InputError: when the dataset has no training or no validation molecules.
        MolvaeError: when the state to resume from belongs to other data or settings, or `initial`
            to another network.
    """

    def __init__(
        self,
        dataset: MoleculeDataset,
        run: str | Path,
        settings: Preset,
        *,
        initial: Checkpoint | None = None,
        resume: bool = False,
        tensorboard: bool = False,
        processes: Processes = ALONE,
        report: Callable[[Progress], None] = lambda progress: None,
        notice: Callable[[str], None] = lambda text: None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> None:
        dataset, run = of_kind("dataset", dataset, MoleculeDataset), as_path("run", run)
        model, train, prior = of_kind("settings", settings, Preset)
        settings = Preset(check(model), check(train), check(prior))
        self.run, self.settings, self.config = run, settings, settings.train
        self.report, self.should_stop, self.tensorboard = report, should_stop, tensorboard
        self.processes, self.device = processes, processes.device
        self.earlier = initial.index if initial else None
        if lacking := dataset.lacks():
            raise InputError(lacking)
        training = dataset.members("train")
        times = repeats(dataset, training, share=self.config.balance)
        self.members = np.repeat(training, times)  # the draws of an epoch
        self.shares = torch.from_numpy(np.repeat(1.0 / times, times).astype(np.float32))
        if tensorboard:
            require_tensorboard()
        self.dataset = dataset
        weights = initial.model.state_dict() if initial else None
        self.learner = Learner(
            dataset, settings, initial=weights, processes=processes, notice=notice
        )
        self.precision = self.learner.precision
        self.identity = identity(
            dataset, settings=settings, precision=self.precision.name, initial=weights
        )
        self.weights = sum(weight.numel() for weight in self.learner.model.parameters())
        self.per_epoch = -(-len(self.members) // self.config.batch_size)
        self.state = TrainingState()
        if resume and (run / STATE_FILE).is_file():
            self.state = load_state(run / STATE_FILE, self.learner, self.identity)
            if not self.state.is_sound(self.per_epoch):
                raise ArtifactError(f"{run / STATE_FILE}: damaged: epochs and steps disagree.")

    @property
    def seen(self) -> int:
        """Molecules trained on since the first epoch."""
        return self.state.epoch * len(self.members) + int(self.state.sums[0])

    @property
    def finished(self) -> bool:
        """Whether the last epoch is done, or patience has run out."""
        without = self.state.epochs_since_best
        return self.state.epoch >= self.config.epochs or 0 < self.config.patience <= without

    def fit(self) -> bool:
        """Train to the end; return False when `should_stop` ended it sooner, with the state saved.

        Raises:
            MolvaeError: when another process trains in the folder, when the disk or the memory is
                too small, or when the loss is not finite. The last saved state stays.
        """
        with lock_run(self.run) if self.processes.is_main else nullcontext():
            try:
                self._begin()
                with self._events() as record:
                    finished = self._train(record)
                if finished and self.processes.is_main:
                    self._fit_prior()
            except torch.OutOfMemoryError as error:
                raise MolvaeError(
                    f"{self.device} is out of memory; the last save is {self.run / STATE_FILE}."
                    " Close what else runs there, or take a smaller model."
                ) from error
            # Where one process ends, torchrun ends the others: none goes before all is written.
            self.processes.any(False)
            return finished

    def _begin(self) -> None:
        """Bring the folder's files to the present state, whatever an older training left."""
        if not self.processes.all_equal(self.state.step):
            raise MolvaeError(
                f"{self.run}: the processes find different states in it. It has to be a folder"
                " that all of them share."
            )
        if not self.processes.is_main:
            return
        if not self.finished:
            require_space(self.run, weights=self.weights, molecules=len(self.members))
        if self.state.step:
            write_log(self.run / LOG_FILE, self.state.log)
        else:  # from the first second on, nothing in the folder is of an older training
            self._save_state()
            for name in (MODEL_FILE, LOG_FILE):
                (self.run / name).unlink(missing_ok=True)
            remove_events(self.run / EVENTS_FOLDER)
        write_atomically(self.run / CONFIG_FILE, to_toml(self.settings).encode())

    def _events(self) -> AbstractContextManager[Callable[[Epoch], None]]:
        if self.tensorboard and self.processes.is_main:
            return events(self.run / EVENTS_FOLDER, self.state.log)
        return nullcontext(lambda epoch: None)

    def _train(self, record: Callable[[Epoch], None]) -> bool:
        saved = time.monotonic()
        while not self.finished:
            for batch, shares in self._remaining_batches():
                begun = time.monotonic()
                self._step(batch, shares)
                self.state.seconds += time.monotonic() - begun
                stop = self.processes.any(self.should_stop())
                if stop or time.monotonic() - saved > self.config.save_every:
                    self._save_state()
                    saved = time.monotonic()
                if stop:
                    return False
            completed = self._finish_epoch(record)
            self._save_state()
            saved = time.monotonic()
            if not completed:
                return False
        return True

    def _remaining_batches(self) -> Iterator[tuple[Batch, Tensor]]:
        """Yield the remaining batches of the current epoch, and the shares of their molecules."""
        batches = order(
            self.dataset.lengths[self.members],
            self.config.batch_size,
            seed=self.config.seed,
            epoch=self.state.epoch,
        )
        done = self.state.step - self.state.epoch * self.per_epoch
        for positions in batches[done:]:
            yield collate(self.dataset, self.members[positions]), self.shares[positions]

    def _step(self, batch: Batch, shares: Tensor) -> None:
        progress = self._progress()
        sums = self.learner.step(batch, number=self.state.step, progress=progress, shares=shares)
        self.state.step += 1
        self.state.sums += sums
        self.report(Progress(self.state.epoch, self.seen, *(sums[1:] / sums[0]).tolist()))

    def _progress(self) -> float:
        """The progress of the training, 0 to 1."""
        return self.state.step / (self.per_epoch * self.config.epochs)

    def _finish_epoch(self, record: Callable[[Epoch], None]) -> bool:
        """Validate the epoch and save its model when it is the best; False when asked to stop.

        Nothing changes before the evaluation is complete, so that a training stopped or killed here
        repeats it after a resume, with the same result. For the same reason the model and the log
        are written before the state.
        """
        model = self.learner.averaged_model()
        checkpoint, interrupted = None, False
        with interruptible(model, self.should_stop):
            held_out = validate(
                model,
                self.dataset,
                config=self.config,
                precision=self.precision,
                processes=self.processes,
                pieces=self.learner.pieces,
            )
            if held_out is None:
                return False
            epoch = self._row(held_out)
            self.learner.check_finite("validation loss", epoch.validation_loss, self.state.step)
            try:
                if epoch.validation_loss < self.state.best and self.processes.is_main:
                    checkpoint = self._package(model, epoch)
            except Interrupted:
                interrupted = True
        if self.processes.any(interrupted):
            return False
        self.state.finish_epoch(epoch)
        if self.processes.is_main:
            write_log(self.run / LOG_FILE, self.state.log)
            record(epoch)
        if checkpoint is not None:
            checkpoint.save(self.run / MODEL_FILE)
        return True

    def _fit_prior(self) -> None:
        """Replace the best model's prior where the settings name another kind."""
        checkpoint = Checkpoint.load(self.run / MODEL_FILE, self.device)
        if checkpoint.prior.config == self.settings.prior:
            return
        prior = fit_prior(
            checkpoint.model, self.dataset, self.settings.prior, seed=self.config.seed
        )
        kept = {k: v for k, v in checkpoint.provenance.items() if k not in OF_A_PRIOR}
        replace(checkpoint, prior=prior, provenance=kept).save(self.run / MODEL_FILE)

    def _row(self, held_out: Validation) -> Epoch:
        count, *sums = self.state.sums
        reconstruction, kl, error = (float(total / count) for total in sums)
        return Epoch(
            epoch=self.state.epoch + 1,
            step=self.state.step,
            reconstruction=reconstruction,
            kl=kl,
            property_error=error,
            beta=kl_weight(self.config, self._progress()),
            learning_rate=learning_rate(self.config, self._progress()),
            **held_out._asdict(),
            molecules_per_second=count / self.state.seconds,
            seconds=self.state.seconds,
        )

    def _package(self, model: ConditionalVAE, epoch: Epoch) -> Checkpoint:
        # Times stay in the log: the same training gives the same file.
        log = [row.timeless() for row in [*self.state.log, epoch]]
        trained = {"precision": self.precision.name, "device": self.device.type, **log[-1]}
        return build_checkpoint(
            model,
            self.dataset,
            train=self.config,
            trained=trained,
            log=log,
            earlier=self.earlier,
        )

    def _save_state(self) -> None:
        if self.processes.is_main:
            save_state(self.run / STATE_FILE, self.state, self.learner, self.identity)
