"""Does a model that is trained further on an assay heed its label? By a forest that never saw it.

    .venv/bin/python benchmarks/assays.py [bace hiv] [-n 200] [--keep FOLDER] [--rows 20000]

druglike is trained further on BACE (1,513 inhibitors with pIC50) and on a sample of HIV (3.5 % are
active), both as MoleculeNet has them, as `molvae prepare --init druglike` and `molvae train --init
druglike` do. BACE is asked for pIC50 5, 6.5 and 8; HIV for active and inactive, nothing else, as
`molvae generate` does.

The property head that picks among the strings is part of the model, so its word alone would prove
little. The judge is a random forest on Morgan fingerprints (radius 2, 2,048 bits), fitted to the
whole table; its error is of five folds. It saturates: what it says of the molecules with the
highest measured values is the most that it can say of any. Molecules of the training set are
not drawn.

For BACE, `molvae predict` reads 200 molecules of ZINC and the test split: how many are marked as
out of distribution. Needs scikit-learn. Writes results/assays.json.
"""

import argparse
import csv
import gzip
import json
import os
import platform
import random
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from kept import keep_result
from rdkit import Chem
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.metrics import average_precision_score, r2_score, roc_auc_score
from sklearn.model_selection import cross_val_predict

from molvae.checkpoint import Checkpoint, find_model
from molvae.chem.selfies import decode_canonical
from molvae.chem.similarity import fingerprints
from molvae.config import DataConfig, TrainConfig, as_dict
from molvae.data.prepare import prepare
from molvae.dataset import MoleculeDataset
from molvae.generation.predict import stated_errors
from molvae.generator import MoleculeGenerator
from molvae.presets import Preset, fine_tuning
from molvae.train.initialization import begin_with
from molvae.train.trainer import Trainer

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared" / "data"
RESULT = ROOT / "benchmarks" / "results" / "assays.json"
MODEL, BITS, TREES = "druglike", 2048, 100
ZINC_MOLECULES = 200


class Assay(NamedTuple):
    """A table with a label, what is asked of the model, and settings other than the defaults."""

    file: str
    label: str
    asked: tuple[float | str, ...]
    is_class: bool
    train: dict[str, Any]


ASSAYS = {
    "bace": Assay("bace.csv.gz", "pIC50", (5.0, 6.5, 8.0), False, {}),
    # Larger batches and fewer epochs than for some hundred molecules.
    "hiv": Assay("hiv.csv.gz", "HIV_active", ("1", "0"), True, {"batch_size": 64, "epochs": 2}),
}


def main() -> None:
    """Train the models, ask, judge, and write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=list(ASSAYS), help="bace, hiv")
    parser.add_argument("-n", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rows", type=int, default=20_000, help="of HIV, chosen at random")
    parser.add_argument("--keep", type=Path, default=None, help="folder for the trained models")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for name in arguments.names:
            found = examined(name, folder, arguments)
            print(json.dumps(found["requests"], indent=1))
            keep_result(RESULT, name, found)
    print(RESULT)


def examined(name: str, folder: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the report on one assay."""
    assay = ASSAYS[name]
    table = sampled(SHARED / "labelled" / assay.file, arguments.rows, folder / f"{name}.csv")
    checkpoint, dataset, seconds = trained(assay, table, folder / name)
    generator = MoleculeGenerator(checkpoint)
    forest, quality = judge(dataset, generator, assay)
    requests = {
        f"{wanted}": answered(generator, forest, assay, wanted, arguments) for wanted in assay.asked
    }
    means = [found["forest's mean"] for found in requests.values()]
    report = {
        "command": f"benchmarks/assays.py {name} -n {arguments.n} --seed {arguments.seed}",
        "model": f"{MODEL}, trained further",
        "label": assay.label,
        "molecules": dict(dataset.provenance["tally"]["splits"]),
        "train": as_dict(settings(assay)),
        "epoch": checkpoint.provenance["trained"]["epoch"],
        "training_cpu_seconds": seconds,
        "head on held-out molecules": stated_errors(generator.model)[assay.label],
        "judge": quality,
        "requests": requests,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "versions": {p: version(p) for p in ("molvae", "torch", "rdkit", "scikit-learn")},
    }
    if assay.is_class:
        report["times as active"] = means[0] / means[1]
        return report
    report["log units between first and last"] = means[-1] - means[0]
    return report | {"marked as ood": marked(generator, dataset)}


def sampled(table: Path, rows: int, target: Path) -> Path:
    """Write some rows of a table, chosen at random but in its order; all, where there are fewer."""
    with gzip.open(table, "rt", newline="", encoding="utf-8") as file:
        header, *found = list(csv.reader(file))
    chosen = sorted(random.Random(0).sample(range(len(found)), min(rows, len(found))))
    with target.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *(found[row] for row in chosen)])
    return target


def settings(assay: Assay) -> TrainConfig:
    """Return how the model is trained further."""
    known = Checkpoint.load(find_model(MODEL)).provenance["train"]
    return replace(fine_tuning(known), **assay.train)


def trained(assay: Assay, table: Path, run: Path) -> tuple[Checkpoint, MoleculeDataset, float]:
    """Prepare and train, unless the folder has the model; return both, and the CPU's seconds."""
    base = Checkpoint.load(find_model(MODEL))
    label = f"{assay.label}:{'class' if assay.is_class else 'number'}"
    config = DataConfig(labels=(label,))
    symbols = base.vocabulary.symbols
    dataset = prepare([table], config, jobs=0, known_symbols=symbols).dataset
    initial, begun = begin_with(base, dataset, name=MODEL), time.process_time()
    if not (run / "model.safetensors").is_file():
        sizes = Preset(initial.checkpoint.model.config, settings(assay))
        Trainer(initial.dataset, run, sizes, initial=initial.checkpoint).fit()
    checkpoint = Checkpoint.load(run / "model.safetensors")
    return checkpoint, initial.dataset, time.process_time() - begun


def judge(
    dataset: MoleculeDataset, generator: MoleculeGenerator, assay: Assay
) -> tuple[Any, dict[str, Any]]:
    """Fit the forest to all molecules with the label; return it and its quality in five folds."""
    names = dataset.normalizer.names
    column = names.index(f"{assay.label}={assay.asked[0]}" if assay.is_class else assay.label)
    values = dataset.properties[:, column].astype(float)
    known = np.flatnonzero(np.isfinite(values))
    bits, values = read([smiles_of(dataset, at) for at in known]), values[known]
    kind = RandomForestClassifier if assay.is_class else RandomForestRegressor
    forest = kind(TREES, max_features="sqrt", random_state=0, n_jobs=1)
    folds = np.random.default_rng(0).permutation(len(values))
    if assay.is_class:
        out = cross_val_predict(
            replaced(forest, TREES // 4), bits[folds], values[folds], cv=5, method="predict_proba"
        )[:, 1]
        quality = {
            "five-fold ROC AUC": float(roc_auc_score(values[folds], out)),
            "five-fold average precision": float(average_precision_score(values[folds], out)),
            "share of the class": float(values.mean()),
            "mean of the class itself, five-fold": float(out[values[folds] == 1].mean()),
        }
    else:
        out = cross_val_predict(forest, bits[folds], values[folds], cv=5)
        top = values[folds] >= np.quantile(values, 0.9)
        quality = {
            "five-fold R2": float(r2_score(values[folds], out)),
            "measured mean of the highest tenth": float(values[folds][top].mean()),
            "its mean there, five-fold": float(out[top].mean()),
        }
    return forest.fit(bits, values), {"molecules": len(values), **quality}


def replaced(forest: Any, trees: int) -> Any:
    """Return an equal forest of another number of trees."""
    return type(forest)(**{**forest.get_params(), "n_estimators": trees})


def smiles_of(dataset: MoleculeDataset, at: int) -> str:
    """Return a molecule of a dataset as SMILES."""
    return decode_canonical(dataset.vocabulary.decode(dataset.molecule(at).tolist()))


def read(smiles: Sequence[str]) -> np.ndarray:
    """Return fingerprints as the forest reads them, shape (N, 2048)."""
    mols = [Chem.MolFromSmiles(text) for text in smiles]
    return np.unpackbits(fingerprints(mols, bits=BITS), axis=1)


def answered(
    generator: MoleculeGenerator,
    forest: Any,
    assay: Assay,
    wanted: float | str,
    arguments: argparse.Namespace,
) -> dict[str, Any]:
    """Generate for one request; return what the forest and the head say."""
    config = replace(generator.defaults, novel=True)
    found = generator.generate(
        arguments.n, {assay.label: wanted}, config=config, seed=arguments.seed
    )
    bits = read([molecule.smiles for molecule in found])
    said = forest.predict_proba(bits)[:, 1] if assay.is_class else forest.predict(bits)
    return {
        "found": found.summary.found,
        "draws": found.summary.draws,
        "refusals": dict(found.summary.refusals),
        "forest's mean": float(said.mean()),
        "its standard deviation": float(said.std()),
        "head's mean": found.summary.control[assay.label].mean,
        "base rate": found.summary.control[assay.label].base_rate,
    }


def marked(generator: MoleculeGenerator, dataset: MoleculeDataset) -> dict[str, Any]:
    """Return the share of molecules that `predict` marks as out of distribution."""
    with gzip.open(SHARED / "zinc" / "zinc250k.csv.gz", "rt", encoding="utf-8") as file:
        zinc = [row["smiles"] for row in csv.DictReader(file) if row["split_jtnn"] == "test"]
    chosen = random.Random(0).sample(zinc, ZINC_MOLECULES)
    test = [smiles_of(dataset, at) for at in dataset.members("test")]
    return {
        "rule": str(generator.model.applicability),
        "ZINC": share_of_ood(generator, chosen),
        "BACE, test split": share_of_ood(generator, test),
    }


def share_of_ood(generator: MoleculeGenerator, smiles: list[str]) -> dict[str, float]:
    """Return the number of molecules, the share that is marked, and the median similarity."""
    found = generator.predict(smiles)
    return {
        "molecules": len(found),
        "marked": float(np.mean([bool(each.ood) for each in found])),
        "median similarity": float(np.median([each.nearest or 0.0 for each in found])),
    }


if __name__ == "__main__":
    main()
