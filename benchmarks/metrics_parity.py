"""Do we get the numbers that MOSES published, from the molecules that it published?

    .venv/bin/python benchmarks/metrics_parity.py [--data FOLDER] [--jobs 2] [MODEL]...

For each file of `peers/` in the data folder: all metrics, beside the authors'. A difference is in
tolerance up to .003 for an FCD below 1, and up to .5 % of the published value for the rest. The
files and the data sets are not ours to redistribute. Writes results/metrics_parity.json, and the
same as tables to metrics_parity.md.
"""

import argparse
import csv
import json
import os
from pathlib import Path
from typing import Any

from moses_data import FOLDER, Moses, machine, moses, rows

from molvae.evaluate.report import evaluate
from molvae.files.atomic import write_atomically

RESULT = Path(__file__).parent / "results" / "metrics_parity.json"
REFERENCE = "moses_reference_metrics.tsv"
FCD_TOLERANCE = 0.003  # of a distance below 1
TOLERANCE = 0.005  # of the published value
EXEMPT = {"jtn": ("logP", "SA", "QED", "weight")}  # of an older definition
# The samples of jtn again, with the figures that their authors give with their code.
JTVAE = {
    "valid": 1.0,
    "unique@1000": 1.0,
    "unique@10000": 0.9992,
    "FCD/Test": 0.4224,
    "SNN/Test": 0.5561,
    "Frag/Test": 0.9962,
    "Scaf/Test": 0.8925,
    "FCD/TestSF": 0.9962,
    "SNN/TestSF": 0.5273,
    "Frag/TestSF": 0.9948,
}
TITLE = "# MOSES: published, ours, difference\n\nWritten by `benchmarks/metrics_parity.py`.\n"
NOT_OURS = ("model", "seed", "NP")


def main() -> None:
    """Measure every file and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", help="names as in the published table; all")
    parser.add_argument("--data", type=Path, default=FOLDER)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    peers, sets = arguments.data / "peers", moses(arguments.data)
    results: dict[str, Any] = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    for name, (path, published) in files(peers).items():
        if arguments.models and name not in arguments.models:
            continue
        results[name] = compare(name, rows(path), published, sets, jobs=arguments.jobs)
        write_atomically(RESULT, f"{json.dumps(results, indent=1)}\n".encode())
        lines = [line for known, result in results.items() for line in table(known, result)]
        write_atomically(RESULT.with_suffix(".md"), "\n".join([TITLE, *lines]).encode())
        print("\n".join(table(name, results[name])), flush=True)


def files(peers: Path) -> dict[str, tuple[Path, dict[str, float]]]:
    """Return the samples and the published numbers of each model."""
    found = {}
    with (peers / REFERENCE).open(newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            published = {
                name: float(cell) for name, cell in row.items() if name not in NOT_OURS and cell
            }
            found[row["model"]] = (peers / f"moses_{row['model']}_1.csv.gz", published)
    found["jtvae_fast"] = (peers / "jtvae_fast_moses.smi.gz", JTVAE)
    return found


def compare(
    name: str, smiles: list[str], published: dict[str, float], sets: Moses, *, jobs: int
) -> dict[str, Any]:
    """Return published, ours and their difference for each metric."""
    report = evaluate(
        smiles,
        suite="moses",
        reference=sets.test,
        scaffolds=sets.scaffolds,
        training=sets.training,
        jobs=jobs,
    )
    metrics = {}
    for metric, theirs in published.items():
        ours = report.values[metric]
        metrics[metric] = {
            "published": theirs,
            "ours": ours,
            "difference": ours - theirs,
            "within": within(metric, theirs, ours),
            "exempt": metric in EXEMPT.get(name, ()),
        }
    return {
        "command": f"benchmarks/metrics_parity.py {name}",
        "N": len(smiles),
        "seed": report.seed,
        "machine": machine(),
        "versions": report.versions,
        "metrics": metrics,
    }


def within(metric: str, published: float, ours: float) -> bool:
    """Whether a difference is in tolerance."""
    near = FCD_TOLERANCE if metric.startswith("FCD") and published < 1 else TOLERANCE * published
    return abs(ours - published) <= near


def table(name: str, result: dict[str, Any]) -> list[str]:
    """Return the comparison as lines of Markdown."""
    lines = [
        f"**{name}**, N = {result['N']:,}\n",
        "| metric | published | ours | difference |",
        "|---|---|---|---|",
    ]
    for metric, found in result["metrics"].items():
        mark = "" if found["within"] else " (exempt)" if found["exempt"] else " **out**"
        lines.append(
            f"| {metric} | {found['published']:.6g} | {found['ours']:.6g} |"
            f" {found['difference']:+.2g}{mark} |"
        )
    return [*lines, ""]


if __name__ == "__main__":
    main()
