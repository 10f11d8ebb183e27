"""The state of a training in one file, from which it is resumed."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from molvae.config import RETIRED, check_supported
from molvae.errors import ArtifactError, MolvaeError
from molvae.files import store
from molvae.presets import TABLES
from molvae.train.history import Epoch
from molvae.train.identity import differences
from molvae.train.step import Learner

FORMAT = 1
KIND = "training state"
# Settings of trainings that are older than these options.
BEFORE: dict[str, Any] = {"optimizer": "adamw", "schedule": "cosine", "balance": 0.0}
TERMS = 4  # molecules, reconstruction, KL, property error


@dataclass
class TrainingState:
    """The progress of a training.

    Attributes:
        epoch: epochs finished.
        step: steps taken.
        best: lowest validation loss so far, nats per molecule.
        seconds: spent in the steps of the current epoch.
        sums: molecules and summed loss terms of the current epoch, shape (4,).
        log: the finished epochs.
    """

    epoch: int = 0
    step: int = 0
    best: float = float("inf")
    seconds: float = 0.0
    sums: np.ndarray = field(default_factory=lambda: np.zeros(TERMS))
    log: list[Epoch] = field(default_factory=list)

    @property
    def epochs_since_best(self) -> int:
        """The number of epochs after the best one."""
        losses = [epoch.validation_loss for epoch in self.log]
        return len(losses) - losses.index(self.best) - 1 if self.best in losses else len(losses)

    def is_sound(self, per_epoch: int) -> bool:
        """Return whether the figures agree, with this many steps in an epoch."""
        done = self.step - self.epoch * per_epoch  # steps of the current epoch
        begun = self.seconds > 0 and self.sums[0] > 0
        return 0 <= done <= per_epoch and len(self.log) == self.epoch and (begun or not done)

    def finish_epoch(self, epoch: Epoch) -> None:
        """Add the current epoch to the log and start the next one."""
        self.log.append(epoch)
        self.best = min(self.best, epoch.validation_loss)
        self.epoch += 1
        self.seconds = 0.0
        self.sums = np.zeros(TERMS)


def save_state(
    path: Path, state: TrainingState, learner: Learner, identity: dict[str, Any]
) -> None:
    """Write weights, their average, the optimizer's moments and the progress, atomically.

    Raises:
        MolvaeError: when a number is not finite; the file of the last sound state stays.
    """
    arrays = {
        f"weights.{n}": w.detach().cpu().numpy() for n, w in learner.model.state_dict().items()
    }
    arrays |= {f"averaged.{n}": w.cpu().numpy() for n, w in learner.averaged.items()}
    for number, moments in learner.optimizer.state_dict()["state"].items():
        for name, value in moments.items():
            arrays[f"optimizer.{number}.{name}"] = np.asarray(value.cpu().numpy())
    arrays["sums"] = state.sums
    unsound = [name for name, array in arrays.items() if not np.isfinite(array).all()]
    if unsound:
        raise MolvaeError(
            f"{path}: not saved, because {unsound[0]} is not finite; the state saved before stands."
        )
    plain = {k: v for k, v in asdict(state).items() if k not in ("sums", "log")}
    header = {
        "state": plain | {"best": state.best if np.isfinite(state.best) else None},
        "log": [list(epoch) for epoch in state.log],
        "identity": identity,
        "scaler": learner.precision.scaler.state_dict(),
    }
    store.write(path, arrays, header, kind=KIND, format=FORMAT)


def load_state(path: Path, learner: Learner, identity: dict[str, Any]) -> TrainingState:
    """Load a saved state into a learner, and return the progress.

    Raises:
        ArtifactError: when the file is damaged or foreign.
        MolvaeError: when it belongs to other data or settings, naming the differences.
    """
    arrays, header = store.read(path, kind=KIND, format=FORMAT)
    changed = differences(_identity(path, header), identity)
    if changed:
        raise MolvaeError(
            f"{path}: cannot go on with other data or settings than it was begun with:"
            f" {'; '.join(changed)}. Use the old ones, or train in a new folder."
        )
    try:
        _check_layout(arrays, learner)
        weights = {n: torch.from_numpy(arrays[f"weights.{n}"].copy()) for n in learner.averaged}
        learner.model.load_state_dict(weights)
        for name, target in learner.averaged.items():
            target.copy_(torch.from_numpy(arrays[f"averaged.{name}"].copy()))
        moments = _moments(arrays, len(list(learner.model.parameters())))
        learner.optimizer.load_state_dict({**learner.optimizer.state_dict(), "state": moments})
        if header["scaler"]:
            learner.precision.scaler.load_state_dict(header["scaler"])
        plain = header["state"]
        best = float("inf") if plain["best"] is None else plain["best"]
        return TrainingState(
            **{**plain, "best": best},
            sums=arrays["sums"].copy(),
            log=[Epoch(*row) for row in header["log"]],
        )
    except (KeyError, IndexError, TypeError, ValueError, RuntimeError) as error:
        raise ArtifactError(f"{path}: damaged: {error}") from error


def read_settings(path: Path) -> dict[str, dict[str, Any]]:
    """Return the tables of the configuration that a state was saved under.

    They are part of the state, so that both are always written together.

    Raises:
        ArtifactError: when the file is damaged or foreign.
    """
    identity = _identity(path, store.read_header(path, kind=KIND, format=FORMAT))
    tables = {name: identity.get(name) for name in TABLES}
    if not all(isinstance(table, dict) for table in tables.values()):
        raise ArtifactError(f"{path}: damaged: it does not say what it was trained with.")
    return {name: dict(table or {}) for name, table in tables.items()}


def _identity(path: Path, header: Mapping[str, Any]) -> dict[str, Any]:
    """Return the identity in a header, checked: the file may come from anywhere."""
    identity = header.get("identity")
    if not isinstance(identity, dict):
        raise ArtifactError(f"{path}: damaged: it does not say what it was trained with.")
    train = identity.get("train")
    if not isinstance(train, dict):
        return identity
    check_supported(path, merges=train.get("merges"))
    kept = {key: value for key, value in train.items() if key not in RETIRED}
    return {**identity, "train": BEFORE | kept}


def _check_layout(arrays: Mapping[str, np.ndarray], learner: Learner) -> None:
    """Raise a ValueError for an array of another type or shape than `save_state` gives it."""
    known: dict[str, tuple[str, tuple[int, ...]]] = {"sums": ("float64", (TERMS,))}
    for name, weight in learner.averaged.items():
        shape = tuple(weight.shape)
        known |= {f"{part}.{name}": ("float32", shape) for part in ("weights", "averaged")}
    groups = learner.optimizer.param_groups  # which number the weights
    shapes = [tuple(weight.shape) for group in groups for weight in group["params"]]
    for name, array in arrays.items():
        expected = known.get(name)
        if name.startswith("optimizer."):
            shape = shapes[int(name.split(".")[1])]
            expected = "float32", array.shape if array.size == 1 else shape
        if (array.dtype.name, array.shape) != expected or not np.isfinite(array).all():
            raise ValueError(f"{name:.80}: {array.dtype} of shape {array.shape}, or not finite")


def _moments(arrays: dict[str, np.ndarray], count: int) -> dict[int, dict[str, Tensor]]:
    moments: dict[int, dict[str, Tensor]] = {number: {} for number in range(count)}
    for name, array in arrays.items():
        if name.startswith("optimizer."):
            _, number, moment = name.split(".")
            moments[int(number)][moment] = torch.from_numpy(array.copy())
    return {number: moment for number, moment in moments.items() if moment}
