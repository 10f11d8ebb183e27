"""How do time and memory of `molvae prepare` grow with the table?

    .venv/bin/python benchmarks/growth.py [--sizes 10000,100000,300000,1000000] [--jobs 2]
                                          [--data FOLDER] [--table MOSES] [--seed 1]

Distinct rows of each table in random order, the first ones of the same order each time. The slope
is that of the logarithm of CPU seconds on that of rows: 1 is a cost in proportion. Memory is that
of all processes at once. A size that a table does not have is taken as all of it. Writes
results/growth.json.
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
from moses_data import machine
from robustness import watch

from molvae.store import write_atomically

RESULT = ROOT / "benchmarks" / "results" / "growth.json"


def main() -> None:
    """Prepare ever more rows of every table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sizes", default="10000,100000,300000,1000000")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--table", action="append", choices=tuple(TABLES))
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    found: dict[str, Any] = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    for name in arguments.table or ("MOSES", "ChEMBL"):
        rows = shuffled(arguments.data / TABLES[name].file, TABLES[name], arguments.seed)
        rows = list(dict.fromkeys(rows))
        grown = []
        for size in map(int, arguments.sizes.split(",")):
            grown.append(prepare(rows[:size], arguments.jobs))
            print(name, grown[-1], flush=True)
            found[name] = {
                "command": f"benchmarks/growth.py --table {name} --sizes {arguments.sizes}"
                f" --jobs {arguments.jobs} --seed {arguments.seed}",
                "runs": grown,
                "slope": slope(grown),
                "machine": machine(),
                "versions": {p: version(p) for p in ("molvae", "rdkit", "selfies", "numpy")},
            }
            write_atomically(RESULT, f"{json.dumps(found, indent=1)}\n".encode())


def prepare(rows: list[str], jobs: int) -> dict[str, Any]:
    """Run `molvae prepare` on rows; return what it took."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.smi"
        path.write_text("\n".join(rows))
        command = [sys.executable, "-m", "molvae", "prepare", str(path), "-o", f"{folder}/out"]
        watched = watch([*command, "-j", str(jobs), "--force", "-q", "--json"])
        tally = json.loads(watched.output)
        return {
            "rows": len(rows),
            "kept": tally["kept"],
            "seconds": round(watched.seconds, 1),
            "cpu_seconds": round(watched.cpu_seconds, 1),
            "peak_mib": round(watched.memory),
            "largest_process_mib": round(watched.largest),
            "dataset_mib": round(Path(folder, "out").stat().st_size / 2**20, 1),
            "load_of_the_machine": round(os.getloadavg()[1], 1),
        }


def slope(grown: list[dict[str, Any]]) -> float | None:
    """Return the slope of log seconds on log rows; None for a single run."""
    if len(grown) < 2:
        return None
    rows, seconds = (np.log([run[key] for run in grown]) for key in ("rows", "cpu_seconds"))
    return float(np.polyfit(rows, seconds, 1)[0])


if __name__ == "__main__":
    main()
