"""What does refusing the strings that SELFIES repaired bring, and at which temperature?

    .venv/bin/python benchmarks/consistency.py MODEL DATASET [-n 5000] [--draws 20000] [--seed 1]

Strings are drawn once at each temperature, without a request and without a shortlist. Of the same
strings the first N are taken as they come (off), the first N that encode to themselves again
(re-encode), and the first N in canonical spelling besides (canonical); strings that the cap on
their length ended pass no test. FCD is to the test split of DATASET, whose own structure stands
beside: what is repaired is smaller and less aromatic, with odd rings. N is equal for all three: as
many as passed the strictest, where the draws did not suffice for more.
Writes results/consistency_MODEL.json.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from moses_data import machine

from molvae.chem.selfies import decode_canonical, is_consistent
from molvae.dataset import MoleculeDataset
from molvae.evaluate.distributions import rings
from molvae.evaluate.fcd import Moments, activations, frechet_distance, moments_of
from molvae.evaluate.parsed import parse_molecules
from molvae.files.atomic import write_atomically
from molvae.generation.proposals import Proposal, propose
from molvae.generator import MoleculeGenerator
from molvae.suites.sampling_settings import held_out_smiles

TEMPERATURES = (0.5, 0.7, 0.85, 1.0)
TESTS: dict[str, Callable[[Sequence[str]], bool]] = {
    "off": lambda symbols: True,
    "re-encode": is_consistent,
    "canonical": partial(is_consistent, canonical=True),
}


def main() -> None:
    """Draw at every temperature, apply every test and write down what is left."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("dataset", type=Path)
    parser.add_argument("-n", type=int, default=5000)
    parser.add_argument("--draws", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    generator = MoleculeGenerator.load(arguments.model)
    dataset = MoleculeDataset.load(arguments.dataset)
    known = held_out_smiles(dataset, split="test", seed=0)
    reference = moments_of(np.concatenate(list(activations(known))))
    rows = []
    for temperature in TEMPERATURES:
        draws = draw(generator, arguments.draws, temperature=temperature, seed=arguments.seed)
        rows += [
            {"temperature": temperature} | row for row in compare(draws, arguments.n, reference)
        ]
        print(*rows[-len(TESTS) :], sep="\n", flush=True)
    name = Path(arguments.model).stem
    report = {
        "command": f"benchmarks/consistency.py {name} DATASET -n {arguments.n} "
        f"--draws {arguments.draws} --seed {arguments.seed}",
        "model": f"{name} {generator.name}",
        "tier": "raw, then each test",
        "noise": generator.defaults.noise,
        "held out": {"molecules": len(known)} | structure(known),
        "rows": rows,
        "machine": machine(),
        "versions": {p: version(p) for p in ("molvae", "torch", "rdkit", "selfies", "fcd")},
    }
    target = Path(__file__).parent / "results" / f"consistency_{name}.json"
    write_atomically(target, f"{json.dumps(report, indent=1)}\n".encode())


def draw(generator: MoleculeGenerator, n: int, *, temperature: float, seed: int) -> list[Proposal]:
    """Draw strings of symbols."""
    config = replace(
        generator.defaults, tier="raw", shortlist=1, temperature=temperature, unique=False
    )
    free = np.full((n, len(generator.checkpoint.normalizer.names)), np.nan)
    settings = generator.model.settings(config)
    return propose(generator.model, range(n), free, 0, settings=settings, seed=seed)


def compare(draws: Sequence[Proposal], n: int, reference: Moments) -> list[dict[str, Any]]:
    """Return, for each test, what the first `n` strings that pass it are like."""
    ended = [draw.symbols for draw in draws if draw.ended]
    passed = {name: list(filter(passes, ended)) for name, passes in TESTS.items()}
    n = min(n, *map(len, passed.values()))
    rows = []
    for name, strings in passed.items():
        smiles = [text for text in map(decode_canonical, strings[:n]) if text]
        moments = moments_of(np.concatenate(list(activations(smiles))))
        rows.append(
            {
                "test": name,
                "passed": len(strings) / len(draws),
                "molecules": len(smiles),
                "FCD": frechet_distance(moments, reference),
                "unique": len(set(smiles)) / len(smiles),
            }
            | structure(smiles)
        )
    return rows


def structure(smiles: Sequence[str]) -> dict[str, float | None]:
    """Return what repairs change: rings, aromatic atoms and size, as `evaluate` counts them."""
    shapes = rings(parse_molecules(smiles, [], jobs=0))
    return {name: found["generated"] for name, found in shapes.items()}


if __name__ == "__main__":
    main()
