"""How much faster is `molvae prepare` than the loop that everybody writes first?

    .venv/bin/python benchmarks/naive_prepare.py [-n 5000] [--jobs 2] [--data FOLDER] [--seed 1]
                                                 [--table MOSES]

The loop, in one process: RDKit reads a row, keeps the largest fragment, neutralizes it, writes
canonical SMILES without stereo, drops what it has seen; selfies encodes; eight properties are
computed by RDKit's own functions. `molvae prepare` does the same and more (it also proves that the
symbols decode to the molecule, and accounts for every row), on `--jobs` processes. The same random
rows of each table, taking turns: loop, prepare, loop, prepare; seconds by the clock, start-up
included. Writes results/naive_prepare.json, one table after the other.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import selfies
from gate import MIX, ROOT, TABLES, shuffled
from kept import keep_result
from moses_data import machine
from rdkit import Chem, RDConfig, rdBase
from rdkit.Chem import QED, Crippen, Descriptors, Lipinski, rdMolDescriptors
from rdkit.Chem.MolStandardize import rdMolStandardize
from robustness import watch

sys.path.append(str(Path(RDConfig.RDContribDir) / "SA_Score"))
import sascorer  # type: ignore[import-not-found]

RESULT = ROOT / "benchmarks" / "results" / "naive_prepare.json"
TURNS = 2


def main() -> None:
    """Time both on every table and compare."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("-n", type=int, default=5000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--table", action="append", choices=tuple(MIX))
    parser.add_argument("--loop", type=Path, help=argparse.SUPPRESS)  # in a process of its own
    arguments = parser.parse_args()
    if arguments.loop:
        print(json.dumps(loop(arguments.loop.read_text().split("\n"))))
        return
    for name in arguments.table or MIX:
        path = arguments.data / TABLES[name].file
        rows = shuffled(path, TABLES[name], arguments.seed)[: arguments.n]
        row = {
            "command": f"benchmarks/naive_prepare.py -n {arguments.n} --jobs {arguments.jobs}"
            f" --seed {arguments.seed} --table {name}",
            "rows": arguments.n,
            **compare(rows, arguments.jobs),
            "machine": machine(),
            "versions": {p: version(p) for p in ("molvae", "rdkit", "selfies", "numpy")},
        }
        print(name, row, flush=True)
        keep_result(RESULT, name, row)


def compare(rows: list[str], jobs: int) -> dict[str, Any]:
    """Return what both take for the same rows, and how many times as fast `prepare` is."""
    seconds: dict[str, list[float]] = {"loop": [], "prepare": []}
    cpu, kept = [], {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.smi"
        path.write_text("\n".join(rows))
        naive = [sys.executable, __file__, "--loop", str(path)]
        ours = [sys.executable, "-m", "molvae", "prepare", str(path), "-o", f"{folder}/out"]
        ours += ["-j", str(jobs), "--force", "-q", "--json", "--min-count", "1"]
        for _ in range(TURNS):
            start = time.perf_counter()
            done = subprocess.run(naive, stdout=subprocess.PIPE, text=True, check=True)
            seconds["loop"].append(time.perf_counter() - start)
            kept["loop"] = json.loads(done.stdout)["kept"]
            watched = watch(ours)
            seconds["prepare"].append(watched.seconds)
            cpu.append(watched.cpu_seconds)
            kept["prepare"] = json.loads(watched.output)["kept"]
    return {
        "seconds": seconds,
        "cpu_seconds of prepare": cpu,
        "kept": kept,
        "times as fast": float(np.mean(seconds["loop"]) / np.mean(seconds["prepare"])),
    }


def loop(rows: list[str]) -> dict[str, int]:
    """Prepare rows as it is usually done."""
    rdBase.DisableLog("rdApp.*")
    largest = rdMolStandardize.LargestFragmentChooser()
    uncharger = rdMolStandardize.Uncharger()
    seen: set[str] = set()
    symbols, properties = [], []
    for row in rows:
        mol = Chem.MolFromSmiles(row)
        if mol is None or not mol.GetNumAtoms():
            continue
        mol = uncharger.uncharge(largest.choose(mol))
        smiles = Chem.MolToSmiles(mol, isomericSmiles=False)
        if smiles in seen:
            continue
        seen.add(smiles)
        try:
            symbols.append(list(selfies.split_selfies(selfies.encoder(smiles))))
        except selfies.EncoderError:
            continue
        mol = Chem.MolFromSmiles(smiles)
        properties.append(
            (
                Descriptors.MolWt(mol),
                Crippen.MolLogP(mol),
                rdMolDescriptors.CalcTPSA(mol),
                QED.qed(mol),
                sascorer.calculateScore(mol),
                Lipinski.NumHDonors(mol),
                Lipinski.NumHAcceptors(mol),
                Lipinski.NumRotatableBonds(mol),
            )
        )
    return {"kept": len(symbols)}


if __name__ == "__main__":
    main()
