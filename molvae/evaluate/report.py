"""`evaluate()`: molecules in, a report out."""

import json
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import rdkit

from molvae.arguments import MAX_RESAMPLES, MAX_SEED, by_name, real_number, whole_number
from molvae.chem.properties import PROPERTIES, resolve
from molvae.config import DEFAULT_PROPERTIES
from molvae.errors import InputError, UsageError
from molvae.evaluate import control, distributions, metrics
from molvae.evaluate.bootstrap import intervals
from molvae.evaluate.fcd import fcd_version
from molvae.evaluate.gather import count, gather
from molvae.evaluate.inputs import Inputs, Source
from molvae.evaluate.notes import notes
from molvae.evaluate.sets import Sets
from molvae.evaluate.text import as_text
from molvae.evaluate.training import Training
from molvae.evaluate.work import Progress, Work
from molvae.parallel.workers import Jobs
from molvae.version import __version__

FORMAT = 1  # of the JSON

Targets = Mapping[str, control.Request | Sequence[control.Request]]


class Report(NamedTuple):
    """The result of an evaluation.

    `values` has the suite's numbers by name, then the tables `rings`, `properties` and, with
    targets, `control`; None: undefined on these molecules. `intervals` has the 95 % interval
    (low, high) of each metric, if requested; in tables under "table.row.column".
    """

    values: dict[str, Any]
    counts: dict[str, Any]  # molecules by kind: `generated` (N), `valid`, `invalid` by reason ...
    versions: dict[str, str]  # of the packages that the numbers depend on
    notes: tuple[str, ...] = ()  # limits of the numbers
    suite: str = "basic"
    seed: int = 0
    intervals: Mapping[str, tuple[float, float]] = MappingProxyType({})

    def to_json(self) -> str:
        """Return everything as JSON text; undefined numbers are null."""
        plain = {"format": FORMAT, **self._asdict(), "intervals": dict(self.intervals)}
        return json.dumps(plain, indent=2, allow_nan=False)

    def table(self) -> list[str]:
        """Return everything but the notes as lines of text, in aligned columns."""
        units = {name: known.unit for name, known in PROPERTIES.items()}
        return as_text(
            self.values, self.counts, self.versions, units=units, intervals=self.intervals
        )


class Evaluation(NamedTuple):
    """A report, the molecules behind it, and their targets by property."""

    report: Report
    sets: Sets
    requests: dict[str, control.Requests]


def evaluate(
    generated: Iterable[str | None],
    *,
    reference: Iterable[str] | Source | None = None,
    scaffolds: Iterable[str] | Source | None = None,
    training: Iterable[str] | Source | Training | None = None,
    targets: Targets | None = None,
    scales: Mapping[str, float] | None = None,
    suite: str = "basic",
    fcd: bool = True,
    jobs: Jobs = 0,
    device: str = "cpu",
    seed: int = 0,
    memorization: bool = False,
    bootstrap: int = 0,
    progress: Progress | None = None,
) -> Report:
    """Evaluate a list of molecules from any generator.

    Args:
        generated: N SMILES, as generated, including invalid and empty ones (None too).
        reference: SMILES whose distributions the generated ones should match; the test set of the
            suite `moses`. The suite `basic` uses at most 30,000, chosen with the seed.
        scaffolds: the scaffold test set of the suite `moses`.
        training: the training set of the generator: SMILES, or an object that can look up
            molecules.
        targets: property -> a number or a pair (low, high) for all molecules, or a list with one
            target for each, None without a target.
        scales: property -> standard deviation for the errors of control, without a reference.
        suite: collection of metrics.
        fcd: compute the Frechet ChemNet distance, if the suite has it and its extra is installed.
        jobs: worker processes, or an executor; 0 works in this one.
        device: where ChemNet runs: "cpu", "cuda", "cuda:1".
        seed: of the subsets and resamples.
        memorization: find the nearest training molecule of 30,000 generated molecules, and of as
            many of the reference; takes minutes for a million training molecules.
        bootstrap: resamples for 95 % intervals, for example 1,000; 0 leaves them out.
        progress: called with a stage, the molecules done in it and how many there are.

    Raises:
        InputError: without any molecule.
        UsageError: for an unknown suite, an invalid target, or what is no list of molecules.

    Example:
        >>> report = evaluate(["CCO", "OCC", "C1CC"])
        >>> report.values["validity"], report.values["uniqueness"]
        (0.6666666666666666, 0.5)
    """
    # Statistics of molecules in memory are cached where they take minutes.
    cached = suite != "basic" or memorization
    return evaluate_sets(
        Inputs.of(generated, reference, scaffolds, training, cached=cached),
        Work(jobs, device, progress),
        targets=targets,
        scales=scales,
        suite=suite,
        fcd=fcd,
        seed=seed,
        memorization=memorization,
        bootstrap=bootstrap,
    ).report


def evaluate_sets(
    inputs: Inputs,
    work: Work,
    *,
    targets: Targets | None = None,
    scales: Mapping[str, float] | None = None,
    suite: str = "basic",
    fcd: bool = True,
    seed: int = 0,
    memorization: bool = False,
    bootstrap: int = 0,
) -> Evaluation:
    """Evaluate like `evaluate`, and return the molecules behind the numbers too."""
    seed = whole_number("seed", seed, 0, MAX_SEED)
    bootstrap = whole_number("bootstrap", bootstrap, 0, MAX_RESAMPLES)
    scales = {
        name: real_number(f"scale of {name}", scale, low=0.0)
        for name, scale in by_name("scales", {} if scales is None else scales).items()
    }
    if not inputs.generated:
        raise InputError("no molecules to evaluate.")
    if suite not in metrics.suites():
        raise UsageError(f"unknown suite '{suite}'. Known: {', '.join(metrics.suites())}.")
    requests, unmeasurable = _requests(
        {} if targets is None else by_name("targets", targets), len(inputs.generated)
    )
    names = tuple(dict.fromkeys((*DEFAULT_PROPERTIES, *requests)))
    sets = gather(inputs, names, work, suite=suite, fcd=fcd, seed=seed, memorization=memorization)
    values: dict[str, Any] = dict(metrics.measure(sets, suite=suite))
    compared = sets.reference
    values["rings"] = distributions.rings(sets.generated, compared)
    values["properties"] = distributions.properties(sets.generated, compared)
    if requests:
        scales = scales if compared is None else distributions.scales(compared)
        values["control"] = control.control(sets.generated, requests, scales=scales)
    counts, found = count(sets), {}
    if bootstrap:
        counts["resamples"] = bootstrap
        found = intervals(
            sets,
            metrics.means(sets, suite=suite),
            requests=requests,
            scales=scales,
            resamples=bootstrap,
            work=work,
        )
    if unmeasurable:
        counts["not_measurable"] = list(unmeasurable)
    versions = {"molvae": __version__, "rdkit": rdkit.__version__}
    if sets.chemnet:
        versions["fcd"] = fcd_version()
    said = notes(values, counts, sets, suite=suite, fcd=fcd)
    report = Report(values, counts, versions, said, suite, seed, found)
    return Evaluation(report, sets, requests)


def _requests(
    targets: Targets, molecules: int
) -> tuple[dict[str, control.Requests], tuple[str, ...]]:
    """Return the targets by property, and the names of properties without a calculator."""
    requests: dict[str, control.Requests] = {}
    unmeasurable = []
    for name, asked in targets.items():
        try:
            known = resolve(name).name
        except UsageError:
            unmeasurable.append(name)
            continue
        if known in requests:
            raise UsageError(f"targets of {known} are given twice, once as '{name}'.")
        requests[known] = control.read_requests(asked, count=molecules, name=known)
    return requests, tuple(unmeasurable)
