"""What do the metrics say of the training set itself? The floor that no generator can go below.

    .venv/bin/python benchmarks/floors.py [--data FOLDER] [-n 30000 -n 10000] [--seeds 1,2,3]

Random molecules of the training set of MOSES, through the whole pipeline as if they were generated.
With N molecules the FCD cannot be expected below FCD(N) = a + b / N, so that a figure says little
without its N. What these figures should be is known, so they show when a metric is wrong. Writes
results/floors.json.
"""

import argparse
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from moses_data import FOLDER, machine, moses

from molvae.evaluate.report import evaluate
from molvae.files.atomic import write_atomically

RESULT = Path(__file__).parent / "results" / "floors.json"


def main() -> None:
    """Draw and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=FOLDER)
    parser.add_argument("-n", type=int, action="append")
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    sets = moses(arguments.data)
    training = sets.training.read()
    found: dict[str, Any] = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    for n in arguments.n or (30_000, 10_000):
        for seed in map(int, arguments.seeds.split(",")):
            chosen = np.random.default_rng(seed).choice(len(training), n, replace=False)
            report = evaluate(
                [training[row] for row in chosen],
                suite="moses",
                reference=sets.test,
                scaffolds=sets.scaffolds,
                training=sets.training,
                jobs=arguments.jobs,
                seed=seed,
            )
            numbers = {k: v for k, v in report.values.items() if not isinstance(v, dict)}
            found[f"N={n} seed={seed}"] = {
                "command": f"benchmarks/floors.py -n {n} --seeds {seed}",
                "machine": machine(),
                "metrics": numbers,
                "versions": report.versions,
            }
            write_atomically(RESULT, f"{json.dumps(found, indent=1)}\n".encode())
            print(n, seed, {k: v for k, v in numbers.items() if k[:3] in ("FCD", "val", "Nov")})


if __name__ == "__main__":
    main()
