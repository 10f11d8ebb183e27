"""Does a model propose better molecules when it is trained further on the best of a run?

    python benchmarks/adapting.py --folder RUNS [--calls 1000 --more 500] -o adapting.json

For each goal, `bayes` spends the calls (or what `benchmarks/optimizing.py` kept in the folder is
taken). `druglike` is then trained further on the best molecules, as `molvae train --init druglike`
does. From there two runs go on with the same seed, one with each model, both knowing all calls so
far. Their figures are the mean of the ten best molecules at the end, and its mean over the calls
that came after.
"""

import argparse
import json
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from moses_data import machine

from molvae.checkpoint import Checkpoint, find_model
from molvae.config import DataConfig, GenerateConfig
from molvae.data.prepare import prepare
from molvae.generator import MoleculeGenerator
from molvae.optimize.loop import Run, optimize
from molvae.optimize.wishes import Wishes
from molvae.presets import Preset, fine_tuning
from molvae.suites.oracles import COMPARABLE, VERSION, oracle
from molvae.train.initialization import begin_with
from molvae.train.trainer import Trainer

MODEL = "druglike"
DRAWING = GenerateConfig(rings="any")  # as in the benchmark of the goals
TOP = 10


def adapted(best: list[str], folder: Path) -> MoleculeGenerator:
    """Return the model after it was trained further on some molecules."""
    folder.mkdir(parents=True, exist_ok=True)
    table = folder / "best.smi"
    table.write_text("\n".join(best) + "\n")
    checkpoint = Checkpoint.load(find_model(MODEL))
    prepared = prepare(
        [table], DataConfig(), jobs=0, known_symbols=checkpoint.vocabulary.symbols
    ).dataset
    initial = begin_with(checkpoint, prepared, name=MODEL)
    preset = Preset(initial.checkpoint.model.config, fine_tuning(checkpoint.provenance["train"]))
    Trainer(initial.dataset, folder / "run", preset, initial=initial.checkpoint).fit()
    return MoleculeGenerator(Checkpoint.load(folder / "run" / "model.safetensors"))


def gone_on(
    generator: MoleculeGenerator, task: str, before: Run, more: int, seed: int
) -> dict[str, float]:
    """Return the figures of a run that knows the calls of another one."""
    run = Run(generator, oracle(task), wishes=Wishes(drawing=DRAWING), seed=seed)
    calls = before.archive.calls
    run.tell(list(calls), [call.values[0] for call in calls.values()])
    means: list[float] = []
    begun = time.process_time()
    run.spend(more, report=lambda run: means.append(float(run.best_scores(TOP).mean())))
    return {
        "mean of the ten best": means[-1],
        "its mean over the calls": float(np.mean(means)),
        "cpu seconds": time.process_time() - begun,
    }


def main() -> None:
    """Compare both on every goal, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--more", type=int, default=500)
    parser.add_argument("--best", type=int, default=250, help="molecules it is trained on")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tasks", default=",".join(COMPARABLE))
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("-o", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    generator = MoleculeGenerator.load(MODEL)
    table = {}
    for task in options.tasks.split(","):
        state = options.folder / f"bayes-{options.calls}" / f"{task}-{options.seed}"
        before = optimize(
            generator,
            oracle(task),
            budget=options.calls,
            drawing=DRAWING,
            seed=options.seed,
            folder=state,
        )
        begun = time.process_time()
        best = [scored.smiles for scored in before.molecules[: options.best]]
        further = adapted(best, options.folder / "adapted" / f"{task}-{options.seed}")
        spent = time.process_time() - begun
        found = {
            name: gone_on(each, task, before, options.more, options.seed)
            for name, each in (("as it was", generator), ("adapted", further))
        }
        started = float(before.best_scores(TOP).mean())
        table[task] = {"started": started, "cpu seconds of training": spent, **found}
        ends = [each["mean of the ten best"] for each in found.values()]
        print(f"{task:26} {started:.3f} {ends[0]:.3f} {ends[1]:.3f} {spent:5.0f} s", flush=True)
    if options.o:
        content = {
            "command": f"benchmarks/adapting.py --calls {options.calls} --more {options.more}"
            f" --best {options.best} --seed {options.seed} --tasks {options.tasks}",
            "machine": machine(),
            "versions": {p: version(p) for p in ("molvae", "torch", "rdkit", "selfies")},
            "model": generator.name,
            "oracles": VERSION,
            "runs": table,
        }
        options.o.write_text(json.dumps(content, indent=2))


if __name__ == "__main__":
    main()
