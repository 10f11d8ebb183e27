"""Public sets of molecules: their contents, addresses, sizes and checksums."""

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from molvae.errors import UsageError, did_you_mean
from molvae.files.cache import cache_folder
from molvae.files.checksums import Expected
from molvae.files.download import download


class PublicFile(NamedTuple):
    """A table of a set.

    Attributes:
        name: for `molvae data get`.
        file: its name in the cache and on a mirror; the ending names the format.
        rows: number of molecules.
        address: of its authors.
        expected: size and checksum.
    """

    name: str
    file: str
    rows: int
    address: str
    expected: Expected


class PublicSet(NamedTuple):
    """A set with one citation.

    Attributes:
        name: for `molvae data get`; it means all files.
        title: a description.
        smiles_column: the column of SMILES; "" when the files have no header.
        license: of its authors or its source.
        doi: of the paper to cite.
        files: its tables.
    """

    name: str
    title: str
    smiles_column: str
    license: str
    doi: str
    files: tuple[PublicFile, ...]


def _load(name: str, entry: dict[str, Any]) -> PublicSet:
    files = tuple(
        PublicFile(each, expected=Expected(of.pop("size"), of.pop("checksum")), **of)
        for each, of in entry.pop("files").items()
    )
    return PublicSet(name, files=files, **entry)


_TABLE = Path(__file__).with_name("public_sets.toml").read_text(encoding="utf-8")
SETS = tuple(_load(name, entry) for name, entry in tomllib.loads(_TABLE).items())


def named(name: str) -> tuple[PublicFile, ...]:
    """Return the files of a name: all files of a set, or one file.

    Raises:
        UsageError: for an unknown name, with the nearest known one.
    """
    known: dict[str, tuple[PublicFile, ...]]
    known = {file.name: (file,) for one in SETS for file in one.files}
    known |= {one.name: one.files for one in SETS}
    if name.lower() not in known:
        raise UsageError(
            f"no public set is named '{name}'{did_you_mean(name, known) or '.'}"
            " molvae data list shows all."
        )
    return known[name.lower()]


def cached(file: PublicFile) -> Path | None:
    """Return the path of a file in the cache, None when it is not there or has another size."""
    path = place(file)
    right = path.is_file() and path.stat().st_size == file.expected.size
    return path if right else None


def place(file: PublicFile) -> Path:
    """Return the path that a file has or will have in the cache."""
    return cache_folder("datasets") / file.file


def get(
    file: PublicFile,
    *,
    mirror: str = "",
    progress: Callable[[int], None] = lambda done: None,
    notify: Callable[[str], None] = lambda line: None,
) -> Path:
    """Return the path of a verified file, after downloading it if necessary.

    Args:
        file: one of `SETS`.
        mirror: address of a folder with the file, named as in the cache; "" for the authors'
            address.
        progress: called with the number of bytes downloaded.
        notify: called with a line about each step.

    Raises:
        UsageError: when the mirror is neither http nor https.
        MolvaeError: when the file cannot be downloaded.
    """
    path = place(file)
    address = f"{mirror.rstrip('/')}/{file.file}" if mirror else file.address
    download(address, path, file.expected, progress=progress, notify=notify)
    return path
