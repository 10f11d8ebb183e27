"""Run the cases in a folder and take the fingerprints of what they write."""

import os
import platform
import shutil
import signal
import subprocess
import sys
import time
from contextlib import chdir
from importlib.metadata import version
from pathlib import Path
from typing import Any
from unittest.mock import patch

from click.testing import CliRunner

from tests.golden.cases import CASES, Case
from tests.golden.inputs import write_inputs
from tests.golden.outputs import UNREAD, fingerprint_of, fingerprint_of_text

# Instructions that choose another routine, whose sums may round otherwise.
INSTRUCTIONS = ("avx2", "fma", "avx512f", "avx512_bf16", "avx512_vnni", "amx_tile")
LIBRARIES = ("torch", "rdkit", "selfies", "numpy", "scipy")
START_SECONDS = 120.0  # until the first epoch of a training has ended, on a loaded machine

Result = dict[str, Any]


def machine() -> dict[str, str]:
    """Return what the bits of an output depend on besides molvae: processor and libraries."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    facts = dict(map(str.strip, line.split(":", 1)) for line in reversed(lines) if ":" in line)
    flags = set(facts.get("flags", "").split())
    return {
        "processor": facts.get("model name") or platform.processor() or platform.machine(),
        "instructions": " ".join(name for name in INSTRUCTIONS if name in flags),
        **{name: version(name).partition("+")[0] for name in LIBRARIES},
    }


class Workplace:
    """A folder in which each case runs once, after the cases that it needs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.results: dict[str, Result] = {}
        self.errors: dict[str, str] = {}  # what each case wrote to stderr
        write_inputs(folder / "inputs")

    def result_of(self, name: str) -> Result:
        """Return the exit code and the fingerprints of the outputs of a case."""
        if name not in self.results:
            case = CASES[name]
            for needed in case.needs:
                done = self.result_of(needed)["exit"] == 0
                assert done, f"{name} needs {needed}, which failed: {self.errors[needed]}"
            folder = self.folder / name
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            with chdir(folder), patch.dict(os.environ, MOLVAE_CACHE=str(self.folder / "cache")):
                self.results[name] = self._run(case, folder)
        return self.results[name]

    def _run(self, case: Case, folder: Path) -> Result:
        from molvae.cli.main import cli
        from molvae.model.device import one_thread

        arguments = case.arguments
        if case.interrupted:
            assert any(_interrupt(arguments, folder) for _ in range(5)), "each ended too soon"
            arguments = [*arguments, "--resume"]
        text = (self.folder / "inputs" / case.stdin).read_bytes() if case.stdin else None
        with one_thread():
            done = CliRunner().invoke(cli, arguments, input=text, prog_name="molvae")
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        self.errors[case.name] = done.stderr
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        outputs = {
            str(path.relative_to(folder)): fingerprint_of(path)
            for path in paths
            if path.name not in UNREAD
        }
        if done.stdout:
            (folder / "stdout.csv").write_bytes(done.stdout_bytes)
            outputs["stdout"] = fingerprint_of_text(done.stdout)
        return {"exit": done.exit_code, "outputs": outputs}


def _interrupt(arguments: list[str], folder: Path) -> bool:
    """Train in another process and press Ctrl-C after the first epoch; return whether in time."""
    shutil.rmtree(folder / "run", ignore_errors=True)
    log = folder / "run" / "log.csv"
    deadline = time.monotonic() + START_SECONDS
    with subprocess.Popen(
        [sys.executable, "-m", "molvae", *arguments], stderr=subprocess.DEVNULL
    ) as process:
        while not (log.is_file() and len(log.read_text().splitlines()) > 1):
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                raise RuntimeError(f"the first epoch did not end: {arguments}")
            time.sleep(0.005)
        process.send_signal(signal.SIGINT)
    return process.returncode == 130
