"""Does a model that is trained further on a small set heed the set's label? By an outside judge.

    .venv/bin/python benchmarks/finetuning.py [ESOL] [-n 300] [--seed 1] [--keep FOLDER]

ESOL is the table of 1,128 measured solubilities of Delaney 2004 (doi 10.1021/ci034243x), as
MoleculeNet has it. druglike is trained further on it, as `molvae prepare --init druglike` and
`molvae train --init druglike` do, and asked for log solubilities of -1, -3 and -5, nothing else.

The property head that reads the solubility of what comes out is part of the model, so its word
alone would prove little. The judge is Delaney's equation of 2004,

    logS = 0.16 - 0.63 cLogP - 0.0062 MW + 0.066 RB - 0.74 AP

(RB rotatable bonds, AP share of aromatic heavy atoms; RDKit's LogP for cLogP), which never sees the
model. "one string" is tier RAW with one string a draw: no filter, no choice. "default" is what
`molvae generate` does: consistent, the head choosing among four strings.

Beside it stand the model before its first step, the same with the labels dealt out at random, and
a network of the same sizes that was trained on ESOL alone. Writes results/finetuning.json.
"""

import argparse
import json
import os
import platform
import tempfile
import time
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rdkit import Chem
from rdkit.Chem import Crippen, Descriptors, rdMolDescriptors

from molvae.checkpoint import Checkpoint, find_model
from molvae.chem.selfies import decode_canonical
from molvae.config import DataConfig, TrainConfig, as_dict
from molvae.data.prepare import prepare
from molvae.dataset import MoleculeDataset
from molvae.generator import MoleculeGenerator
from molvae.presets import Preset, fine_tuning
from molvae.train.initialization import Initial, begin_with
from molvae.train.property_head import evaluate_head
from molvae.train.trainer import Trainer

ROOT = Path(__file__).resolve().parent.parent
ESOL = ROOT.parent / "shared" / "data" / "labelled" / "esol.csv.gz"
MODEL, LABEL = "druglike", "measured log solubility in mols per litre"
ASKED = (-1.0, -3.0, -5.0)  # log10 of mol / L: ESOL's own span is about -8 to 1
WAYS: dict[str, dict[str, Any]] = {"one string": {"tier": "raw", "shortlist": 1}, "default": {}}
ENOUGH = 0.5  # of Delaney's value on what was asked: the slope that is demanded


def main() -> None:
    """Train the models, ask each for the same, and write the comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("esol", type=Path, nargs="?", default=ESOL)
    parser.add_argument("-n", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, default=None, help="folder for the trained models")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        keep = arguments.keep or Path(folder)
        keep.mkdir(parents=True, exist_ok=True)
        report = compare(arguments.esol, arguments.n, arguments.seed, keep)
    target = ROOT / "benchmarks" / "results" / "finetuning.json"
    target.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    for which, found in report["models"].items():
        for way, figures in found["ways"].items():
            slopes = figures["slope of Delaney's value"], figures["slope of the head's reading"]
            print(f"{which}, {way}: slope {slopes[0]:.2f} (head {slopes[1]:.2f})")
    print(target)


def compare(table: Path, n: int, seed: int, folder: Path) -> dict[str, Any]:
    """Return the report."""
    checkpoint = Checkpoint.load(find_model(MODEL))
    prepared = prepare(
        [table],
        DataConfig(labels=(LABEL,)),
        jobs=0,
        known_symbols=checkpoint.vocabulary.symbols,
    )
    dataset = prepared.dataset
    train = fine_tuning(checkpoint.provenance["train"])
    initial = begin_with(checkpoint, dataset, name=MODEL)
    mixed = begin_with(checkpoint, with_labels_dealt_out(dataset, seed), name=MODEL)
    before = initial.checkpoint
    before.save(folder / "before.safetensors")
    models = {
        "before its first step": (before, initial.dataset, 0.0),
        "trained further": trained(folder / "further", initial, train),
        "trained further, labels dealt out at random": trained(folder / "random", mixed, train),
        "trained on ESOL alone": trained(folder / "alone", alone(initial, dataset), train),
    }
    return {
        "command": f"benchmarks/finetuning.py -n {n} --seed {seed}",
        "model": f"{MODEL} {checkpoint.sha256[:12]}",
        "label": LABEL,
        "asked": list(ASKED),
        "n": n,
        "seed": seed,
        "train": as_dict(train),
        "ways": WAYS,
        "molecules": prepared.tally.to_dict()["splits"],
        "judge": judge(dataset),
        "demanded slope": ENOUGH,
        "models": {
            which: examined(model, data, n, seed) | {"cpu_seconds": seconds}
            for which, (model, data, seconds) in models.items()
        },
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "versions": {p: version(p) for p in ("molvae", "torch", "rdkit", "selfies", "numpy")},
    }


def with_labels_dealt_out(dataset: MoleculeDataset, seed: int) -> MoleculeDataset:
    """Give every molecule the label of another one: nothing is left to learn from them."""
    values = dataset.properties.copy()
    column = dataset.normalizer.names.index(LABEL)
    values[:, column] = np.random.default_rng(seed).permutation(values[:, column])
    return dataset._replace(properties=values)


def alone(initial: Initial, dataset: MoleculeDataset) -> Initial:
    """Return the same beginning without weights: the dataset in its own symbols and scale."""
    return Initial(initial.checkpoint, dataset)


def trained(
    run: Path, initial: Initial, train: TrainConfig
) -> tuple[Checkpoint, MoleculeDataset, float]:
    """Train in a folder; return the model of the best epoch, its dataset, and the CPU's time."""
    begun = time.process_time()
    further = "init" in initial.dataset.provenance
    if not further:  # random weights need the schedule of a new model
        train = replace(TrainConfig(), epochs=train.epochs, batch_size=train.batch_size)
    trainer = Trainer(
        initial.dataset,
        run,
        Preset(initial.checkpoint.model.config, train),
        initial=initial.checkpoint if further else None,
    )
    trainer.fit()
    model = Checkpoint.load(run / "model.safetensors")
    return model, initial.dataset, time.process_time() - begun


def examined(checkpoint: Checkpoint, dataset: MoleculeDataset, n: int, seed: int) -> dict[str, Any]:
    """Ask a model for each solubility in each way, and compare its head with held-out labels."""
    errors = {
        split: evaluate_head(checkpoint.model, dataset, split=split, seed=0)["errors"][LABEL]
        for split in ("validation", "test")
    }
    ways = {way: answered(checkpoint, n, seed, changes) for way, changes in WAYS.items()}
    log = checkpoint.provenance.get("log") or [{}]
    return {"head": errors, "epoch": log[-1].get("epoch", 0), "ways": ways}


def answered(checkpoint: Checkpoint, n: int, seed: int, changes: dict[str, Any]) -> dict[str, Any]:
    """Draw n molecules for each request; return means by request, and slopes over all."""
    generator = MoleculeGenerator(checkpoint)
    config = replace(generator.defaults, **changes)
    asked: list[float] = []
    judged: list[float] = []
    read: list[float] = []
    found: dict[str, dict[str, float]] = {}
    for wanted in ASKED:
        generation = generator.generate(n, {LABEL: wanted}, config=config, seed=seed)
        molecules, summary = generation.molecules, generation.summary
        values = [delaney(molecule.smiles) for molecule in molecules]
        readings = np.array([molecule.predicted[LABEL] for molecule in molecules], dtype=float)
        found[f"{wanted:g}"] = {
            "found": summary.found,
            "acceptance": summary.acceptance,
            "uniqueness": summary.uniqueness,
            "novelty": summary.novelty,
            "Delaney's value": float(np.mean(values)),
            "its standard deviation": float(np.std(values)),
            "the head's reading": float(readings.mean()),
        }
        asked += [wanted] * len(molecules)
        judged += values
        read += readings.tolist()
    (slope, _), covariance = np.polyfit(asked, judged, 1, cov=True)
    return {
        "requests": found,
        "slope of Delaney's value": float(slope),
        "its standard error": float(np.sqrt(covariance[0, 0])),
        "R2": float(np.corrcoef(asked, judged)[0, 1] ** 2),
        "slope of the head's reading": float(np.polyfit(asked, read, 1)[0]),
    }


def judge(dataset: MoleculeDataset) -> dict[str, float]:
    """Say how good the judge is: Delaney's equation against what was measured, all of ESOL."""
    known = dataset.properties[:, dataset.normalizer.names.index(LABEL)].astype(float)
    values = np.array(
        [
            delaney(decode_canonical(dataset.vocabulary.decode(dataset.molecule(row).tolist())))
            for row in range(dataset.size)
        ]
    )
    error = values - known
    return {
        "molecules": dataset.size,
        "mae": float(np.abs(error).mean()),
        "rmse": float(np.sqrt(np.square(error).mean())),
        "r2": float(1 - np.square(error).mean() / known.var()),
        "slope on what was measured": float(np.polyfit(known, values, 1)[0]),
    }


def delaney(smiles: str) -> float:
    """Estimate log10 of the solubility in mol / L (Delaney 2004, doi 10.1021/ci034243x)."""
    mol = Chem.MolFromSmiles(smiles)
    aromatic = sum(atom.GetIsAromatic() for atom in mol.GetAtoms()) / mol.GetNumHeavyAtoms()
    return float(
        0.16
        - 0.63 * Crippen.MolLogP(mol)  # type: ignore[attr-defined]
        - 0.0062 * Descriptors.MolWt(mol)  # type: ignore[attr-defined]
        + 0.066 * rdMolDescriptors.CalcNumRotatableBonds(mol)
        - 0.74 * aromatic
    )


if __name__ == "__main__":
    main()
