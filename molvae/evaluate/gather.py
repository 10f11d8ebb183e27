"""From what the caller gave to the sets that metrics look at, each read once."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from molvae.chem.neighbors import nearest, nearest_each
from molvae.errors import MolvaeError, UsageError
from molvae.evaluate import guacamol
from molvae.evaluate.descriptors import Described, describe
from molvae.evaluate.fcd import MINIMUM, Moments, is_installed, join, spread_moments
from molvae.evaluate.memorization import Nearness, nearness
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
    training_fingerprints,
    training_set,
    training_usage,
)
from molvae.evaluate.sets import PAIRS_LIMIT, GuacaMol, Sets, drawn
from molvae.evaluate.training import KnownMolecules, Training
from molvae.evaluate.usage import Usage, usage_of
from molvae.evaluate.work import Work
from molvae.parallel.workers import Lost, map_chunks

MANY_PAIRS = 300_000_000  # of molecules to be compared: some seconds, worth starting workers for
PIECES = 8  # that a sample is cut into for workers whose number is not known
SNN_SECONDS = 3600.0  # for one piece
REFERENCE_LIMIT = 30_000  # molecules: means are then known to 0.006 standard deviations


class Given(NamedTuple):
    """What there is to compare, as `evaluate` takes it."""

    generated: Sequence[str | None]
    reference: Iterable[str] | Source | None
    scaffolds: Iterable[str] | Source | None
    training: Iterable[str] | Source | Training | None


def gather(
    given: Given,
    names: tuple[str, ...],
    work: Work,
    *,
    suite: str,
    fcd: bool,
    seed: int,
    memorization: bool = False,
) -> Sets:
    """Read all sets.

    Args:
        given: the sets.
        names: properties to measure of the generated molecules.
        work: who reads.
        suite: collection of metrics, which decides what is looked for.
        fcd: with ChemNet's activations, where the suite has a use for them.
        seed: of subsets.
        memorization: with the nearest molecule of the training set.

    Raises:
        UsageError: where that cannot be looked for.
    """
    moses = suite == "moses"
    if suite == "guacamol" and not isinstance(given.training, Source | Training | None):
        given = given._replace(training=source(given.training))
    if memorization:
        given = given._replace(training=_training_itself(given.training))
    elif not isinstance(given.training, Source | Training | None):
        given = given._replace(training=list(given.training))
    usage = suite == "basic" and (given.reference is not None or _is_read(given.training))
    tick = work.ticker("Reading the molecules", len(given.generated))
    parsed = parse_molecules(
        given.generated, names, structures=moses, usage=usage, jobs=work.jobs, tick=tick
    )
    training = _training(given.training, work)
    if suite == "guacamol" and isinstance(given.training, Source):
        compared = _guacamol(parsed, given.training, work, fcd=fcd, seed=seed)
        sets = Sets(parsed, None, training, seed, guacamol=compared)
    elif moses:
        sets = _moses(given, parsed, training, work, fcd=fcd, seed=seed)
    else:
        sample, rows = _sample(given.reference, names, work, seed=seed)
        sets = Sets(parsed, sample, training, seed, reference_given=rows)
        sets = sets._replace(usage=_usage(given.training, work) if usage else None)
    if memorization and isinstance(given.training, Source):
        return _with_nearness(sets, given.training, work)
    return sets


def _moses(
    given: Given, parsed: Parsed, training: Training | None, work: Work, *, fcd: bool, seed: int
) -> Sets:
    """Bring together what MOSES compares."""
    chemnet = fcd and is_installed() and len(parsed.molecules) >= MINIMUM
    tests: dict[str, Reference] = {}
    for label, title, molecules in (
        ("Test", "the test set", given.reference),
        ("TestSF", "the scaffold test set", given.scaffolds),
    ):
        if molecules is not None:
            tests[label] = reference(_source(molecules), work, title=title, chemnet=chemnet)
    moments = _chemnet(parsed.molecules, work, seed=seed) if chemnet and tests else ()
    sets = Sets(parsed, tests.get("Test"), training, seed, tests, moments)
    found = _similarities(
        sets.sample(), {label: test.fingerprints for label, test in tests.items()}, work
    )
    return sets._replace(similarities=found)


def _similarities(
    sample: np.ndarray, tests: Mapping[str, np.ndarray], work: Work
) -> dict[str, np.ndarray]:
    """Return the similarity of each row of a sample to its nearest of every test set, by label.

    Much work is divided among the workers: the sample for the most part, of which each then
    compares a piece with a whole test set.
    """
    found = {label: np.full(len(sample), np.nan) for label in tests}
    tests = {label: test for label, test in tests.items() if len(test)}
    pairs = len(sample) * sum(map(len, tests.values()))
    if work.jobs == 0 or pairs < MANY_PAIRS:
        for label, test in tests.items():
            report = _reporter(work, f"SNN/{label}", len(test))
            found[label] = nearest(sample, test, report=report)[0]
        return found
    pieces = max(1, round(work.jobs / len(tests))) if isinstance(work.jobs, int) else PIECES
    cuts = np.array_split(np.arange(len(sample)), pieces)
    places = [(label, rows) for label in tests for rows in cuts]
    work_items = ((sample[rows], tests[label]) for label, rows in places)
    report = _reporter(work, "SNN", len(sample) * len(tests))
    compared = 0
    results = map_chunks(
        nearest_each, work_items, jobs=work.jobs, chunk_size=1, timeout=SNN_SECONDS
    )
    for (label, rows), (_, similarities) in zip(places, results, strict=True):
        if isinstance(similarities, Lost):
            raise MolvaeError(f"SNN/{label}: {similarities.reason} ({similarities.detail}).")
        found[label][rows] = similarities
        compared += len(rows)
        report(compared)
    return found


def _reporter(work: Work, stage: str, total: int) -> Callable[[int], object]:
    return lambda done: work.progress(stage, done, total) if work.progress else None


def _is_read(training: Iterable[str] | Source | Training | None) -> bool:
    """Whether the molecules of a training set can be looked at, not only asked for."""
    return training is not None and not isinstance(training, Training)


def _training_itself(training: Iterable[str] | Source | Training | None) -> Source:
    if training is None or isinstance(training, Training):
        raise UsageError(
            "memorization is measured against the training set itself: give its table, as in"
            " --training train.csv, not a model."
        )
    return _source(training)


def _usage(training: Iterable[str] | Source | Training | None, work: Work) -> Usage | None:
    if training is None or isinstance(training, Training):
        return None
    if isinstance(training, Source):
        return training_usage(training, work)
    smiles = list(training)
    tick = work.ticker("Counting ring systems of the training set", len(smiles))
    return usage_of(smiles, jobs=work.jobs, tick=tick)


def _with_nearness(sets: Sets, training: Source, work: Work) -> Sets:
    """Look for the nearest training molecule of the sample, and of as many of the reference."""
    known, reference = sets.training, sets.reference
    packed = training_fingerprints(training, work)
    if known is None or not len(packed):
        return sets

    def near(stage: str, canonical: Sequence[str], fingerprints: np.ndarray) -> Nearness:
        return nearness(
            canonical,
            fingerprints,
            training=known,
            training_fingerprints=packed,
            report=_reporter(work, stage, len(packed)),
        )

    rows = sets.sample_rows()
    canonical = [sets.generated.canonical[row] for row in rows]
    sets = sets._replace(nearness=near("Nearest training molecules", canonical, sets.sample()))
    if reference is None:
        return sets
    valid = np.array([bool(smiles) for smiles in reference.canonical], dtype=bool)
    rows = drawn(np.flatnonzero(valid), sets.seed)
    canonical = [reference.canonical[row] for row in rows]
    stage = "Nearest training molecules of the reference"
    return sets._replace(control=near(stage, canonical, reference.fingerprints[rows]))


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
    if parsed.usage is not None and parsed.usage.unwritten:
        counts["not_selfies"] = parsed.usage.unwritten
    if sets.nearness is not None:
        counts["nearest"] = len(sets.nearness.novel)
    if sets.control is not None:
        counts["nearest_reference"] = len(sets.control.novel)
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
    return parse_molecules(smiles, names, usage=True, jobs=work.jobs, tick=tick), rows


def _chemnet(molecules: Sequence[str], work: Work, *, seed: int) -> tuple[Moments, ...]:
    tick = work.ticker("ChemNet on the molecules", len(set(molecules)))
    return spread_moments(molecules, seed=seed, jobs=work.jobs, device=work.device, tick=tick)
