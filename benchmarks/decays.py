"""Which share of molecules without a code suits the end of a training?

    nice .venv/bin/python benchmarks/decays.py moses work/moses/long/dataset.safetensors

The model that ships is trained further for one pass over some molecules, over which the rate falls
to zero, as the end of `scripts/train-bundled --finish`: once for each share of molecules whose code
is noise alone (level 1, from which molecules are drawn), from the same weights with the same
batches. Each is then measured as in `benchmarks/choosing.py`. Writes results/decays.json, one share
after the other.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import torch
from choosing import START, limited, measure, stretched, versions
from frontier import ROOT
from kept import keep_result, read_result
from moses_data import machine

from molvae.checkpoint import MODEL_FILE, Checkpoint, find_model
from molvae.dataset import MoleculeDataset
from molvae.presets import Preset
from molvae.suites.sampling_settings import held_out_moments
from molvae.train.initialization import begin_with
from molvae.train.trainer import Trainer

RESULT = ROOT / "benchmarks" / "results" / "decays.json"
# Share of molecules without a code -> how far the noise levels are stretched (`train.batches`).
SHARES = {"a sixth": 0.25, "a third": 0.625, "half": 1.25}
TRAIN = replace(START.train, epochs=1, batch_size=256, schedule="linear", final_rate=0.01)


def main() -> None:
    """Train and measure with every share that is not in the result yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--molecules", type=int, default=200_000, help="of the training split")
    parser.add_argument("--rate", type=float, default=0.004, help="from which the decay begins")
    parser.add_argument("--draws", type=int, default=4096, help="for the FCD")
    parser.add_argument("--work", type=Path, default=ROOT / "work" / "decays")
    parser.add_argument("--result", type=Path, default=RESULT)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    dataset = limited(MoleculeDataset.load(arguments.dataset), arguments.molecules)
    shipped = Checkpoint.load(find_model(arguments.model))
    test = held_out_moments(dataset, split="test", seed=0, jobs=1)
    for share, above in SHARES.items():
        key = f"{arguments.model}, {share}"
        if key in read_result(arguments.result):
            continue
        initial = begin_with(shipped, dataset, name=arguments.model)
        settings = Preset(
            initial.checkpoint.model.config, replace(TRAIN, learning_rate=arguments.rate)
        )
        run = arguments.work / key.replace(", ", "-").replace(" ", "_")
        with stretched({"ABOVE": above}):
            trainer = Trainer(
                initial.dataset, run, settings, initial=initial.checkpoint, resume=True
            )
            trainer.fit()
        row = measure(
            Checkpoint.load(run / MODEL_FILE), initial.dataset, test, draws=arguments.draws
        )
        row |= {
            "molecules": arguments.molecules,
            "rate": arguments.rate,
            "begun with": shipped.sha256,
        }
        keep_result(arguments.result, key, row | {"machine": machine(), "versions": versions()})
        health = row["health"]["test"]
        print(
            f"{key}: FCD {row['drawn']['fcd']:.3f} ({row['training FCD']:.3f}), accepted"
            f" {row['drawn']['acceptance']:.3f}, nats {health['language_model']:.3f}, exact"
            f" {health['exact_from_mean']:.3f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
