"""The inputs of an evaluation, brought to one form: lists and tables become sources."""

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import rdkit

from molvae.errors import UsageError
from molvae.evaluate.training import Training
from molvae.files.atomic import write_atomically
from molvae.files.cache import cache_folder

DEFINITIONS = 1  # of what is counted; another number makes cached statistics unfindable
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
        if isinstance(generated, str):
            raise UsageError(f"{generated!r:.40}: give a list of SMILES, such as ['CCO'].")

        def bring(molecules: Iterable[str] | Source | None) -> Source | None:
            if molecules is None or isinstance(molecules, Source):
                return molecules
            return source(molecules, cached=cached)

        known = training if isinstance(training, Training) else bring(training)
        return cls(list(generated), bring(reference), bring(scaffolds), known)


def source(smiles: Iterable[str], *, cached: bool = True) -> Source:
    """Return molecules in memory as a source.

    Raises:
        UsageError: for one string in place of a list, or a cell that is no string.
    """
    molecules = [smiles] if isinstance(smiles, str) else list(smiles)
    odd = next((n for n, each in enumerate(molecules) if not isinstance(each, str)), None)
    if odd is not None or isinstance(smiles, str):
        raise UsageError(
            f"{molecules[odd or 0]!r:.40} at place {odd or 0}: a reference or training set is a"
            " list of SMILES. Leave out the missing cells of a column with dropna()."
        )
    text = "\n".join(molecules).encode(errors="surrogatepass")
    return Source(hashlib.sha256(text).hexdigest() if cached else "", lambda: molecules)


def file_source(path: Path, read: Callable[[], Sequence[str]], *, column: str = "") -> Source:
    """Return the molecules of a table as a source, without reading a table that was read before.

    `column` has the SMILES; "" if `read` finds it.
    """
    with path.open("rb") as file:
        content = hashlib.file_digest(file, "sha256").hexdigest()
    note = cache_folder("references") / f"{cache_key('file', content, column)}.sha256"
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
