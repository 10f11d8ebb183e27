"""Every row of every file: read once, prepared by the workers, and collected."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, nullcontext
from functools import partial
from pathlib import Path
from typing import NamedTuple

from molvae.chem.smiles import Standardization
from molvae.config import DataConfig
from molvae.data import splits
from molvae.data.collection import Collection
from molvae.data.journal import Journal, journaled
from molvae.data.labels import label_cells
from molvae.data.molecules import CHUNK, SECONDS
from molvae.data.rows import Recipe, prepare_rows
from molvae.data.tables.records import Row, Table, find_column
from molvae.data.tables.tables import open_table
from molvae.dataset import TRAIN
from molvae.parallel.executors import versions
from molvae.parallel.workers import Jobs, map_chunks


class Source(NamedTuple):
    """One file that was read: its base name, digest as stored, rows, and where the SMILES were."""

    name: str
    sha256: str
    rows: int
    smiles_column: str


class Gathered(NamedTuple):
    """All rows.

    Attributes:
        collection: the rows and their molecules.
        sources: the files.
        recalled: how many rows an earlier run had prepared.
    """

    collection: Collection
    sources: list[Source]
    recalled: int


class _Opened(NamedTuple):
    """An open table and the places of the columns that are needed.

    Attributes:
        table: the table.
        labels: places of the labels.
        split: place of the split column, None when the split is by a method.
    """

    table: Table
    labels: list[int]
    split: int | None


class Tables:
    """Several tables that are read as one, each of them once.

    Args:
        paths: the tables.
        config: the columns to read.
        format: of all tables, as in `tables.open_table`.

    Attributes:
        labels: the label columns, without cells.
        sources: the files that are read to their end.

    Raises:
        InputError: for a file that is no table.
        UsageError: for a column that does not exist, in any of the files.
    """

    def __init__(self, paths: Sequence[Path], config: DataConfig, *, format: str = "") -> None:
        self._paths, self._config, self._format = paths, config, format
        table = self._open(paths[0])
        self.labels = label_cells(config.labels, table.columns)
        self.sources: list[Source] = []
        self._opened = self._find_columns(table)
        self._finished = self._count = 0
        for path in paths[1:]:
            if path.is_file():  # a missing column must not show after an hour with other files
                self._find_columns(self._open(path)).table.file.close()

    @property
    def position(self) -> int:
        """The number of bytes that are read, of all files as stored."""
        table = self._opened.table
        share = self._count / table.total if table.total else 1.0  # of what is read as a whole
        return self._finished + int(table.file.position * share)

    def rows(self, collection: Collection) -> Iterator[Row]:
        """Yield the rows of all files without their cells, and add them to a collection.

        Raises:
            InputError: for a damaged file, or a word in the split column that is no split.
        """
        for number, path in enumerate(self._paths):
            if number:
                self._finished += self._opened.table.file.position
                self._opened = self._find_columns(self._open(path))
            table, labels, split = self._opened
            self._count = 0
            for row in table.rows:
                self._count += 1
                code = TRAIN
                if split is not None and not row.fault:
                    where = f"{table.file.where}:{row.line}"
                    code = splits.split_word(row.cells[split], where=where)
                cells = ["" if row.fault else row.cells[place] for place in labels]
                collection.add_row(row, cells, code)
                yield row._replace(cells=())
            source = Source(table.name, table.file.sha256, self._count, table.smiles_column)
            self.sources.append(source)

    def close(self) -> None:
        """Close the file that is open."""
        self._opened.table.file.close()

    def _open(self, path: Path) -> Table:
        return open_table(path, smiles_column=self._config.smiles_column, format=self._format)

    def _find_columns(self, table: Table) -> _Opened:
        by_method = self._config.split in splits.SPLITS
        return _Opened(
            table,
            [find_column(table, label.name) for label in self.labels],
            None if by_method else find_column(table, self._config.split),
        )


def gather(
    tables: Tables,
    config: DataConfig,
    *,
    computed: tuple[str, ...],
    jobs: Jobs,
    progress: Callable[[int, int], None] | None,
    strict: bool,
    unfinished: Path | None = None,
) -> Gathered:
    """Read every row and prepare its molecule.

    Args:
        tables: all rows.
        config: what to compute, keep and hold out.
        computed: names of the properties, in `PROPERTIES`' spelling.
        jobs: worker processes, or an executor; 0 works in this process.
        progress: called with the number of rows that are done and of bytes that are read.
        strict: stop at the first row without a usable molecule.
        unfinished: a file that keeps the rows that are done, for a run that continues with them.

    Raises:
        InputError: for a file that is damaged or no table.
        UsageError: for a column that does not exist.
    """
    collection = Collection(tables.labels)
    recipe = _recipe(config, computed)
    work = partial(
        map_chunks, partial(prepare_rows, recipe), jobs=jobs, chunk_size=CHUNK, timeout=SECONDS
    )
    identity = json.dumps([versions(), repr(recipe)])
    journal = None if unfinished is None else Journal(unfinished, identity=identity)
    results = journaled(tables.rows(collection), work, chunk_size=CHUNK, journal=journal)
    with closing(tables), closing(results), closing(journal) if journal else nullcontext():
        for done, (row, found) in enumerate(results, 1):
            collection.add_molecule(row, found)
            if strict and collection.rejects:
                break
            if progress is not None:
                progress(done, tables.position)
    return Gathered(collection, tables.sources, journal.recalled if journal else 0)


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
        max_symbols=config.max_symbols,
        scaffolds=config.split == "scaffold",
    )
