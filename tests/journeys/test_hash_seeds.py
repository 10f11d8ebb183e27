"""The order of a set, which Python draws for each process, changes no byte of a result."""

import os
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import csv, sys
from molvae.config import DataConfig
from molvae.data.prepare import prepare
from molvae.evaluate.report import evaluate
from tests.drugs import DRUGS

smiles = [smiles for _, smiles in DRUGS]
sets = {"training": smiles[30:90], "reference": smiles[80:120], "scaffolds": smiles[120:150]}
targets = {"LogP": 2.0, "QED": [0.5, None] * 30}
for suite in ("basic", "moses", "guacamol"):
    more = {"targets": targets, "memorization": True, "bootstrap": 5} if suite == "basic" else {}
    print(evaluate(smiles[:60], suite=suite, fcd=False, **sets, **more).to_json())
with open("drugs.csv", "w", newline="") as file:
    kinds = ((name, drug, len(drug) % 3, "abc"[len(name) % 3]) for name, drug in DRUGS[:120])
    csv.writer(file).writerows([("name", "smiles", "count", "kind"), *kinds, ("x", "C1CC", 1, "a")])
config = DataConfig(labels=("count:number", "kind"), min_count=3, split="scaffold")
found = prepare("drugs.csv", config, jobs=0, rejects="rejects.csv", conflicts="conflicts.csv")
print(found.dataset.save("out.safetensors"), found.tally, file=sys.stderr)
"""
OUTPUTS = ("drugs.csv", "rejects.csv", "conflicts.csv", "out.safetensors")


def test_evaluate_and_prepare_write_the_same_bytes_whatever_the_hash_seed(
    tmp_path: Path,
) -> None:
    found = []
    for seed in ("1", "2"):
        folder = tmp_path / seed
        folder.mkdir()
        environment = {
            **os.environ,
            "PYTHONHASHSEED": seed,
            "PYTHONPATH": os.pathsep.join([os.getcwd(), os.environ.get("PYTHONPATH", "")]),
            "MOLVAE_CACHE": str(folder / "cache"),
        }
        command = [sys.executable, "-c", PROGRAM]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=True)
        texts = [(folder / name).read_bytes() for name in OUTPUTS]
        found.append((done.stdout, done.stderr, *texts))
    assert len(found[0][0]) > 1000
    assert found[0] == found[1]
