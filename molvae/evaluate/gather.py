"""From what the caller gave to the sets that metrics look at, each read once."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from molvae.evaluate import guacamol
from molvae.evaluate.descriptors import Described, describe
from molvae.evaluate.fcd import MINIMUM, Moments, is_installed, join, spread_moments
from molvae.evaluate.parsed import Parsed, parse_molecules
from molvae.evaluate.references import (
    Content,
    Reference,
    Source,
    as_lines,
    as_words,
    kept,
    kept_moments,
    reference,
    source,
    training_set,
)
from molvae.evaluate.sets import PAIRS_LIMIT, GuacaMol, Sets
from molvae.evaluate.training import KnownMolecules, Training
from molvae.evaluate.work import Work

REFERENCE_LIMIT = 30_000  # molecules: means are then known to 0.006 standard deviations


class Given(NamedTuple):
    """What there is to compare, as `evaluate` takes it."""

    generated: Sequence[str | None]
    reference: Iterable[str] | Source | None
    scaffolds: Iterable[str] | Source | None
    training: Iterable[str] | Source | Training | None


def gather(
    given: Given, names: tuple[str, ...], work: Work, *, suite: str, fcd: bool, seed: int
) -> Sets:
    """Read all sets.

    Args:
        given: the sets.
        names: properties to measure of the generated molecules.
        work: who reads.
        suite: collection of metrics, which decides what is looked for.
        fcd: with ChemNet's activations, where the suite has a use for them.
        seed: of subsets.
    """
    moses = suite == "moses"
    if suite == "guacamol" and not isinstance(given.training, Source | Training | None):
        given = given._replace(training=source(given.training))
    tick = work.ticker("Reading the molecules", len(given.generated))
    parsed = parse_molecules(given.generated, names, structures=moses, jobs=work.jobs, tick=tick)
    training = _training(given.training, work)
    if suite == "guacamol" and isinstance(given.training, Source):
        compared = _guacamol(parsed, given.training, work, fcd=fcd, seed=seed)
        return Sets(parsed, None, training, seed, guacamol=compared)
    if not moses:
        sample, rows = _sample(given.reference, names, work, seed=seed)
        return Sets(parsed, sample, training, seed, reference_given=rows)
    chemnet = fcd and is_installed() and len(parsed.molecules) >= MINIMUM
    tests: dict[str, Reference] = {}
    for label, title, molecules in (
        ("Test", "the test set", given.reference),
        ("TestSF", "the scaffold test set", given.scaffolds),
    ):
        if molecules is not None:
            tests[label] = reference(_source(molecules), work, title=title, chemnet=chemnet)
    moments = _chemnet(parsed.molecules, work, seed=seed) if chemnet and tests else ()
    return Sets(parsed, tests.get("Test"), training, seed, tests, moments)


def count(sets: Sets) -> dict[str, Any]:
    """Count the molecules of all sets, by kind."""
    parsed, training = sets.generated, sets.training
    counts: dict[str, Any] = {
        "generated": len(parsed),
        "valid": len(parsed.molecules),
        "distinct": len(set(parsed.molecules)),
        "invalid": parsed.invalid,
        "diversity": min(len(parsed.molecules), PAIRS_LIMIT),
    }
    failed = np.isnan(parsed.properties[parsed.valid]).sum(axis=0)
    if failed.any():
        counts["property_failed"] = {
            name: int(n) for name, n in zip(parsed.names, failed, strict=True) if n
        }
    if isinstance(sets.reference, Parsed):
        counts["reference"] = len(sets.reference)
        counts["reference_valid"] = len(sets.reference.molecules)
    for label, test in sets.tests.items():
        counts[label] = len(test.canonical) + test.invalid
        counts[f"{label}_valid"] = len(test.canonical)
    if sets.tests:
        counts["alerts"] = dict(parsed.structures.alerts.most_common())
        counts["chemnet"] = sum(part.molecules for part in sets.chemnet)
    if isinstance(training, KnownMolecules):
        counts |= {"training": len(training.molecules), "training_invalid": training.invalid}
    return counts


def _source(molecules: Iterable[str] | Source) -> Source:
    return molecules if isinstance(molecules, Source) else source(molecules)


def _training(training: Iterable[str] | Source | Training | None, work: Work) -> Training | None:
    if training is None or isinstance(training, Training):
        return training
    if isinstance(training, Source):
        return training_set(training, work)
    molecules = list(training)
    tick = work.ticker("Reading the training set", len(molecules))
    return KnownMolecules.of(molecules, jobs=work.jobs, tick=tick)


def _guacamol(
    parsed: Parsed, molecules: Source, work: Work, *, fcd: bool, seed: int
) -> GuacaMol | None:
    """Bring together what GuacaMol compares, in its protocol."""
    if not parsed.molecules:
        return None
    limit = guacamol.size(len(parsed))
    chosen = guacamol.distinct(parsed.molecules, limit)
    flat = list(dict.fromkeys(parsed.flat_of(chosen)))
    tick = work.ticker("Describing the molecules", len(flat))
    generated = describe(flat, jobs=work.jobs, tick=tick)
    first = parsed.molecules[:limit]
    chemnet = fcd and is_installed() and len(first) >= MINIMUM
    sample, moments = _training_sample(molecules, work, chemnet=chemnet)
    if moments is None:
        return GuacaMol(sample, generated)
    return GuacaMol(sample, generated, (join(_chemnet(first, work, seed=seed)), moments))


def _training_sample(
    molecules: Source, work: Work, *, chemnet: bool
) -> tuple[Described, Moments | None]:
    """Describe the part of a training set that GuacaMol compares with, or find it described."""

    def make() -> Content:
        smiles = molecules.read()
        rows = [smiles[row] for row in guacamol.training_sample(len(smiles))]
        parsed = parse_molecules(rows, (), jobs=work.jobs)
        flat = list(dict.fromkeys(parsed.molecules_without_stereo))
        tick = work.ticker("Describing the training set", len(flat))
        found = describe(flat, jobs=work.jobs, tick=tick)
        return {**found._asdict(), "canonical": as_lines(parsed.molecules)}, {}

    arrays, _ = kept("guacamol", (molecules.sha256,), make)
    canonical = as_words(arrays.pop("canonical"))
    key = f"{molecules.sha256} sampled by GuacaMol"
    few = len(canonical) < MINIMUM
    moments = (
        kept_moments(key, canonical, work, title="the training set")
        if chemnet and not few
        else None
    )
    return Described(**arrays), moments


def _sample(
    molecules: Iterable[str] | Source | None, names: tuple[str, ...], work: Work, *, seed: int
) -> tuple[Parsed | None, int]:
    """Read a reference set, of a large one a part; return it and how many rows there are."""
    if molecules is None:
        return None, 0
    smiles = molecules.read() if isinstance(molecules, Source) else list(molecules)
    rows = len(smiles)
    if rows > REFERENCE_LIMIT:
        rng = np.random.default_rng(seed)
        chosen = np.sort(rng.choice(rows, REFERENCE_LIMIT, replace=False))
        smiles = [smiles[row] for row in chosen]
    tick = work.ticker("Reading the reference", len(smiles))
    return parse_molecules(smiles, names, jobs=work.jobs, tick=tick), rows


def _chemnet(molecules: Sequence[str], work: Work, *, seed: int) -> tuple[Moments, ...]:
    tick = work.ticker("ChemNet on the molecules", len(set(molecules)))
    return spread_moments(molecules, seed=seed, jobs=work.jobs, device=work.device, tick=tick)
