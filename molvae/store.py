"""The one file format: named arrays and a JSON header, as safetensors lays them out.

A reader needs no molvae: the first 8 bytes give the length of a JSON text, its `__metadata__`
holds ours (https://huggingface.co/docs/safetensors). Nothing is pickled, so opening a file from
a stranger runs no code. A digest over header and arrays is checked on every load, because
safetensors itself accepts flipped bits.
"""

import hashlib
import json
import math
import os
import secrets
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import safetensors
import safetensors.numpy

from molvae.errors import ArtifactError, MolvaeError

if sys.platform != "win32":
    import fcntl

UNFINISHED = ".molvae-unfinished"  # how the name of a file ends that is still being written
MAX_HEADER = 32 * 1024 * 1024  # bytes of JSON; a real one is far below 1 MiB


@contextmanager
def replacing(path: Path, *, size: int = 0) -> Iterator[BinaryIO]:
    """Open a new file that takes the place of `path` when the block ends well, and only then.

    A unique temporary beside the target, fsync, rename, fsync of the folder: a kill at any point
    leaves either the old file or the new one. What a killed writer left is removed by the next
    one of the same file; a lock, which dies with its process, tells it from what is still being
    written. (`O_TMPFILE` leaves less, but not every file system has it, and its last step needs
    a name and so the sweeping all the same.)

    A link goes on pointing where it does, and the file there is replaced. A device or a pipe
    holds nothing that could be lost: it is written to directly.

    Args:
        path: the file.
        size: bytes to come, where that is known, for the message when they do not fit.

    Yields:
        The file, open for writing bytes.

    Raises:
        MolvaeError: when the folder cannot be written to or the disk is full.
    """
    if path.is_dir():
        raise MolvaeError(f"{path}: a folder, where a file is to be written.")
    if path.exists() and not path.is_file():
        with path.open("wb") as device:
            yield device
        return
    target = os.path.realpath(path)
    folder, name = os.path.split(target)
    mine = f".{name[:32]}."  # at most 128 of the 255 bytes that a name may have
    temporary = os.path.join(folder, f"{mine}{secrets.token_hex(4)}{UNFINISHED}")
    _sweep(folder, mine)
    try:
        file = _create(temporary)
    except OSError as error:
        raise MolvaeError(f"{path}: cannot be written: {error.strerror}.") from error
    try:
        yield file
        file.flush()
        os.fsync(file.fileno())
        with suppress(OSError):  # there is none yet, or the file system knows no rights
            shutil.copymode(target, temporary)
        if sys.platform == "win32":
            file.close()  # no open file can be moved there, nor removed by others
        os.replace(temporary, target)
    except OSError as error:
        if error.filename not in (None, temporary):
            raise  # something that the block read
        size = max(size, 0 if file.closed else file.tell())
        _remove(file, temporary)
        raise MolvaeError(
            f"{path}: {size / 2**20:.1f} MiB could not be written: {error.strerror};"
            f" {_free(folder):,.1f} MiB are free. What was there before is unchanged."
        ) from error
    finally:
        _remove(file, temporary)
    _sync_folder(folder)


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file whole or not at all; see `replacing`.

    Raises:
        MolvaeError: when the folder cannot be written to or the disk is full.
    """
    with replacing(path, size=len(content)) as file:
        file.write(content)


def _create(temporary: str) -> BinaryIO:
    """Open a new file and lock it for as long as it is open."""
    while True:
        file = open(temporary, "xb")
        _lock(file, wait=True)
        if os.path.exists(temporary):  # not swept away before it was locked
            return file
        file.close()


def _lock(file: BinaryIO, *, wait: bool) -> bool:
    """Lock an open file; False when another process has, or where the file system has no locks."""
    if sys.platform == "win32":
        return True  # a file that is open cannot be removed there
    try:
        fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _sweep(folder: str, mine: str) -> None:
    """Remove what writers that are dead left behind under names that begin with `mine`."""
    with suppress(OSError):  # a folder that cannot be listed may still be written to
        for entry in os.scandir(folder):
            ours = entry.name.startswith(mine) and entry.name.endswith(UNFINISHED)
            if ours and entry.is_file(follow_symlinks=False):
                with suppress(OSError), open(entry.path, "rb+") as left:
                    if _lock(left, wait=False):
                        os.unlink(entry.path)


def _remove(file: BinaryIO, temporary: str) -> None:
    """Close and remove a temporary, unless it has become the file that it was to be."""
    with suppress(OSError):  # what is still buffered may not fit either
        file.close()
    with suppress(FileNotFoundError):
        os.unlink(temporary)


def _free(folder: str) -> float:
    """Return the space left for files in a folder, in MiB; NaN where nobody knows."""
    with suppress(OSError):
        return shutil.disk_usage(folder).free / 2**20
    return math.nan


def _sync_folder(folder: str) -> None:
    """Make the rename last through a power cut, on file systems that know how."""
    with suppress(OSError):  # the new file is in place by now, whatever happens here
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def digest(arrays: Mapping[str, np.ndarray], header: Mapping[str, Any]) -> str:
    """Return the sha256 over names, types, shapes, values and header."""
    total = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        total.update(f"{name} {array.dtype.str} {array.shape}".encode())
        total.update(array.data if array.size else b"")
    return total.hexdigest()


def write(
    path: Path,
    arrays: Mapping[str, np.ndarray],
    header: Mapping[str, Any],
    *,
    kind: str,
    format: int,
) -> str:
    """Write arrays and header to `path` atomically.

    Args:
        path: the file.
        arrays: named arrays of any shape.
        header: anything that JSON can hold.
        kind: "dataset" or "checkpoint": what a reader may expect inside.
        format: version of that kind's layout.

    Returns:
        The sha256 of the content.
    """
    header = {**header, "kind": kind, "format": format}
    sha256 = digest(arrays, header)
    # One key only: safetensors writes several in an order of chance, and files could not be equal.
    metadata = {"molvae": json.dumps({"header": header, "sha256": sha256}, sort_keys=True)}
    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    write_atomically(path, safetensors.numpy.save(contiguous, metadata=metadata))
    return sha256


def read_header(path: Path, *, kind: str, format: int) -> dict[str, Any]:
    """Read only the JSON header of a file, with the standard library.

    Raises:
        ArtifactError: when the file is none of ours, of another kind, or of a newer format.
    """
    header: dict[str, Any] = _ours(path)["header"]
    if header.get("kind") != kind:
        raise ArtifactError(f"{path}: a molvae {header.get('kind')}, where a {kind} is expected.")
    version = header.get("format")
    if not isinstance(version, int) or version < 1:
        raise ArtifactError(f"{path}: damaged: its format is {version!r}.")
    if version > format:
        raise ArtifactError(
            f"{path}: written by format {version}, this molvae reads up to {format}."
            " pip install --upgrade molvae"
        )
    return header


def read_kind(path: Path) -> str:
    """Return what a file of ours holds: "dataset", "checkpoint", ...

    Raises:
        ArtifactError: when the file is none of ours.
    """
    return str(_ours(path)["header"].get("kind"))


def _ours(path: Path) -> dict[str, Any]:
    """Return what `write` put beside the arrays: "header", a dict, and "sha256"."""
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise ArtifactError(f"{path}: a folder or a pipe, where a file is expected.")
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if size < 8 or length > min(size - 8, MAX_HEADER):
                raise ArtifactError(f"{path}: not a molvae file (no safetensors header).")
            text = file.read(length)
    except OSError as error:
        raise ArtifactError(f"{path}: cannot be read: {error.strerror}.") from error
    try:
        ours = json.loads(json.loads(text)["__metadata__"]["molvae"])
        good = isinstance(ours["header"], dict) and isinstance(ours["sha256"], str)
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise ArtifactError(f"{path}: not a molvae file (no molvae header inside).") from error
    if not good:
        raise ArtifactError(f"{path}: not a molvae file (no molvae header inside).")
    return dict(ours)


def read_sha256(path: Path) -> str:
    """Return the sha256 that was written with the file's content."""
    return str(_ours(path)["sha256"])


def read(path: Path, *, kind: str, format: int) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read arrays and header, and check them against the digest that was written with them.

    Returns:
        The arrays by name, and the header.

    Raises:
        ArtifactError: when the file is damaged, foreign, of another kind, or too new.
    """
    header = read_header(path, kind=kind, format=format)
    try:
        arrays = safetensors.numpy.load_file(path)
    except (safetensors.SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        raise ArtifactError(f"{path}: damaged: {error}") from error
    if digest(arrays, header) != read_sha256(path):
        raise ArtifactError(
            f"{path}: damaged or altered: its content does not match its sha256."
            " Get the file again, or train again."
        )
    return arrays, header
