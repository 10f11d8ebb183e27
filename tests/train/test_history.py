import csv
from pathlib import Path

import pytest

from molvae.dataset import MoleculeDataset
from molvae.errors import UsageError
from molvae.train import history
from molvae.train.history import Epoch, write_log
from tests.train.runs import assert_same, state_of, trainer


def epoch(number: int) -> Epoch:
    return Epoch(number, 10 * number, *([1.23456789] * (len(Epoch._fields) - 2)))


def test_log_has_a_row_for_each_epoch(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    for epochs in ([epoch(1)], [epoch(1), epoch(2)]):
        write_log(path, epochs)
        with path.open(newline="") as file:
            header, *rows = csv.reader(file)
        assert header == list(Epoch._fields)
        assert [row[:3] for row in rows] == [[str(e.epoch), str(e.step), "1.23457"] for e in epochs]


def shown(run: Path) -> dict[str, list[tuple[int, float]]]:
    """Return what TensorBoard finds in a run: name -> (step, value), doubled ones included."""
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    found = accumulator.EventAccumulator(str(run / "tensorboard"), purge_orphaned_data=False)
    found.Reload()
    names = found.Tags()["scalars"]
    return {name: [(e.step, e.value) for e in found.Scalars(name)] for name in names}


def test_tensorboard_shows_each_epoch_once_after_interruptions(
    finished: Path, drug_dataset: MoleculeDataset, tmp_path: Path
) -> None:
    pytest.importorskip("tensorboard")
    for stop in (5, 4, None):
        trainer(drug_dataset, tmp_path, resume=True, tensorboard=True, stop_after=stop).fit()
    assert_same(tmp_path, finished)
    found = shown(tmp_path)
    log = state_of(finished)[1]["log"]
    assert [step for step, _ in found["validation_loss"]] == [4, 8, 12]
    assert [value for _, value in found["validation_loss"]] == pytest.approx([r[10] for r in log])
    assert {"reconstruction", "kl", "learning_rate", "molecules_per_second"} <= found.keys()


def test_new_training_in_an_old_folder_shows_nothing_of_the_old_one(
    drug_dataset: MoleculeDataset, tmp_path: Path
) -> None:
    pytest.importorskip("tensorboard")
    trainer(drug_dataset, tmp_path, tensorboard=True, stop_after=5).fit()
    assert [step for step, _ in shown(tmp_path)["kl"]] == [4]
    trainer(drug_dataset, tmp_path, stop_after=1).fit()
    assert not list((tmp_path / "tensorboard").iterdir())


def test_missing_extra_is_named(
    drug_dataset: MoleculeDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install 'molvae\[tensorboard\]'"):
        trainer(drug_dataset, tmp_path, tensorboard=True)
