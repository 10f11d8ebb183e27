"""Two processes on this machine train as one does."""

import os
import signal
import socket
import weakref
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import distributed

from benchmarks.interruptions import ended, in_a_child
from molvae.checkpoint import Checkpoint
from molvae.config import TrainConfig
from molvae.dataset import MoleculeDataset
from molvae.errors import MolvaeError, UsageError
from molvae.presets import Preset
from molvae.train.batches import DrawnBatch
from molvae.train.processes import ALONE, Processes, joined
from molvae.train.trainer import Trainer
from tests import tiny
from tests.train.runs import state_of

# Five batches in an epoch; the last one is a single molecule, so that one process has none of it.
TRAIN = TrainConfig(epochs=2, batch_size=61, learning_rate=0.01, precision="fp32", seed=5)
# Python warns of forking where torch has threads; the child here uses none of theirs.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")


def trainer(
    dataset: MoleculeDataset, run: Path, processes: Processes = ALONE, **more: Any
) -> Trainer:
    return Trainer(dataset, run, Preset(tiny.MODEL, TRAIN), processes=processes, **more)


def first_gradients(made: Trainer) -> np.ndarray:
    """Return the gradients of the first batch as one vector."""
    generator = torch.Generator().manual_seed(1)
    batch, _ = next(made._remaining_batches())
    drawn = DrawnBatch.draw(batch, generator, model=tiny.MODEL)
    made.learner.compute_gradients(drawn, beta=0.7, seed=0)
    return torch.cat([weight.grad.flatten() for weight in made.learner.model.parameters()]).numpy()


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def one_of_two(dataset: MoleculeDataset, run: Path, what: str, rank: int) -> None:
    """Train until the second process stops or dies, then to the end, and write down how it went."""
    signal.alarm(120)  # what waits for the other for ever, ends

    told = outcome_of(run, rank).open("x", buffering=1)

    def say(*words: object) -> None:
        print(*words, file=told)

    def train(processes: Processes) -> None:
        made = trainer(dataset, run, processes)
        np.save(f"{run}.{rank}.npy", first_gradients(made))
        if rank == 1:
            if what == "die":
                made.report = lambda step: os._exit(9) if made.state.step == 3 else None
            made.should_stop = lambda: made.state.step == 3
        try:
            say(made.fit(), made.state.step)
        except MolvaeError as error:
            say(error)
            os._exit(1)
        made = trainer(dataset, run, processes, resume=True)
        say(made.fit(), made.state.step)

    with joined(os.environ, "cpu") as processes:
        group = weakref.ref(distributed.group.WORLD)
        train(processes)
    assert group() is None, "threads of the group outlive it"


def outcome_of(run: Path, rank: int) -> Path:
    return Path(f"{run}.{rank}.txt")


def two_processes(
    dataset: MoleculeDataset, run: Path, what: str, patch: pytest.MonkeyPatch
) -> list[tuple[int, str]]:
    """Train as two processes of one training; return exit codes and words."""
    others = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": free_port()}
    started = []
    for rank in range(2):
        for name, value in {**others, "RANK": f"{rank}", "LOCAL_RANK": f"{rank}"}.items():
            patch.setenv(name, value)
        started.append(in_a_child(partial(one_of_two, dataset, run, what, rank)))
    codes = [ended(child) for child in started]
    return [(code, outcome_of(run, rank).read_text()) for rank, code in enumerate(codes)]


def test_two_processes_train_the_model_of_one(
    drug_dataset: MoleculeDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When one is asked to stop, both do at the same step; later they resume together."""
    alone = trainer(drug_dataset, tmp_path / "one")
    expected = first_gradients(alone)
    results = two_processes(drug_dataset, tmp_path / "two", "stop", monkeypatch)
    assert results == [(0, "False 3\nTrue 10\n")] * 2
    first, second = (np.load(tmp_path / f"two.{rank}.npy") for rank in range(2))
    assert np.linalg.norm(first - expected) < 1e-5 * np.linalg.norm(expected)
    assert first.tobytes() == second.tobytes()
    assert alone.fit()
    one, two = (state_of(tmp_path / run)[0] for run in ("one", "two"))
    for name, array in one.items():  # AdamW divides by small numbers: rounding grows with the steps
        np.testing.assert_allclose(two[name], array, rtol=1e-2, atol=2e-4, err_msg=name)
    losses = [
        Checkpoint.load(tmp_path / run / "model.safetensors").provenance["trained"]
        for run in ("one", "two")
    ]
    assert losses[0]["validation_loss"] == pytest.approx(losses[1]["validation_loss"], rel=1e-4)


def test_death_of_one_process_ends_the_others_with_a_message(
    drug_dataset: MoleculeDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (code, words), (died, _) = two_processes(drug_dataset, tmp_path / "run", "die", monkeypatch)
    assert (code, died) == (1, 9)
    assert words.startswith("process 0 of 2 has lost the others: ")
    assert words.endswith("What was saved last stands; go on with --resume.\n")
    assert state_of(tmp_path / "run")[1]["state"]["step"] == 0


@pytest.mark.parametrize("rows", [0, 1, 2, 7, 512])
@pytest.mark.parametrize("size", [1, 2, 3, 8])
def test_each_row_is_in_one_shard(size: int, rows: int) -> None:
    shards = [Processes(rank, size).shard(rows) for rank in range(size)]
    assert [row for shard in shards for row in range(*shard)] == list(range(rows))
    assert max(end - first for first, end in shards) <= -(-rows // size)


def test_without_torchrun_a_process_is_alone() -> None:
    with joined({}, "cpu") as processes:
        assert processes == ALONE
        assert processes.is_main
        assert processes.any(True)
        assert not processes.any(False)


@pytest.mark.parametrize(
    ("environment", "device", "words"),
    [
        ({"WORLD_SIZE": "two"}, "cpu", "WORLD_SIZE is 'two'"),
        ({"WORLD_SIZE": "2"}, "cpu", "RANK is None in the environment"),
        ({"WORLD_SIZE": "2", "RANK": "0"}, "cpu", "LOCAL_RANK is None"),
        ({"WORLD_SIZE": "2", "RANK": "0", "LOCAL_RANK": "0"}, "cuda:1", "takes its own; say cuda"),
    ],
)
def test_invalid_environment_is_refused(
    environment: dict[str, str], device: str, words: str
) -> None:
    with pytest.raises(UsageError, match=words), joined(environment, device):
        pass
