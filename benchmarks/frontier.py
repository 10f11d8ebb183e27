"""How do distribution, control and reconstruction depend on the rate of the latent code?

    .venv/bin/python benchmarks/frontier.py work/moses/dataset.safetensors [--only NAME]

Small models of equal size see equally many molecules, the first of the dataset that
`scripts/train-bundled moses` prepares: language models without a code, VAEs at rising rates, and
VAEs whose decoder is taught every noise level of its code. Each is then drawn from with every
prior, at several noise levels and temperatures, without a filter (tier RAW): FCD against MOSES
test, acceptance, control, and reconstruction of held-out molecules. The trainings are kept in
work/frontier and go on where they were stopped. Writes results/frontier.json, one variant after the
other, and the same as a table to frontier.md. Its rows of a flow prior, which molvae no longer has,
were measured at commit 7d901c7.
"""

import argparse
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from kept import keep_result, keep_table, read_result
from moses_data import FOLDER, machine, moses

from molvae.checkpoint import MODEL_FILE, Checkpoint
from molvae.chem.selfies import decode_canonical, is_consistent
from molvae.config import GenerateConfig, ModelConfig, TrainConfig, as_dict
from molvae.dataset import MoleculeDataset
from molvae.evaluate.fcd import Moments, activations, frechet_distance, join, moments_of
from molvae.evaluate.references import load_reference
from molvae.evaluate.work import Work
from molvae.generation.model import LoadedModel
from molvae.generation.proposals import propose
from molvae.generator import MoleculeGenerator
from molvae.model.prior import Prior, StandardNormal
from molvae.presets import Preset
from molvae.train.batches import choose
from molvae.train.encoding import encode
from molvae.train.health import measure_health
from molvae.train.trainer import Trainer

ROOT = Path(__file__).resolve().parent.parent
RESULT = ROOT / "benchmarks" / "results" / "frontier.json"
MODEL = ModelConfig(
    symbol_size=64, encoder_size=64, decoder_size=256, decoder_layers=1, latent_size=64
)
TRAIN = TrainConfig(epochs=2, batch_size=64, learning_rate=6e-3, weight_decay=0.01)
NO_CODE = {"beta": 100.0, "kl_hold": 0.0, "kl_warmup": 0.0, "free_nats": 0.0}
# Name -> what is changed in the model, in the training, and whether it sees properties.
VARIANTS: dict[str, tuple[dict[str, Any], dict[str, Any], bool]] = {
    "language model": ({}, NO_CODE, False),
    "conditional language model": ({}, NO_CODE, True),
    "beta 1, 8 free nats": ({}, {"beta": 1.0, "free_nats": 8.0}, True),
    "beta .3, 15 free nats": ({}, {"beta": 0.3, "free_nats": 15.0}, True),
    "beta .1, 20 free nats": ({}, {"beta": 0.1, "free_nats": 20.0}, True),
    "noise-conditional, beta .1, 20 free nats": (
        {"noise_conditional": True},
        {"beta": 0.1, "free_nats": 20.0},
        True,
    ),
    "noise-conditional, beta .03, 20 free nats": (
        {"noise_conditional": True},
        {"beta": 0.03, "free_nats": 20.0},
        True,
    ),
}
TEMPERATURES = (0.5, 0.75, 1.0)
LEVELS = (0.0, 0.25, 0.5, 0.75, 1.0)
TABLE = (
    "Written by `benchmarks/frontier.py`, temperature 0.75. [README](../README.md) explains the"
    " columns. The flow prior, since removed, was measured at commit 7d901c7.\n",
    "| variant | KL | exact, % | nats without a code | prior | noise | FCD | accepted, % | joint |"
    " LogP alone |",
    "|---|---|---|---|---|---|---|---|---|---|",
)
MIDDLE = 0.75  # the temperature of what is not tried at every one
DRAWS = 2000  # for each FCD, whose floor is then .64
ASKED = 500  # held-out molecules whose properties are asked for together


def main() -> None:
    """Train and measure every variant that is not in the result yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--only", action="append", help="one variant; repeat for more")
    parser.add_argument("--molecules", type=int, default=150_000, help="of the training split")
    parser.add_argument("--data", type=Path, default=FOLDER)
    parser.add_argument("--work", type=Path, default=ROOT / "work" / "frontier")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    dataset, test = read_sets(arguments.dataset, arguments.molecules, arguments.data)
    for name in arguments.only or VARIANTS:
        if name in read_result(RESULT):
            continue
        run = arguments.work / name.replace(" ", "_").replace(",", "")
        shown = dataset if VARIANTS[name][2] else blinded(dataset)
        train(name, shown, run)
        row = measure(Checkpoint.load(run / MODEL_FILE), shown, test)
        row["molecules seen"] = len(dataset.members("train")) * TRAIN.epochs
        row["changed"] = {"model": VARIANTS[name][0], "train": VARIANTS[name][1]}
        keep_result(RESULT, name, row)
    keep_table(RESULT, [*TABLE, *lines(read_result(RESULT))])


def lines(results: dict[str, Any]) -> Iterator[str]:
    """Yield what was drawn at the temperature in the middle as lines of the table."""
    for name, result in results.items():
        health = result["health"]
        alone = health["language_model"]
        for row in result["rows"]:
            if row["temperature"] != MIDDLE:
                continue
            joint = row.get("joint MAE / sd", {}).values()
            asked = (sum(joint) / len(joint), row["LogP alone MAE / sd"]) if joint else ()
            yield (
                f"| {name} | {health['kl']:.1f} | {100 * health['exact_from_mean']:.1f} |"
                f" {'' if alone is None else f'{alone:.2f}'} | {row['prior']} | {row['noise']} |"
                f" {row['FCD/Test']:.2f} | {100 * row['acceptance']:.1f} |"
                f" {' | '.join(f'{error:.3f}' for error in asked) or ' | '} |"
            )


def read_sets(dataset: Path, molecules: int, data: Path) -> tuple[MoleculeDataset, Moments]:
    """Return the molecules to train on and the moments of MOSES test."""
    test = load_reference(moses(data).test, Work(), title="MOSES test", chemnet=True).chemnet
    assert test is not None
    return subset(MoleculeDataset.load(dataset), molecules), test


def subset(dataset: MoleculeDataset, molecules: int) -> MoleculeDataset:
    """Return the dataset with the first `molecules` of its training split, the rest in no split."""
    split = dataset.split.copy()
    split[dataset.members("train")[molecules:]] = 255
    return dataset._replace(split=split)


def blinded(dataset: MoleculeDataset) -> MoleculeDataset:
    """Return the dataset without any property, for training and for measuring."""
    return dataset._replace(properties=np.full_like(dataset.properties, np.nan))


def train(name: str, dataset: MoleculeDataset, run: Path) -> None:
    """Train one variant, or go on with it."""
    model, changes, _ = VARIANTS[name]
    run.mkdir(parents=True, exist_ok=True)
    Trainer(
        dataset, run, Preset(replace(MODEL, **model), replace(TRAIN, **changes)), resume=True
    ).fit()


def measure(checkpoint: Checkpoint, dataset: MoleculeDataset, test: Moments) -> dict[str, Any]:
    """Return health and, for every prior, noise level and temperature, what is drawn."""
    health = measure_health(checkpoint.model, dataset, split="test")
    codes = encode(checkpoint.model, dataset, choose(dataset, "train", limit=100_000, seed=0))
    priors: dict[str, Prior] = {"standard": StandardNormal(), "joint-gaussian": checkpoint.prior}
    rows = []
    levels = LEVELS if checkpoint.model.config.noise_conditional else (0.0,)
    for kind, prior in priors.items():
        for level in levels:
            if level == 1.0 and kind != "standard":  # nothing of the prior is left
                continue
            everywhere = kind == "joint-gaussian" or level == 1.0
            for temperature in TEMPERATURES if everywhere else (MIDDLE,):
                config = GenerateConfig(
                    tier="raw", shortlist=1, temperature=temperature, noise=level
                )
                row = {"prior": kind, "noise": level, "temperature": temperature}
                here = replace(checkpoint, prior=prior)
                row |= distribution(here, config, test)
                if temperature == MIDDLE and not np.isnan(dataset.properties).all():
                    row |= control(here, dataset, config)
                rows.append(row)
                print(row, flush=True)
    spread = codes.means.var(dim=0) + codes.log_vars.exp().mean(dim=0)
    return {
        "health": health._asdict(),
        "verdicts": health.verdicts(),
        "aggregate variance": {"mean": float(spread.mean()), "max": float(spread.max())},
        "last epoch": checkpoint.provenance["trained"],
        "model": as_dict(checkpoint.model.config),
        "draws": DRAWS,
        "tier": "raw",
        "seed": 1,
        "rows": rows,
        "machine": machine(),
        "versions": {p: version(p) for p in ("molvae", "torch", "rdkit", "selfies", "fcd")},
    }


def distribution(checkpoint: Checkpoint, config: GenerateConfig, test: Moments) -> dict[str, Any]:
    """Draw without a request and compare with MOSES test."""
    free = np.full((DRAWS, len(checkpoint.normalizer.names)), np.nan)
    model = LoadedModel(checkpoint)
    draws = propose(model, range(DRAWS), free, 0, settings=model.settings(config), seed=1)
    smiles = [decode_canonical(draw.symbols) for draw in draws]
    kept = [text for text in smiles if text]
    found = join(map(moments_of, activations(kept)))
    good = sum(draw.ended and is_consistent(draw.symbols) for draw in draws)
    return {
        "FCD/Test": frechet_distance(found, test),
        "acceptance": good / DRAWS,
        "unique": len(set(kept)) / len(kept),
    }


def control(
    checkpoint: Checkpoint, dataset: MoleculeDataset, config: GenerateConfig
) -> dict[str, Any]:
    """Ask for the properties of held-out molecules, all together and LogP alone."""
    generator = MoleculeGenerator(checkpoint)
    members = dataset.members("test")[:ASKED]
    names = dataset.normalizer.names
    together = [dict(zip(names, map(float, dataset.properties[m]), strict=True)) for m in members]
    draw = partial(generator.generate, ASKED, config=config, seed=1)
    joint = draw(together).summary.control
    alone = draw([{"LogP": asked["LogP"]} for asked in together]).summary.control
    return {
        "joint MAE / sd": {name: each.mae_scaled for name, each in joint.items()},
        "LogP alone MAE / sd": alone["LogP"].mae_scaled,
    }


if __name__ == "__main__":
    main()
