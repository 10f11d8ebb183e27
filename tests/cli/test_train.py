import gzip
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from click.testing import Result

from molvae.checkpoint import Checkpoint
from molvae.cli.stopping import stop_signals
from molvae.config import TrainConfig, updated
from molvae.files import store
from molvae.presets import read_toml
from molvae.train import package, trainer
from molvae.train.history import Epoch
from tests.cli.running import invoke, rows_of

SIZES = (
    *("--symbol-size", 16, "--encoder-size", 24, "--decoder-size", 48, "--latent-size", 8),
    *("--decoder-layers", 1, "--condition-size", 16, "--batch-size", 64),
    *("--precision", "fp32", "--device", "cpu", "--threads", 1, "--no-measure"),
)
Train = Callable[..., Result]


@pytest.fixture
def train(drug_dataset_file: Path) -> Train:
    """Run `molvae train` on the drugs within this process."""

    return partial(invoke, "train", drug_dataset_file, *SIZES)


def log_of(run: Path) -> list[dict[str, str]]:
    return rows_of((run / "log.csv").read_text())


def test_dataset_becomes_a_model_a_log_and_a_configuration(
    drug_dataset_file: Path, tmp_path: Path
) -> None:
    run, config = tmp_path / "runs" / "first", tmp_path / "my.toml"
    config.write_text("[train]\nepochs = 9\nseed = 3\n[model]\nlatent_size = 4\n")
    done = invoke("train", drug_dataset_file, "-o", run, "--config", config, *SIZES, "--epochs", 2)
    assert done.stdout == ""
    assert "weights" in done.stderr
    assert "validation loss" in done.stderr
    model = Checkpoint.load(run / "model.safetensors")
    told = updated(TrainConfig(), model.provenance["train"])
    assert (told.epochs, told.seed) == (2, 3), "flag > file > preset"
    assert model.model.config.latent_size == 8
    assert updated(TrainConfig(), read_toml(run / "config.toml")["train"]) == told
    assert [row["epoch"] for row in log_of(run)] == ["1", "2"]


def test_existing_run_needs_resume_or_force(train: Train, tmp_path: Path) -> None:
    run = tmp_path / "run"
    train("-o", run, "--epochs", 1, "-q")
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    refused = train("-o", run, "--epochs", 1, code=2)
    assert "--resume continues it, --force starts over" in refused.stderr
    assert {path.name: path.read_bytes() for path in run.iterdir()} == before
    again = train("-o", run, "--epochs", 1, "-q", "--resume")
    assert again.stderr == ""
    assert (run / "model.safetensors").read_bytes() == before["model.safetensors"]
    train("-o", run, "--epochs", 1, "-q", "--force", "--seed", 5)
    assert (run / "model.safetensors").read_bytes() != before["model.safetensors"]


def test_resuming_with_more_epochs_makes_the_training_longer(train: Train, tmp_path: Path) -> None:
    train("-o", tmp_path, "--epochs", 1, "-q", "--force")
    first = log_of(tmp_path)
    train("-o", tmp_path, "--epochs", 2, "-q", "--resume")
    assert log_of(tmp_path)[:1] == first
    assert len(log_of(tmp_path)) == 2


def test_resuming_takes_the_settings_of_the_run(
    train: Train, drug_dataset_file: Path, tmp_path: Path
) -> None:
    train("-o", tmp_path, "--epochs", 1, "--seed", 4, "-q", "--force")
    before = (tmp_path / "model.safetensors").read_bytes()
    line = ("train", drug_dataset_file, "-o", tmp_path, "-d", "cpu", "-q", "--resume")
    again = invoke(*line, "--no-measure")
    assert again.stderr == ""
    assert (tmp_path / "model.safetensors").read_bytes() == before


@pytest.mark.parametrize(
    ("setting", "before", "now"),
    [("optimizer", "adamw", "muon"), ("schedule", "cosine", "linear")],
)
def test_a_training_older_than_a_setting_goes_on_as_it_began(
    train: Train, tmp_path: Path, setting: str, before: object, now: object
) -> None:
    begin = ("-o", tmp_path, "--epochs", 1, f"--{setting}", before, "-q", "--force")
    train(*begin)
    state = tmp_path / "state.safetensors"
    arrays, header = store.read(state, kind="training state", format=1)
    del header["identity"]["train"][setting]
    store.write(state, arrays, header, kind="training state", format=1)
    train("-o", tmp_path, "--epochs", 2, "-q", "--resume")
    trained = Checkpoint.load(tmp_path / "model.safetensors").provenance["train"]
    assert trained[setting] == before
    refused = train("-o", tmp_path, "--epochs", 3, "--resume", f"--{setting}", now, code=1)
    assert f"train.{setting}: {before} then, {now} now" in refused.stderr


def test_a_training_from_before_merges_and_flow_left_goes_on_unless_it_needs_them(
    train: Train, tmp_path: Path
) -> None:
    train("-o", tmp_path, "--epochs", 1, "-q", "--force")
    state = tmp_path / "state.safetensors"
    arrays, header = store.read(state, kind="training state", format=1)
    flow = {"flow_size": 256, "flow_guidance": 1.0, "integration_steps": 8}
    for merges, prior, words in (
        (32, "joint-gaussian", "needs byte-pair merges"),
        (0, "flow", "needs a flow prior"),
        (0, "joint-gaussian", ""),
    ):
        header["identity"]["train"]["merges"] = merges
        header["identity"]["prior"] = flow | {"prior": prior}
        store.write(state, arrays, header, kind="training state", format=1)
        code = 2 if words else 0
        done = train("-o", tmp_path, "--epochs", 2, "-q", "--resume", code=code)
        assert words in done.stderr


def test_resuming_with_other_settings_is_refused(train: Train, tmp_path: Path) -> None:
    train("-o", tmp_path, "--epochs", 1, "-q", "--force")
    refused = train("-o", tmp_path, "--resume", "--epochs", 1, "--learning-rate", 0.5, code=1)
    assert "train.learning_rate: 0.003 then, 0.5 now" in refused.stderr


def test_what_cannot_be_meant_is_refused_before_anything_is_written(
    train: Train, tmp_path: Path
) -> None:
    run, file = tmp_path / "run", tmp_path / "file"
    file.write_text("")
    for arguments, words in (
        (("-o", run, "--resume"), "holds no training to resume"),
        (("-o", file), "is a file; name a folder"),
        (("-o", run, "--learning-rate", "nan"), "not a finite number"),
        (("-o", run, "--latent-size", 0), "not in the range"),
        (("-o", run, "--precision", "fp16"), "needs a GPU"),
        (("-o", run, "--config", file, "--preset", "huge"), "huge"),
        ((), "--output"),
    ):
        refused = train(*arguments, code=2)
        assert words in refused.stderr
    assert not (run / "state.safetensors").exists()


@pytest.mark.parametrize(
    ("name", "content", "code", "words"),
    [
        ("none.molvae", "none", 3, "no such file; molvae prepare makes"),
        ("a.csv.gz", "compressed table", 3, "a table: first molvae prepare "),
        ("file", "table", 1, ""),
        ("file", "model", 1, ""),
        ("file", "damaged dataset", 1, ""),
    ],
)
def test_what_is_no_dataset_is_refused(
    name: str,
    content: str,
    code: int,
    words: str,
    drug_dataset_file: Path,
    tiny_model_file: Path,
    tmp_path: Path,
) -> None:
    damaged = bytearray(drug_dataset_file.read_bytes())
    damaged[-1] ^= 1
    contents = {
        "table": b"smiles\nCCO\n",
        "compressed table": gzip.compress(b"smiles\nCCO\n"),
        "model": tiny_model_file.read_bytes(),
        "damaged dataset": bytes(damaged),
    }
    file, run = tmp_path / name, tmp_path / "run"
    if content in contents:
        file.write_bytes(contents[content])
    refused = invoke("train", file, "-o", run, code=code)
    assert refused.stderr.startswith(f"Error: {file}: {words}")
    assert refused.stderr.count("\n") == 1
    assert not run.exists()


def begin(drug_dataset_file: Path, run: Path, *arguments: str) -> "subprocess.Popen[str]":
    line = ["train", drug_dataset_file, "-o", run, *SIZES, "--epochs", 1000, *arguments]
    return subprocess.Popen(
        [sys.executable, "-m", "molvae", *map(str, line)], stderr=subprocess.PIPE, text=True
    )


def stop(process: "subprocess.Popen[str]", run: Path, *, rows: int, number: int) -> int:
    """Wait for so many epochs, send a signal, and return the exit code."""
    end = time.monotonic() + 300
    try:
        while not (run / "log.csv").exists() or len(log_of(run)) < rows:
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < end
            time.sleep(0.05)
        process.send_signal(number)
        return process.wait(60)  # a step and a save: much sooner on any machine that is not busy
    finally:
        process.kill()


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGUSR1, 138)]
)
def test_signals_save_first_and_resume_goes_on(
    number: int, code: int, train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(path: Path, epochs: list[Epoch]) -> None:
        write_log(path, epochs)
        os.kill(os.getpid(), number)

    write_log = trainer.write_log
    monkeypatch.setattr(trainer, "write_log", interrupted)
    stopped = train("-o", tmp_path, "--epochs", 1000, "--force", code=code)
    monkeypatch.undo()
    assert "Continue with --resume." in stopped.stderr
    step, first = step_of(tmp_path), log_of(tmp_path)
    assert step == int(first[-1]["step"]) + 1, "one step of the next epoch is done and saved"
    epochs = len(first) + 1
    train("-o", tmp_path, "--resume", "--epochs", epochs, "-q")
    assert step_of(tmp_path) > step
    assert log_of(tmp_path)[: len(first)] == first
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        ".lock",
        "config.toml",
        "log.csv",
        "model.safetensors",
        "state.safetensors",
    ]


def step_of(run: Path) -> int:
    header = store.read_header(run / "state.safetensors", kind="training state", format=1)
    return int(header["state"]["step"])


def test_end_of_an_epoch_is_not_deaf(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signal while the model is evaluated ends that, and a resume repeats it."""
    train("-o", tmp_path / "whole", "--epochs", 1, "-q")

    def told(model: object, *arguments: object, **more: object) -> object:
        os.kill(os.getpid(), signal.SIGTERM)
        return measure_health(model, *arguments, **more)  # type: ignore[arg-type]

    measure_health = package.measure_health
    monkeypatch.setattr(package, "measure_health", told)
    run = tmp_path / "run"
    stopped = train("-o", run, "--epochs", 1, code=143)
    assert "Stopped; all is saved" in stopped.stderr
    assert not (run / "model.safetensors").exists()
    monkeypatch.undo()
    train("-o", run, "--resume", "-q")
    written = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "run")]
    assert written[0] == written[1]


def test_second_training_in_a_folder_waits_for_nobody(
    train: Train, drug_dataset_file: Path, tmp_path: Path
) -> None:
    with begin(drug_dataset_file, tmp_path, "--force") as process:
        try:
            while not (tmp_path / "log.csv").exists():
                assert process.poll() is None
                time.sleep(0.05)
            for flag in ("--resume", "--force"):
                refused = train("-o", tmp_path, flag, "--epochs", 1000, code=1)
                last = refused.stderr.splitlines()[-1]
                assert last.startswith(f"Error: {tmp_path}: process {process.pid} on ")
            assert stop(process, tmp_path, rows=1, number=signal.SIGUSR1) == 138, "as of Slurm"
        finally:
            process.kill()
    train("-o", tmp_path, "--resume", "--epochs", len(log_of(tmp_path)) + 1, "-q")


def test_training_that_ends_early_says_so(train: Train, tmp_path: Path) -> None:
    """A learning rate of next to nothing after the warm-up: nothing gets better for long."""
    done = train("-o", tmp_path, "--epochs", 40, "--patience", 1, "--learning-rate", 1)
    assert "the validation loss was no better for 1. To continue: --resume" in done.stderr
    assert len(log_of(tmp_path)) < 40


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_several_processes_train_one_model(
    train: Train, drug_dataset_file: Path, tmp_path: Path
) -> None:
    """As `torchrun` starts them; a signal to it stops all, and one process alone goes on."""
    line = ["-m", "torch.distributed.run", "--nproc-per-node", 2, "--master-port", free_port()]
    line += ["-m", "molvae", "train", drug_dataset_file, "-o", tmp_path / "run", *SIZES]
    with subprocess.Popen(
        [sys.executable, *map(str, line), "--epochs", "1000"], stderr=subprocess.PIPE, text=True
    ) as process:
        assert stop(process, tmp_path / "run", rows=1, number=signal.SIGTERM) != 0
        assert process.stderr is not None
        said = process.stderr.read()
    assert said.count("training molecules") == said.count("Continue with --resume.") == 1
    epochs = len(log_of(tmp_path / "run")) + 1
    train("-o", tmp_path / "run", "--resume", "--epochs", epochs, "-q")
    assert len(log_of(tmp_path / "run")) == epochs


def test_second_signal_stops_at_once() -> None:
    before = signal.getsignal(signal.SIGINT)
    with stop_signals() as stopped:
        os.kill(os.getpid(), signal.SIGINT)
        assert stopped == [signal.SIGINT]
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) == before
