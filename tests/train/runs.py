"""Trainings of a second, and a comparison of two of them."""

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from molvae.config import ModelConfig, PriorConfig, TrainConfig
from molvae.dataset import MoleculeDataset
from molvae.files import store
from molvae.presets import Preset
from molvae.train.history import CLOCK, Epoch
from molvae.train.trainer import Trainer
from tests import tiny

# Two layers, so that dropout and its noise count; 4 steps in an epoch.
MODEL = replace(tiny.MODEL, decoder_layers=2, dropout=0.2)
TRAIN = TrainConfig(epochs=3, batch_size=64, learning_rate=0.01, precision="fp32", seed=7)
PRIOR = PriorConfig()


def trainer(
    dataset: MoleculeDataset,
    run: Path,
    *,
    model: ModelConfig = MODEL,
    train: TrainConfig = TRAIN,
    prior: PriorConfig = PRIOR,
    stop_after: int | None = None,
    **more: Any,
) -> Trainer:
    """Return a trainer that is asked to stop after so many steps of its own."""
    made = Trainer(dataset, run, Preset(model, train, prior), **more)
    begun = made.state.step

    def should_stop() -> bool:
        return stop_after is not None and made.state.step - begun >= stop_after

    made.should_stop = should_stop
    return made


def state_of(run: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Return what a state holds, arrays and header."""
    return store.read(run / "state.safetensors", kind="training state", format=1)


def untimed(log: list[list[float]]) -> list[dict[str, float]]:
    """Return the log of a state without what the clock said."""
    rows = [zip(Epoch._fields, row, strict=True) for row in log]
    return [{name: value for name, value in row if name not in CLOCK} for row in rows]


def rows_of(run: Path) -> list[dict[str, str]]:
    """Return the rows of log.csv without what the clock said."""
    with (run / "log.csv").open(newline="") as file:
        return [{k: v for k, v in row.items() if k not in CLOCK} for row in csv.DictReader(file)]


def assert_same(one: Path, other: Path) -> None:
    """Compare weights, average, moments, logs and the model's file of two runs bit by bit."""
    (first, there), (second, here) = state_of(one), state_of(other)
    assert first.keys() == second.keys()
    for name in first:
        assert first[name].tobytes() == second[name].tobytes(), name
    assert untimed(there["log"]) == untimed(here["log"])
    assert {**there["state"], "seconds": 0} == {**here["state"], "seconds": 0}
    assert rows_of(one) == rows_of(other)
    assert (one / "model.safetensors").read_bytes() == (other / "model.safetensors").read_bytes()
