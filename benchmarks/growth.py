"""How do time and memory of `molvae prepare` and `molvae evaluate` grow with the table?

    .venv/bin/python benchmarks/growth.py [--stage prepare] [--sizes 10000,100000,300000,1000000]
                                          [--jobs 2] [--data FOLDER] [--table MOSES] [--seed 1]

Distinct rows of each table in random order, the first ones of the same order each time. `evaluate`
is the suite `moses` without FCD; its metrics of pairs look at 30,000 molecules drawn with the seed,
and what it compares with is computed before. The slope is that of the logarithm of CPU seconds on
that of rows: 1 is a cost in proportion. Memory is that of all processes at once. A size that a
table does not have is taken as all of it. Writes results/growth.json, one run after the other.
"""

import argparse
import json
import os
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from gate import ROOT, TABLES, shuffled
from kept import keep_result
from moses_data import FOLDER, machine
from robustness import watch

RESULT = ROOT / "benchmarks" / "results" / "growth.json"


def main() -> None:
    """Have ever more rows of every table prepared or evaluated."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--stage", choices=("prepare", "evaluate"), default="prepare")
    parser.add_argument("--sizes", default="10000,100000,300000,1000000")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--data", type=Path, default=FOLDER)
    parser.add_argument("--table", action="append", choices=tuple(TABLES))
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    for name in arguments.table or ("MOSES", "ChEMBL"):
        rows = shuffled(arguments.data / TABLES[name].file, TABLES[name], arguments.seed)
        rows = list(dict.fromkeys(rows))
        grown = []
        for size in map(int, arguments.sizes.split(",")):
            grown.append(measured(arguments.stage, rows[:size], arguments.jobs, arguments.data))
            print(arguments.stage, name, grown[-1], flush=True)
            row = {
                "command": f"benchmarks/growth.py --stage {arguments.stage} --table {name}"
                f" --sizes {arguments.sizes} --jobs {arguments.jobs} --seed {arguments.seed}",
                "runs": grown,
                "slope": slope(grown),
                "machine": machine(),
                "versions": {p: version(p) for p in ("molvae", "rdkit", "selfies", "numpy")},
            }
            keep_result(RESULT, f"{arguments.stage} {name}", row)


def measured(stage: str, rows: list[str], jobs: int, data: Path) -> dict[str, Any]:
    """Run a stage on rows; return what it took."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.smi"
        path.write_text("\n".join(rows))
        watched = watch(
            [sys.executable, "-m", "molvae", *command(stage, path, data), "-j", str(jobs)]
        )
        if watched.code != 0:
            raise SystemExit(watched.errors)
        return {
            "rows": len(rows),
            "seconds": round(watched.seconds, 1),
            "cpu_seconds": round(watched.cpu_seconds, 1),
            "peak_mib": round(watched.memory),
            "largest_process_mib": round(watched.largest),
            "load_of_the_machine": round(os.getloadavg()[1], 1),
            **outcome(stage, json.loads(watched.output), path.with_name("out")),
        }


def command(stage: str, path: Path, data: Path) -> list[str]:
    """Return the words of a stage's command."""
    if stage == "prepare":
        return ["prepare", str(path), "-o", str(path.with_name("out")), "-q", "--json"]
    folder = data / "moses"
    sets = {"training": "train", "test": "test", "test-scaffolds": "test_scaffolds"}
    chosen = [f"--{option}={folder / name}.csv.gz" for option, name in sets.items()]
    return ["evaluate", str(path), "--suite", "moses", "--no-fcd", *chosen, "-q", "--json"]


def outcome(stage: str, told: dict[str, Any], written: Path) -> dict[str, Any]:
    """Return what a run came to: rows kept and the size written, or a few of the metrics."""
    if stage == "prepare":
        size = written.stat().st_size / 2**20
        return {"kept": told["kept"], "dataset_mib": round(size, 1)}
    names = ("valid", "Novelty", "IntDiv", "SNN/Test", "Scaf/Test")
    return {name: told["values"][name] for name in names}


def slope(grown: list[dict[str, Any]]) -> float | None:
    """Return the slope of log seconds on log rows; None for a single run."""
    if len(grown) < 2:
        return None
    rows, seconds = (np.log([run[key] for run in grown]) for key in ("rows", "cpu_seconds"))
    return float(np.polyfit(rows, seconds, 1)[0])


if __name__ == "__main__":
    main()
