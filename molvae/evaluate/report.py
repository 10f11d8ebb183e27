"""`evaluate()`: molecules in, everything that is known about them out, as one record."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import count
from typing import Any, NamedTuple

import numpy as np
import rdkit

from molvae import __version__
from molvae.chem.properties import PROPERTIES, resolve
from molvae.config import DEFAULT_PROPERTIES
from molvae.errors import InputError, UsageError
from molvae.evaluate import control, distributions, metrics
from molvae.evaluate.parsed import Parsed, Tick, parse_molecules
from molvae.evaluate.text import as_text
from molvae.evaluate.training import KnownMolecules, Training

FORMAT = 1  # of the JSON
SMALL = 1_000  # molecules; below, shares and distances are too uncertain to compare generators
REFERENCE_LIMIT = 30_000  # molecules: means are then known to 0.006 standard deviations
REPAIRED = 0.03  # loss of aromatic atoms that speaks of silently repaired SELFIES

Targets = Mapping[str, control.Request | Sequence[control.Request]]


class Report(NamedTuple):
    """What an evaluation found.

    Attributes:
        values: the suite's numbers by name, then the tables `rings`, `properties` and, where
            something was asked, `control`. None: not defined on these molecules.
        counts: molecules by kind, among them `generated` (N), `valid`, `distinct`, `invalid` by
            reason.
        versions: of molvae and RDKit, which all numbers depend on.
        notes: what a reader must know to read the numbers right.
        suite: the collection of metrics.
        seed: of the subsets that were drawn.
    """

    values: dict[str, Any]
    counts: dict[str, Any]
    versions: dict[str, str]
    notes: tuple[str, ...] = ()
    suite: str = "basic"
    seed: int = 0

    def to_json(self) -> str:
        """Return everything as JSON text; undefined numbers are null."""
        plain = {"format": FORMAT, **self._asdict()}
        return json.dumps(plain, indent=2, allow_nan=False)

    def table(self) -> list[str]:
        """Return everything but the notes as lines of text, in aligned columns."""
        units = {name: known.unit for name, known in PROPERTIES.items()}
        return as_text(self.values, self.counts, self.versions, units=units)


def evaluate(
    generated: Iterable[str | None],
    *,
    reference: Iterable[str] | None = None,
    training: Iterable[str] | Training | None = None,
    targets: Targets | None = None,
    scales: Mapping[str, float] | None = None,
    suite: str = "basic",
    jobs: int = 0,
    seed: int = 0,
    progress: Callable[[int], object] | None = None,
) -> Report:
    """Judge a list of molecules; any generator's output will do.

    Args:
        generated: N SMILES, as they came out; invalid and empty ones (None too) belong in it.
        reference: SMILES whose distributions the generated ones should match. Of more than
            30,000 a subset drawn with the seed is taken.
        training: what the generator was trained on: SMILES, or anything that can tell whether it
            contains a molecule.
        targets: property -> what was asked: a number or a pair (low, high) for all molecules, or
            a list with one request for each, None where nothing was asked.
        scales: property -> standard deviation in which errors of control are to be read, where
            there is no reference.
        suite: collection of metrics.
        jobs: worker processes; 0 works in this one.
        seed: of the subsets.
        progress: called with the number of molecules done so far.

    Raises:
        InputError: when there is no molecule at all to judge.
        UsageError: for an unknown suite, or a request that cannot be read.

    Example:
        >>> report = evaluate(["CCO", "OCC", "C1CC"])
        >>> report.values["validity"], report.values["uniqueness"]
        (0.6666666666666666, 0.5)
    """
    generated = list(generated)
    if not generated:
        raise InputError("no molecules to evaluate.")
    if suite not in metrics.suites():
        raise UsageError(f"unknown suite '{suite}'. Known: {', '.join(metrics.suites())}.")
    requests, unmeasurable = _requests(targets or {}, len(generated))
    names = tuple(dict.fromkeys((*DEFAULT_PROPERTIES, *requests)))
    tick = _counter(progress)
    parsed = parse_molecules(generated, names, jobs=jobs, tick=tick)
    compared = None
    reference = None if reference is None else list(reference)
    if reference is not None:
        subset = _subset(reference, seed)
        compared = parse_molecules(subset, names, jobs=jobs, tick=tick)
        scales = distributions.scales(compared)
    known = _training(training, jobs, tick)
    values: dict[str, Any] = dict(
        metrics.measure(metrics.Sets(parsed, compared, known, seed), suite=suite)
    )
    values["rings"] = distributions.rings(parsed, compared)
    values["properties"] = distributions.properties(parsed, compared)
    if requests:
        values["control"] = control.control(parsed, requests, scales=scales)
    counts = _counts(parsed, compared, known)
    if unmeasurable:
        counts["not_measurable"] = list(unmeasurable)
    notes = _notes(values, counts, known, 0 if reference is None else len(reference))
    versions = {"molvae": __version__, "rdkit": rdkit.__version__}
    return Report(values, counts, versions, notes, suite, seed)


def _requests(
    targets: Targets, molecules: int
) -> tuple[dict[str, control.Requests], tuple[str, ...]]:
    """Return what was asked by property, and the names that no calculator is known for."""
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


def _counter(progress: Callable[[int], object] | None) -> Tick | None:
    if progress is None:
        return None
    numbers = count(1)
    return lambda: progress(next(numbers))


def _subset(smiles: Sequence[str], seed: int) -> Sequence[str]:
    if len(smiles) <= REFERENCE_LIMIT:
        return smiles
    chosen = np.random.default_rng(seed).choice(len(smiles), REFERENCE_LIMIT, replace=False)
    return [smiles[row] for row in np.sort(chosen)]


def _training(
    training: Iterable[str] | Training | None, jobs: int, tick: Tick | None
) -> Training | None:
    if training is None or isinstance(training, Training):
        return training
    return KnownMolecules.of(training, jobs=jobs, tick=tick)


def _counts(parsed: Parsed, reference: Parsed | None, training: Training | None) -> dict[str, Any]:
    counts: dict[str, Any] = {
        "generated": len(parsed),
        "valid": len(parsed.molecules),
        "distinct": len(set(parsed.molecules)),
        "invalid": parsed.invalid,
        "diversity": min(len(parsed.molecules), metrics.DIVERSITY_LIMIT),
    }
    failed = np.isnan(parsed.properties[parsed.valid]).sum(axis=0)
    if failed.any():
        counts["property_failed"] = {
            name: int(n) for name, n in zip(parsed.names, failed, strict=True) if n
        }
    if reference is not None:
        counts |= {"reference": len(reference), "reference_valid": len(reference.molecules)}
    if isinstance(training, KnownMolecules):
        counts |= {"training": len(training.molecules), "training_invalid": training.invalid}
    return counts


def _notes(
    values: Mapping[str, Any],
    counts: Mapping[str, Any],
    training: Training | None,
    reference_size: int,
) -> tuple[str, ...]:
    """Say in words what the numbers alone would leave unsaid."""
    notes = []
    if counts["generated"] < SMALL:
        notes.append(
            f"N = {counts['generated']:,} is small: compare only with sets of the same size,"
            f" better of {SMALL:,} or more."
        )
    if counts["valid"] > counts["diversity"]:
        notes.append(
            f"IntDiv is taken over {counts['diversity']:,} of {counts['valid']:,} valid molecules,"
            " drawn with the seed."
        )
    if reference_size > REFERENCE_LIMIT:
        notes.append(
            f"{REFERENCE_LIMIT:,} of {reference_size:,} reference molecules are compared with,"
            " drawn with the seed."
        )
    if training is not None and training.error_rate:
        notes.append(
            "novelty is counted in the form that the model was trained on; a new molecule is taken"
            f" for a known one at a rate of {training.error_rate:.2g}."
        )
    if values.get("novelty_without_stereo", values.get("novelty")) != values.get("novelty"):
        notes.append(
            "some molecules are new only in their stereo marks: see novelty_without_stereo."
        )
    lost = values["rings"]["aromatic_atoms"].get("difference")
    if lost is not None and lost < -REPAIRED:
        notes.append(
            f"the share of aromatic atoms is {-lost:.2f} below the reference's: where SELFIES were"
            " decoded, perhaps a sign of silent repair."
        )
    if "not_measurable" in counts:
        notes.append(
            f"targets of {', '.join(counts['not_measurable'])} cannot be checked: no calculator is"
            " known for these labels."
        )
    return tuple(notes)
