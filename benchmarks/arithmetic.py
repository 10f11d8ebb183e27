"""Which arithmetic, and so which preset, can this machine train with?

    .venv/bin/python benchmarks/arithmetic.py [--threads 1]

Times the decoder's matrix product in float32 and bfloat16, and training steps of each preset on
real-shaped batches of datasets/druglike-10k.csv, with both optimizers in all that this processor is
made for. The rates are this machine's, at this hour; what carries over is their ratios, taken in
one run. Writes results/arithmetic.json, a part of it for each kind of processor.
"""

import argparse
import json
import os
import platform
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import torch
from kept import keep_result

from molvae.config import DataConfig
from molvae.data.prepare import prepare
from molvae.presets import PRESETS, Preset
from molvae.train.precision import Precision
from molvae.train.trainer import Trainer

HERE = Path(__file__).parent
STEPS = 6


def main() -> None:
    """Time the products and the presets."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    products = {
        name: product_rate(kind)
        for name, kind in (("fp32", torch.float32), ("bf16", torch.bfloat16))
    }
    auto = Precision.choose("auto", torch.device("cpu")).name
    report = {
        "command": f"benchmarks/arithmetic.py --threads {arguments.threads}",
        "gflops": products,
        "bf16_over_fp32": products["bf16"] / products["fp32"],
        "auto": auto,
        "molecules_per_second": {
            f"{optimizer}, {precision}": preset_rates(optimizer, precision)
            for optimizer in ("adamw", "muon")
            for precision in sorted({"fp32", auto})
        },
        "machine": f"{platform.machine()}, {torch.backends.cpu.get_cpu_capability()}",
        "threads": arguments.threads,
        "cores": os.cpu_count(),
        "versions": {name: version(name) for name in ("molvae", "torch")},
    }
    keep_result(HERE / "results" / "arithmetic.json", f"{report['machine']}, {auto}", report)
    print(json.dumps(report, indent=1))


def product_rate(kind: torch.dtype) -> float:
    """Return the rate of (256, 512) x (512, 2048), in 10^9 operations a second, best of five."""
    left, right = torch.randn(256, 512).to(kind), torch.randn(512, 2048).to(kind)
    seconds = best_of_five(lambda: left @ right)
    return 2 * 256 * 512 * 2048 / seconds / 1e9


def preset_rates(optimizer: str, precision: str) -> dict[str, float]:
    """Return how many molecules a second each preset trains on, at batches of 128."""
    rates = {}
    with tempfile.TemporaryDirectory() as folder:
        table = HERE.parent / "datasets" / "druglike-10k.csv"
        head = Path(folder) / "head.csv"
        lines = table.read_text(encoding="utf-8").splitlines()[: 128 * (STEPS + 2)]
        head.write_text("\n".join(lines) + "\n", encoding="utf-8")
        dataset = prepare([head], DataConfig(validation=0.05, test=0.0), jobs=1).dataset
        for name, (model, train, _) in PRESETS.items():
            trainer = Trainer(
                dataset,
                Path(folder) / name,
                Preset(
                    model,
                    replace(
                        train, batch_size=128, epochs=1, optimizer=optimizer, precision=precision
                    ),
                ),
            )
            batches = list(trainer._remaining_batches())[:STEPS]
            trainer._step(batches[0])  # the first step allocates
            begun = time.perf_counter()
            for batch in batches:
                trainer._step(batch)
            rates[name] = sum(len(b.ids) for b in batches) / (time.perf_counter() - begun)
    return rates


def best_of_five(work: Callable[[], object]) -> float:
    """Return the shortest time of five, in seconds."""
    times = []
    for _ in range(5):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return min(times)


if __name__ == "__main__":
    main()
