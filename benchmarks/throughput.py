"""How fast are training and sampling beside the VAE of MOSES, and beside what the machine can do?

    .venv/bin/python benchmarks/throughput.py [--data FOLDER] [--threads 1] [--rounds 2]
                                                [--precision auto|fp32|bf16]

Two networks of equal layer sizes (bidirectional encoder of 256, decoder of 3 x 512, 128 latent
dimensions, batches of 512) on the same molecules of MOSES, in processes that take turns: ours, an
LSTM that reads SELFIES in batches of similar length, as `molvae train` deals them, and molsets
0.3.1's, a GRU that reads packed SMILES, in an environment of its own that is built in the cache.
Their code has no mixed precision, ours takes what `--precision auto` takes: bf16 on a processor
with units for it. (The figures with merged symbols, which molvae no longer has, are of commit
7d901c7.) Weights are random: a string of ours ends when an end is drawn, or with the tokens of the
longest molecule, as in `generate`; all of theirs are written to 100 characters, as `sample` does by
default. Beside them the rate of a plain matrix product, in the same precision, of the size that a
step of ours takes most of its time for. Writes results/throughput.json, a part of it for each
precision.
"""

import argparse
import json
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from kept import keep_result
from metrics_speed import MOLSETS, environment, run
from moses_data import FOLDER, machine, moses

from molvae.chem.selfies import encode
from molvae.config import ModelConfig, TrainConfig
from molvae.dataset import MoleculeDataset
from molvae.generation.tiles import TILE
from molvae.model.sampling import sample
from molvae.normalizer import PropertyNormalizer
from molvae.presets import Preset
from molvae.train.batches import collate, order
from molvae.train.precision import Precision
from molvae.train.step import Learner
from molvae.vocabulary import Vocabulary

RESULT = Path(__file__).parent / "results" / "throughput.json"
MODEL = ModelConfig(
    symbol_size=128, encoder_size=256, decoder_size=512, decoder_layers=3, latent_size=128
)
BATCH = 512
STEPS = 5  # batches of each round; what is done first warms up and does not count
SAMPLES = 3  # calls, likewise
SEED = 0


def main() -> None:
    """Run both in turn and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=FOLDER)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--precision", choices=["auto", "fp32", "bf16"], default="auto")
    parser.add_argument("--ours", type=Path, help=argparse.SUPPRESS)  # in a process of its own
    arguments = parser.parse_args()
    if arguments.ours:
        torch.set_num_threads(arguments.threads)
        smiles = arguments.ours.read_text().split()
        print(json.dumps(ours(smiles, arguments.precision)))
        return
    precision = Precision.choose(arguments.precision, torch.device("cpu")).name
    training = moses(arguments.data).training.read()
    chosen = np.random.default_rng(SEED).choice(len(training), BATCH * STEPS, replace=False)
    threads = ["--threads", str(arguments.threads)]
    sizes = {
        **{name: getattr(MODEL, name) for name in ("encoder_size", "decoder_size")},
        **{name: getattr(MODEL, name) for name in ("decoder_layers", "latent_size")},
        "batch_size": BATCH,
        "samples": SAMPLES,
        "threads": arguments.threads,
    }
    runs: dict[str, list[dict[str, Any]]] = {"ours": [], "molsets": []}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "molecules.smi"
        path.write_text("\n".join(training[row] for row in chosen))
        mine = [sys.executable, __file__, "--ours", str(path), *threads, "--precision", precision]
        theirs = [str(environment() / "bin" / "python")]
        theirs += [str(Path(__file__).with_name("molsets_vae.py")), str(path), json.dumps(sizes)]
        for _ in range(arguments.rounds):
            for who, command in (("ours", mine), ("molsets", theirs)):
                runs[who].append(run(command))
    result = {
        "command": f"benchmarks/throughput.py --threads {arguments.threads}"
        f" --rounds {arguments.rounds} --precision {precision}",
        "precision": precision,
        "sizes": sizes,
        "seed": SEED,
        "molsets": MOLSETS,
        "training": compared(runs, "steps"),
        "sampling": compared(runs, "samples"),
        "share of the matrix rate": float(np.median([r["share"] for r in runs["ours"]])),
        "runs": runs,
        "machine": machine(),
        "versions": {name: version(name) for name in ("torch", "numpy")},
    }
    keep_result(RESULT, f"{precision}, threads={arguments.threads}", result)
    print({k: result[k] for k in ("training", "sampling", "share of the matrix rate")})


def compared(runs: dict[str, list[dict[str, Any]]], what: str) -> dict[str, float]:
    """Return molecules a second of both, and how many times as fast ours is; medians of turns."""
    rates = {
        who: float(np.median([per_second(each[what]) for each in turns]))
        for who, turns in runs.items()
    }
    return {**rates, "times as fast": rates["ours"] / rates["molsets"]}


def per_second(timed: list[list[float]]) -> float:
    """Return molecules a second over all that was timed but the first."""
    counts, seconds = zip(*timed[1:], strict=True)
    return float(sum(counts) / sum(seconds))


def ours(smiles: list[str], precision: str) -> dict[str, Any]:
    """Time the steps of a training and the drawing of strings, and a matrix product."""
    dataset = encoded(smiles)
    learner = Learner(dataset, Preset(MODEL, TrainConfig(batch_size=BATCH, precision=precision)))
    batches = order(dataset.lengths, BATCH, seed=SEED, epoch=0)
    steps = []
    for number, rows in enumerate([batches[0], *batches]):  # the first warms up
        start = time.perf_counter()
        learner.step(collate(dataset, rows), number=number, progress=0.5)
        steps.append([len(rows), time.perf_counter() - start])
    model, generator = learner.averaged_model(), torch.Generator().manual_seed(SEED)
    samples = []
    for _ in range(SAMPLES):
        z = torch.randn(BATCH, MODEL.latent_size, generator=generator)
        free = torch.full((BATCH, len(dataset.normalizer.names)), float("nan"))
        uniforms = torch.rand(BATCH, int(dataset.lengths.max()) + 1, generator=generator)
        start = time.perf_counter()
        written = sample(model, z, free, uniforms, temperature=1.0, live=TILE)
        [dataset.vocabulary.decode(ids) for ids in written.ids.tolist()]
        samples.append([BATCH, time.perf_counter() - start])
    rate = per_second(steps)
    return {
        "steps": steps,
        "samples": samples,
        "tokens a molecule": float(dataset.lengths.mean()),
        "weights": sum(weight.numel() for weight in model.parameters()),
        "share": float(
            rate * operations(dataset) / matrix_rate(dataset, learner.precision.products)
        ),
    }


def encoded(smiles: list[str]) -> MoleculeDataset:
    """Return molecules as a dataset with one property, which no step is slowed down by."""
    symbols = [encode(text) for text in smiles]
    vocabulary = Vocabulary(sorted({symbol for each in symbols for symbol in each}))
    lengths = np.array([len(each) for each in symbols])
    values = lengths[:, None].astype(np.float64)
    return MoleculeDataset(
        ids=np.concatenate([vocabulary.encode(each) for each in symbols]).astype(np.uint16),
        offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        properties=values.astype(np.float32),
        split=np.zeros(len(smiles), dtype=np.uint8),
        vocabulary=vocabulary,
        normalizer=PropertyNormalizer.fit(["symbols"], values),
        hashes=np.arange(len(smiles), dtype=np.uint64),
        provenance={},
    )


def operations(dataset: MoleculeDataset) -> float:
    """Return the floating-point operations that a molecule's LSTMs need, there and back."""
    size, width = MODEL.encoder_size, MODEL.decoder_size
    encoder = 2 * 4 * size * (MODEL.symbol_size + size)
    decoder = 4 * width * (MODEL.symbol_size + width + 2 * width * (MODEL.decoder_layers - 1))
    # A product and a sum each; the way back takes twice the way there.
    return float(3 * 2 * (encoder + decoder) * (dataset.lengths.mean() + 1))


def matrix_rate(dataset: MoleculeDataset, products: torch.dtype) -> float:
    """Return the operations a second of a product as large as a decoder layer's over all steps."""
    rows = BATCH * (round(dataset.lengths.mean()) + 1)
    left = torch.randn(rows, MODEL.decoder_size).to(products)
    right = torch.randn(MODEL.decoder_size, 4 * MODEL.decoder_size).to(products)
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        left @ right
        seconds.append(time.perf_counter() - start)
    return 2 * rows * left.shape[1] * right.shape[1] / min(seconds)


if __name__ == "__main__":
    main()
