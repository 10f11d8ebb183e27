"""Help answers in a blink because it imports nothing heavy."""

import subprocess
import sys

import pytest

from molvae.cli.main import COMMANDS, FOLDER

HEAVY = {"torch", "rdkit", "pandas", "selfies", "numpy", "scipy", "rich"}
ASK_FOR_HELP = """
import sys
from molvae.cli.main import cli
cli.main(sys.argv[1:] + ["--help"], prog_name="molvae", standalone_mode=False)
print(*sys.modules)
"""


def ask_for_help(*command: str) -> tuple[str, set[str]]:
    """Return the help text and what was imported to write it."""
    shown = subprocess.run(
        [sys.executable, "-c", ASK_FOR_HELP, *command], capture_output=True, text=True, check=True
    )
    text, _, modules = shown.stdout.rstrip("\n").rpartition("\n")
    return text, set(modules.split())


def test_help_lists_every_command_and_imports_none() -> None:
    text, modules = ask_for_help()
    for command, line in COMMANDS.items():
        assert command in text
        assert line in text
        assert f"{FOLDER}.{command}" not in modules
    assert modules & HEAVY == set()


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_imports_nothing_heavy(command: str) -> None:
    text, modules = ask_for_help(command)
    assert text.startswith(f"Usage: molvae {command}")
    assert "--debug" in text
    assert modules & HEAVY == set()
