"""Tables of molecules -> a dataset of distinct molecules, and why each other row is left out."""

import json
from collections import Counter
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import closing, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import rdkit

from molvae.arguments import as_path, as_paths, of_kind
from molvae.chem import properties, selfies
from molvae.chem.smiles import Standardization
from molvae.config import DataConfig, as_dict, check
from molvae.data import splits
from molvae.data.applicability import KEY, MOST_TRAINING, Applicability
from molvae.data.collection import Collection
from molvae.data.conditions import Conditions, make_conditions
from molvae.data.inputs import Inputs, Source
from molvae.data.journal import Journal, journaled
from molvae.data.labels import Label
from molvae.data.merging import Merged, merge, scaled_count
from molvae.data.molecules import CHUNK, SECONDS, Recipe, prepare_rows
from molvae.data.outliers import describe_outliers
from molvae.data.tables import tables
from molvae.data.tables.records import Row
from molvae.data.tally import Disagreement, Reject, Tally
from molvae.dataset import SPLIT_NAMES, TRAIN, MoleculeDataset
from molvae.errors import InputError, UsageError
from molvae.normalizer import class_column
from molvae.parallel.executors import versions
from molvae.parallel.workers import Jobs, Results, map_chunks
from molvae.training_index import RingSystems
from molvae.version import __version__

# Training molecules that must have a ring system before molecules with it are generated; as in
# the metric ring_precedence.
PRECEDENTS = 5


class Prepared(NamedTuple):
    """A dataset and an account of its rows.

    Attributes:
        dataset: ready to save and to train on.
        tally: the number of rows that are kept, merged and rejected.
        rejects: every rejected row, in order of file and row.
        conflicts: every label that disagrees with an earlier row of the same molecule.
        recalled: number of rows that an interrupted run had prepared.
    """

    dataset: MoleculeDataset
    tally: Tally
    rejects: list[Reject]
    conflicts: list[Disagreement]
    recalled: int = 0


def prepare(
    paths: Path | str | Sequence[Path | str],
    config: DataConfig,
    *,
    jobs: Jobs = 1,
    rejects: Path | None = None,
    conflicts: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
    strict: bool = False,
    format: str = "",
    known_symbols: Container[str] = (),
    unfinished: Path | None = None,
) -> Prepared:
    """Turn tables of molecules into one dataset.

    The same files give the same dataset, byte for byte, whatever `jobs` is. Rows of one molecule
    are merged as `merging.merge` says. A symbol must occur in `config.min_count` molecules of all
    splits; below 20,000 molecules the number falls in proportion, so that a small table loses
    little. Rows with a rarer symbol are rejected, since a model could not learn it.

    Args:
        paths: the table, or several, read one after the other; `-` is stdin.
        config: what to compute, keep and hold out.
        jobs: worker processes, or an executor; 0 works in this process, for a few molecules.
        rejects: a table to write with every rejected row; its ending names the format.
        conflicts: a table to write with every label that disagrees between equal molecules.
        progress: called with the number of finished rows, and about how many bytes they have.
        strict: stop at the first rejected row. A label whose cells decide whether it is numbers or
            classes can only reject one when all are read.
        format: of all tables, as in `tables.open_table`.
        known_symbols: symbols of a model that will be trained further: never too rare.
        unfinished: a file for the rows that are done (`journal.Journal`). The same call continues
            an interrupted run with it. Remove it after the dataset is saved.

    Raises:
        InputError: for a file that is no table, a rejected row when `strict`, or when no molecule
            is left.
        UsageError: for a setting out of its range, an unknown property or column, a label with the
            name of a property, or a label that may be numbers or classes.
    """
    paths, config = as_paths("paths", paths), check(of_kind("config", config, DataConfig))
    rejects = None if rejects is None else as_path("rejects", rejects)
    conflicts = None if conflicts is None else as_path("conflicts", conflicts)
    computed = tuple(properties.resolve(name).name for name in config.properties)
    inputs = Inputs(paths, config, format=format)
    _check_names(computed, [label.name for label in inputs.labels])
    form = {k: v for k, v in as_dict(config).items() if k in Standardization._fields}
    scaffolds = config.split == "scaffold"
    switches = (config.max_symbols, scaffolds, config.fingerprints)
    recipe = Recipe(Standardization(**form), computed, *switches)
    collection, recalled = _collect(
        inputs, recipe, jobs=jobs, progress=progress, strict=strict, unfinished=unfinished
    )
    labels, notes = _labels(collection, computed)
    merged = merge(collection, labels, min_count=config.min_count, known=known_symbols)
    if strict and merged.rejects:
        raise InputError(str(merged.rejects[0]))
    if rejects is not None:
        tables.write_table(rejects, Reject._fields, merged.rejects)
    if not len(merged.hashes):
        raise InputError(_nothing_left(inputs.sources, merged.rejects))
    split = splits.split_molecules(
        config, hashes=merged.hashes, scaffolds=merged.scaffolds, assigned=merged.split
    )
    conditions = make_conditions(computed, labels, merged.values, split)
    if conflicts is not None:
        tables.write_table(conflicts, Disagreement._fields, merged.disagreements)
    tally = _tally(inputs.sources, merged, split, conditions, notes)
    fingerprints, rule = _applicability(merged.fingerprints, split, seed=config.seed)
    dataset = MoleculeDataset(
        ids=merged.ids,
        offsets=merged.offsets,
        properties=conditions.values,
        split=split,
        hashes=merged.hashes,
        vocabulary=merged.vocabulary,
        normalizer=conditions.normalizer,
        provenance={**_provenance(config, inputs.sources, tally), **rule},
        training_fingerprints=fingerprints,
        rings=_rings(collection, merged.numbers[split == TRAIN]),
    )
    return Prepared(dataset, tally, merged.rejects, merged.disagreements, recalled)


def _collect(
    inputs: Inputs,
    recipe: Recipe,
    *,
    jobs: Jobs,
    progress: Callable[[int, int], None] | None,
    strict: bool,
    unfinished: Path | None,
) -> tuple[Collection, int]:
    """Return all rows with their molecules, and how many of them an earlier run had prepared."""
    collection = Collection(inputs.labels)
    journal = None
    if unfinished is not None:
        path = as_path("unfinished", unfinished)
        journal = Journal(path, identity=json.dumps([versions(), repr(recipe)]))
    work = partial(_distribute, recipe, collection, jobs)
    results = journaled(inputs.rows(collection), work, chunk_size=CHUNK, journal=journal)
    with closing(inputs), closing(results), closing(journal) if journal else nullcontext():
        for done, (row, found) in enumerate(results, 1):
            collection.add_molecule(row, found)
            if strict and collection.has_reject:
                break
            if progress is not None:
                progress(done, inputs.position(done))
    return collection, journal.recalled if journal else 0


def _distribute(recipe: Recipe, collection: Collection, jobs: Jobs, rows: Iterator[Row]) -> Results:
    """Yield rows with their molecules, with fingerprints only while the collection keeps them."""
    spread = partial(map_chunks, jobs=jobs, chunk_size=CHUNK, timeout=SECONDS)
    if recipe.fingerprints:
        first = spread(partial(prepare_rows, recipe), collection.while_few(rows))
        with closing(first):
            yield from first
        recipe = recipe._replace(fingerprints=False)
    others = spread(partial(prepare_rows, recipe), rows)
    with closing(others):
        yield from others


def _rings(collection: Collection, training: np.ndarray) -> RingSystems:
    """Return the ring systems that are not rare among the training molecules."""
    least = scaled_count(PRECEDENTS, len(training))
    return RingSystems(tuple(collection.common_rings(training.tolist(), least=least)), least)


def _check_names(computed: Sequence[str], labels: Sequence[str]) -> None:
    """Check that no name occurs twice and no label has the name of a property.

    Raises:
        UsageError: naming it. A property is measured on every generated molecule, so that its name
            cannot mean anything else.
    """
    counts = Counter(name.lower() for name in (*computed, *labels))
    for name, count in counts.items():
        if count > 1:
            raise UsageError(
                f"'{name}' is asked for twice; a label needs a name of its own, other than a"
                " property that is computed."
            )
    known = {name.lower() for name in properties.PROPERTIES}
    for label in labels:
        if label.lower() in known:
            raise UsageError(
                f"label '{label}': that is the name of a property which is computed from the"
                " structure; rename the column, or ask for it with --properties."
            )


def _labels(collection: Collection, computed: Sequence[str]) -> tuple[list[Label], list[str]]:
    """Return how the label columns are interpreted, and what the user should know about it.

    Raises:
        UsageError: when that is ambiguous, or a class makes a column that exists already.
    """

    def place(row: int) -> str:
        file, line = collection.place(row)
        return f"{file}:{line}"

    labels = [cells.label(place) for cells in collection.labels]
    columns = [class_column(label.name, word) for label in labels for word in label.classes]
    _check_names(computed, [*(label.name for label in labels), *columns])
    notes = []
    for cells, label in zip(collection.labels, labels, strict=True):
        notes += cells.notes(label, place)
        if not label.classes:
            notes += describe_outliers(
                label, collection.with_molecule(cells.values(label)[0]), place
            )
    return labels, notes


def _tally(
    sources: Sequence[Source],
    merged: Merged,
    split: np.ndarray,
    conditions: Conditions,
    notes: Sequence[str],
) -> Tally:
    counts = Counter(reject.kind for reject in merged.rejects)
    reasons = Counter(each.reason for each in merged.disagreements if each.reason)
    rows, kept = sum(source.rows for source in sources), len(split)
    return Tally(
        rows=rows,
        kept=kept,
        merged=rows - kept - len(merged.rejects),
        rejected=dict(sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))),
        splits={name: int((split == code).sum()) for code, name in enumerate(SPLIT_NAMES)},
        conflicts=len(merged.disagreements),
        reasons=dict(reasons.most_common()),
        left_out=merged.left_out,
        min_count=merged.min_count,
        labels=conditions.counts,
        notes=(*notes, *conditions.notes),
    )


def _applicability(
    fingerprints: np.ndarray | None, split: np.ndarray, *, seed: int
) -> tuple[np.ndarray | None, dict[str, Any]]:
    """Return the fingerprints of the training split and its rule, nothing where it is too large."""
    training = split == TRAIN
    if fingerprints is None or not 2 <= training.sum() <= MOST_TRAINING:
        return None, {}
    rule = Applicability.fit(fingerprints, split, seed=seed)
    return fingerprints[training], {KEY: rule.to_dict()}


def _nothing_left(sources: Sequence[Source], rejects: Sequence[Reject]) -> str:
    counts = Counter(reject.kind for reject in rejects)
    reasons = [f"{reason} {count:,}" for reason, count in counts.most_common(3)]
    files = ", ".join(source.name for source in sources)
    rows = sum(source.rows for source in sources)
    return f"{files}: of {rows:,} rows no molecule is left ({', '.join(reasons) or 'no rows'})."


def _provenance(config: DataConfig, sources: Sequence[Source], tally: Tally) -> dict[str, Any]:
    """Return what is needed to make the same dataset again, without paths and dates."""
    table = selfies.constraints()
    return {
        "data": as_dict(config),
        "sources": [source._asdict() for source in sources],
        "tally": tally.to_dict(),
        "versions": {
            "molvae": __version__,
            "rdkit": rdkit.__version__,
            "selfies": selfies.distribution_version(),
        },
        "constraints": table,
        "constraints_hash": selfies.constraints_hash(table),
    }
