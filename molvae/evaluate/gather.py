"""From the inputs of an evaluation to the sets that metrics take, each parsed once."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from molvae.chem.neighbors import nearest, nearest_each
from molvae.errors import MolvaeError, UsageError
from molvae.evaluate import guacamol
from molvae.evaluate.descriptors import Described, describe
from molvae.evaluate.fcd import MINIMUM, Moments, is_installed, join, spread_moments
from molvae.evaluate.inputs import Inputs, Source
from molvae.evaluate.memorization import Nearness, nearness
from molvae.evaluate.parsed import Parsed, parse_molecules
from molvae.evaluate.references import (
    Content,
    load_or_compute,
    load_or_compute_moments,
    load_reference,
    load_training_fingerprints,
    load_training_set,
    load_training_usage,
    pack_words,
    unpack_words,
)
from molvae.evaluate.sets import PAIRS_LIMIT, GuacaMol, Sets, choose_rows
from molvae.evaluate.training import KnownMolecules, count_known_parents
from molvae.evaluate.work import Work
from molvae.parallel.workers import Lost, map_chunks

MANY_PAIRS = 300_000_000  # of molecules to compare; fewer take less time than starting workers
PIECES = 8  # of a sample, for an unknown number of workers
SNN_SECONDS = 3600.0  # for one piece
REFERENCE_LIMIT = 30_000  # molecules; their means are exact to 0.006 standard deviations


def gather(
    inputs: Inputs,
    names: tuple[str, ...],
    work: Work,
    *,
    suite: str,
    fcd: bool,
    seed: int,
    memorization: bool = False,
) -> Sets:
    """Parse all molecules and compute what the metrics of a suite need; see `evaluate_sets`.

    `names` are the properties to measure on the generated molecules.

    Raises:
        UsageError: if memorization is asked for without the training set itself.
    """
    training_source = inputs.training if isinstance(inputs.training, Source) else None
    if memorization and training_source is None:
        raise UsageError(
            "memorization is measured against the training set itself: give its table, as in"
            " --training train.csv, not a model."
        )
    readable = inputs.reference is not None or training_source is not None
    usage = suite == "basic" and readable
    parsed = parse_molecules(
        inputs.generated, names, work, structures=suite == "moses", usage=usage
    )
    known = inputs.training
    training = load_training_set(known, work) if isinstance(known, Source) else known
    sets = Sets(parsed, training=training, seed=seed)
    if isinstance(training, KnownMolecules):
        known_parents = count_known_parents(parsed.molecules, training, work)
        sets = sets._replace(known_parents=known_parents)
    if suite == "guacamol" and training_source:
        compared = _guacamol(parsed, training_source, work, fcd=fcd, seed=seed)
        sets = sets._replace(guacamol=compared)
    elif suite == "moses":
        sets = _moses(sets, inputs, work, fcd=fcd)
    else:
        sample, rows = _sample(inputs.reference, names, work, seed=seed)
        found = load_training_usage(training_source, work) if usage and training_source else None
        sets = sets._replace(reference=sample, reference_given=rows, usage=found)
    if memorization and training_source:
        return _with_nearness(sets, training_source, work)
    return sets


def _moses(sets: Sets, inputs: Inputs, work: Work, *, fcd: bool) -> Sets:
    """Add the test sets of MOSES and the comparisons with them."""
    molecules = sets.generated.molecules
    chemnet = fcd and is_installed() and len(molecules) >= MINIMUM
    tests = {
        label: load_reference(test, work, title=title, chemnet=chemnet)
        for label, title, test in (
            ("Test", "the test set", inputs.reference),
            ("TestSF", "the scaffold test set", inputs.scaffolds),
        )
        if test is not None
    }
    moments = spread_moments(molecules, work, seed=sets.seed) if chemnet and tests else ()
    fingerprints = {label: test.fingerprints for label, test in tests.items()}
    return sets._replace(
        reference=tests.get("Test"),
        tests=tests,
        chemnet=moments,
        similarities=_similarities(sets.sample(), fingerprints, work),
    )


def _similarities(
    sample: np.ndarray, tests: Mapping[str, np.ndarray], work: Work
) -> dict[str, np.ndarray]:
    """Return the largest similarity of each row of a sample to each test set, by label.

    With many pairs, each worker compares a piece of the sample with a whole test set.
    """
    found = {label: np.full(len(sample), np.nan) for label in tests}
    tests = {label: test for label, test in tests.items() if len(test)}
    pairs = len(sample) * sum(map(len, tests.values()))
    if work.jobs == 0 or pairs < MANY_PAIRS:
        for label, test in tests.items():
            report = partial(work.report, f"SNN/{label}", total=len(test))
            found[label] = nearest(sample, test, report=report)[0]
        return found
    pieces = max(1, round(work.jobs / len(tests))) if isinstance(work.jobs, int) else PIECES
    cuts = np.array_split(np.arange(len(sample)), pieces)
    places = [(label, rows) for label in tests for rows in cuts]
    work_items = ((sample[rows], tests[label]) for label, rows in places)
    compared = 0
    results = map_chunks(
        nearest_each, work_items, jobs=work.jobs, chunk_size=1, timeout=SNN_SECONDS
    )
    for (label, rows), (_, similarities) in zip(places, results, strict=True):
        if isinstance(similarities, Lost):
            raise MolvaeError(f"SNN/{label}: {similarities.reason} ({similarities.detail}).")
        found[label][rows] = similarities
        compared += len(rows)
        work.report("SNN", compared, len(sample) * len(tests))
    return found


def _with_nearness(sets: Sets, training: Source, work: Work) -> Sets:
    """Find the nearest training molecule of the sample, and of as many of the reference."""
    known, reference = sets.training, sets.reference
    packed = load_training_fingerprints(training, work)
    if known is None or not len(packed):
        return sets

    def near(stage: str, canonical: Sequence[str], fingerprints: np.ndarray) -> Nearness:
        return nearness(
            canonical,
            fingerprints,
            training=known,
            training_fingerprints=packed,
            report=partial(work.report, stage, total=len(packed)),
        )

    rows = sets.sample_rows()
    canonical = [sets.generated.canonical[row] for row in rows]
    sets = sets._replace(nearness=near("Nearest training molecules", canonical, sets.sample()))
    if reference is None:
        return sets
    valid = np.array([bool(smiles) for smiles in reference.canonical], dtype=bool)
    rows = choose_rows(np.flatnonzero(valid), sets.seed)
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
    counts |= {name: n for name, n in _marks(sets).items() if n}
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


def _marks(sets: Sets) -> dict[str, int]:
    """Count valid strings that are more, or less, than one molecule that can be described."""
    molecules = sets.generated.molecules
    return {
        "atom_maps": sets.generated.mapped,
        "mixtures": sum("." in smiles for smiles in molecules),
        "place_holders": sum("*" in smiles for smiles in molecules),
        "known_parents": sets.known_parents,
        "not_described": sets.guacamol.not_described if sets.guacamol else 0,
    }


def _guacamol(
    parsed: Parsed, molecules: Source, work: Work, *, fcd: bool, seed: int
) -> GuacaMol | None:
    """Compute the comparison of GuacaMol, in its protocol."""
    if not parsed.molecules:
        return None
    limit = guacamol.size(len(parsed))
    chosen = list(dict.fromkeys(parsed.molecules))[:limit]
    flat = list(dict.fromkeys(parsed.flat_of(chosen)))
    generated = describe(flat, work)
    first = parsed.molecules[:limit]
    chemnet = fcd and is_installed() and len(first) >= MINIMUM
    sample, moments = _training_sample(molecules, work, chemnet=chemnet)
    both = moments and (join(spread_moments(first, work, seed=seed)), moments)
    return GuacaMol(sample, generated, both, len(flat) - len(generated.descriptors))


def _training_sample(
    molecules: Source, work: Work, *, chemnet: bool
) -> tuple[Described, Moments | None]:
    """Load the descriptors of GuacaMol's sample of a training set, or compute them."""

    def compute() -> Content:
        smiles = molecules.read()
        rows = [smiles[row] for row in guacamol.training_sample(len(smiles))]
        parsed = parse_molecules(rows, (), work._replace(progress=None))
        flat = list(dict.fromkeys(parsed.molecules_without_stereo))
        found = describe(flat, work, stage="Describing the training set")
        return {**found._asdict(), "canonical": pack_words(parsed.molecules)}, {}

    arrays, _ = load_or_compute("guacamol", molecules, compute=compute)
    canonical = unpack_words(arrays.pop("canonical"))
    moments = None
    if chemnet and len(canonical) >= MINIMUM:
        key = f"{molecules.sha256} sampled by GuacaMol" if molecules.sha256 else ""
        moments = load_or_compute_moments(key, canonical, work, title="the training set")
    return Described(**arrays), moments


def _sample(
    molecules: Source | None, names: tuple[str, ...], work: Work, *, seed: int
) -> tuple[Parsed | None, int]:
    """Parse a reference set, or a subset of a large one, and return its number of rows too."""
    if molecules is None:
        return None, 0
    smiles = molecules.read()
    rows = len(smiles)
    if rows > REFERENCE_LIMIT:
        rng = np.random.default_rng(seed)
        chosen = np.sort(rng.choice(rows, REFERENCE_LIMIT, replace=False))
        smiles = [smiles[row] for row in chosen]
    return parse_molecules(smiles, names, work, stage="Reading the reference", usage=True), rows
