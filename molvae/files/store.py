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
import stat
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import safetensors
import safetensors.numpy

from molvae.errors import ArtifactError, MolvaeError

if sys.platform != "win32":
    import fcntl

UNFINISHED = ".molvae-unfinished"  # how the name of a file ends that is still being written
# Of the JSON in front; a usual one has 50 KiB and 500 parts. The worst takes a second to refuse.
MAX_HEADER = 8 * 2**20  # bytes
MAX_PARTS = 250_000  # lists and objects


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
        try:
            with path.open("wb") as device:
                yield device
        except BrokenPipeError:
            raise  # nobody reads on, which is no failure
        except OSError as error:
            raise MolvaeError(f"{path}: cannot be written: {error.strerror}.") from error
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
        needed = math.ceil(10 * size / 2**20) / 10
        raise MolvaeError(
            f"{path}: {needed:,.1f} MiB could not be written: {error.strerror};"
            f" {free(folder):,.1f} MiB are free. What was there before is unchanged."
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
    names = []
    with suppress(OSError):  # a folder that cannot be listed may still be written to
        names = os.listdir(folder)
    for name in names:
        if name.startswith(mine) and name.endswith(UNFINISHED):
            with suppress(OSError):  # another one's, or swept away by another writer
                _remove_if_dead(os.path.join(folder, name))


def _remove_if_dead(left: str) -> None:
    if stat.S_ISREG(os.lstat(left).st_mode):
        with open(left, "rb+") as file:
            if _lock(file, wait=False):
                os.unlink(left)


def _remove(file: BinaryIO, temporary: str) -> None:
    """Close and remove a temporary, unless it has become the file that it was to be."""
    with suppress(OSError):  # what is still buffered may not fit either
        file.close()
    with suppress(FileNotFoundError):
        os.unlink(temporary)


def free(folder: str | Path) -> float:
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

    Raises:
        MolvaeError: when the file cannot be written, or no reader would take so long a header.
    """
    header = json.loads(json.dumps({**header, "kind": kind, "format": format}))  # as it is read
    sha256 = digest(arrays, header)
    # One key only: safetensors writes several in an order of chance, and files could not be equal.
    metadata = {"molvae": json.dumps({"header": header, "sha256": sha256}, sort_keys=True)}
    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    content = safetensors.numpy.save(contiguous, metadata=metadata)
    length = _header_length(content)
    if length > MAX_HEADER or _parts(content[8 : 8 + length]) > MAX_PARTS:
        raise MolvaeError(
            f"{path}: not written: its header of {length / 2**20:.1f} MiB would be too large to be"
            " read again. Use fewer properties, files or epochs."
        )
    write_atomically(path, content)
    return sha256


def _header_length(content: bytes) -> int:
    return int.from_bytes(content[:8], "little")


def _parts(text: bytes) -> int:
    """Return a bound on the lists and objects in a JSON text: their memory is many times its."""
    return text.count(b"[") + text.count(b"{")


class Stored(NamedTuple):
    """A file of ours of which only the header has been read.

    Attributes:
        path: the file.
        header: what was written with the arrays.
        sha256: of header and arrays, as written; `load` checks it.
        layout: each array's type, in the words of safetensors ("F32"), and shape, as declared.
        exact: the header is spelled as `write` spells it. A flipped bit can leave its meaning, as
            in the last digit of a number, and so its digest.
        stamp: which file it was, so that one put in its place meanwhile is noticed.
    """

    path: Path
    header: dict[str, Any]
    sha256: str
    layout: dict[str, tuple[str, tuple[int, ...]]]
    exact: bool
    stamp: tuple[int, ...]


def look(path: Path, *, kind: str, format: int) -> Stored:
    """Read all that a file says of itself, with the standard library and in little memory.

    Raises:
        ArtifactError: when the file is none of ours, of another kind, or of a newer format.
    """
    stored = _look(path)
    if stored.header.get("kind") != kind:
        found = str(stored.header.get("kind"))[:40]
        raise ArtifactError(f"{path}: a molvae {found}, where a {kind} is expected.")
    version = stored.header.get("format")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise ArtifactError(f"{path}: damaged: its format is {version!r:.40}.")
    if version > format:
        raise ArtifactError(
            f"{path}: written by format {version}, this molvae reads up to {format}."
            " pip install --upgrade molvae"
        )
    if not stored.exact:
        raise _altered(path)
    return stored


def load(stored: Stored) -> dict[str, np.ndarray]:
    """Read the arrays of a file and check them and its header against their digest.

    Raises:
        ArtifactError: when the file is damaged or was altered.
    """
    path = stored.path
    try:
        arrays: dict[str, np.ndarray] = safetensors.numpy.load_file(path)
        stamp = _stamp(os.stat(path))
    except (safetensors.SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        raise ArtifactError(f"{path}: damaged: {error}") from error
    if stamp != stored.stamp:
        raise ArtifactError(f"{path}: was replaced while it was read; try again.")
    if digest(arrays, stored.header) != stored.sha256:
        raise _altered(path)
    return arrays


def _altered(path: Path) -> ArtifactError:
    return ArtifactError(
        f"{path}: damaged or altered: its content does not match its sha256."
        " Get the file again, or train again."
    )


def read(path: Path, *, kind: str, format: int) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read arrays and header, and check them against the digest that was written with them.

    Returns:
        The arrays by name, and the header.

    Raises:
        ArtifactError: when the file is damaged, foreign, of another kind, or too new.
    """
    stored = look(path, kind=kind, format=format)
    return load(stored), stored.header


def read_header(path: Path, *, kind: str, format: int) -> dict[str, Any]:
    """Read only the header of a file.

    Raises:
        ArtifactError: when the file is none of ours, of another kind, or of a newer format.
    """
    return look(path, kind=kind, format=format).header


def read_kind(path: Path) -> str:
    """Return what a file of ours holds: "dataset", "checkpoint", ...

    Raises:
        ArtifactError: when the file is none of ours.
    """
    return str(_look(path).header.get("kind"))


def find_kind(path: Path) -> str | None:
    """Return the kind of a file of ours, whatever its name; None for any other file, as a table.

    Raises:
        ArtifactError: when the file begins as a safetensors file and is none of ours.
    """
    start = b""
    with suppress(OSError):
        if path.is_file():
            with path.open("rb") as file:
                start = file.read(9)
    return read_kind(path) if start[7:] == b"\0{" else None  # a length below 2^56, then JSON


def read_sha256(path: Path) -> str:
    """Return the sha256 that was written with the file's content."""
    return _look(path).sha256


def _look(path: Path) -> Stored:
    try:
        if path.exists() and not path.is_file():
            raise ArtifactError(f"{path}: a folder or a pipe, where a file is expected.")
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            length = _header_length(file.read(8))
            if status.st_size < 8 or length > min(status.st_size - 8, MAX_HEADER):
                raise ArtifactError(f"{path}: not a molvae file (no safetensors header).")
            text = file.read(length)
    except (OSError, ValueError) as error:  # a name with a zero byte is a ValueError
        reason = error.strerror if isinstance(error, OSError) else error
        raise ArtifactError(f"{path}: cannot be read: {reason}.") from error
    try:
        if _parts(text) > MAX_PARTS:
            raise ValueError("more parts than any header of ours has")
        names = json.loads(text, object_pairs_hook=_each_once)
        inner = names.pop("__metadata__")["molvae"]
        ours = json.loads(inner)
        header, sha256 = ours["header"], ours["sha256"]
        layout = {name: _declared(entry) for name, entry in names.items()}
        if not (isinstance(header, dict) and isinstance(sha256, str)):
            raise TypeError("another program's header")
        exact = json.dumps(ours, sort_keys=True) == inner
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise ArtifactError(f"{path}: not a molvae file (no molvae header inside).") from error
    return Stored(path, header, sha256, layout, exact, _stamp(status))


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name that is given twice")
    return found


def _declared(entry: Mapping[str, Any]) -> tuple[str, tuple[int, ...]]:
    kind, shape = entry["dtype"], entry["shape"]
    if not isinstance(kind, str) or not all(isinstance(length, int) for length in shape):
        raise ValueError("an array of no type or shape")
    return kind, tuple(shape)


def _stamp(status: os.stat_result) -> tuple[int, ...]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
