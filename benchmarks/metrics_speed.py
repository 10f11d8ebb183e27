"""How much faster are all metrics of MOSES here than in molsets, and where does the time go?

    .venv/bin/python benchmarks/metrics_speed.py [--data FOLDER] [-n 10000] [--jobs 2]

The same distinct molecules, the same machine, the same number of processes, one after the other:
ours, molsets 0.3.1, ours. What both compare with is computed before. molsets imports on no current
stack, so an environment of its own is built for it in the cache (numpy < 2, pandas < 2); nothing of
it enters the project. Writes results/metrics_speed.json.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from moses_data import FOLDER, moses, rows

from molvae.evaluate import gather, metrics
from molvae.evaluate.parsed import parse_molecules
from molvae.evaluate.report import evaluate
from molvae.evaluate.sets import Metric
from molvae.files.atomic import write_atomically
from molvae.files.cache import cache_folder

RESULT = Path(__file__).parent / "results" / "metrics_speed.json"
MOLSETS = "0.3.1"
NEEDS = ("numpy<2", "pandas<2", "scipy", "tqdm", "matplotlib")
ALONE = (f"molsets=={MOLSETS}", "fcd-torch", "seaborn")  # without what they ask for in vain
PARTS = {
    "parse_molecules": "read the molecules once",
    "load_training_set": "read the sets",
    "load_reference": "read the sets",
    "spread_moments": "ChemNet, for both FCD",
    "_similarities": "nearest test molecules, for both SNN",
}


def main() -> None:
    """Run both and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=FOLDER)
    parser.add_argument("-n", type=int, default=10_000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--ours", type=Path, help=argparse.SUPPRESS)  # in a process of its own
    arguments = parser.parse_args()
    if arguments.ours:
        print(json.dumps(ours(arguments.ours, arguments.data, arguments.jobs)))
        return
    smiles = rows(arguments.data / "peers" / "moses_char_rnn_1.csv.gz")
    chosen = list(dict.fromkeys(parse_molecules(smiles, ()).molecules))[: arguments.n]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "generated.smi"
        path.write_text("\n".join(chosen))
        mine = [sys.executable, __file__, "--ours", str(path), "--data", str(arguments.data)]
        mine += ["--jobs", str(arguments.jobs)]
        theirs = [str(environment() / "bin" / "python")]
        theirs += [str(Path(__file__).with_name("molsets_timed.py")), str(path)]
        theirs += [str(arguments.jobs)]
        run(mine)  # computes and keeps what is compared with
        runs = {"ours": [run(mine)], "molsets": [run(theirs)]}
        runs["ours"].append(run(mine))
    result = {
        "command": f"benchmarks/metrics_speed.py -n {arguments.n} --jobs {arguments.jobs}",
        "molecules": len(chosen),
        "processes": arguments.jobs,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "versions": {name: version(name) for name in ("rdkit", "torch", "numpy")},
        "molsets": MOLSETS,
        "times as fast": ratio(runs),
        "runs": runs,
    }
    write_atomically(RESULT, f"{json.dumps(result, indent=1)}\n".encode())
    print(json.dumps(result["times as fast"]))


def ratio(runs: dict[str, list[dict[str, Any]]]) -> float:
    """Return how many times as long molsets takes, by the clock.

    Processor time would leave out our workers, which are no children of this process.
    """
    mean = {who: sum(run["wall"] for run in found) / len(found) for who, found in runs.items()}
    return float(mean["molsets"] / mean["ours"])


def ours(path: Path, data: Path, jobs: int) -> dict[str, Any]:
    """Compute all metrics here, timing each part."""
    smiles, sets = path.read_text().split(), moses(data)
    seconds: dict[str, float] = defaultdict(float)

    def timed(function: Callable[..., Any], part: str) -> Callable[..., Any]:
        def run(*given: Any, **named: Any) -> Any:
            start = time.perf_counter()
            try:
                return function(*given, **named)
            finally:
                seconds[part] += time.perf_counter() - start

        return run

    for name, part in PARTS.items():
        setattr(gather, name, timed(getattr(gather, name), part))
    table: dict[str, Metric] = metrics.METRICS  # type: ignore[assignment]
    for name, metric in table.items():
        table[name] = metric._replace(function=timed(metric.function, name))
    start = time.perf_counter()
    report = evaluate(
        smiles,
        suite="moses",
        reference=sets.test,
        scaffolds=sets.scaffolds,
        training=sets.training,
        jobs=jobs,
    )
    wall = time.perf_counter() - start
    numbers = {n: v for n, v in report.values.items() if not isinstance(v, dict)}
    return {"wall": wall, "parts": seconds, "metrics": numbers}


def run(command: list[str]) -> dict[str, Any]:
    """Run a child that prints JSON."""
    # Each side spreads its own work over processes; both leave the threads of the rest alone.
    plain = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    done = subprocess.run(command, env=plain, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def environment() -> Path:
    """Return a virtual environment that molsets runs in, built once."""
    folder = cache_folder("benchmarks") / f"molsets-{MOLSETS}"
    done = folder / "installed"
    if not done.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet"]
        same = [f"{name}=={version(name).partition('+')[0]}" for name in ("rdkit", "torch")]
        subprocess.run([*pip, *same, *NEEDS], check=True)
        subprocess.run([*pip, "--no-deps", *ALONE], check=True)
        done.touch()
    return folder


if __name__ == "__main__":
    main()
