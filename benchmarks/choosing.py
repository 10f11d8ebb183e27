"""Which sizes, dropout and noise suit `druglike`, at an equal core time?

    nice .venv/bin/python benchmarks/choosing.py DATASET [--only NAME] [--minutes 60]

DATASET is prepared from the table of scripts/druglike-table. Every candidate trains on the same
molecules for as many minutes of one core, of its steps alone, over which its rate falls, and is
then measured on held-out molecules of the table's test split: FCD beside that of as many training
molecules, acceptance, nats without a code, the share that comes back exactly, and control. A
dataset prepared with `--no-uncharge` is trained on like any other, so that two of 100,000 molecules
tell what charges cost. With `--leads FILE`, one SMILES a line, it is measured what comes back of
those. The clock is that of the process: run it alone on the machine. The trainings are kept in
work/choosing and go on where they were stopped. Writes results/choosing.json, one candidate after
the other, and the same as a table to choosing.md.
"""

import argparse
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas
import torch
from ablations import exchanged
from frontier import ASKED, ROOT, control, subset
from kept import keep_result, keep_table, read_result
from moses_data import machine
from torch import Tensor, nn

import molvae.train.batches
import molvae.train.trainer
from molvae.checkpoint import MODEL_FILE, Checkpoint
from molvae.chem.similarity import tanimoto
from molvae.config import ModelConfig
from molvae.data.molecules import PreparedMolecule, known_to, standardize_and_measure
from molvae.dataset import MoleculeDataset
from molvae.evaluate.fcd import Moments
from molvae.generator import MoleculeGenerator
from molvae.model.decoder import Decoder
from molvae.presets import PRESETS, Preset
from molvae.suites.sampling_settings import held_out_moments, search_settings, training_distance
from molvae.train.batches import Batch
from molvae.train.folder import LOG_FILE
from molvae.train.health import measure_health
from molvae.train.trainer import Trainer

RESULT = ROOT / "benchmarks" / "results" / "choosing.json"
DROPOUT = 0.1
HELD_OUT = 5000  # molecules of each split that are measured, where it has as many
SMALL = PRESETS["small"]
START = Preset(
    replace(SMALL.model, noise_conditional=True, latent_size=64, decoder_size=512),
    replace(
        SMALL.train,
        epochs=10_000,  # the time ends it
        batch_size=128,
        learning_rate=0.005,
        weight_decay=0.03,
        beta=0.05,
        free_nats=20.0,
        kl_hold=0.0,
        kl_warmup=0.0,
    ),
)


class DropoutAtOutput(Decoder):
    """Dropout of what a decoder of one layer writes, in training."""

    def __init__(self, config: ModelConfig, vocabulary_size: int) -> None:
        super().__init__(config, vocabulary_size)
        self.output.register_forward_pre_hook(self.drop)

    def drop(self, output: nn.Module, given: tuple[Tensor]) -> Tensor:
        """Drop some of the inputs of the output layer, shape (B, T, H)."""
        return nn.functional.dropout(given[0], DROPOUT, self.training)


# Name -> parts exchanged, sizes, and how far the noise levels are stretched (`train.batches`).
CANDIDATES: dict[str, tuple[dict[str, type], dict[str, Any], dict[str, float]]] = {
    "512": ({}, {}, {}),
    "2 x 384": ({}, {"decoder_size": 384, "decoder_layers": 2}, {}),
    "640": ({}, {"decoder_size": 640}, {}),
    "dropout": ({"decoder_kind": DropoutAtOutput}, {"dropout": DROPOUT}, {}),
    "a third without a code": ({}, {}, {"ABOVE": 0.625}),
    "half without a code": ({}, {}, {"ABOVE": 1.25}),
}
TABLE = (
    "Written by `benchmarks/choosing.py`. FCD of CONSISTENT strings at noise 1 and temperature 1,"
    " and that of as many training molecules; nats without a code on held-out molecules, and how"
    " many more than on training molecules; leads: the share that comes back exactly, and the"
    " similarity of what comes back.\n",
    "| candidate | M weights | molecules seen | core-minutes | FCD | training | accepted, % |"
    " nats | gap | exact, % | joint | leads, % | Tanimoto |",
    "|---|---|---|---|---|---|---|---|---|---|---|---|---|",
)


class Timed(Trainer):
    """A training whose progress is the core time that it has had."""

    budget: float  # seconds

    @property
    def spent(self) -> float:
        """The core time of all steps, seconds."""
        return float(sum(epoch.seconds for epoch in self.state.log) + self.state.seconds)

    @property
    def finished(self) -> bool:
        """Whether the time is over and the last epoch, which it cut short, is validated."""
        return self.spent >= self.budget and not self.state.seconds

    def _progress(self) -> float:
        return min(1.0, self.spent / self.budget)

    def _remaining_batches(self) -> Iterator[tuple[Batch, Tensor]]:
        for pair in super()._remaining_batches():
            if self.spent >= self.budget:
                return
            yield pair


def main() -> None:
    """Train and measure every candidate that is not in the result yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--only", action="append", choices=tuple(CANDIDATES))
    parser.add_argument("--minutes", type=float, default=60.0, help="of one core")
    parser.add_argument("--molecules", type=int, default=200_000, help="of the training split")
    parser.add_argument("--draws", type=int, default=4096, help="for each FCD")
    parser.add_argument("--leads", type=Path)
    parser.add_argument("--work", type=Path, default=ROOT / "work" / "choosing")
    parser.add_argument("--result", type=Path, default=RESULT)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    dataset = limited(MoleculeDataset.load(arguments.dataset), arguments.molecules)
    test = held_out_moments(dataset, split="test", seed=0, jobs=1)
    form = "" if dataset.provenance["data"]["uncharge"] else ", charges kept"
    for name in arguments.only or CANDIDATES:
        key = f"{name}{form}, {len(dataset.members('train')):,} molecules"
        if key in read_result(arguments.result):
            continue
        parts, _, stretch = CANDIDATES[name]
        with exchanged(parts), stretched(stretch):
            run = arguments.work / key.replace(" ", "_").replace(",", "")
            row = train(name, dataset, run, minutes=arguments.minutes)
            checkpoint = Checkpoint.load(run / MODEL_FILE)
            row |= measure(checkpoint, dataset, test, draws=arguments.draws)
            if arguments.leads:
                row["leads"] = on_leads(checkpoint, arguments.leads.read_text().split())
        row |= {"minutes": arguments.minutes, "machine": machine(), "versions": versions()}
        keep_result(arguments.result, key, row)
    found = read_result(arguments.result)
    keep_table(arguments.result, [*TABLE, *(line(*pair) for pair in found.items())])


def limited(dataset: MoleculeDataset, molecules: int) -> MoleculeDataset:
    """Return the dataset with so many training molecules, and few to validate each epoch with."""
    dataset = subset(dataset, molecules)
    split = dataset.split.copy()
    split[dataset.members("validation")[HELD_OUT:]] = 255
    return dataset._replace(split=split)


@contextmanager
def stretched(changes: dict[str, float]) -> Iterator[None]:
    """Let trainings draw noise levels otherwise, and count the seconds of this process."""
    before = {name: getattr(molvae.train.batches, name) for name in changes}
    try:
        vars(molvae.train.batches).update(changes)
        vars(molvae.train.trainer)["time"] = SimpleNamespace(monotonic=time.process_time)
        yield
    finally:
        vars(molvae.train.batches).update(before)
        vars(molvae.train.trainer)["time"] = time


def train(name: str, dataset: MoleculeDataset, run: Path, *, minutes: float) -> dict[str, Any]:
    """Train one candidate for its time, or go on with it; a cut last epoch cannot go on."""
    run.mkdir(parents=True, exist_ok=True)
    settings = START._replace(model=replace(START.model, **CANDIDATES[name][1]))
    log = run / LOG_FILE
    if not log.exists() or pandas.read_csv(log).seconds.sum() < 60.0 * minutes:
        trainer = Timed(dataset, run, settings, resume=True)
        trainer.budget = 60.0 * minutes
        trainer.fit()
    epochs = pandas.read_csv(log)
    return {
        "molecules seen": int(epochs.step.iloc[-1]) * settings.train.batch_size,
        "core minutes": float(epochs.seconds.sum()) / 60.0,
        "last epoch": epochs.iloc[-1].to_dict(),
    }


def measure(
    checkpoint: Checkpoint, dataset: MoleculeDataset, test: Moments, *, draws: int
) -> dict[str, Any]:
    """Return what is drawn without a code, and how well held-out molecules are known."""
    generator = MoleculeGenerator(checkpoint)
    (trial,) = search_settings(
        generator, test, n=draws, seed=1, jobs=1, levels=(1.0,), temperatures=(1.0,)
    )
    settings = replace(generator.defaults, tier="raw", shortlist=1, noise=1.0, temperature=1.0)
    return {
        "weights": sum(weight.numel() for weight in checkpoint.model.parameters()),
        "drawn": trial._asdict() | {"draws": draws, "tier": "consistent", "rings": "any"},
        "training FCD": training_distance(dataset, test, n=draws, seed=1, jobs=1),
        "health": {
            split: measure_health(checkpoint.model, dataset, split=split, limit=HELD_OUT)._asdict()
            for split in ("train", "test")
        },
        "control": control(checkpoint, dataset, settings) | {"asked": ASKED, "tier": "raw"},
    }


def on_leads(checkpoint: Checkpoint, leads: Sequence[str]) -> dict[str, float]:
    """Return the shares of leads that a model can read and gives back exactly, and how near.

    Exactly is as the model's training set spells both. The similarity is to the lead as given.
    """
    generator = MoleculeGenerator(checkpoint)
    prepared = standardize_and_measure(generator.model.standardization, (), leads)
    known = [known_to(generator.vocabulary, each) for each in prepared]
    readable = [lead for lead, each in zip(leads, known, strict=True) if is_molecule(each)]
    back = generator.reconstruct(readable)
    near = [tanimoto(lead, each.written) for lead, each in zip(readable, back, strict=True)]
    return {
        "leads": len(leads),
        "readable": len(readable) / len(leads),
        "exact": sum(each.exact for each in back) / len(leads),
        "tanimoto": float(np.sum(near)) / len(leads),
    }


def is_molecule(found: object) -> bool:
    return isinstance(found, PreparedMolecule)


def versions() -> dict[str, str]:
    return {p: version(p) for p in ("molvae", "torch", "rdkit", "selfies", "fcd")}


def line(name: str, row: dict[str, Any]) -> str:
    """Return one candidate as a line of the table."""
    drawn, health = row["drawn"], row["health"]["test"]
    nats = health["language_model"]
    gap = nats - row["health"]["train"]["language_model"]
    joint = list(row["control"]["joint MAE / sd"].values())
    leads = row.get("leads")
    told = f"{100 * leads['exact']:.1f} | {leads['tanimoto']:.3f}" if leads else " | "
    return (
        f"| {name} | {row['weights'] / 1e6:.2f} | {row['molecules seen']:,} |"
        f" {row['core minutes']:.1f} | {drawn['fcd']:.3f} | {row['training FCD']:.3f} |"
        f" {100 * drawn['acceptance']:.1f} | {nats:.2f} | {gap:.2f} |"
        f" {100 * health['exact_from_mean']:.1f} | {sum(joint) / len(joint):.3f} | {told} |"
    )


if __name__ == "__main__":
    main()
