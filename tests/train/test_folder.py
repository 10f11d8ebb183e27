import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from molvae.dataset import MoleculeDataset
from molvae.errors import MolvaeError
from molvae.train.folder import LOCK_FILE, lock_run, require_space
from molvae.train.trainer import Progress, Trainer
from tests.train.runs import assert_same, trainer

HOLDER = """
import sys
from pathlib import Path
from molvae.train.folder import LOCK_FILE, lock_run
with lock_run(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def held_elsewhere(run: Path) -> Iterator["subprocess.Popen[str]"]:
    """Let another process hold a folder."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, run],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_second_training_in_a_folder_is_refused_and_names_the_first(
    drug_dataset: MoleculeDataset, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    with held_elsewhere(run) as process:
        before = sorted(run.iterdir())
        for _ in range(2):  # trying does not wipe out who it is
            with pytest.raises(MolvaeError) as caught:
                trainer(drug_dataset, run).fit()
            said = str(caught.value)
            assert said.startswith(f"{run}: process {process.pid} on ")
            assert ", since 20" in said
            assert said.endswith(
                "is training in this folder. Wait until it is done, or name another."
            )
        assert sorted(run.iterdir()) == before
        process.send_signal(signal.SIGKILL)
        process.wait()
        with lock_run(run):
            pass


def test_lock_is_held_until_the_outermost_block_ends(tmp_path: Path) -> None:
    script = "import filelock, sys; filelock.FileLock(sys.argv[1]).acquire(timeout=0)"

    def other() -> int:
        command = [sys.executable, "-c", script, tmp_path / LOCK_FILE]
        return subprocess.run(command, capture_output=True, check=False).returncode

    with lock_run(tmp_path):
        with lock_run(tmp_path):
            pass
        assert other() == 1
    assert other() == 0


def test_folder_that_cannot_be_written_to_is_refused() -> None:
    for run in (Path("/proc/run"), Path("/dev/null/run"), Path("/sys/run")):
        with (
            pytest.raises(MolvaeError, match=rf"{run}: cannot be written to: \w.*another folder"),
            lock_run(run),
        ):
            pass


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write to any folder")
def test_read_only_folder_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with (
        pytest.raises(MolvaeError, match=r"cannot be written to: Permission denied"),
        lock_run(tmp_path),
    ):
        pass


def test_space_is_checked_before_training(
    drug_dataset: MoleculeDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require_space(tmp_path, weights=10**6, molecules=1000)
    usage = shutil.disk_usage(tmp_path)._replace(free=3 * 2**20)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)
    with pytest.raises(MolvaeError, match=r"34\.\d MiB are needed .* and 3\.0 MiB are free"):
        require_space(tmp_path, weights=10**6, molecules=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage._replace(free=1000))
    with pytest.raises(MolvaeError, match=r"MiB are needed"):
        trainer(drug_dataset, tmp_path).fit()
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    """Let the system refuse to write more, as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_full_disk_keeps_the_saved_state(
    finished: Path, drug_dataset: MoleculeDataset, tmp_path: Path
) -> None:
    trainer(drug_dataset, tmp_path, stop_after=5).fit()
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    for name in ("state", "model"):  # the larger one does not fit, or neither
        size = (tmp_path / f"{name}.safetensors").stat().st_size // 2
        words = rf"{tmp_path}/{name}\.safetensors: \d\.\d MiB could not be written: File too large"
        with no_file_larger_than(size), pytest.raises(MolvaeError, match=words):
            trainer(drug_dataset, tmp_path, resume=True, stop_after=6).fit()
        assert trainer(drug_dataset, tmp_path, resume=True).state.step == 5
        assert {path.name for path in tmp_path.iterdir()} == before.keys()
    assert (tmp_path / "state.safetensors").read_bytes() == before["state.safetensors"]
    assert trainer(drug_dataset, tmp_path, resume=True).fit()
    assert_same(tmp_path, finished)


def test_folder_that_vanishes_is_named(drug_dataset: MoleculeDataset, tmp_path: Path) -> None:
    run = tmp_path / "run"

    def vanish(step: Progress) -> None:
        if step.epoch == 1:
            shutil.rmtree(run, ignore_errors=True)

    made: Trainer = trainer(drug_dataset, run)
    made.report = vanish
    with pytest.raises(MolvaeError, match=rf"{run}/\S+: .*No such file or directory"):
        made.fit()
    assert not run.exists()
