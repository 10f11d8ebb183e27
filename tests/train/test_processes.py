"""Two processes on this machine train as one does."""

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from molvae.checkpoint import Checkpoint
from molvae.config import TrainConfig
from molvae.dataset import MoleculeDataset
from molvae.errors import UsageError
from molvae.presets import Preset
from molvae.train.batches import DrawnBatch
from molvae.train.processes import ALONE, Processes, joined
from molvae.train.trainer import Trainer
from tests import tiny
from tests.train.runs import state_of

ROOT = Path(__file__).parents[2]
# Five batches in an epoch; the last one is a single molecule, so that one process has none of it.
TRAIN = TrainConfig(epochs=2, batch_size=61, learning_rate=0.01, precision="fp32", seed=5)

SCRIPT = """
import os, sys, weakref
from pathlib import Path
import numpy as np
from molvae.dataset import MoleculeDataset
from molvae.errors import MolvaeError
from molvae.train.processes import joined
from tests.train import test_processes as shared
from torch import distributed

dataset, run, what = MoleculeDataset.load(Path(sys.argv[1])), Path(sys.argv[2]), sys.argv[3]
def train(processes):
    trainer = shared.trainer(dataset, run, processes)
    np.save(f"{run}.{processes.rank}.npy", shared.first_gradients(trainer))
    if processes.rank == 1:
        if what == "die":
            trainer.report = lambda step: os._exit(9) if trainer.state.step == 3 else None
        trainer.should_stop = lambda: trainer.state.step == 3
    try:
        print(trainer.fit(), trainer.state.step, flush=True)
    except MolvaeError as error:
        print(error, flush=True)
        os._exit(1)
    trainer = shared.trainer(dataset, run, processes, resume=True)
    print(trainer.fit(), trainer.state.step, flush=True)

with joined(os.environ, "cpu") as processes:
    made = weakref.ref(distributed.group.WORLD)
    train(processes)
assert made() is None, "threads of the group outlive it"
"""


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


def two_processes(dataset: Path, run: Path, what: str) -> list[tuple[int, str]]:
    """Run the script twice, as two processes of one training; return exit codes and words."""
    others = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": free_port()}
    started = [
        subprocess.Popen(
            [sys.executable, "-c", SCRIPT, dataset, run, what],
            env={**os.environ, **others, "RANK": f"{rank}", "LOCAL_RANK": f"{rank}"},
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    try:
        said = [process.communicate(timeout=120)[0] for process in started]
        return [(process.returncode, words) for process, words in zip(started, said, strict=True)]
    finally:
        for process in started:
            process.kill()


def test_two_processes_train_the_model_of_one(
    drug_dataset: MoleculeDataset, drug_dataset_file: Path, tmp_path: Path
) -> None:
    """When one is asked to stop, both do at the same step; later they resume together."""
    alone = trainer(drug_dataset, tmp_path / "one")
    expected = first_gradients(alone)
    results = two_processes(drug_dataset_file, tmp_path / "two", "stop")
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
    drug_dataset_file: Path, tmp_path: Path
) -> None:
    (code, words), (died, _) = two_processes(drug_dataset_file, tmp_path / "run", "die")
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
