"""Which temperature and guidance should be the defaults?

    .venv/bin/python benchmarks/decoding.py [MODEL] [-n 300] [--seed 1]

Tier RAW at every combination: without a request, with a joint one, and with single ones near the
ends of the range. Writes results/decoding_MODEL.json.
"""

import argparse
import json
import os
import platform
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import torch

from molvae.generator import MoleculeGenerator
from molvae.parallel.pool import WorkerPool

TEMPERATURES = (0.3, 0.5, 0.7, 1.0)
GUIDANCE = (1.0, 1.5, 2.0)
REQUESTS: dict[str, dict[str, float]] = {
    "LogP=2.5 QED=0.85": {"LogP": 2.5, "QED": 0.85},
    "LogP=1": {"LogP": 1.0},
    "TPSA=100": {"TPSA": 100.0},
}


def main() -> None:
    """Draw at every combination and write down what came."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", nargs="?", default="druglike")
    parser.add_argument("-n", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    generator = MoleculeGenerator.load(arguments.model)
    rows = []
    with WorkerPool(os.cpu_count() or 1, module="molvae.chem.candidates") as executor:
        for temperature in TEMPERATURES:
            for guidance in GUIDANCE:
                config = replace(
                    generator.defaults,
                    tier="raw",
                    temperature=temperature,
                    guidance=guidance,
                    shortlist=1,
                )
                requests = REQUESTS if guidance > 1 else {"": {}, **REQUESTS}
                for text, request in requests.items():
                    summary = generator.generate(
                        arguments.n, request, config=config, seed=arguments.seed, executor=executor
                    ).summary
                    row = {
                        "temperature": temperature,
                        "guidance": guidance,
                        "request": text,
                        "acceptance": summary.acceptance,
                        "uniqueness": summary.uniqueness,
                    }
                    for name, control in summary.control.items():
                        row |= {f"{name} mean": control.mean, f"{name} MAE": control.mae}
                    rows.append(row)
                    print("  ".join(f"{k} {v:.3g}" if v != text else v for k, v in row.items()))
    name = Path(arguments.model).stem
    report = {
        "command": f"benchmarks/decoding.py {name} -n {arguments.n} --seed {arguments.seed}",
        "model": f"{name} {generator.name}",
        "tier": "raw",
        "n": arguments.n,
        "seed": arguments.seed,
        "noise": generator.defaults.noise,
        "rows": rows,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "versions": {p: version(p) for p in ("molvae", "torch", "rdkit", "selfies", "numpy")},
    }
    target = Path(__file__).parent / "results" / f"decoding_{name}.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
