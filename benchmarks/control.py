"""Does a model heed its conditions? Asked against got, beside the same network untrained.

    .venv/bin/python benchmarks/control.py [MODEL] [-n 500] [--seed 1]

Tier RAW: every draw counts and RDKit rejects, reranks or filters none. By default the model writes
several strings for each draw and keeps the one that its own property head reads as nearest to the
request (--shortlist); "one string" is without that. The untrained network has the same sizes,
vocabulary and normalizer and random weights: a benchmark that it passed would measure nothing.
Writes results/control_MODEL.json.
"""

import argparse
import json
import math
import os
import platform
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from molvae.checkpoint import Checkpoint, find_model
from molvae.config import GenerateConfig, as_dict
from molvae.generator import MoleculeGenerator
from molvae.model.cvae import ConditionalVAE
from molvae.model.prior import JointGaussian

REQUESTS: dict[str, dict[str, float]] = {
    "LogP=2.5 QED=0.85": {"LogP": 2.5, "QED": 0.85},
    "LogP=1": {"LogP": 1.0},
    "LogP=4": {"LogP": 4.0},
    "QED=0.5": {"QED": 0.5},
    "QED=0.9": {"QED": 0.9},
    "TPSA=40": {"TPSA": 40.0},
    "TPSA=100": {"TPSA": 100.0},
}
APART = (
    ("LogP", "LogP=1", "LogP=4"),
    ("QED", "QED=0.5", "QED=0.9"),
    ("TPSA", "TPSA=40", "TPSA=100"),
)


def main() -> None:
    """Run all requests on the model and on its untrained twin."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", nargs="?", default="druglike")
    parser.add_argument("-n", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    path = find_model(arguments.model)
    checkpoint = Checkpoint.load(path)
    results = {
        "trained": ask(checkpoint, arguments.n, arguments.seed),
        "trained, one string": ask(checkpoint, arguments.n, arguments.seed, one_string=True),
        "random weights": ask(untrained(checkpoint), arguments.n, arguments.seed),
    }
    name = path.parent.name if path.name == "model.safetensors" else path.stem
    report = {
        "command": f"benchmarks/control.py {name} -n {arguments.n} --seed {arguments.seed}",
        "model": f"{name} {checkpoint.sha256[:12]}",
        "tier": "raw",
        "settings": as_dict(raw(checkpoint)),
        "n": arguments.n,
        "seed": arguments.seed,
        "results": results,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "versions": {p: version(p) for p in ("molvae", "torch", "rdkit", "selfies", "numpy")},
    }
    target = Path(__file__).parent / "results" / f"control_{name}.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    for which, result in results.items():
        print(which)
        for request, found in result["requests"].items():
            print(f"  {request}: " + ", ".join(f"{k} {v:.3f}" for k, v in found.items()))
        print("  apart: " + ", ".join(f"{k} {v:.2f}" for k, v in result["apart"].items()))
    print(target)


def raw(checkpoint: Checkpoint) -> GenerateConfig:
    """Return how a model draws by default, without a filter."""
    return replace(MoleculeGenerator(checkpoint).defaults, tier="raw")


def ask(checkpoint: Checkpoint, n: int, seed: int, *, one_string: bool = False) -> dict[str, Any]:
    """Draw n molecules for each request; return errors and how far apart the means are."""
    generator = MoleculeGenerator(checkpoint)
    config = raw(checkpoint)
    config = replace(config, shortlist=1) if one_string else config
    found: dict[str, dict[str, float]] = {}
    for text, request in REQUESTS.items():
        generation = generator.generate(n, request, config=config, seed=seed)
        figures = {"found": generation.summary.found, "acceptance": generation.summary.acceptance}
        for name in request:
            control = generation.summary.control.get(name)
            figures[f"{name} mean"] = control.mean if control else math.nan
            figures[f"{name} MAE"] = control.mae if control else math.nan
        found[text] = figures
    apart = {
        name: found[high][f"{name} mean"] - found[low][f"{name} mean"] for name, low, high in APART
    }
    return {"requests": found, "apart": apart}


def untrained(checkpoint: Checkpoint) -> Checkpoint:
    """Return the same model with random weights and N(0, I) for a prior."""
    names = checkpoint.normalizer.names
    config = checkpoint.model.config
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = ConditionalVAE(config, len(checkpoint.vocabulary), len(names)).eval()
    size = config.latent_size + len(names)
    prior = JointGaussian(
        torch.zeros(size, dtype=torch.float64),
        torch.eye(size, dtype=torch.float64),
        config.latent_size,
    )
    return replace(checkpoint, model=model, prior=prior)


if __name__ == "__main__":
    main()
