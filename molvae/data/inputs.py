"""The tables of a dataset, read as one table: each row once."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from molvae.config import DataConfig
from molvae.data import splits
from molvae.data.collection import Collection
from molvae.data.labels import label_cells
from molvae.data.tables.records import Row, Table, find_column
from molvae.data.tables.tables import open_table
from molvae.dataset import TRAIN


class Source(NamedTuple):
    """A file that was read: its base name, digest as stored, rows, and column of SMILES."""

    name: str
    sha256: str
    rows: int
    smiles_column: str


class _Opened(NamedTuple):
    """An open table and the places of its labels and split (None: split by a method)."""

    table: Table
    labels: list[int]
    split: int | None


class Inputs:
    """The tables of a dataset, read as one table, each row once.

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
        self._finished = self._number = self._count = 0
        for path in paths[1:]:
            if path.is_file():  # a missing column must not show after an hour with other files
                self._find_columns(self._open(path)).table.file.close()

    def position(self, done: int) -> int:
        """Return about how many bytes the first `done` rows have, of all files as stored.

        More rows are read than are done, of a small table all of them.
        """
        table = self._opened.table
        share = self._count / table.total if table.total else 1.0  # of a file that is read whole
        read = self._finished + int(table.file.position * share)
        rows = sum(source.rows for source in self.sources[: self._number]) + self._count
        return read * done // max(rows, 1)

    def rows(self, collection: Collection) -> Iterator[Row]:
        """Yield the rows of all files without their cells, and add them to a collection.

        Raises:
            InputError: for a damaged file, or a word in the split column that is no split.
        """
        for number, path in enumerate(self._paths):
            self._number = number
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
        by_method = self._config.split in splits.METHODS
        return _Opened(
            table,
            [find_column(table, label.column) for label in self.labels],
            None if by_method else find_column(table, self._config.split),
        )
