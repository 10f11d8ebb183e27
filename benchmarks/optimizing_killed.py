"""Kill a run of `molvae optimize` at random points, and compare it with an undisturbed one.

    python benchmarks/optimizing_killed.py --calls 300 --kills 20 -o optimizing_killed.json

The score is a program, a pure function of the molecule, that writes each molecule it is asked about
into a log: so that calls which were made twice are counted, too. Exits 1 where a row differs, or
where a molecule was scored twice that was not of a batch under way.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

from moses_data import machine

SCRIPT = '#!/bin/sh\nwhile read x; do echo "$x" >> "{log}"; sleep {pause}; echo ${{#x}}; done\n'
BATCH = 10


def command(name: str, calls: int) -> list[str]:
    """Return the command whose score is the script of this name."""
    words = ["optimize", "--score", f"./{name}.sh", "--minimize", "--budget", str(calls)]
    words += ["--batch", str(BATCH), "--seed", "1", "-j", "1", "-q", "-o", f"{name}.csv"]
    return [sys.executable, "-m", "molvae", *words]


def script(folder: Path, name: str, pause: float) -> Path:
    """Write the program; return its log."""
    path, log = folder / f"{name}.sh", folder / f"{name}.log"
    path.write_text(SCRIPT.format(log=log, pause=pause))
    path.chmod(0o755)
    log.touch()
    return log


def main() -> None:
    """Run, kill, and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=300)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("-o", type=Path)
    options = parser.parse_args()
    folder, chance = Path(tempfile.mkdtemp()), random.Random(options.seed)
    script(folder, "score", 0.0)
    begun = time.monotonic()
    subprocess.run(command("score", options.calls), cwd=folder, check=True)
    undisturbed = time.monotonic() - begun
    whole = (folder / "score.csv").read_text()
    for path in ("score.csv", "score.run", "score.log"):
        target = folder / path
        shutil.rmtree(target) if target.is_dir() else target.unlink()
    log = script(folder, "score", 0.02)
    kills = 0
    while not (folder / "score.csv").exists():
        wait = chance.uniform(0.0, 2.5 * undisturbed / options.kills + 5.0)
        with subprocess.Popen(
            command("score", options.calls), cwd=folder, start_new_session=True
        ) as running:
            try:
                running.wait(wait if kills < options.kills else None)
            except subprocess.TimeoutExpired:
                os.killpg(running.pid, signal.SIGKILL)
                kills += 1
        time.sleep(0.5)  # the program of the killed run is in a group of its own
    asked = log.read_text().split()
    found = {
        "command": f"benchmarks/optimizing_killed.py --calls {options.calls}"
        f" --kills {options.kills} --seed {options.seed}",
        "calls": options.calls,
        "kills": kills,
        "equal": (folder / "score.csv").read_text() == whole,
        "scored": len(asked),
        "scored twice": len(asked) - len(set(asked)),
        "allowed twice": kills * BATCH,
        "seconds undisturbed": undisturbed,
        "machine": machine(),
        "versions": {p: version(p) for p in ("molvae", "torch", "rdkit", "selfies")},
    }
    shutil.rmtree(folder)
    print(json.dumps(found, indent=2))
    if options.o:
        options.o.write_text(json.dumps(found, indent=2))
    sys.exit(not found["equal"] or found["scored twice"] > found["allowed twice"])


if __name__ == "__main__":
    main()
