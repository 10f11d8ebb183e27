"""Raw tables -> a clean, unique, encoded dataset, and a tally of everything dropped and why."""

from collections import Counter
from collections.abc import Callable, Container, Sequence
from math import ceil
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import rdkit

from molvae.chem import properties, selfies
from molvae.config import DataConfig, as_dict
from molvae.data import splits
from molvae.data.collection import Arrays, Collection, Conflict, Place
from molvae.data.columns import Columns, make_columns
from molvae.data.gather import Gathered, Rejection, Source, as_reject, gather
from molvae.data.labels import Label, find_labels
from molvae.data.tables import tables
from molvae.data.tables.files import name_of
from molvae.data.tally import Disagreement, Reject, Tally
from molvae.dataset import SPLIT_NAMES, TRAIN, MoleculeDataset
from molvae.errors import InputError, Rejected, UsageError
from molvae.normalizer import class_column
from molvae.parallel.workers import Jobs
from molvae.version import __version__
from molvae.vocabulary import Vocabulary

FULL_MIN_COUNT = 20_000  # molecules from which on `min_count` holds unreduced


class Prepared(NamedTuple):
    """What came of it.

    Attributes:
        dataset: ready to save and to train on.
        tally: what became of every row.
        rejects: every row left out, in order of file and row.
        conflicts: every label that disagreed with an earlier row of an equal molecule.
        recalled: rows that an unfinished run had done.
    """

    dataset: MoleculeDataset
    tally: Tally
    rejects: list[Reject]
    conflicts: list[Disagreement]
    recalled: int = 0


def prepare(
    paths: Sequence[Path],
    config: DataConfig,
    *,
    jobs: Jobs = 1,
    rejects: Path | None = None,
    conflicts: Path | None = None,
    progress: Callable[[int], None] | None = None,
    strict: bool = False,
    format: str = "",
    known_symbols: Container[str] = (),
    unfinished: Path | None = None,
) -> Prepared:
    """Turn tables of molecules into one dataset.

    The same files give the same dataset, byte for byte, whatever `jobs` is. Rows of one molecule
    are merged: the first stays, numeric labels are averaged, of classes the most frequent one stays
    and none when they tie, and the most held-out split wins. A symbol needs `config.min_count`
    molecules, counted over all splits; below 20,000 molecules the number falls in proportion, so
    that a small table is not thinned out. Rows with a rarer symbol are rejected, since a model
    could not learn it.

    Args:
        paths: the tables, read one after the other; `-` is stdin.
        config: what to compute, keep and hold out.
        jobs: worker processes, or an executor; 0 works in this process, for a few molecules.
        rejects: a table to write with every row left out; its ending names the format.
        conflicts: a table to write with every label that disagrees between equal molecules.
        progress: called with the number of rows done.
        strict: stop at the first bad row.
        format: of all tables, as in `tables.open_table`.
        known_symbols: of a model that will be trained further: never too rare.
        unfinished: a file for the rows that are done (`journal.Journal`), so that a run that was
            cut short is gone on with by the same call; whoever has saved the dataset removes it.

    Raises:
        InputError: for a file that is no table, a missing column, a bad row when `strict`, or
            when no molecule is left.
        UsageError: for an unknown property or label column, a label named as a property is, or
            one that reads as numbers and as classes.
    """
    computed = tuple(properties.resolve(name).name for name in config.properties)
    labels = find_labels(paths, config, format=format)
    _check_names(computed, labels)
    gathered = gather(
        paths,
        config,
        computed=computed,
        labels=labels,
        jobs=jobs,
        progress=progress,
        strict=strict,
        format=format,
        unfinished=unfinished,
    )
    chosen = _choose(gathered, config, known_symbols)
    listed = [as_reject(rejection, paths) for rejection in chosen.rejected]
    if rejects is not None:
        tables.write_table(rejects, Reject._fields, listed)
    if not chosen.keep.any():
        raise InputError(_nothing_left(paths, gathered.rows, chosen.rejected))
    arrays = gathered.collection.arrays(chosen.keep, chosen.vocabulary)
    split = _split(arrays, config)
    columns = make_columns(computed, labels, arrays.values, split)
    disagreements = [
        _as_disagreement(conflict, paths) for conflict in gathered.collection.conflicts(chosen.keep)
    ]
    if conflicts is not None:
        tables.write_table(conflicts, Disagreement._fields, disagreements)
    tally = _count(gathered, chosen, split, columns, conflicts=len(disagreements))
    dataset = MoleculeDataset(
        ids=arrays.ids,
        offsets=arrays.offsets,
        properties=columns.values,
        split=split,
        hashes=arrays.hashes,
        vocabulary=chosen.vocabulary,
        normalizer=columns.normalizer,
        provenance=_provenance(config, gathered.sources, tally),
    )
    return Prepared(dataset, tally, listed, disagreements, gathered.recalled)


class _Chosen(NamedTuple):
    """The vocabulary, and what it leaves of the molecules."""

    vocabulary: Vocabulary
    left_out: dict[str, int]
    min_count: int
    keep: np.ndarray  # (N,) bool
    rejected: list[Rejection]  # all of them, by file and row


def _check_names(computed: Sequence[str], labels: Sequence[Label]) -> None:
    """Refuse a name that stands twice: among them are the columns of classes.

    Raises:
        UsageError: naming it; also for a label that has the name of a property, which is measured
            on every molecule that is generated and so cannot mean anything else.
    """
    columns = [class_column(label.name, word) for label in labels for word in label.classes]
    names = [*computed, *(label.name for label in labels), *columns]
    for name, count in Counter(name.lower() for name in names).items():
        if count > 1:
            raise UsageError(
                f"'{name}' is asked for twice; a label needs a name of its own, other than a"
                " property that is computed."
            )
    known = {name.lower() for name in properties.PROPERTIES}
    for label in labels:
        if label.name.lower() in known:
            raise UsageError(
                f"label '{label.name}': that is the name of a property which is computed from the"
                " structure; rename the column, or ask for it with --properties."
            )


def _choose(gathered: Gathered, config: DataConfig, known: Container[str]) -> _Chosen:
    """Leave out rare symbols and every row of the molecules that hold them."""
    collection = gathered.collection
    share = min(1.0, len(collection) / FULL_MIN_COUNT)
    min_count = max(1, ceil(config.min_count * share))
    vocabulary, left_out = collection.vocabulary(min_count, known)
    keep, rows = collection.without(left_out)
    rare = [_rare(collection, place, number, left_out) for place, number in rows]
    rejected = sorted(gathered.rejected + rare, key=lambda rejection: rejection.place)
    return _Chosen(vocabulary, left_out, min_count, keep, rejected)


def _rare(collection: Collection, place: Place, number: int, left_out: dict[str, int]) -> Rejection:
    symbols = collection.symbols_of(number)
    found = ", ".join(symbol for symbol in dict.fromkeys(symbols) if symbol in left_out)
    return Rejection(place, selfies.decode_canonical(symbols), Rejected("rare symbol", found))


def _count(
    gathered: Gathered, chosen: _Chosen, split: np.ndarray, columns: Columns, *, conflicts: int
) -> Tally:
    counts = _reasons(chosen.rejected)
    kept = int(chosen.keep.sum())
    return Tally(
        rows=gathered.rows,
        kept=kept,
        merged=gathered.rows - kept - len(chosen.rejected),
        rejected=dict(sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))),
        splits={name: int((split == code).sum()) for code, name in enumerate(SPLIT_NAMES)},
        conflicts=conflicts,
        left_out=chosen.left_out,
        min_count=chosen.min_count,
        labels=columns.counts,
        notes=columns.notes,
    )


def _reasons(rejected: list[Rejection]) -> Counter[str]:
    return Counter(rejection.cause.reason for rejection in rejected)


def _as_disagreement(conflict: Conflict, paths: Sequence[Path]) -> Disagreement:
    label, first, first_value, other, other_value, kept = conflict
    return Disagreement(
        label,
        name_of(paths[other.source]),
        other.line,
        other_value,
        name_of(paths[first.source]),
        first.line,
        first_value,
        kept,
    )


def _nothing_left(paths: Sequence[Path], rows: int, rejected: list[Rejection]) -> str:
    reasons = [f"{reason} {count:,}" for reason, count in _reasons(rejected).most_common(3)]
    files = ", ".join(map(name_of, paths))
    return f"{files}: of {rows:,} rows no molecule is left ({', '.join(reasons) or 'no rows'})."


def _split(arrays: Arrays, config: DataConfig) -> np.ndarray:
    """Return the split of each molecule, uint8, shape (N,).

    Raises:
        InputError: when no molecule is left to train on.
    """
    candidates = splits.Candidates(
        arrays.hashes,
        arrays.scaffolds,
        arrays.split,
        config.validation,
        config.test,
        config.seed,
    )
    split = splits.splitter(config.split)(candidates)
    if not np.any(split == TRAIN):
        raise InputError(
            f"the split '{config.split}' of {len(split):,} molecules leaves none to train on."
        )
    return split


def _provenance(config: DataConfig, sources: list[Source], tally: Tally) -> dict[str, Any]:
    """Return what a reader needs to make the dataset again; no paths and no dates."""
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
