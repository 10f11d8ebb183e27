"""Stopped or killed anywhere, a resumed training is the one that nothing interrupted."""

import itertools
import os
import shutil
import signal
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.interruptions import ended, in_a_child, killed_at_line
from molvae.dataset import MoleculeDataset
from tests.train.runs import TRAIN, assert_same, state_of, trainer

SHORT = replace(TRAIN, epochs=2, batch_size=15)
FILES = [".lock", "config.toml", "log.csv", "model.safetensors", "state.safetensors"]
# Python warns of forking where torch has threads; the child here uses none of theirs.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")


@pytest.fixture(scope="module")
def small(drug_dataset: MoleculeDataset) -> MoleculeDataset:
    """The 60 shortest of the drugs to train on, 8 more to validate: four steps in an epoch."""
    split = np.full_like(drug_dataset.split, 2)
    order = np.argsort(drug_dataset.lengths, kind="stable")
    split[order[:60]], split[order[60:68]] = 0, 1
    return drug_dataset._replace(split=split)


@pytest.fixture(scope="module")
def unharmed(small: MoleculeDataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training that nothing interrupted."""
    run = tmp_path_factory.mktemp("unharmed")
    assert trainer(small, run, train=SHORT).fit()
    return run


def assert_heals(run: Path, unharmed: Path, dataset: MoleculeDataset) -> None:
    """Resume a training, compare it with one that nothing interrupted, and look for leftovers."""
    assert trainer(dataset, run, train=SHORT, resume=True).fit()
    assert_same(run, unharmed)
    assert sorted(path.name for path in run.iterdir()) == FILES


def stop_at_question(dataset: MoleculeDataset, run: Path, number: int) -> int:
    """Stop a training at the n-th time that it asks; return how often it asked."""
    asked = 0

    def should_stop() -> bool:
        nonlocal asked
        asked += 1
        return asked >= number

    made = trainer(dataset, run, train=SHORT, resume=True)
    made.should_stop = should_stop
    assert made.fit() is (asked < number)
    return asked


def test_end_of_an_epoch_can_be_stopped_at_every_pass_through_the_model(
    unharmed: Path, small: MoleculeDataset, tmp_path: Path
) -> None:
    questions = stop_at_question(small, tmp_path / "all", 10**6)
    assert questions > 50 * SHORT.epochs, "validation, health and prior are of many passes each"
    for number in [4, 5, questions // 4, questions // 3, questions]:
        run = tmp_path / f"{number}"
        stop_at_question(small, run, number)
        state = state_of(run)[1]["state"]
        assert state["step"] == 4 * (state["epoch"] + 1), "the last step of the epoch"
        assert_heals(run, unharmed, small)


def test_ten_kills_at_random_times_lose_nothing(
    unharmed: Path, small: MoleculeDataset, tmp_path: Path
) -> None:
    begun = time.monotonic()
    assert ended(in_a_child(lambda: trainer(small, tmp_path / "whole", train=SHORT).fit())) == 0
    needed = time.monotonic() - begun
    assert_same(tmp_path / "whole", unharmed)
    random = np.random.default_rng(0)
    deaths = 0
    for number in range(10):
        run = tmp_path / f"{number}"
        child = in_a_child(lambda run=run: trainer(small, run, train=SHORT).fit())
        time.sleep(float(random.uniform(0.0, 0.7 * needed)))
        os.kill(child, signal.SIGKILL)
        deaths += ended(child) == -signal.SIGKILL
        assert_heals(run, unharmed, small)
    assert deaths > 2, "they came in time"


@pytest.mark.parametrize("before", [0, 8], ids=["as it begins", "as it ends"])
def test_kill_while_a_file_is_written_loses_nothing(
    before: int, unharmed: Path, small: MoleculeDataset, tmp_path: Path
) -> None:
    """At every 31st line that has a hand in it; `benchmarks/interruptions.py` takes each."""
    begun = tmp_path / "begun"
    begun.mkdir()
    if before:
        trainer(small, begun, train=SHORT, stop_after=before).fit()
    for line in itertools.count(1, 31):
        run = tmp_path / f"{line}"
        shutil.copytree(begun, run)
        made = trainer(small, run, train=SHORT, resume=True, stop_after=1)
        killed = killed_at_line(line, made.fit)
        assert_heals(run, unharmed, small)
        if not killed:
            break
    assert line > 90, "it was killed several times"
