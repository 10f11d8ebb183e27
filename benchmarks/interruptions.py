"""Does an interruption cost a training anything? Kills at random, and at each line of a save.

    .venv/bin/python benchmarks/interruptions.py [--count 60] [--seed 0]

`molvae train` is run on 800 molecules of datasets/druglike-10k.csv, once without disturbance.
Then the same command is killed (SIGKILL) at a random moment and resumed to its end, until
`--count` kills have met it alive. Besides, a smaller training is killed at each single line of code
that writes a file, as it begins (state, configuration) and as it ends (log, model, state), and
resumed as well.

lost: what is on disk after the kill cannot be read, or the training cannot be resumed from it.
diverged: the final model, or the log but for its clock, is not that of the undisturbed training.
leftovers: the folder ends with other files than that of the undisturbed training.
Writes results/interruptions.json.
"""

import argparse
import csv
import json
import os
import platform
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch

from molvae.cli.main import cli
from molvae.config import DataConfig, ModelConfig, TrainConfig
from molvae.data.prepare import prepare
from molvae.dataset import MoleculeDataset
from molvae.errors import MolvaeError
from molvae.files import store
from molvae.presets import Preset
from molvae.train.history import CLOCK
from molvae.train.state import FORMAT, KIND
from molvae.train.trainer import Trainer

HERE = Path(__file__).parent
MOLECULES, EPOCHS = 800, 3  # killed at a random time
FEW, SHORT = 300, 2  # killed at each line: what counts there is the saving
MODEL = ModelConfig(
    symbol_size=32,
    encoder_size=32,
    decoder_size=64,
    decoder_layers=1,
    latent_size=16,
    condition_size=32,
)
TRAIN = TrainConfig(batch_size=64, precision="fp32", save_every=1.0)
# The functions of molvae/files/atomic.py that write a file.
WRITING = ("replacing", "write_atomically", "_create", "_lock", "_sweep", "_remove", "_sync_folder")


def main() -> None:
    """Kill as often as asked, and write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        few = make_dataset(folder / "few.molvae", FEW)
        make_dataset(folder / "many.molvae", MOLECULES)
        trainer(few, folder / "first").fit()  # what torch loads at first use, it has before a kill
        steps = -(-len(few.members("train")) // TRAIN.batch_size)
        report = {
            "command": f"benchmarks/interruptions.py --count {arguments.count}"
            f" --seed {arguments.seed}",
            "seed": arguments.seed,
            "at a random time": kill_at_random(folder, arguments.count, arguments.seed),
            "at each line that writes a file, as a training begins": kill_at_each_line(
                few, folder / "beginning", before=0
            ),
            "at each line that writes a file, as it ends": kill_at_each_line(
                few, folder / "ending", before=steps * SHORT
            ),
            "machine": f"{platform.machine()}, {os.cpu_count()} cores",
            "versions": {p: version(p) for p in ("molvae", "torch", "numpy", "safetensors")},
        }
    target = HERE / "results" / "interruptions.json"
    target.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(report, indent=1))


def make_dataset(path: Path, count: int) -> MoleculeDataset:
    """Prepare the first rows of the table that ships with molvae."""
    lines = (HERE.parent / "datasets" / "druglike-10k.csv").read_text("utf-8").splitlines()
    table = path.with_suffix(".csv")
    table.write_text("\n".join(lines[: count + 1]) + "\n", "utf-8")
    dataset = prepare([table], DataConfig(), jobs=0).dataset
    dataset.save(path)
    return dataset


def kill_at_random(folder: Path, count: int, seed: int) -> dict[str, Any]:
    """Kill the command at random moments, and count what it costs."""
    whole = folder / "whole"
    begun = time.monotonic()
    assert resume_command(folder, whole)
    seconds = time.monotonic() - begun
    random, found = np.random.default_rng(seed), Counter[str]()
    kills = 0
    while kills < count:
        run = folder / "run"
        child = begin(folder, run)
        time.sleep(float(random.uniform(0.0, seconds)))
        os.kill(child, signal.SIGKILL)
        if ended(child) == 0:
            found["done before it was killed, and not counted"] += 1
        else:
            kills += 1
            found["killed before the first save"] += not (run / "state.safetensors").exists()
            tell(found, run, whole, partial(resume_command, folder, run))
            print(f"{kills} of {count}: {dict(found)}", file=sys.stderr, flush=True)
        shutil.rmtree(run, ignore_errors=True)  # killed before it made one
    return {
        "molecules": MOLECULES,
        "epochs": EPOCHS,
        "seconds undisturbed": round(seconds, 1),
        "kills": kills,
        **result(found),
    }


def begin(folder: Path, run: Path) -> int:
    """Start `molvae train`, or go on with it when there is something to go on with.

    In a child that has all modules loaded: a process that still loads them writes nothing.
    """
    line = ["train", folder / "many.molvae", "-o", run, "--quiet", "--no-measure"]
    line += ["--device", "cpu", "--threads", 1]
    if (run / "state.safetensors").exists():
        line += ["--resume"]
    else:
        settings = {**vars(MODEL), **vars(TRAIN), "epochs": EPOCHS}
        line += [w for k, v in settings.items() for w in (f"--{k.replace('_', '-')}", v)]

    def command() -> None:
        cli([str(word) for word in line], prog_name="molvae")

    return in_a_child(command)


def in_a_child(work: Callable[[], object]) -> int:
    """Start work in a process of its own, and return its number; it exits 1 when work fails."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        work()
        code = 0
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1
    finally:
        os._exit(code)


def ended(child: int) -> int:
    """Wait for a child; return its exit code, or the signal that killed it, negative."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def resume_command(folder: Path, run: Path) -> bool:
    """Go on with the command to its end."""
    return ended(begin(folder, run)) == 0


def resume_here(dataset: MoleculeDataset, run: Path) -> bool:
    """Go on to the end in this process."""
    return trainer(dataset, run).fit()


def kill_at_each_line(dataset: MoleculeDataset, folder: Path, *, before: int) -> dict[str, Any]:
    """Kill a training at each line of code that writes a file, from some step on.

    Args:
        dataset: what is trained on.
        folder: for the runs.
        before: steps that are taken undisturbed.
    """
    whole, begun, found = folder / "whole", folder / "begun", Counter[str]()
    assert trainer(dataset, whole).fit()
    if before:
        assert not trainer(dataset, begun, stop_at=before).fit()
    else:
        begun.mkdir()
    line, killed = 0, True
    while killed:
        line += 1
        run = folder / f"run{line}"
        shutil.copytree(begun, run)
        killed = killed_at_line(line, trainer(dataset, run, stop_at=before + 1).fit)
        tell(found, run, whole, partial(resume_here, dataset, run))
        shutil.rmtree(run)
    return {"molecules": FEW, "epochs": SHORT, "kills": line - 1, **result(found)}


def trainer(dataset: MoleculeDataset, run: Path, *, stop_at: int | None = None) -> Trainer:
    """Return a training of this process, that goes on with what is there, up to a step."""
    made = Trainer(dataset, run, Preset(MODEL, replace(TRAIN, epochs=SHORT)), resume=True)
    made.should_stop = lambda: stop_at is not None and made.state.step >= stop_at
    return made


def killed_at_line(number: int, work: Callable[[], object]) -> bool:
    """Do work in a child that dies at the n-th line of writing a file; False when there are fewer.

    No handler and no `finally` runs: to what is on disk it is a power cut.
    """
    left = number

    def count(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal left
        if not (frame.f_code.co_filename.endswith("atomic.py") and frame.f_code.co_name in WRITING):
            return None
        left -= event == "line"
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return count

    def traced() -> None:
        sys.settrace(count)
        work()

    return ended(in_a_child(traced)) == -signal.SIGKILL


def tell(found: "Counter[str]", run: Path, whole: Path, resume: Callable[[], bool]) -> None:
    """Look at what a kill has left, go on to the end, and count what is not as it should be."""
    try:
        if (run / "state.safetensors").exists():
            store.read(run / "state.safetensors", kind=KIND, format=FORMAT)
        lost = not resume()
    except MolvaeError as error:
        print(error, file=sys.stderr)
        lost = True
    found["lost"] += lost
    found["diverged"] += not lost and outcome(run) != outcome(whole)
    found["leftovers"] += sorted(os.listdir(run)) != sorted(os.listdir(whole))


def outcome(run: Path) -> tuple[bytes, list[dict[str, str]]]:
    """Return the model's bytes and the log without its clock."""
    with (run / "log.csv").open(newline="", encoding="utf-8") as file:
        rows = [{k: v for k, v in row.items() if k not in CLOCK} for row in csv.DictReader(file)]
    return (run / "model.safetensors").read_bytes(), rows


def result(found: "Counter[str]") -> dict[str, int]:
    """Return the counts, the three that matter in any case."""
    return {**dict.fromkeys(("lost", "diverged", "leftovers"), 0), **found}


if __name__ == "__main__":
    main()
