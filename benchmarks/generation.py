"""How fast are molecules drawn with the command, what bounds it, and how long does a start take?

    .venv/bin/python benchmarks/generation.py [-n 20000] [--jobs 2] [--model druglike]

`molvae generate` with nothing asked: canonical, checked, all properties measured. One process
writes strings, the others do their chemistry. What each of the two costs is measured apart, in one
process on the same draws; `products` is what the matrix products of the decoder's steps would take
at the rate of a plain product of as many rows. The bound is the slower of the two shares: all that
is written in one process, and all work spread evenly over the cores. Writes
results/generation.json.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from moses_data import machine
from robustness import watch

from molvae.chem.candidates import Checks, decode_and_check_all
from molvae.files.atomic import write_atomically
from molvae.generation.proposals import propose
from molvae.generation.tiles import TILE
from molvae.generator import MoleculeGenerator

RESULT = Path(__file__).parent / "results" / "generation.json"
PARTS = 2048  # draws that the parts are measured on
STARTS = 5
SEED = 1


def main() -> None:
    """Time the command, its parts and its start."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("-n", type=int, default=20_000)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--model", default="druglike")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    generator = MoleculeGenerator.load(arguments.model)
    drawn = generate(arguments.model, arguments.n, arguments.jobs)
    parts = measured(generator)
    each = {name: drawn["draws"] / drawn["found"] * ms for name, ms in parts.items()}
    bound = max(each["writing"], (each["writing"] + each["chemistry"]) / (os.cpu_count() or 1))
    result = {
        "command": f"benchmarks/generation.py -n {arguments.n} --jobs {arguments.jobs}"
        f" --model {arguments.model}",
        "model": generator.name,
        "tier": generator.defaults.tier,
        "seed": SEED,
        **drawn,
        "milliseconds a draw": parts,
        "bound, molecules a second": 1000 / bound,
        "share of the bound": drawn["molecules a second"] * bound / 1000,
        "seconds of `molvae --help`": started(["--help"]),
        "seconds of `molvae generate -n 20`": started(
            ["generate", arguments.model, "-n", "20", "--seed", "1", "-q"]
        ),
        "machine": machine(),
        "load_of_the_machine": round(os.getloadavg()[1], 1),
        "versions": {name: version(name) for name in ("molvae", "torch", "rdkit", "numpy")},
    }
    write_atomically(RESULT, f"{json.dumps(result, indent=1)}\n".encode())
    print(json.dumps(result, indent=1))


def molvae(*words: str) -> list[str]:
    """Return a command of this installation."""
    return [sys.executable, "-m", "molvae", *words]


def generate(model: str, n: int, jobs: int) -> dict[str, Any]:
    """Draw with the command; return what it told, with its clock and its processes' seconds."""
    with tempfile.TemporaryDirectory() as folder:
        output = f"{folder}/drawn.csv"
        words = ("generate", model, "-n", str(n), "-j", str(jobs), "--seed", str(SEED))
        watched = watch(molvae(*words, "-o", output, "-q", "--json"))
        if watched.code != 0:
            raise SystemExit(watched.errors)
    told = json.loads(watched.output)
    return {
        "found": told["found"],
        "draws": told["draws"],
        "seconds": round(told["seconds"], 1),
        "seconds with the start": round(watched.seconds, 1),
        "molecules a second": told["found"] / told["seconds"],
        "cpu_seconds": round(watched.cpu_seconds, 1),
        "peak_mib": round(watched.memory),
    }


def measured(generator: MoleculeGenerator) -> dict[str, float]:
    """Return milliseconds of one process for each draw: of writing, products alone, chemistry."""
    checkpoint, names = generator.checkpoint, generator.normalizer.names
    free = np.full((PARTS, len(names)), np.nan)
    settings = generator.model.settings()

    def written() -> Any:
        return propose(generator.model, range(PARTS), free, 0, settings=settings, seed=SEED)

    draws = written()
    checks = Checks(generator.measured, standardization=generator.standardization)
    work = [(draw.symbols, checks._replace(consistent_only=True)) for draw in draws]
    size = checkpoint.model.config
    wide = 4 * size.decoder_size
    deep = size.decoder_size * (2 * size.decoder_layers - 1)
    states, weights = torch.randn(TILE, deep), torch.randn(deep, wide)
    steps = sum(len(draw.symbols) + 1 for draw in draws) / TILE
    return {
        "writing": milliseconds(written),
        "products": milliseconds(lambda: [states @ weights for _ in range(round(steps))]),
        "chemistry": milliseconds(lambda: decode_and_check_all(work)),
    }


def milliseconds(compute: Callable[[], object]) -> float:
    """Return the milliseconds of processor that a draw takes, the median of three turns."""
    turns = []
    for _ in range(3):
        begun = time.process_time()
        compute()
        turns.append((time.process_time() - begun) * 1000 / PARTS)
    return statistics.median(turns)


def started(words: list[str]) -> float:
    """Return the seconds of a command by the clock, the median of several."""
    seconds = []
    for _ in range(STARTS):
        begun = time.perf_counter()
        subprocess.run(molvae(*words), capture_output=True, check=True)
        seconds.append(time.perf_counter() - begun)
    return round(statistics.median(seconds), 3)


if __name__ == "__main__":
    main()
