"""The rows of all tables and the distinct molecules among them, in the order of the files."""

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from molvae.chem.molblock import without_block
from molvae.data.applicability import MOST_TRAINING
from molvae.data.labels import LabelCells
from molvae.data.molecules import Molecule
from molvae.data.spelling import likely_reason, spelling
from molvae.data.tables.lines import to_bytes
from molvae.data.tables.records import Row
from molvae.data.tally import Reject
from molvae.errors import Rejected
from molvae.parallel.workers import Lost

NONE = -1  # the molecule of a rejected row
MOST_FINGERPRINTS = 2 * MOST_TRAINING  # of molecules of all splits; 5 MB


class Collection:
    """Rows and molecules in flat arrays: 1 M molecules take about 0.7 GB.

    A row is added when it is read, its molecule when a worker has prepared it, in the same order.

    Attributes:
        labels: the label columns; their cells are added with the rows.
        symbols: a provisional id for each symbol, in order of appearance.
        rejects: of the rows without a usable molecule, by the number of the row.
        molecules: number of the molecule of each row, or `NONE`.
        split: from the split column, for each row; 0 without such a column.
        values: properties of each molecule, end to end.
        hashes: of each molecule's canonical SMILES.
        scaffolds: hash of each molecule's Murcko scaffold.
        fingerprints: of each molecule, packed, end to end; none once there are many molecules.
    """

    def __init__(self, labels: Sequence[LabelCells]) -> None:
        self.labels = labels
        self.symbols: dict[str, int] = {}
        self.rejects: dict[int, Reject] = {}
        self.molecules, self.split = array("q"), array("B")
        self.values = array("d")
        self.hashes, self.scaffolds = array("Q"), array("Q")
        self.fingerprints = bytearray()
        self._files: dict[str, int] = {}
        self._file_of, self._lines = array("H"), array("q")
        self._spellings = array("Q")  # of the rows, where there are labels
        self._smiles: dict[int, str] = {}  # of rows that their labels may reject
        self._refused: int | None = None  # the first row that a label rejects in any case
        self._by_hash: dict[int, int] = {}
        self._ids, self._offsets = array("H"), array("q", [0])
        self._systems: dict[str, int] = {}  # a number for each ring system
        self._rings, self._ring_offsets = array("L"), array("q", [0])

    def add_row(self, row: Row, cells: Sequence[str], split: int) -> None:
        """Add a row with the cells of its labels and the split that a column names."""
        if any([label.add(cell) for label, cell in zip(self.labels, cells, strict=True)]):
            self._smiles[len(self._lines)] = _shown(row.smiles)
            pairs = zip(self.labels, cells, strict=True)
            if self._refused is None and any(label.refuses(cell) for label, cell in pairs):
                self._refused = len(self._lines)
        self._file_of.append(self._files.setdefault(row.file, len(self._files)))
        self._lines.append(row.line)
        self.split.append(split)
        if self.labels:
            self._spellings.append(spelling("" if row.fault else row.smiles))

    @property
    def has_reject(self) -> bool:
        """Whether a row whose molecule was added is rejected, as far as is known."""
        refused = self._refused
        return bool(self.rejects) or (refused is not None and refused < len(self.molecules))

    def add_molecule(self, row: Row, found: Molecule | Rejected | Lost) -> None:
        """Add the molecule of the next row, or the reason why it has none."""
        if isinstance(found, Molecule):
            known = self._by_hash.setdefault(found.hash, len(self.hashes))
            ids = [self.symbols.setdefault(s, len(self.symbols)) for s in found.symbols]
            if known == len(self.hashes):
                self._ids.extend(ids)
                self._offsets.append(len(self._ids))
                self.values.extend(found.values)
                self.hashes.append(found.hash)
                self.scaffolds.append(found.scaffold)
                self._keep_fingerprint(found.fingerprint)
                systems = self._systems
                self._rings.extend(systems.setdefault(s, len(systems)) for s in found.rings)
                self._ring_offsets.append(len(self._rings))
            elif ids != self.symbols_of(known).tolist():  # one pair in 10^7 tables of 10^6 rows
                found = Rejected("hash collision", "another molecule has the same 64-bit hash")
        if isinstance(found, Lost):
            found = Rejected(found.reason, found.detail)
        if isinstance(found, Rejected):
            known = NONE
            self.rejects[len(self.molecules)] = Reject(
                row.file, row.line, found.field, _shown(row.smiles), str(found)
            )
        self.molecules.append(known)

    def while_few(self, rows: Iterator[Row]) -> Iterator[Row]:
        """Yield rows, to be added here, for as long as fingerprints are kept."""
        while len(self.hashes) <= MOST_FINGERPRINTS and (row := next(rows, None)):
            yield row

    def _keep_fingerprint(self, packed: bytes) -> None:
        """Keep the fingerprint of the last molecule; forget all when there are too many."""
        if len(self.hashes) <= MOST_FINGERPRINTS:
            self.fingerprints += packed
        else:
            self.fingerprints.clear()

    def reject(self, row: int, cause: Rejected, *, smiles: str | None = None) -> Reject:
        """Return the rejection of a row that its labels or its molecule's symbols exclude."""
        shown = self._smiles[row] if smiles is None else smiles
        return Reject(*self.place(row), cause.field, shown, str(cause))

    def reason(self, row: int, earlier: int) -> str:
        """Return why the labels of two rows of one molecule may differ, by their spellings."""
        return likely_reason(self._spellings[earlier], self._spellings[row])

    def place(self, row: int) -> tuple[str, int]:
        """Return the file and the line of a row."""
        return list(self._files)[self._file_of[row]], self._lines[row]

    def common_rings(self, molecules: Iterable[int], *, least: int) -> list[str]:
        """Return the ring systems that at least so many of some molecules have, sorted."""
        counts: Counter[int] = Counter()
        for molecule in molecules:
            begin, end = self._ring_offsets[molecule : molecule + 2]
            counts.update(self._rings[begin:end])
        return sorted(text for text, number in self._systems.items() if counts[number] >= least)

    def with_molecule(self, values: np.ndarray) -> np.ndarray:
        """Return values of rows, NaN for a row without a usable molecule, shape (R,)."""
        molecules = np.frombuffer(self.molecules, dtype=np.int64)
        return np.where(molecules != NONE, values[: len(molecules)], np.nan)

    def symbols_of(self, molecule: int) -> "array[int]":
        """Return the provisional ids of a molecule's symbols."""
        return self._ids[self._offsets[molecule] : self._offsets[molecule + 1]]


def _shown(smiles: str) -> str:
    """Return the SMILES of a row as it is reported: in UTF-8, whatever the row was in."""
    return to_bytes(without_block(smiles)).decode("utf-8", errors="backslashreplace")
