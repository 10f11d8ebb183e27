"""The inputs of an evaluation, brought to one form: lists and tables become sources."""

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import rdkit

from molvae.arguments import as_molecules
from molvae.evaluate.training import Training
from molvae.files.atomic import write_atomically
from molvae.files.cache import cache_folder

DEFINITIONS = 2  # of what is counted; another number makes cached statistics unfindable
FORMAT = 1  # of the files


class Source(NamedTuple):
    """Molecules that are read, as SMILES, only if the cache does not hold their statistics."""

    sha256: str  # "" for molecules whose statistics are not cached
    read: Callable[[], Sequence[str]]


class Inputs(NamedTuple):
    """The molecules under test, and the sets to compare them with; see `evaluate`."""

    generated: Sequence[str | None]
    reference: Source | None = None
    scaffolds: Source | None = None
    training: Source | Training | None = None

    @classmethod
    def of(
        cls,
        generated: Iterable[str | None],
        reference: Iterable[str] | Source | None = None,
        scaffolds: Iterable[str] | Source | None = None,
        training: Iterable[str] | Source | Training | None = None,
        *,
        cached: bool = False,
    ) -> "Inputs":
        """Return inputs whose lists have become sources, `cached` or not.

        Raises:
            UsageError: for one string in place of a list, or a missing cell of a set.
        """

        def bring(use: str, molecules: Iterable[str] | Source | None) -> Source | None:
            if molecules is None or isinstance(molecules, Source):
                return molecules
            return source(molecules, cached=cached, use=use)

        return cls(
            as_molecules("generated", generated, missing=True),
            bring("reference", reference),
            bring("scaffolds", scaffolds),
            training if isinstance(training, Training) else bring("training", training),
        )


def source(smiles: Iterable[str], *, cached: bool = True, use: str = "molecules") -> Source:
    """Return molecules in memory as a source; `use` is what they are for, for a message.

    Raises:
        UsageError: for one string in place of a list, or a cell that is no string.
    """
    molecules = as_molecules(use, smiles)
    text = "\n".join(molecules).encode(errors="surrogatepass")
    return Source(hashlib.sha256(text).hexdigest() if cached else "", lambda: molecules)


def file_source(path: Path, read: Callable[[], Sequence[str]], *, column: str = "") -> Source:
    """Return the rows of a table as a source, without reading a table that was read before.

    `column` has the SMILES; "" if `read` finds it. A damaged row is "", so that it is counted.
    """
    with path.open("rb") as file:
        content = hashlib.file_digest(file, "sha256").hexdigest()
    note = cache_folder("references") / f"{cache_key('rows', content, column)}.sha256"
    try:
        known = note.read_text(encoding="ascii").strip()
        bytes.fromhex(known)
        return Source(known, read)
    except (FileNotFoundError, ValueError):
        found = source(read())
        write_atomically(note, f"{found.sha256}\n".encode())
        return found


def cache_key(*parts: str) -> str:
    """Return the name of statistics in the cache, which follows from all that they depend on."""
    depends = json.dumps([DEFINITIONS, FORMAT, rdkit.__version__, *parts])
    return hashlib.sha256(depends.encode()).hexdigest()[:32]
