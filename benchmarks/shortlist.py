"""What do more strings for each draw bring, and cost?

    .venv/bin/python benchmarks/shortlist.py MODEL DATASET [-n 50] [--joint 500] [--seed 1]

The model's own property head keeps one of k strings (--shortlist k); RDKit only measures what was
kept, so the tier is RAW. For each k: the grid of `molvae benchmark control`, all properties of
held-out molecules of DATASET as targets, and a single request for how many of 500 molecules differ
and how long they took beside k = 1. Writes results/shortlist_MODEL.json.
"""

import argparse
import os
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from kept import keep_result
from moses_data import machine

from molvae.evaluate.work import Work
from molvae.generator import MoleculeGenerator
from molvae.parallel.pool import WorkerPool
from molvae.suites.control_model import ControlTests, PropertySampler, run_control
from molvae.suites.tokenized import load_tokenized, load_training_properties

COUNTS = (1, 4, 16)
REQUEST = {"LogP": 2.5, "QED": 0.85}
ASKED_ALIKE = 500


def main() -> None:
    """Ask the same with ever more strings."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("dataset", type=Path)
    parser.add_argument("-n", type=int, default=50)
    parser.add_argument("--joint", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    generator, seed = MoleculeGenerator.load(arguments.model), arguments.seed
    cores = os.cpu_count() or 1
    work = Work(cores)
    questions = ControlTests(
        n=arguments.n,
        seed=seed,
        tests=("grid", "joint"),
        training=load_training_properties(
            arguments.dataset, generator.normalizer.names, limit=0, seed=seed, work=work
        ),
        held_out=load_tokenized(
            arguments.dataset, generator, split="test", limit=arguments.joint, seed=seed, work=work
        ),
    )
    name = Path(arguments.model).stem
    target = Path(__file__).parent / "results" / f"shortlist_{name}.json"
    versions = {p: version(p) for p in ("molvae", "torch", "rdkit", "selfies", "numpy")}
    about = {
        "command": f"benchmarks/shortlist.py {name} DATASET -n {arguments.n} --joint"
        f" {arguments.joint} --seed {seed}",
        "model": f"{name} {generator.name}",
        "tier": "raw",
        "request": REQUEST,
        "machine": machine(),
        "versions": versions,
    }
    keep_result(target, "about", about)
    seconds_of_one = 0.0
    with WorkerPool(cores, module="molvae.chem.candidates") as executor:
        for count in COUNTS:
            config = replace(generator.defaults, tier="raw", shortlist=count)
            found = run_control(
                PropertySampler(generator, config, executor),
                questions,
                name=name,
                versions=versions,
            )
            alike = generator.generate(
                ASKED_ALIKE, REQUEST, config=config, seed=seed, executor=executor
            ).summary
            seconds_of_one = seconds_of_one or alike.seconds
            joint = found.joint["properties"]
            part: dict[str, Any] = {
                "grid": found.grid_mean,
                "joint": found.joint,
                "joint MAE / sd": sum(each["mae_sd"] for each in joint.values()) / len(joint),
                "acceptance": alike.acceptance,
                "distinct": alike.uniqueness,
                "MAE": {name: control.mae for name, control in alike.control.items()},
                "times as long": alike.seconds / seconds_of_one,
            }
            keep_result(target, f"{count} strings", part)
            print(count, found.grid_mean["mae"], part["joint MAE / sd"], part["times as long"])


if __name__ == "__main__":
    main()
