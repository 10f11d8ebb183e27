"""Every row of every file: read, measured by the workers, and merged or rejected."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, nullcontext
from functools import partial
from pathlib import Path
from typing import NamedTuple

from molvae.chem.molblock import without_block
from molvae.chem.smiles import Standardization
from molvae.config import DataConfig
from molvae.data import splits
from molvae.data.collection import Collection, Place
from molvae.data.journal import Journal, journaled
from molvae.data.labels import Label
from molvae.data.rows import Item, Molecule, Recipe, prepare_rows
from molvae.data.tables import records, tables
from molvae.data.tables.files import name_of
from molvae.data.tables.lines import to_bytes
from molvae.data.tally import Reject
from molvae.dataset import TRAIN
from molvae.errors import InputError, Rejected
from molvae.parallel.executors import versions
from molvae.parallel.workers import Jobs, Lost, map_chunks

CHUNK = 128  # rows handed to a worker at once: about 0.2 s of work
SECONDS = 60.0  # for a chunk, and so for a single row: ten thousand times what a drug needs


class Rejection(NamedTuple):
    """One row that is not used: where it stands, its SMILES, and why."""

    place: Place
    smiles: str
    cause: Rejected


class Source(NamedTuple):
    """One file that was read: its base name, digest as stored, rows, and where the SMILES were."""

    name: str
    sha256: str
    rows: int
    smiles_column: str


class Gathered(NamedTuple):
    """What all rows came to.

    Attributes:
        collection: the distinct molecules.
        rejected: rejections, in order.
        sources: the files.
        rows: in all files.
        recalled: how many of them an earlier run had done.
    """

    collection: Collection
    rejected: list[Rejection]
    sources: list[Source]
    rows: int
    recalled: int


def gather(
    paths: Sequence[Path],
    config: DataConfig,
    *,
    computed: tuple[str, ...],
    labels: tuple[Label, ...],
    jobs: Jobs,
    progress: Callable[[int], None] | None,
    strict: bool,
    format: str = "",
    unfinished: Path | None = None,
) -> Gathered:
    """Read and measure every row, and merge equal molecules.

    Args:
        paths: the tables.
        config: what to compute, keep and hold out.
        computed: names of the properties, in `PROPERTIES`' spelling.
        labels: the label columns, and how they are read.
        jobs: worker processes, or an executor; 0 works in this process.
        progress: called with the number of rows done.
        strict: stop at the first bad row.
        format: of all tables, as in `tables.open_table`.
        unfinished: where the rows that are done are kept, for a run that goes on with them.

    Raises:
        InputError: for a file that is no table, or a bad row when `strict`.
        UsageError: for a column that is not there.
    """
    gathered = Gathered(Collection(labels, len(computed)), [], [], 0, 0)
    recipe = _recipe(config, computed, labels)
    work = partial(
        map_chunks, partial(prepare_rows, recipe), jobs=jobs, chunk_size=CHUNK, timeout=SECONDS
    )
    identity = json.dumps([versions(), repr(recipe)])
    journal = None if unfinished is None else Journal(unfinished, identity=identity)
    items = _items(paths, config, labels, gathered.sources, format)
    results = journaled(items, work, chunk_size=CHUNK, journal=journal)
    rows = 0
    with closing(results), closing(journal) if journal else nullcontext():
        for rows, (item, result) in enumerate(results, 1):
            cause = _take(gathered.collection, item, result)
            if cause is not None:
                place = Place(item.source, item.line)
                rejection = Rejection(place, without_block(item.smiles), cause)
                if strict:
                    raise InputError(str(as_reject(rejection, paths)))
                gathered.rejected.append(rejection)
            if progress is not None:
                progress(rows)
    return gathered._replace(rows=rows, recalled=journal.recalled if journal else 0)


def _recipe(config: DataConfig, computed: tuple[str, ...], labels: tuple[Label, ...]) -> Recipe:
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
        labels=labels,
        max_symbols=config.max_symbols,
        scaffolds=config.split == "scaffold",
    )


def _items(
    paths: Sequence[Path],
    config: DataConfig,
    labels: Sequence[Label],
    sources: list[Source],
    format: str,
) -> Iterator[Item]:
    """Read the rows of all files; note each file once it is read."""
    for path in paths[1:]:
        if path.is_file():  # a missing column must not show after an hour with the files before
            _open(path, config, labels, format).table.file.close()
    for number, path in enumerate(paths):
        table, columns, split_column = _open(path, config, labels, format)
        count = 0
        for row in table.rows:
            count += 1
            code = TRAIN
            if split_column is not None and not row.fault:
                cell = row.cells[split_column]
                code = splits.split_word(cell, where=f"{table.file.where}:{row.line}")
            cells = tuple(row.cells[place] for place in columns)
            yield Item(number, row.line, row.smiles, cells, code, row.fault)
        sources.append(Source(name_of(path), table.file.sha256, count, table.smiles_column))


class _Opened(NamedTuple):
    table: records.Table
    columns: list[int]  # places of the labels
    split_column: int | None  # None when the split is by a method


def _open(path: Path, config: DataConfig, labels: Sequence[Label], format: str) -> _Opened:
    table = tables.open_table(path, smiles_column=config.smiles_column, format=format)
    columns = [records.find_column(table, label.name) for label in labels]
    by_method = config.split in splits.SPLITS
    return _Opened(table, columns, None if by_method else records.find_column(table, config.split))


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


def as_reject(rejection: Rejection, paths: Sequence[Path]) -> Reject:
    """Return a rejection as it is reported: in UTF-8, whatever the row was in."""
    place, smiles, cause = rejection
    shown = to_bytes(smiles).decode("utf-8", errors="backslashreplace")
    return Reject(name_of(paths[place.source]), place.line, cause.field, shown, str(cause))
