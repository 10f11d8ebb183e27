"""How many molecules that meet every target does each way of choosing find in a second?

    .venv/bin/python benchmarks/hits.py MODEL DATASET [-n 100] [--points 10] [--seed 1]

A hit is a distinct molecule, not repaired by SELFIES, whose properties by RDKit are all within 0.1
standard deviations of the training set of their targets; counts are exact. Targets: LogP with QED,
then LogP, TPSA and QED, then all properties of the model, each of so many held-out molecules of
DATASET. For each point every way gets n molecules, but for the two that know no targets: drawing
without targets (`free draws`, n for each point, shared by all of them), and taking the molecules of
DATASET's training split (`training set`, none of which is new). Seconds are those of the clock on
all cores, without the start of the processes; writes results/hits_MODEL.json.
"""

import argparse
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from kept import keep_result
from moses_data import machine

from molvae.config import GenerateConfig
from molvae.dataset import MoleculeDataset
from molvae.generator import MoleculeGenerator
from molvae.parallel.pool import WorkerPool

NEAR = 0.1  # standard deviations
SETS: Mapping[str, tuple[str, ...] | None] = {
    "LogP, QED": ("LogP", "QED"),
    "LogP, TPSA, QED": ("LogP", "TPSA", "QED"),
    "all": None,
}
WAYS: Mapping[str, Mapping[str, Any]] = {
    "one string": {"shortlist": 1},
    "head chooses of 4": {"shortlist": 4},
    "head chooses of 8": {"shortlist": 8},
    "head chooses of 16": {"shortlist": 16},
    "RDKit chooses of 4": {"shortlist": 1, "best_of": 4},
    "RDKit chooses of 8": {"shortlist": 1, "best_of": 8},
    "RDKit chooses of 4, each the head's of 4": {"shortlist": 4, "best_of": 4},
}


def main() -> None:
    """Count the hits of every way, for every set of targets."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("dataset", type=Path)
    parser.add_argument("-n", type=int, default=100)
    parser.add_argument("--points", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    generator = MoleculeGenerator.load(arguments.model)
    dataset = MoleculeDataset.load(arguments.dataset)
    name = Path(arguments.model).stem
    target = Path(__file__).parent / "results" / f"hits_{name}.json"
    keep_result(target, "about", about(generator, name, arguments))
    points = held_out_points(dataset, arguments.points, arguments.seed)
    cores = os.cpu_count() or 1
    with WorkerPool(cores, module="molvae.chem.candidates") as executor:
        generator.generate(100, seed=0, executor=executor)  # every process has started
        for title, names in SETS.items():
            asked = [{key: point[key] for key in names or point} for point in points]
            found = {
                way: conditioned(generator, asked, changed, arguments, executor)
                for way, changed in WAYS.items()
            }
            found["free draws"] = free(generator, asked, arguments, executor)
            found["training set"] = picked(generator, dataset, asked)
            keep_result(target, title, found)
            for way, each in found.items():
                print(title, way, each, sep="  ", flush=True)


def about(generator: MoleculeGenerator, name: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Return how the result was made."""
    return {
        "command": f"benchmarks/hits.py {name} DATASET -n {arguments.n}"
        f" --points {arguments.points} --seed {arguments.seed}",
        "model": f"{name} {generator.name}",
        "tier": "consistent",
        "within": f"{NEAR} standard deviations",
        "machine": machine(),
        "versions": {p: version(p) for p in ("molvae", "torch", "rdkit", "selfies", "numpy")},
    }


def held_out_points(dataset: MoleculeDataset, count: int, seed: int) -> list[dict[str, float]]:
    """Return the properties of some held-out molecules."""
    rows = np.random.default_rng(seed).permutation(dataset.members("test"))[:count]
    names = dataset.normalizer.names
    return [dict(zip(names, map(float, dataset.properties[row]), strict=True)) for row in rows]


def conditioned(
    generator: MoleculeGenerator,
    asked: Sequence[Mapping[str, float]],
    changed: Mapping[str, Any],
    arguments: argparse.Namespace,
    executor: WorkerPool,
) -> dict[str, Any]:
    """Return the hits of one way: molecules that were asked for."""
    config = replace(generator.defaults, tier="consistent", **changed)
    begun = time.perf_counter()
    found = generator.generate(
        arguments.n * len(asked), asked, config=config, seed=arguments.seed, executor=executor
    )
    seconds = time.perf_counter() - begun
    hits = sum(is_hit(generator, each, asked[(each.id - 1) // arguments.n]) for each in found)
    return rated(hits, seconds, molecules=len(found))


def free(
    generator: MoleculeGenerator,
    asked: Sequence[Mapping[str, float]],
    arguments: argparse.Namespace,
    executor: WorkerPool,
) -> dict[str, Any]:
    """Return the hits among molecules that were drawn without targets.

    They are drawn once, and serve every point: the seconds count for each of them.
    """
    config: GenerateConfig = replace(generator.defaults, tier="consistent")
    begun = time.perf_counter()
    found = generator.generate(
        arguments.n * len(asked), config=config, seed=arguments.seed, executor=executor
    )
    seconds = time.perf_counter() - begun
    hits = sum(is_hit(generator, molecule, point) for point in asked for molecule in found)
    return rated(hits, seconds * len(asked), molecules=len(found))


def picked(
    generator: MoleculeGenerator, dataset: MoleculeDataset, asked: Sequence[Mapping[str, float]]
) -> dict[str, Any]:
    """Return the hits in the training set, whose properties are known, and the seconds they took.

    The training set is in memory; nothing is decoded.
    """
    names = dataset.normalizer.names
    begun = time.perf_counter()
    rows = dataset.properties[dataset.members("train")]
    hits = 0
    for point in asked:
        columns = [names.index(name) for name in point]
        off = np.abs(rows[:, columns] - np.array([*point.values()], dtype=np.float32))
        hits += int((off <= tolerance(generator, point)).all(axis=1).sum())
    return rated(hits, time.perf_counter() - begun, molecules=len(rows))


def is_hit(generator: MoleculeGenerator, molecule: Any, point: Mapping[str, float]) -> bool:
    """Return whether a molecule meets every target of a point."""
    off = [abs(molecule.properties[name] - value) for name, value in point.items()]
    return bool((np.array(off) <= tolerance(generator, point)).all())


def tolerance(generator: MoleculeGenerator, point: Mapping[str, float]) -> np.ndarray:
    """Return how far off each property of a hit may be, in its unit; below 1 for a count."""
    names = generator.normalizer.names
    return NEAR * np.array([generator.normalizer.scale[names.index(name)] for name in point])


def rated(hits: int, seconds: float, *, molecules: int) -> dict[str, Any]:
    """Return the figures of one way."""
    return {
        "molecules": molecules,
        "hits": hits,
        "seconds": round(seconds, 3),
        "hits a second": hits / seconds,
    }


if __name__ == "__main__":
    main()
