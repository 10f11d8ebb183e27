"""What every test shares."""

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

# Two test workers with a thread for each core would only fight; set before torch is imported, and
# passed on to every command that a test starts.
os.environ["OMP_NUM_THREADS"] = "1"
# Help and tables are compared as text: no colors, and a fixed width.
os.environ["NO_COLOR"] = "1"
os.environ["COLUMNS"] = "100"

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def molvae() -> Run:
    """Run the command line in a process of its own: `molvae("generate", "-n", "3")`."""

    def run(
        *arguments: object, input: str | None = None, timeout: float = 120
    ) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "molvae", *map(str, arguments)],
            input=input,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=timeout,
            check=False,
        )

    return run
