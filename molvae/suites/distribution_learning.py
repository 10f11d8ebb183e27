"""Distribution learning: how well a generator matches its training set, over several seeds.

Any generator can be evaluated by its output; for a molvae model, the samples are generated here,
and the tier and the acceptance rate are reported too.
"""

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from molvae.config import GenerateConfig
from molvae.evaluate.report import Report
from molvae.evaluate.text import aligned, cell
from molvae.generator import MoleculeGenerator

FORMAT = 1  # of the JSON
PUBLISHED = {name: Path(__file__).with_name(f"{name}_published.csv") for name in ("moses", "pmo")}
PUBLISHED_SIZE = {"moses": 30_000}  # molecules a seed

Row = dict[str, float | None]


class Sample(NamedTuple):
    """The molecules of one seed or file."""

    name: str
    smiles: Sequence[str]  # as generated; "" for a missing molecule
    account: Mapping[str, Any]  # of a molvae model: tier, acceptance, draws, settings


class Benchmark(NamedTuple):
    """The results of a generator, and published results."""

    suite: str
    model: str
    molecules: tuple[int, ...]  # N of each sample
    samples: tuple[str, ...]  # their names
    metrics: Mapping[str, Mapping[str, Any]]  # mean, sd (None for one sample) and values of each
    accounts: tuple[Mapping[str, Any], ...]  # of the samples of a molvae model
    health: Mapping[str, Any]  # of its latent space
    published: Mapping[str, Row]  # model -> metric -> value
    notes: tuple[str, ...]
    versions: Mapping[str, str]

    def to_json(self) -> str:
        """Return everything as JSON text; undefined numbers are null."""
        return json.dumps({"format": FORMAT, **self._asdict()}, indent=2, allow_nan=False)

    def table(self) -> list[str]:
        """Return the results and the published ones as columns of text, a metric a line."""
        others = list(self.published)
        other_size = set(self.molecules) != {PUBLISHED_SIZE.get(self.suite)}
        mark = "*" if self.suite in PUBLISHED_SIZE and other_size else ""
        lines = [["", f"{self.model}{mark}", "sd", *others]]
        for name, found in self.metrics.items():
            theirs = [self.published[model].get(name) for model in others]
            shown = ["" if value is None else cell(value) for value in theirs]
            lines.append([name, cell(found["mean"]), cell(found["sd"]), *shown])
        sizes = sorted({f"{size:,}" for size in self.molecules})
        head = f"{self.suite}, {len(self.samples)} samples of {' or '.join(sizes)} molecules"
        said = [_account(account) for account in self.accounts[:1]]
        return [head, *said, *_health(self.health), "", *aligned(lines)]


def generate_sample(
    generator: MoleculeGenerator,
    n: int,
    *,
    seed: int,
    config: GenerateConfig,
    executor: Executor | None = None,
    report: Callable[[int], None] = lambda found: None,
) -> Sample:
    """Generate a sample for evaluation: without targets, duplicates kept.

    `unique` of the settings must be off. `report` is called with the molecules found so far.
    """
    generation = generator.generate(n, config=config, seed=seed, executor=executor, report=report)
    smiles = [molecule.smiles for molecule in generation.molecules]
    summary = generation.summary.to_dict()
    kept = ("tier", "acceptance", "draws", "refusals", "settings", "seed", "model", "seconds")
    account = {name: summary[name] for name in kept}
    return Sample(f"seed {seed}", smiles + [""] * (n - len(smiles)), account)


def run_suite(
    samples: Sequence[Sample],
    judge: Callable[[Sequence[str]], Report],
    *,
    suite: str,
    model: str,
    health: Mapping[str, Any] | None = None,
) -> Benchmark:
    """Evaluate samples, one for each seed, and put their mean beside published results.

    `judge` is `evaluate` with all sets to compare with.
    """
    reports = [judge(sample.smiles) for sample in samples]
    rows = [
        {name: value for name, value in report.values.items() if not isinstance(value, dict)}
        for report in reports
    ]
    return Benchmark(
        suite=suite,
        model=model,
        molecules=tuple(len(sample.smiles) for sample in samples),
        samples=tuple(sample.name for sample in samples),
        metrics={name: _spread([row.get(name) for row in rows]) for name in rows[0]},
        accounts=tuple(sample.account for sample in samples if sample.account),
        health=health or {},
        published=published(suite),
        notes=tuple(dict.fromkeys(note for report in reports for note in report.notes)),
        versions=reports[0].versions,
    )


def published(suite: str) -> dict[str, Row]:
    """Return published results: model -> metric -> value, None if not reported."""
    path = PUBLISHED.get(suite)
    if path is None:
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    return {
        row["model"]: {
            name: float(value) if value else None for name, value in row.items() if name != "model"
        }
        for row in rows
    }


def _spread(values: Sequence[float | None]) -> dict[str, Any]:
    known = [value for value in values if value is not None]
    complete = len(known) == len(values)
    return {
        "mean": float(np.mean(known)) if complete else None,
        "sd": float(np.std(known, ddof=1)) if complete and len(known) > 1 else None,
        "values": list(values),
    }


def _account(account: Mapping[str, Any]) -> str:
    acceptance = account["acceptance"]
    share = "-" if acceptance is None else f"{acceptance:.1%}"
    settings, tier = account["settings"], account["tier"].upper()
    if account["tier"] == "consistent" and settings["rings"] == "known":
        tier += ", only known ring systems"
    return (
        f"tier {tier}, acceptance {share} of first draws,"
        f" temperature {settings['temperature']:g}, model {account['model']}"
    )


def _health(health: Mapping[str, Any]) -> list[str]:
    """Describe the use of the latent space: a collapsed one can have a low FCD too."""
    if not health:
        return []
    failed = [name for name, good in health.get("passed", {}).items() if not good]
    verdict = f"FAILS {', '.join(failed)}" if failed else "passes all tests"
    return [
        f"latent space: KL {health['kl']:.1f} nats, {health['active_units']:.0%} of units active,"
        f" exact from mean {health['exact_from_mean']:.1%}; {verdict}"
    ]
