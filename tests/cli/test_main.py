import os
import signal
import subprocess
import sys
import types
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

import molvae as package
from molvae.cli import main
from molvae.errors import ConfigError, InputError, MolvaeError, Rejected, ShortfallError
from tests.cli.running import invoke

# A command line whose `generate` does what it is told, in a process of its own.
DRIVER = """
import os, signal, subprocess, sys, time, types
import click
from molvae.cli import main
from molvae.cli.terminal import say
from molvae.errors import InputError

@click.command()
@click.argument("what")
def command(what):
    if what == "sleep":
        try:
            print("ready", flush=True)
            time.sleep(30)
        finally:
            print("kept", flush=True)
    elif what == "flood":
        for number in range(1_000_000):
            click.echo(number)
    elif what == "defect":
        {}["x"]
    elif what == "folder":
        open("/")
    elif what == "fork":
        if os.fork() == 0:
            os._exit(7 if signal.getsignal(signal.SIGTERM) == signal.SIG_DFL else 8)
        sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))
    elif what == "gz":
        raise EOFError("ended early")
    elif what == "warn":
        import logging, warnings
        import numpy as np
        from molvae.errors import MolvaeWarning
        np.log(np.zeros(1))
        warnings.warn("Glyph 27700 missing from font(s) DejaVu Sans.")
        logging.getLogger("matplotlib").warning("Matplotlib is building the font cache.")
        subprocess.run([sys.executable, "-c", "import numpy; numpy.log(numpy.zeros(1))"])
        warnings.warn("chemistry is slow", MolvaeWarning)
    elif what == "import":
        import library
        time.sleep(9)
    elif what == "say":
        print("ready", file=sys.stderr, flush=True)
        time.sleep(1)
        say("nobody reads this")
        click.echo("done")

sys.modules["molvae.cli.commands.generate"] = types.SimpleNamespace(command=command)
main.main()
"""


def drive(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", DRIVER, *arguments], capture_output=True, text=True, check=False
    )


def run_raising(error: Exception, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Result:
    """Run `molvae generate` whose command raises `error`."""

    @click.command()
    def command() -> None:
        raise error

    module = types.SimpleNamespace(command=command)
    monkeypatch.setitem(sys.modules, f"{main.FOLDER}.generate", module)
    return CliRunner().invoke(main.cli, ["generate", *arguments], prog_name="molvae")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (MolvaeError("no"), 1),
        (ConfigError("no"), 2),
        (InputError("no"), 3),
        (ShortfallError("no"), 4),
        (Rejected("no"), 1),
        (FileNotFoundError(2, "no", "x.csv"), 1),
    ],
)
def test_error_becomes_one_line_and_its_exit_code(
    error: Exception, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = run_raising(error, monkeypatch)
    assert result.exit_code == code
    assert result.stdout == ""
    assert result.stderr in ("Error: no\n", "Error: x.csv: no\n")


def test_debug_shows_the_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    result = run_raising(InputError("no"), monkeypatch, "--debug")
    assert result.exit_code == 3
    assert "Traceback" in result.stderr


def test_debug_is_not_added_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(2):
        result = run_raising(InputError("no"), monkeypatch, "--help")
    assert result.stdout.count("--debug") == 1


def test_what_a_file_says_cannot_steer_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    hostile = "\x1b]0;title\x07 \x9b31m \u202e row\nError: forged"
    stderr = run_raising(InputError(hostile), monkeypatch).stderr
    assert stderr == "Error: \\x1b]0;title\\x07 \\x9b31m \\u202e row\\nError: forged\n"


def test_bug_is_one_line_and_asks_for_a_report() -> None:
    done = drive("generate", "defect")
    assert done.returncode == 1
    assert done.stderr.startswith("Error: KeyError: 'x'. This is a bug in molvae")
    assert done.stderr.count("\n") == 1
    assert "Traceback" in drive("generate", "defect", "--debug").stderr


def test_truncated_file_is_not_taken_for_an_interruption() -> None:
    done = drive("generate", "gz")
    assert done.returncode == 1
    assert done.stderr.lstrip().startswith("Error: EOFError: ended early")


def test_operating_system_error_names_the_path() -> None:
    done = drive("generate", "folder")
    assert (done.returncode, done.stderr) == (1, "Error: /: Is a directory\n")


def test_usage_error_is_one_line_that_points_to_the_help() -> None:
    done = drive("generate", "folder", "--nmu")
    assert done.returncode == 2
    assert done.stderr.startswith("Error: ")
    assert done.stderr.endswith("(see: molvae generate --help)\n")
    assert done.stderr.count("\n") == 1


def test_unknown_command_gets_the_nearest_one() -> None:
    done = drive("genrate")
    assert done.returncode == 2
    assert "no command 'genrate'; did you mean 'generate'?" in done.stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signal_leaves_in_order(number: signal.Signals, code: int) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", DRIVER, "generate", "sleep"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=20)
    assert process.returncode == code
    assert stdout == "kept\n"
    assert "Traceback" not in stderr


def test_reader_that_goes_away_is_no_error() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", DRIVER, "generate", "flood"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "0\n"
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(timeout=20) == main.BROKEN_PIPE


def test_work_goes_on_when_nobody_reads_its_messages() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", DRIVER, "generate", "say"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stderr.readline() == "ready\n"
        process.stderr.close()
        assert process.stdout.read() == "done\n"
        assert process.wait(timeout=20) == 0


@pytest.mark.parametrize(
    ("closed", "code", "words"),
    [(1, 1, "Error: stdout is closed\n"), (2, 0, ""), (0, 0, "")],
)
def test_a_stream_that_the_caller_has_closed_is_no_defect(
    closed: int, code: int, words: str
) -> None:
    command = f"{sys.executable} -m molvae --version {closed}>&-"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (code, words)
    assert (done.stdout == f"molvae {package.__version__}\n") == (closed != 1)


def test_warnings_of_libraries_stay_off_the_terminal() -> None:
    done = drive("generate", "warn")
    assert (done.returncode, done.stderr) == (0, "Warning: chemistry is slow\n")


LIBRARY = """
import sys, time
print("ready", flush=True)
for _ in range(100):
    try:
        time.sleep(0.02)
    except BaseException:  # as some do
        print("swallowed", flush=True)
print("imported", flush=True)
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signal_within_an_import_waits_for_its_end(
    number: signal.Signals, code: int, tmp_path: Path
) -> None:
    (tmp_path / "library.py").write_text(LIBRARY)
    there = f"import sys; sys.path.append({str(tmp_path)!r})"
    with subprocess.Popen(
        [sys.executable, "-c", f"{there}\n{DRIVER}", "generate", "import"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=20)
    assert process.returncode == code
    assert stdout == "imported\n"
    assert stderr.strip() == ("Interrupted." if code == 130 else "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_forked_worker_dies_of_sigterm_at_once() -> None:
    assert drive("generate", "fork").returncode == 7


def test_version_has_one_home() -> None:
    result = CliRunner().invoke(main.cli, ["--version"])
    assert result.stdout == f"molvae {package.__version__}\n"


def test_no_arguments_show_the_help() -> None:
    result = CliRunner().invoke(main.cli, [], prog_name="molvae")
    assert result.exit_code == 0
    assert result.stdout.startswith("Usage: molvae")


def test_package_runs_as_a_module() -> None:
    command = [sys.executable, "-m", "molvae", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"molvae {package.__version__}\n"


def test_every_file_of_a_command_is_in_the_table() -> None:
    files = {path.stem for path in (Path(main.__file__).parent / "commands").glob("[a-z]*.py")}
    found = {name for name in files if not name.startswith("benchmark_")}  # parts of that group
    assert found == set(main.COMMANDS)


@pytest.mark.parametrize(
    ("group", "line"),
    [("benchmark", "at a similarity of 0.4 to each."), ("data", "whether they are in the cache.")],
)
def test_the_list_of_subcommands_has_their_sentences_whole(group: str, line: str) -> None:
    listed = invoke(group).stdout
    assert line in " ".join(listed.split())
    assert "..." not in listed.partition("Commands:")[2]
