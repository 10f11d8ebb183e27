"""What goes wrong outside, met by the command line: a sentence, an exit code, nothing lost."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.running import invoke, write_rows
from tests.drugs import DRUGS


def start(*arguments: object, largest_file: int = 0) -> "subprocess.Popen[str]":
    """Begin a command; with `largest_file` bytes, on a disk that is full after so many."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))

    return subprocess.Popen(
        [sys.executable, "-m", "molvae", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=limit if largest_file else None,
    )


@pytest.fixture
def drugs(tmp_path: Path) -> Path:
    path = tmp_path / "drugs.csv"
    write_rows(path, [("name", "smiles"), *DRUGS])
    return path


@pytest.mark.parametrize("what", ["generate", "prepare", "rejects"])
def test_full_disk_is_a_sentence_and_the_old_file_stays(
    what: str, drugs: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "full"
    folder.mkdir()
    path = folder / "out.csv"
    path.write_text("old")
    prepare = ("prepare", drugs, "--properties", "MW", "-j", 1, "--force")
    commands = {
        "generate": ("generate", "-n", 40, "--seed", 1, "--force", "-o", path),
        "prepare": (*prepare, "-o", path),
        "rejects": (*prepare, "--min-count", 200, "-o", os.devnull, "--rejects", path),
    }
    with start(*commands[what], largest_file=500) as process:
        output, errors = process.communicate(timeout=120)
    assert (process.returncode, output) == (1, "")
    last = errors.splitlines()[-1]
    assert last.startswith(f"Error: {path}: 0.1 MiB could not be written: File too large; ")
    assert last.endswith(" MiB are free. What was there before is unchanged.")
    assert "Traceback" not in errors
    assert path.read_text() == "old"
    assert os.listdir(folder) == ["out.csv"]


def test_reader_that_goes_away_is_no_error() -> None:
    """As `molvae generate | head -1` does, only sooner."""
    with start("generate", "-n", 3, "--seed", 1, "--quiet") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(timeout=120) == 141


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("image.png", b"\x89PNG\r\n\x1a\n" + bytes(1000)),
        ("empty.safetensors", b""),
        ("text.safetensors", b"smiles\nCCO\n"),
        ("page.molvae", b"<!DOCTYPE html><html>\x1b[31m</html>"),
        ("pickle.pt", b"\x80\x04\x95" + bytes(100)),
    ],
)
def test_what_is_no_model_is_told_in_a_sentence(name: str, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    done = invoke("info", str(path), code=1)
    assert done.stdout == ""
    assert done.stderr.startswith(f"Error: {path}: not a molvae file")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("place", ["folder", "pipe", "/dev/zero", "\x1b[31mnone"])
def test_what_is_no_file_is_told_in_a_sentence(place: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    done = invoke("info", str(tmp_path / place), code=3)
    assert done.stdout == ""
    assert "neither a file, a run folder, nor a bundled model" in done.stderr
    assert done.stderr.count("\n") == 1
    assert "\x1b" not in done.stderr
