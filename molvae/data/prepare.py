"""Raw tables -> a clean, unique, encoded dataset, and a tally of everything dropped and why."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from math import ceil
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import rdkit

from molvae import __version__
from molvae.chem import properties, selfies
from molvae.chem.smiles import Standardization
from molvae.config import DataConfig, as_dict
from molvae.data import splits, tables
from molvae.data.collection import Arrays, Collection, Conflict, Place
from molvae.data.rows import Item, Molecule, Recipe, prepare_rows
from molvae.data.tally import Reject, Tally
from molvae.dataset import SPLIT_NAMES, TRAIN, MoleculeDataset
from molvae.errors import InputError, Rejected, UsageError
from molvae.normalizer import PropertyNormalizer
from molvae.workers import Lost, map_chunks

CHUNK = 128  # rows handed to a worker at once: about 0.2 s of work
SECONDS = 60.0  # for a chunk, and so for a single row: a thousand times what a drug needs
FULL_MIN_COUNT = 20_000  # molecules from which on `min_count` holds unreduced


class Prepared(NamedTuple):
    """What came of it.

    Attributes:
        dataset: ready to save and to train on.
        tally: what became of every row.
        rejects: every row left out, in order of file and row.
        conflicts: one line for each label that disagreed among equal molecules.
    """

    dataset: MoleculeDataset
    tally: Tally
    rejects: list[Reject]
    conflicts: list[str]


def prepare(
    paths: Sequence[Path],
    config: DataConfig,
    *,
    jobs: int = 1,
    rejects: Path | None = None,
    progress: Callable[[int], None] | None = None,
    strict: bool = False,
) -> Prepared:
    """Turn tables of molecules into one dataset.

    The same files give the same dataset, byte for byte, whatever `jobs` is. Rows of one molecule
    are merged: the first stays, labels are averaged, and the most held-out split wins. A symbol
    needs `config.min_count` molecules, counted over all splits; below 20,000 molecules the number
    falls in proportion, so that a small table is not thinned out. Rows with a rarer symbol are
    rejected, since a model could not learn it.

    Args:
        paths: the tables, read one after the other.
        config: what to compute, keep and hold out.
        jobs: worker processes; 0 works in this process, for a few molecules.
        rejects: a CSV file to write with every row left out.
        progress: called with the number of rows done.
        strict: stop at the first bad row.

    Raises:
        InputError: for a file that is no table, a missing column, a bad row when `strict`, or
            when no molecule is left.
        UsageError: for an unknown property or label column, or a label named as a property is.
    """
    names = _names(config)
    gathered = _gather(paths, config, names, jobs=jobs, progress=progress, strict=strict)
    collection = gathered.collection
    min_count = max(1, ceil(config.min_count * min(1.0, len(collection) / FULL_MIN_COUNT)))
    vocabulary, left_out = collection.vocabulary(min_count)
    keep, rare = collection.without(left_out)
    rejected = gathered.rejected + [
        _rare(collection, place, number, left_out) for place, number in rare
    ]
    rejected.sort(key=lambda rejection: rejection.place)
    listed = [_as_reject(rejection, paths) for rejection in rejected]
    if rejects is not None:
        tables.write_table(rejects, Reject._fields, listed)
    counts = Counter(rejection.cause.reason for rejection in rejected)
    if not keep.any():
        raise InputError(_nothing_left(paths, gathered.rows, counts))
    arrays = collection.arrays(keep, vocabulary)
    split = _split(arrays, config)
    normalizer, values, notes = _fit(names, arrays.values, split)
    tally = Tally(
        rows=gathered.rows,
        kept=int(keep.sum()),
        merged=gathered.rows - int(keep.sum()) - len(rejected),
        rejected=dict(sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))),
        splits={name: int((split == code).sum()) for code, name in enumerate(SPLIT_NAMES)},
        conflicts=len(collection.conflicts),
        left_out=left_out,
        min_count=min_count,
        notes=notes,
    )
    dataset = MoleculeDataset(
        ids=arrays.ids,
        offsets=arrays.offsets,
        properties=values,
        split=split,
        hashes=arrays.hashes,
        vocabulary=vocabulary,
        normalizer=normalizer,
        provenance=_provenance(config, gathered.sources, tally),
    )
    conflicts = [_as_line(conflict, paths) for conflict in collection.conflicts]
    return Prepared(dataset, tally, listed, conflicts)


class _Rejection(NamedTuple):
    place: Place
    smiles: str
    cause: Rejected


class _Source(NamedTuple):
    name: str
    sha256: str
    rows: int
    smiles_column: str


class _Gathered(NamedTuple):
    collection: Collection
    rejected: list[_Rejection]
    sources: list[_Source]
    rows: int


def _names(config: DataConfig) -> tuple[str, ...]:
    """Return the names of properties and labels, each once.

    Raises:
        UsageError: for an unknown property or a name that stands twice.
    """
    computed = tuple(properties.resolve(name).name for name in config.properties)
    names = (*computed, *config.labels)
    for name, count in Counter(name.lower() for name in names).items():
        if count > 1:
            raise UsageError(
                f"'{name}' is asked for twice; a label needs a name of its own, other than a"
                " property that is computed."
            )
    return names


def _gather(
    paths: Sequence[Path],
    config: DataConfig,
    names: tuple[str, ...],
    *,
    jobs: int,
    progress: Callable[[int], None] | None,
    strict: bool,
) -> _Gathered:
    """Read and measure every row, and merge equal molecules."""
    computed = len(config.properties)
    gathered = _Gathered(Collection(config.labels, computed), [], [], 0)
    results = map_chunks(
        partial(prepare_rows, _recipe(config, names[:computed])),
        _items(paths, config, gathered.sources),
        jobs=jobs,
        chunk_size=CHUNK,
        timeout=SECONDS,
    )
    rows = 0
    with closing(results):
        for rows, (item, result) in enumerate(results, 1):
            cause = _take(gathered.collection, item, result)
            if cause is not None:
                rejection = _Rejection(Place(item.source, item.line), item.smiles, cause)
                if strict:
                    raise InputError(str(_as_reject(rejection, paths)))
                gathered.rejected.append(rejection)
            if progress is not None:
                progress(rows)
    return gathered._replace(rows=rows)


def _recipe(config: DataConfig, computed: tuple[str, ...]) -> Recipe:
    return Recipe(
        Standardization(
            stereo=config.stereo,
            largest_fragment=config.largest_fragment,
            uncharge=config.uncharge,
            isotopes=config.isotopes,
            max_length=config.max_length,
            max_heavy_atoms=config.max_heavy_atoms,
        ),
        properties=computed,
        labels=config.labels,
        max_symbols=config.max_symbols,
        scaffolds=config.split == "scaffold",
    )


def _items(paths: Sequence[Path], config: DataConfig, sources: list[_Source]) -> Iterator[Item]:
    """Read the rows of all files; note each file once it is read."""
    for number, path in enumerate(paths):
        table = tables.open_table(path, smiles_column=config.smiles_column)
        labels = [_wanted_column(table, name) for name in config.labels]
        by_column = config.split not in splits.SPLITS
        split_column = _wanted_column(table, config.split) if by_column else ""
        count = 0
        for row in table.rows:
            count += 1
            code = TRAIN
            if by_column and not row.fault:
                cell = row.cells.get(split_column, "")
                code = splits.split_word(cell, where=f"{path}:{row.line}")
            cells = tuple(row.cells.get(name, "") for name in labels)
            yield Item(number, row.line, row.smiles, cells, code, row.fault)
        sources.append(_Source(path.name, table.lines.sha256, count, table.smiles_column))


def _wanted_column(table: tables.Table, name: str) -> str:
    try:
        return tables.find_column(table, name)
    except InputError as error:
        raise UsageError(str(error)) from error


def _take(
    collection: Collection, item: Item, result: Molecule | Rejected | Lost
) -> Rejected | None:
    """Take in one result; return why not, when not."""
    if isinstance(result, Rejected):
        return result
    if isinstance(result, Lost):
        return Rejected(result.reason, result.detail)
    try:
        collection.add(item, result)
    except Rejected as collision:
        return collision
    return None


def _rare(
    collection: Collection, place: Place, number: int, left_out: dict[str, int]
) -> _Rejection:
    symbols = collection.symbols_of(number)
    found = ", ".join(symbol for symbol in dict.fromkeys(symbols) if symbol in left_out)
    return _Rejection(place, selfies.decode_canonical(symbols), Rejected("rare symbol", found))


def _as_reject(rejection: _Rejection, paths: Sequence[Path]) -> Reject:
    place, smiles, cause = rejection
    return Reject(paths[place.source].name, place.line, cause.field, smiles, str(cause))


def _as_line(conflict: Conflict, paths: Sequence[Path]) -> str:
    label, first, first_value, other, other_value = conflict
    return (
        f"{paths[other.source].name}:{other.line}: {label} {other_value:g}, but {first_value:g}"
        f" for the same molecule since {paths[first.source].name}:{first.line}"
    )


def _nothing_left(paths: Sequence[Path], rows: int, counts: Counter[str]) -> str:
    reasons = ", ".join(f"{reason} {count:,}" for reason, count in counts.most_common(3))
    files = ", ".join(path.name for path in paths)
    return f"{files}: of {rows:,} rows no molecule is left ({reasons or 'no rows'})."


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


def _fit(
    names: tuple[str, ...], values: np.ndarray, split: np.ndarray
) -> tuple[PropertyNormalizer, np.ndarray, tuple[str, ...]]:
    """Fit the normalizer to the training split; leave out what never varies there."""
    training = values[split == TRAIN].astype(np.float64)
    varying, notes = [], []
    for column, name in enumerate(names):
        known = training[:, column][np.isfinite(training[:, column])]
        if known.size >= 2 and known.min() < known.max():
            varying.append(column)
        else:
            notes.append(f"{name} does not vary over the training split: left out")
    kept = tuple(names[column] for column in varying)
    normalizer = PropertyNormalizer.fit(kept, training[:, varying])
    return normalizer, values[:, varying], tuple(notes)


def _provenance(config: DataConfig, sources: list[_Source], tally: Tally) -> dict[str, Any]:
    """Return what a reader needs to make the dataset again; no paths and no dates."""
    table = selfies.constraints()
    return {
        "config": as_dict(config),
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
