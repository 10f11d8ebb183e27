"""Bayesian optimization in the latent space, as PMO's autoencoders do it, beside molvae's methods.

    pip install botorch
    python benchmarks/optimizing.py --calls 1000 --seeds 1,2,3 --folder RUNS -o pmo.json

Runs every goal of PMO that compares with published figures by four methods: `bayes` and `evolve` of
`molvae optimize`, `random` molecules of the model, and `latent`: BoTorch's SingleTaskGP with log
expected improvement over the latent codes of what was scored, decoded greedily (mol_opt's
main/selfies_vae does the same with the autoencoder's own decoder). Each run that is done is a file
in the folder, so the same command goes on after a stop.
"""

import argparse
import json
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from moses_data import machine

from molvae.generator import MoleculeGenerator
from molvae.optimize.objective import Objective
from molvae.suites.goal_directed import METHODS, Protocol, area_under_top, run_goals
from molvae.suites.oracles import COMPARABLE, VERSION, oracle

FIRST = 100  # molecules of the prior that the process begins with
BATCH = 10
LARGEST = 500  # codes that the process is fitted to: the best half and the latest


def latent(generator: MoleculeGenerator, objective: Objective, calls: int, seed: int) -> np.ndarray:
    """Return the scores of a run in the latent space, in the order of the calls."""
    torch.manual_seed(seed)
    drawn = [each.smiles for each in generator.generate(FIRST, seed=seed)]
    met = dict(zip(drawn, objective(drawn).tolist(), strict=True))
    codes = generator.encode(drawn)
    while len(met) < calls:
        for smiles, code in decoded(generator, proposed(codes, np.array(list(met.values())))):
            if smiles and smiles not in met and len(met) < calls:
                met[smiles] = float(objective([smiles])[0])
                codes = np.vstack([codes, code])
    return np.array(list(met.values()))


def decoded(generator: MoleculeGenerator, codes: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the likeliest molecule of each code."""
    yield from zip(generator.decode(codes), codes, strict=True)


def proposed(codes: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Return the codes with the highest expected improvement, shape (BATCH, Z)."""
    from botorch.acquisition import qLogExpectedImprovement
    from botorch.fit import fit_gpytorch_mll
    from botorch.models import SingleTaskGP
    from botorch.models.transforms import Normalize
    from botorch.optim import optimize_acqf
    from gpytorch.mlls import ExactMarginalLogLikelihood

    best = np.argsort(-scores)[: LARGEST // 2]
    rows = np.union1d(best, np.arange(len(scores))[-LARGEST // 2 :])
    x = torch.from_numpy(codes[rows]).double()
    y = torch.from_numpy(scores[rows])[:, None].double()
    y = (y - y.mean()) / y.std().clamp(min=1e-9)
    model = SingleTaskGP(x, y, input_transform=Normalize(x.shape[1]))
    fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
    found, _ = optimize_acqf(
        qLogExpectedImprovement(model, best_f=y.max()),
        bounds=torch.stack([x.min(dim=0).values, x.max(dim=0).values]),
        q=BATCH,
        num_restarts=2,
        raw_samples=20,
        sequential=True,
    )
    return np.asarray(found.float())


def run_one(
    generator: MoleculeGenerator,
    task: str,
    method: str,
    seed: int,
    calls: int,
    folder: Path,
    *,
    stop: int | None = None,
) -> dict[str, float]:
    """Return the figures of one run, from its file if it was done before."""
    path = folder / f"{method}-{task}-{seed}-{calls}{f'-{stop}' if stop else ''}.json"
    if not path.exists():
        begun = time.monotonic()
        if method == "latent":
            scores = latent(generator, oracle(task), calls, seed)
            found = {"auc": area_under_top(scores, calls), "best": float(scores.max())}
        else:
            protocol = Protocol(method, calls, folder / f"{method}-{calls}", stop=stop)
            result = run_goals(
                generator, "pmo", [task], [seed], protocol, name="druglike", versions={}
            )
            found = {"auc": result.runs[0].score, "best": result.runs[0].best}
        found["seconds"] = time.monotonic() - begun
        path.write_text(json.dumps(found))
    result_of: dict[str, float] = json.loads(path.read_text())
    return result_of


def main() -> None:
    """Run all, and print a table with the sums."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--stop", type=int, help="calls after which bayes and evolve end")
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--tasks", default=",".join(COMPARABLE))
    parser.add_argument("--methods", default=",".join((*METHODS, "latent")))
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("-o", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.folder.mkdir(parents=True, exist_ok=True)
    generator = MoleculeGenerator.load("druglike")
    methods, tasks = options.methods.split(","), options.tasks.split(",")
    seeds = [int(seed) for seed in options.seeds.split(",")]
    table: dict[str, dict[str, list[dict[str, float]]]] = {}
    print(f"{'':26}", *(f"{method:>8}" for method in methods))
    for task in tasks:
        table[task] = {
            method: [
                run_one(
                    generator,
                    task,
                    method,
                    seed,
                    options.calls,
                    options.folder,
                    stop=options.stop,
                )
                for seed in seeds
            ]
            for method in methods
        }
        print(f"{task:26}", *(f"{mean(table[task][m], 'auc'):8.3f}" for m in methods), flush=True)
    sums = {m: sum(mean(table[task][m], "auc") for task in tasks) for m in methods}
    seconds = {m: sum(mean(table[task][m], "seconds") for task in tasks) for m in methods}
    print(f"{'sum':26}", *(f"{sums[m]:8.3f}" for m in methods))
    print(f"{'seconds, one seed':26}", *(f"{seconds[m]:8.0f}" for m in methods))
    if options.o:
        content = {
            "command": f"benchmarks/optimizing.py --calls {options.calls} --seeds {options.seeds}"
            f" --methods {options.methods}{f' --stop {options.stop}' if options.stop else ''}"
            f"{'' if tasks == list(COMPARABLE) else f' --tasks {options.tasks}'}",
            "machine": machine(),
            "versions": {p: version(p) for p in ("molvae", "torch", "rdkit", "selfies")},
            "calls": options.calls,
            "stopped after": options.stop,
            "seeds": seeds,
            "oracles": VERSION,
            "model": generator.name,
            "sums": sums,
            "seconds": seconds,
            "runs": table,
        }
        options.o.write_text(json.dumps(content, indent=2))


def mean(runs: list[dict[str, float]], key: str) -> float:
    """Return the mean of a figure over the seeds."""
    return float(np.mean([run[key] for run in runs]))


if __name__ == "__main__":
    main()
