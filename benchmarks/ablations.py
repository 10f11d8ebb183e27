"""What is each part of the model worth? One thing changed at a time, at equal molecules seen.

    .venv/bin/python benchmarks/ablations.py DATASET [--only NAME] [--molecules 60000] [--seed 1]

The starting point is the noise-conditional model of frontier.py, on molecules of the same dataset.
The rows with merges (byte-pair encoding, which molvae no longer has) were measured at commit
7d901c7; they were given as much time as the start took. Parts that are not in the product live
here: they enter it when this shows what they are worth. Each variant is drawn from without a code
(noise level 1) and with half of one (level .5), tier RAW: FCD against MOSES test, acceptance, and
control. The trainings are kept in work/ablations and go on where they were stopped. Writes
results/ablations.json, one variant after the other, and the same as a table to ablations.md.
"""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas
import torch
from frontier import (
    ASKED,
    DRAWS,
    MIDDLE,
    MODEL,
    ROOT,
    TRAIN,
    control,
    distribution,
    read_sets,
)
from kept import keep_result, keep_table, read_result
from moses_data import FOLDER, machine
from torch import Tensor, nn

import molvae.checkpoint
import molvae.train.step
from molvae.checkpoint import MODEL_FILE, Checkpoint
from molvae.config import GenerateConfig, ModelConfig
from molvae.dataset import MoleculeDataset
from molvae.evaluate.fcd import Moments
from molvae.model.conditions import ConditionEmbedding
from molvae.model.cvae import ConditionalVAE
from molvae.model.decoder import Decoder, State, Stepper
from molvae.presets import Preset
from molvae.train.health import measure_health
from molvae.train.trainer import Trainer

RESULT = ROOT / "benchmarks" / "results" / "ablations.json"
START = replace(MODEL, noise_conditional=True)
TRAINING: dict[str, Any] = {"beta": 0.1, "free_nats": 20.0}
FREQUENCIES = 8  # of the Fourier features, log-spaced from 1/2 to 8 turns a standard deviation
LEVELS = (0.5, 1.0)
TABLE = (
    "Written by `benchmarks/ablations.py`. [README](../README.md) explains the columns."
    " Merges, since removed, were measured at commit 7d901c7.\n",
    "| variant | M weights | molecules a second | nats without a code | KL | exact, % | head |"
    " FCD, level .5 | FCD, level 1 | accepted, % | joint |",
    "|---|---|---|---|---|---|---|---|---|---|---|",
)
HIDDEN = 0.1  # share of the symbols read in training


class FourierConditions(ConditionEmbedding):
    """Each value with sines and cosines of multiples of it, as the recipe proposes."""

    def __init__(self, n_conditions: int, size: int) -> None:
        super().__init__(n_conditions, size)
        hidden, inputs = 2 * size, n_conditions * (2 + 2 * FREQUENCIES)
        self.layers[0] = nn.Linear(inputs, hidden)
        self.register_buffer("turns", torch.pi * torch.logspace(0, 4, FREQUENCIES, base=2.0))

    def forward(self, conditions: Tensor) -> Tensor:
        """Embed conditions (B, P) as (B, C)."""
        unspecified = torch.isnan(conditions)
        values = torch.nan_to_num(conditions, nan=0.0)
        known = (~unspecified).to(values.dtype)[:, :, None]
        angles = values[:, :, None] * self.turns
        waves = torch.cat([angles.sin(), angles.cos()], dim=2) * known
        features = [values, unspecified.to(values.dtype), waves.flatten(1)]
        embedded: Tensor = self.layers(torch.cat(features, dim=1))
        return embedded


class ByForward(Stepper):
    """A step of a changed decoder: its `forward`, for one symbol."""

    def __init__(self, decoder: Decoder) -> None:
        self.decoder = decoder

    def begin(self, state: State, context: Tensor) -> list[Tensor]:
        """Return context and states; see `Stepper`."""
        return [context, *(each[0] for pair in state for each in pair)]

    def step(self, rows: list[Tensor], ids: Tensor) -> Tensor:
        """Read one symbol of each string and predict the next; see `Stepper`."""
        context, *states = rows
        pairs = zip(states[::2], states[1::2], strict=True)
        logits, after = self.decoder([(h[None], c[None]) for h, c in pairs], context, ids[:, None])
        for row, now in zip(states, (each for pair in after for each in pair), strict=True):
            row.copy_(now[0])
        first: Tensor = logits[:, 0]
        return first


class Changed(Decoder):
    """A decoder that does something else in `forward`."""

    def stepper(self) -> Stepper:
        """Return what writes as `forward` says."""
        return ByForward(self)


class InitialStateOnly(Changed):
    """z and c in the initial state alone."""

    def forward(self, state: State, context: Tensor, ids: Tensor) -> tuple[Tensor, State]:
        """Predict what follows each symbol; see `Decoder`."""
        return super().forward(state, torch.zeros_like(context), ids)


class StepsOnly(Decoder):
    """z and c at every step and at the output, not in the initial state."""

    def start(self, z: Tensor, embedded: Tensor) -> tuple[State, Tensor]:
        """Return initial state and context; see `Decoder`."""
        state, context = super().start(z, embedded)
        return [(torch.zeros_like(h), torch.zeros_like(c)) for h, c in state], context


class NotAtOutput(Decoder):
    """z and c at the output no more."""

    def __init__(self, config: ModelConfig, vocabulary_size: int) -> None:
        super().__init__(config, vocabulary_size)
        nn.init.zeros_(self.at_output.weight)
        self.at_output.weight.requires_grad_(False)


class ShiftToo(Changed):
    """z and c scale and shift what the LSTM writes, as in FiLM (arXiv 1709.07871)."""

    def __init__(self, config: ModelConfig, vocabulary_size: int) -> None:
        super().__init__(config, vocabulary_size)
        self.both = nn.Linear(config.latent_size + config.condition_size, 2 * config.decoder_size)
        nn.init.zeros_(self.both.weight)
        nn.init.zeros_(self.both.bias)

    def forward(self, state: State, context: Tensor, ids: Tensor) -> tuple[Tensor, State]:
        """Predict what follows each symbol; see `Decoder`."""
        states = self.embedding(ids) + self.at_input(context)[:, None]
        scale, shift = self.both(context)[:, None].chunk(2, dim=2)
        written, last = self.lstms[0](states, state[0])
        written = written * (1.0 + scale) + shift
        logits = self.output(written) + self.at_output(context)[:, None]
        return logits.float(), [last]


class HiddenSymbols(Decoder):
    """A tenth of the symbols is not seen in training, so that z and c have to tell."""

    def __init__(self, config: ModelConfig, vocabulary_size: int) -> None:
        super().__init__(config, vocabulary_size)
        self.embedding.register_forward_hook(self.hide)

    def hide(self, embedding: nn.Module, ids: tuple[Tensor], embedded: Tensor) -> Tensor:
        """Zero some of what was embedded, shape (B, T, E)."""
        if not self.training:
            return embedded
        seen = torch.rand(embedded.shape[:2], device=embedded.device) >= HIDDEN
        return embedded * seen[:, :, None]


class GruDecoder(Changed):
    """A GRU in place of the LSTM."""

    def __init__(self, config: ModelConfig, vocabulary_size: int) -> None:
        super().__init__(config, vocabulary_size)
        self.lstms = nn.ModuleList([nn.GRU(config.symbol_size, self.size, batch_first=True)])

    def forward(self, state: State, context: Tensor, ids: Tensor) -> tuple[Tensor, State]:
        """Predict what follows each symbol; see `Decoder`."""
        states = self.embedding(ids) + self.at_input(context)[:, None]
        written, hidden = self.lstms[0](states, state[0][0])
        logits = self.output(written) + self.at_output(context)[:, None]
        return logits.float(), [(hidden, state[0][1])]


class Variant(ConditionalVAE):
    """A model with some parts exchanged."""

    decoder_kind: type[Decoder] = Decoder
    conditions_kind: type[ConditionEmbedding] = ConditionEmbedding

    def __init__(self, config: ModelConfig, vocabulary_size: int, n_conditions: int) -> None:
        super().__init__(config, vocabulary_size, n_conditions)
        self.decoder = self.decoder_kind(config, vocabulary_size)
        self.conditions = self.conditions_kind(n_conditions, config.condition_size)


# Name -> parts exchanged, sizes, training.
Change = tuple[dict[str, type], dict[str, Any], dict[str, Any]]
VARIANTS: dict[str, Change] = {
    "start": ({}, {}, {}),
    "Fourier features": ({"conditions_kind": FourierConditions}, {}, {}),
    "FiLM with a shift": ({"decoder_kind": ShiftToo}, {}, {}),
    "FiLM": ({}, {"film": True}, {}),
    "symbols of 128": ({}, {"symbol_size": 128}, {}),
    "initial state only": ({"decoder_kind": InitialStateOnly}, {}, {}),
    "steps only": ({"decoder_kind": StepsOnly}, {}, {}),
    "not at the output": ({"decoder_kind": NotAtOutput}, {}, {}),
    "symbols hidden": ({"decoder_kind": HiddenSymbols}, {}, {}),
    "GRU decoder": ({"decoder_kind": GruDecoder}, {}, {}),
    "no property head": ({}, {}, {"property_weight": 0.0}),
    "decoder of 384": ({}, {"decoder_size": 384}, {}),
    "two layers": ({}, {"decoder_layers": 2}, {}),
    "four epochs": ({}, {}, {"epochs": 4}),
    "KL weight without a hold": ({}, {}, {"kl_hold": 0.0}),
    "KL weight from the start": ({}, {}, {"kl_hold": 0.0, "kl_warmup": 0.0}),
    "weight decay of .1": ({}, {}, {"weight_decay": 0.1}),
    "weight decay of .3": ({}, {}, {"weight_decay": 0.3}),
    "weight decay of 1": ({}, {}, {"weight_decay": 1.0}),
    "twice the rate": ({}, {}, {"learning_rate": 12e-3}),
    "half the rate": ({}, {}, {"learning_rate": 3e-3}),
    "batches of 128, twice the rate": ({}, {}, {"batch_size": 128, "learning_rate": 12e-3}),
    "batches of 128": ({}, {}, {"batch_size": 128}),
    "batches of 32": ({}, {}, {"batch_size": 32}),
    "AdamW": ({}, {}, {"optimizer": "adamw"}),
    "AdamW, half the rate": ({}, {}, {"optimizer": "adamw", "learning_rate": 3e-3}),
    "AdamW, batches of 32": ({}, {}, {"optimizer": "adamw", "batch_size": 32}),
}


def main() -> None:
    """Train and measure every variant that is not in the result yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--only", action="append", choices=tuple(VARIANTS))
    parser.add_argument("--molecules", type=int, default=60_000, help="of the training split")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--data", type=Path, default=FOLDER)
    parser.add_argument("--work", type=Path, default=ROOT / "work" / "ablations")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    dataset, test = read_sets(arguments.dataset, arguments.molecules, arguments.data)
    for name in arguments.only or VARIANTS:
        key = f"{name}, seed {arguments.seed}"
        if key in read_result(RESULT):
            continue
        with exchanged(VARIANTS[name][0]):
            run = arguments.work / key.replace(" ", "_").replace(",", "")
            row = train(name, dataset, run, seed=arguments.seed)
            row |= measure(Checkpoint.load(run / MODEL_FILE), dataset, test)
        row["command"] = (
            f"benchmarks/ablations.py DATASET --only '{name}' --molecules {arguments.molecules}"
            f" --seed {arguments.seed}"
        )
        keep_result(RESULT, key, row)
    found = read_result(RESULT)
    places = {name: place for place, name in enumerate(VARIANTS)}  # a variant that left is last
    ordered = sorted(found, key=lambda key: places.get(key.rpartition(", seed ")[0], len(places)))
    keep_table(RESULT, [*TABLE, *(line(key, found[key]) for key in ordered)])


def line(name: str, row: dict[str, Any]) -> str:
    """Return one variant as a line of the table."""
    health, half, free = row["health"], *(row["drawn"][f"noise {level}"] for level in LEVELS)
    head, joint = health["property_mae"], free["joint MAE / sd"].values()
    return (
        f"| {name} | {row['weights'] / 1e6:.2f} | {row['molecules a second']:.0f} |"
        f" {health['language_model']:.2f} | {health['kl']:.1f} |"
        f" {100 * health['exact_from_mean']:.1f} | {sum(head) / len(head):.3f} |"
        f" {half['FCD/Test']:.2f} | {free['FCD/Test']:.2f} | {100 * free['acceptance']:.1f} |"
        f" {sum(joint) / len(joint):.3f} |"
    )


@contextmanager
def exchanged(parts: dict[str, type]) -> Iterator[None]:
    """Let trainings and checkpoints make the variant with these parts."""
    kind = type("Exchanged", (Variant,), parts)
    rooms = (molvae.train.step, molvae.checkpoint)
    try:
        for room in rooms:
            room.ConditionalVAE = kind  # type: ignore[attr-defined]
        yield
    finally:
        for room in rooms:
            room.ConditionalVAE = ConditionalVAE  # type: ignore[attr-defined]


def train(name: str, dataset: MoleculeDataset, run: Path, *, seed: int) -> dict[str, Any]:
    """Train one variant, or go on with it."""
    _, sizes, changes = VARIANTS[name]
    run.mkdir(parents=True, exist_ok=True)
    trainer = Trainer(
        dataset,
        run,
        Preset(replace(START, **sizes), replace(TRAIN, **(TRAINING | changes), seed=seed)),
        resume=True,
    )
    trainer.fit()
    epochs = pandas.read_csv(run / "log.csv")
    return {
        "weights": trainer.weights,
        "molecules seen": trainer.seen,
        # Of the steps alone: neither validation nor the model that each epoch leaves behind.
        "molecules a second": trainer.seen / epochs["seconds"].sum(),
    }


def measure(checkpoint: Checkpoint, dataset: MoleculeDataset, test: Moments) -> dict[str, Any]:
    """Return health and what is drawn."""
    drawn = {}
    for level in LEVELS:
        config = GenerateConfig(tier="raw", shortlist=1, temperature=MIDDLE, noise=level)
        found = distribution(checkpoint, config, test)
        drawn[f"noise {level}"] = found | control(checkpoint, dataset, config)
    return {
        "drawn": drawn,
        "health": measure_health(checkpoint.model, dataset, split="test")._asdict(),
        "tier": "raw",
        "temperature": MIDDLE,
        "draws": DRAWS,
        "asked": ASKED,
        "machine": machine(),
        "versions": {p: version(p) for p in ("molvae", "torch", "rdkit", "selfies", "fcd")},
    }


if __name__ == "__main__":
    main()
