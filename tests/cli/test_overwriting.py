"""No command overwrites what it reads, nor anything that only molvae could have made."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from molvae.checkpoint import MODEL_FILE
from molvae.cli import options, overwriting
from molvae.cli.initial import INITIAL_FILE
from molvae.cli.main import COMMANDS, cli
from molvae.cli.overwriting import RUN_FILES, TRAINING_FILES, check_output
from molvae.errors import UsageError
from molvae.optimize import archive
from molvae.train import folder
from tests.cli.running import invoke

# Parameters that name something to read, besides those of click's type of a path.
NAMED = ("model", "training", "test", "test_scaffolds", "init")
WRITES = re.compile(r"\b(write|output|save)", re.IGNORECASE)  # in the help of an output
TABLE = "SMILES\nCCO\n"


def commands() -> Iterator[tuple[list[str], click.Command]]:
    """Yield the words that call each command, and the command."""
    for name in COMMANDS:
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        yield [name], command
        for inner in command.commands.values() if isinstance(command, click.Group) else ():
            yield [name, str(inner.name)], inner


def is_output(parameter: click.Parameter) -> bool:
    return parameter.type in overwriting.KINDS


def is_read(parameter: click.Parameter) -> bool:
    if is_output(parameter) or parameter.type is options.RUN:
        return False
    is_path = isinstance(parameter.type, click.Path)
    return is_path or (parameter.name in NAMED and parameter.type is click.STRING)


CASES = [
    pytest.param(words, command, read, written, id=f"{'-'.join(words)}-{read.name}-{written.name}")
    for words, command in commands()
    for written in filter(is_output, command.params)
    for read in filter(is_read, command.params)
]


def line(command: click.Command, given: dict[str | None, Path]) -> list[str]:
    """Return the words of a command with these parameters, and what else it has to have."""
    words: list[str] = []
    last = max(
        (place for place, each in enumerate(command.params) if each.name in given), default=0
    )
    for place, parameter in enumerate(command.params):
        value = given.get(parameter.name, Path("CCO"))
        if isinstance(parameter, click.Argument):
            words += [str(value)] if parameter.required or place <= last else []
        elif parameter.name in given or parameter.required:
            words += [parameter.opts[-1], str(value)]
    return words


def test_each_output_of_each_command_is_of_a_type_that_is_checked() -> None:
    for words, command in commands():
        for parameter in filter(is_read, command.params):
            told = getattr(parameter, "help", None) or ""
            assert not WRITES.search(told), f"{words}: {parameter.name}: an output? {told}"
            assert {"-o", "--output"}.isdisjoint(parameter.opts), words


@pytest.mark.parametrize(("words", "command", "read", "written"), CASES)
def test_no_command_overwrites_what_it_reads(
    words: list[str],
    command: click.Command,
    read: click.Parameter,
    written: click.Parameter,
    tmp_path: Path,
) -> None:
    source, link = tmp_path / "in.csv", tmp_path / "link.csv"
    source.write_text(TABLE)
    link.symlink_to("in.csv")
    arguments = line(command, {read.name: source, written.name: link})
    done = invoke(*words, *arguments, "--force", code=2)
    assert "link.csv: is read or written already by the same command" in done.stderr
    assert source.read_text() == TABLE


def test_no_two_outputs_are_one_file(tmp_path: Path) -> None:
    several = 0
    (tmp_path / "in.csv").write_text(TABLE)
    for words, command in commands():
        outputs = [parameter.name for parameter in command.params if is_output(parameter)]
        for second in outputs[1:]:
            several += 1
            place = tmp_path / "out.csv"
            arguments = line(
                command, {"file": tmp_path / "in.csv", outputs[0]: place, second: place}
            )
            done = invoke(*words, *arguments, code=2)
            assert "out.csv: is read or written already by the same command" in done.stderr
    assert several > 5


@pytest.mark.parametrize("name", RUN_FILES)
def test_no_output_replaces_a_file_of_the_training_that_is_read(name: str, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "model.safetensors").write_bytes(b"weights")
    (tmp_path / "other").symlink_to("run")
    for model in (run, run / "model.safetensors", tmp_path / "other"):
        done = invoke("generate", model, "--format", "csv", "-o", run / name, "--force", code=2)
        assert (
            "by the same command" in done.stderr or "belongs to the run that is read" in done.stderr
        )
    check_output(run / "molecules.csv", force=False, inputs=[run])  # the user's own place as well


def test_the_files_of_a_training_have_the_names_that_it_gives_them() -> None:
    names = {MODEL_FILE, INITIAL_FILE, folder.LOG_FILE, folder.CONFIG_FILE, folder.STATE_FILE}
    assert set(TRAINING_FILES) == names | {folder.LOCK_FILE, folder.EVENTS_FOLDER}
    assert set(RUN_FILES) == {*TRAINING_FILES, archive.FILE, overwriting.TABLE}


def test_no_table_replaces_the_calls_of_an_optimization(tmp_path: Path) -> None:
    calls = tmp_path / archive.FILE
    calls.write_text("{}\n")
    words = ("optimize", "--ask", 1, "--state", tmp_path, "-o", calls, "--force")
    done = invoke(*words, code=2)
    assert "calls.jsonl: belongs to the run that is read" in done.stderr
    assert calls.read_text() == "{}\n"


def test_a_run_notes_its_table_and_nothing_of_a_device(tmp_path: Path) -> None:
    table, run = tmp_path / "best.csv", tmp_path / "best.run"
    run.mkdir()
    overwriting.note_table(run, Path("/dev/zero"))  # has no end
    assert not [*run.iterdir()]
    table.write_text("SMILES\nCCO\n")
    overwriting.note_table(run, table)
    assert [path.name for path in run.iterdir()] == [overwriting.TABLE]


def test_a_model_is_never_replaced_by_a_table_nor_by_a_dataset(
    tiny_model_file: Path, drug_dataset_file: Path, tmp_path: Path
) -> None:
    for file, what in ((tiny_model_file, "checkpoint"), (drug_dataset_file, "dataset")):
        path = tmp_path / file.name
        path.write_bytes(file.read_bytes())
        with pytest.raises(UsageError, match=f"holds a {what}, which is not overwritten"):
            check_output(path, force=True)
    check_output(tmp_path / drug_dataset_file.name, force=True, kind="dataset")
    with pytest.raises(UsageError, match="holds a checkpoint"):
        check_output(tmp_path / tiny_model_file.name, force=True, kind="dataset")


def test_nothing_within_the_installed_package_is_replaced() -> None:
    own = overwriting.PACKAGE / "weights" / "druglike.safetensors"
    for place in (own, own.with_name("new.csv")):
        with pytest.raises(UsageError, match="belongs to the installed molvae"):
            check_output(place, force=True)


def test_an_input_is_found_by_all_of_its_names(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "a.csv"
    path.write_text("kept")
    names = [tmp_path / name for name in ("soft.csv", "hard.csv", "chain.csv")]
    names[0].symlink_to(path)
    os.link(path, names[1])
    names[2].symlink_to(names[0])
    monkeypatch.chdir(tmp_path)
    for name in (path, *names, Path("a.csv"), Path("../") / tmp_path.name / "a.csv"):
        with pytest.raises(UsageError, match="is read or written already by the same command"):
            check_output(name, force=True, inputs=(None, path))


@pytest.mark.parametrize("name", ["log.csv", "config.toml", "tensorboard"])
def test_a_training_keeps_what_it_has_not_written(
    drug_dataset_file: Path, tmp_path: Path, name: str
) -> None:
    own = tmp_path / name
    own.write_text("mine")
    done = invoke("train", drug_dataset_file, "-o", tmp_path, code=2)
    assert f"{name}: exists; --force overwrites it." in done.stderr
    assert own.read_text() == "mine"
    assert os.listdir(tmp_path) == [name]


def test_a_training_does_not_overwrite_the_configuration_that_it_reads(
    drug_dataset_file: Path, tmp_path: Path
) -> None:
    own = tmp_path / "config.toml"
    own.write_text("[train]\nepochs = 1  # mine\n")
    for more in ((), ("--force",)):
        words = ("train", drug_dataset_file, "-o", tmp_path, "--config", own, *more)
        done = invoke(*words, code=2)
        assert "config.toml: is read or written already by the same command" in done.stderr
    assert "mine" in own.read_text()


WRITER = """
import sys, time
from pathlib import Path
from molvae.files.atomic import only_writer
with only_writer(Path(sys.argv[1])):
    print("ready", flush=True)
    time.sleep(60)
"""


def test_only_one_run_writes_a_file_until_it_ends_or_dies(tmp_path: Path) -> None:
    place = tmp_path / ("a" * 251)
    table = tmp_path / "in.smi"
    table.write_text("CCO\n")
    words = ("generate", "-n", 1, "--format", "csv", "-o", place, "--force")
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(place)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        done = invoke(*words, code=1)
        assert f"process {process.pid} is writing this file. Wait until it is done" in done.stderr
        assert not place.exists()
        process.kill()
    assert len(os.listdir(tmp_path)) == 2  # what the killed one left
    invoke(*words)
    assert set(os.listdir(tmp_path)) == {place.name, "in.smi"}
