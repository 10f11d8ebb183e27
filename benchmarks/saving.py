"""Is anything lost when the writer of a file is killed? At every step of a save, and at any time.

    .venv/bin/python benchmarks/saving.py [--kills 200] [--seed 0]

Every step: a process saves a file and kills itself (SIGKILL) before its first, second, third, ...
call of or return from any function within store.py and atomic.py, Python's or C's, until it gets
through; once where there was no file before and once where one is replaced. Random times: processes
save one version after another and are killed at a random moment, while others read the file; two
writers both write the same file.

lost: what is there is older than the last save that was acknowledged. unreadable: a reader, at any
time, is refused. leftovers: other files in the folder after the next save.
Writes results/saving.json.
"""

import argparse
import json
import os
import platform
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from importlib.metadata import version
from itertools import count
from pathlib import Path
from types import FrameType

import numpy as np

from molvae.errors import ArtifactError
from molvae.files import atomic, store

HERE = Path(__file__).parent
NUMBERS = 25_000  # 100 kB a file
LONGEST = 0.1  # seconds until a kill: some twenty saves


def main() -> None:
    """Kill at every step, then at random times, and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="at random times, for each case")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=HERE / "results" / "saving.json")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        results = {
            "every step, a new file": kill_at_every_step(path, replaced=False),
            "every step, a replaced file": kill_at_every_step(path, replaced=True),
        }
        for writers in (1, 2):
            chance = random.Random(arguments.seed)
            found = kill_at_random(path, arguments.kills, writers=writers, chance=chance)
            results[f"random times, writers: {writers}"] = found
    report = {
        "command": f"benchmarks/saving.py --kills {arguments.kills} --seed {arguments.seed}",
        "results": results,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "versions": {"python": platform.python_version(), "molvae": version("molvae")},
    }
    arguments.output.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(results, indent=1))


def kill_at_every_step(path: Path, *, replaced: bool) -> dict[str, int]:
    """Kill a save at its first step, its second, ... until one comes through."""
    tally = Counter(kills=0, lost=0, unreadable=0, leftovers=0)
    for step in count(1):
        path.unlink(missing_ok=True)
        if replaced:
            save(path, 1)
        if finished(path, 2, step):
            tally["lost"] += saved(path) != 2
            return dict(tally)
        tally["kills"] += 1
        if path.exists() or replaced:
            check(path, {1, 2} if replaced else {2}, tally)
        save(path, 3)
        check(path, {3}, tally)
        tally["leftovers"] += len(os.listdir(path.parent)) - 1


def kill_at_random(
    path: Path, kills: int, *, writers: int, chance: random.Random
) -> dict[str, int]:
    """Kill writers of one file again and again, and look at it all the time."""
    tally = Counter(kills=0, saves=0, reads=0, lost=0, unreadable=0, leftovers=0)
    newest = 0
    save(path, newest)
    for _ in range(kills):
        reader, writer = os.pipe()
        children = [begin(path, newest + 1 + n, writers, writer) for n in range(writers)]
        os.close(writer)
        until = time.monotonic() + chance.uniform(0, LONGEST)
        while time.monotonic() < until:
            tally["reads"] += 1
            check(path, None, tally)
        for child in children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        with os.fdopen(reader) as file:
            done = [int(line) for line in file if line.endswith("\n")]
        tally["saves"] += len(done)
        tally["kills"] += 1
        # Of two writers the slower may well be the last, so that its file is the one that stays.
        oldest = max(done, default=newest) if writers == 1 else newest
        newest = max([newest, *done]) + writers
        check(path, set(range(oldest, newest + 1)), tally)
        save(path, newest)
        tally["leftovers"] += len(os.listdir(path.parent)) - 1
    return dict(tally)


def save(path: Path, number: int) -> None:
    """Save version `number` of a file."""
    array = np.full(NUMBERS, number, dtype=np.float32)
    store.write(path, {"array": array}, {"number": number}, kind="checkpoint", format=1)


def saved(path: Path) -> int:
    """Return the version that is there, every byte of it checked."""
    arrays, header = store.read(path, kind="checkpoint", format=1)
    assert (arrays["array"] == header["number"]).all()
    return int(header["number"])


def check(path: Path, possible: set[int] | None, tally: Counter[str]) -> None:
    """Count a file that cannot be read, or is none of the versions that are possible."""
    try:
        number = saved(path)
    except ArtifactError as error:
        replaced = "was replaced while it was read" in str(error)  # a reader is told to try again
        tally["unreadable"] += not (replaced and possible is None)
        return
    tally["lost"] += possible is not None and number not in possible


def finished(path: Path, number: int, step: int) -> bool:
    """Save in a process that kills itself at a step; tell whether it came through."""
    child = os.fork()
    if not child:
        steps = 0

        def die(frame: FrameType, event: str, argument: object) -> None:
            nonlocal steps
            steps += frame.f_code.co_filename in (atomic.__file__, store.__file__)
            if steps == step:
                os.kill(os.getpid(), signal.SIGKILL)

        sys.setprofile(die)
        save(path, number)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def begin(path: Path, first: int, by: int, acknowledge: int) -> int:
    """Start a process that saves versions `first`, `first + by`, ... and acknowledges each."""
    child = os.fork()
    if not child:
        for number in count(first, by):
            save(path, number)
            os.write(acknowledge, f"{number}\n".encode())
    return child


if __name__ == "__main__":
    main()
