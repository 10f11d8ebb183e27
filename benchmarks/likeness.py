"""How like molecules held out of its training are those that a model draws as it ships?

    .venv/bin/python benchmarks/likeness.py druglike work/druglike/dataset.safetensors [-n 10000]

Nothing is asked for; the test split of the model's own dataset is the reference, and as many
molecules of the training split, through the same pipeline, are what nobody can go below. Writes
results/likeness_MODEL.json.
"""

import argparse
import json
import os
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from moses_data import machine

from molvae.dataset import MoleculeDataset
from molvae.evaluate.fcd import frechet_distance
from molvae.evaluate.report import evaluate
from molvae.files.atomic import write_atomically
from molvae.generator import MoleculeGenerator
from molvae.parallel.pool import WorkerPool
from molvae.suites.sampling_settings import chemnet_moments, smiles_of

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("molvae", "rdkit", "selfies", "numpy", "torch", "fcd")


def main() -> None:
    """Draw, and judge both."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model")
    parser.add_argument("dataset", type=Path)
    parser.add_argument("-n", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    generator = MoleculeGenerator.load(arguments.model)
    dataset, n, jobs = MoleculeDataset.load(arguments.dataset), arguments.n, arguments.jobs
    with WorkerPool(jobs, module="molvae.chem.candidates") as executor:
        drawn = generator.generate(n, seed=arguments.seed, executor=executor)
    reference = smiles_of(dataset, dataset.members("test"))
    rows = np.random.default_rng(arguments.seed).choice(dataset.members("train"), n, replace=False)
    sets = {
        "drawn": [molecule.smiles for molecule in drawn.molecules],
        "training": smiles_of(dataset, rows),
    }
    held_out = chemnet_moments(reference, jobs=jobs)
    found: dict[str, Any] = {
        "command": f"benchmarks/likeness.py {arguments.model} DATASET -n {n}"
        f" --seed {arguments.seed}",
        "model": f"{arguments.model} {generator.name}",
        "n": n,
        "held_out": len(reference),
        "tier": drawn.summary.tier,
        "settings": drawn.summary.settings,
        "seed": arguments.seed,
    }
    for name, smiles in sets.items():
        report = evaluate(smiles, reference=reference, jobs=jobs, seed=arguments.seed)
        distance = frechet_distance(chemnet_moments(smiles, jobs=jobs), held_out)
        found[name] = {"FCD": distance, **report.values}
        print(name, json.dumps(found[name]), flush=True)
    found |= {"machine": machine(), "versions": {each: version(each) for each in PACKAGES}}
    path = RESULTS / f"likeness_{arguments.model}.json"
    write_atomically(path, f"{json.dumps(found, indent=1)}\n".encode())


if __name__ == "__main__":
    main()
