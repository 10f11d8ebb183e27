"""Prepared rows, saved beside the future dataset, so that an interrupted run can be continued.

The molecule of a row depends on its SMILES, the recipe and the versions of what reads molecules, on
nothing else (not on the labels), so that it is not prepared twice. The rows are read again. From
the first chunk with a changed row on, all are prepared again. A chunk with a lost row (its worker
died or took too long, which may not happen again) is not saved.
"""

import hashlib
import json
import sqlite3
import time
import zlib
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, suppress
from itertools import chain, islice
from pathlib import Path

from molvae.data.molecules import Molecule
from molvae.data.tables.records import Row
from molvae.errors import MolvaeError, Rejected
from molvae.files.atomic import not_written
from molvae.parallel.workers import Lost

SECONDS_BETWEEN_SAVES = 5.0  # a run that is shorter leaves no trace
LOCKED_SECONDS = 1.0  # to wait for another run

Result = Molecule | Rejected | Lost
Pairs = Generator[tuple[Row, Result], None, None]


class Journal:
    """The results of consecutive chunks of rows, in an SQLite file.

    Args:
        path: the file, created when there are results to save.
        identity: all that results depend on besides their rows; results of another identity are
            deleted.

    Attributes:
        recalled: number of rows whose results came from the file.
        chunks: numbers of the chunks that the file had at the beginning.

    Raises:
        MolvaeError: when another run has it open, or it cannot be written.
    """

    def __init__(self, path: Path, *, identity: str) -> None:
        self.path, self.identity = path, identity
        self.recalled = 0
        self.chunks: frozenset[int] = frozenset()
        self._file: sqlite3.Connection | None = None
        self._unsaved: list[tuple[int, bytes, bytes]] = []
        self._saved: float | None = None
        if path.exists():
            self._open()

    def recall(self, number: int, rows: Sequence[Row]) -> list[Result] | None:
        """Return the results of a chunk; None when they are unknown or a row has changed."""
        if self._file is None:
            return None
        try:
            query = "SELECT digest, results FROM chunk WHERE number = ?"
            found = self._file.execute(query, (number,)).fetchone()
            if found is None or found[0] != self._digest(rows, found[1]):
                return None
            results = [_result(entry) for entry in json.loads(zlib.decompress(found[1]))]
        except (sqlite3.DatabaseError, zlib.error, ValueError, TypeError):
            return None  # damaged: prepared again
        self.recalled += len(results)
        return results

    def keep(self, number: int, pairs: Sequence[tuple[Row, Result]]) -> None:
        """Keep the results of a chunk, unless a row was lost; they are saved within seconds."""
        if any(isinstance(result, Lost) for _, result in pairs):
            return
        entries = json.dumps([_entry(result) for _, result in pairs]).encode()
        packed = zlib.compress(entries, level=1)
        self._unsaved.append((number, self._digest([row for row, _ in pairs], packed), packed))
        if self._saved is None:  # not before: workers may take long to start
            self._saved = time.monotonic()
        if time.monotonic() - self._saved >= SECONDS_BETWEEN_SAVES:
            self.save()

    def save(self) -> None:
        """Write the results that are not saved yet to the file."""
        file = self._file or self._open()
        try:
            with file:
                statement = "INSERT OR REPLACE INTO chunk VALUES (?, ?, ?)"
                file.executemany(statement, self._unsaved)
        except sqlite3.Error as error:
            self._file = None  # closing must not try again
            file.close()
            raise self._refusal(error) from error
        self._unsaved.clear()
        self._saved = time.monotonic()

    def close(self) -> None:
        """Save, if anything was saved before, and close the file."""
        if self._file is not None:
            with closing(self._file):
                self.save()
            self._file = None

    def _open(self) -> sqlite3.Connection:
        """Open or create the file; one of another identity, or that is no journal, is emptied."""
        try:
            try:
                self._file = self._begin()
            except sqlite3.OperationalError:
                raise
            except sqlite3.DatabaseError:  # damaged, or another kind of file
                self.path.unlink()
                self._file = self._begin()
        except (sqlite3.Error, OSError) as error:
            raise self._refusal(error) from error
        return self._file

    def _refusal(self, error: Exception) -> MolvaeError:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY:
            return MolvaeError(
                f"{self.path}: another run has it open. Does it prepare the same dataset?"
            )
        with suppress(OSError):  # created, but nothing could be written to it
            if self.path.stat().st_size == 0:
                self.path.unlink()
        size = sum(len(packed) for _, _, packed in self._unsaved)
        return MolvaeError(
            f"{not_written(self.path, size, error)}"
            " It keeps the rows that are done until the dataset is there."
        )

    def _begin(self) -> sqlite3.Connection:
        file = sqlite3.connect(self.path, timeout=LOCKED_SECONDS)
        try:
            file.execute("PRAGMA locking_mode = EXCLUSIVE")  # while it is open
            with file:
                file.execute("BEGIN EXCLUSIVE")  # even before anything is written
                file.execute("CREATE TABLE IF NOT EXISTS run (identity TEXT)")
                file.execute(
                    "CREATE TABLE IF NOT EXISTS chunk"
                    " (number INTEGER PRIMARY KEY, digest BLOB, results BLOB)"
                )
                if file.execute("SELECT identity FROM run").fetchall() != [(self.identity,)]:
                    file.execute("DELETE FROM run")
                    file.execute("DELETE FROM chunk")
                    file.execute("INSERT INTO run VALUES (?)", (self.identity,))
                found = file.execute("SELECT number FROM chunk").fetchall()
            self.chunks = frozenset(number for (number,) in found)
        except BaseException:
            file.close()
            raise
        return file

    def _digest(self, rows: Sequence[Row], packed: bytes) -> bytes:
        given = json.dumps([self.identity, [(row.smiles, row.fault) for row in rows]]).encode()
        return hashlib.sha256(given + b"\0" + packed).digest()


def journaled(
    rows: Iterator[Row],
    work: Callable[[Iterator[Row]], Pairs],
    *,
    chunk_size: int,
    journal: Journal | None,
) -> Pairs:
    """Yield every row with its result, in order, from the journal or else from `work`.

    The results of `chunk_size` rows are saved as one; without a journal nothing is saved.
    """
    number = 0
    last = max(journal.chunks, default=-1) if journal else -1
    while journal is not None and number <= last and (chunk := list(islice(rows, chunk_size))):
        known = journal.recall(number, chunk)
        if known is not None:
            yield from zip(chunk, known, strict=True)
        elif number not in journal.chunks:  # a row of it was lost
            yield from _kept(work(iter(chunk)), number, chunk_size, journal)
        else:
            rows = chain(chunk, rows)
            break
        number += 1
    yield from _kept(work(rows), number, chunk_size, journal)


def _kept(results: Pairs, number: int, chunk_size: int, journal: Journal | None) -> Pairs:
    """Yield results, and keep them by chunks, the first of which has this number."""
    with closing(results):
        while pairs := list(islice(results, chunk_size)):
            if journal is not None:
                journal.keep(number, pairs)
            yield from pairs
            number += 1


def _entry(result: Result) -> list[object]:
    if isinstance(result, Molecule):
        return [each.hex() if isinstance(each, bytes) else each for each in result]
    assert isinstance(result, Rejected)
    return [result.reason, result.detail, result.field]


def _result(entry: list[object]) -> Result:
    if len(entry) == len(Molecule._fields):
        hash, symbols, values, scaffold, fingerprint, rings = entry
        packed = bytes.fromhex(str(fingerprint))
        return Molecule(hash, symbols, tuple(values), scaffold, packed, tuple(rings))  # type: ignore[arg-type]
    reason, detail, field = map(str, entry)
    return Rejected(reason, detail, field=field)
