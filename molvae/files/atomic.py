"""Files that are written whole or not at all."""

import hashlib
import math
import os
import secrets
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from molvae.errors import MolvaeError

if sys.platform != "win32":
    import fcntl

UNFINISHED = ".molvae-unfinished"  # how the name of a file ends that is still being written
LOCK = ".molvae-lock"  # how the name of a file ends that means that another is being written
MAX_NAME = 255  # bytes of a file's name
BEGINNING = 32  # characters of a name with which those of hidden files begin: at most 128 bytes


@contextmanager
def replacing(path: Path, *, size: int = 0) -> Iterator[BinaryIO]:
    """Open a new file that replaces `path` when the block ends well, and only then.

    A unique temporary beside the target, fsync, rename, fsync of the folder: a kill at any point
    leaves either the old file or the new one. The next writer of the same file removes what a
    killed one left; a lock, which dies with its process, protects what is still being written.
    (`O_TMPFILE` leaves less, but not every file system has it, and its last step needs a name.)

    A link keeps its target, and the file there is replaced. A device or a pipe holds nothing that
    could be lost: it is written to directly.

    Args:
        path: the file.
        size: bytes to come, where that is known, for the message when they do not fit.

    Raises:
        MolvaeError: when the folder cannot be written to or the disk is full.
    """
    if path.is_dir():
        raise MolvaeError(f"{path}: a folder, where a file is to be written.")
    direct = path.exists() and not path.is_file()
    target = os.path.realpath(path)
    folder, name = os.path.split(target)
    mine = f".{name[:BEGINNING]}."
    temporary = os.path.join(folder, f"{mine}{secrets.token_hex(4)}{UNFINISHED}")
    try:
        if direct:
            with path.open("wb") as device:
                yield device
            return
        _sweep(folder, mine)
        file = _create(temporary)
    except BrokenPipeError:
        raise  # the reader has left, which is no failure
    except OSError as error:
        raise MolvaeError(f"{path}: cannot be written: {error.strerror}.") from error
    try:
        yield file
        file.flush()
        os.fsync(file.fileno())
        with suppress(OSError):  # there is none yet, or the file system knows no rights
            shutil.copymode(target, temporary)
        if sys.platform == "win32":
            file.close()  # an open file can be neither moved nor removed there
        os.replace(temporary, target)
    except OSError as error:
        if error.filename not in (None, temporary):
            raise  # the block failed to read another file
        size = max(size, 0 if file.closed else file.tell())
        _remove(file, temporary)
        what = not_written(path, size, error.strerror)
        raise MolvaeError(f"{what} What was there before is unchanged.") from error
    finally:
        _remove(file, temporary)
    _sync_folder(folder)


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, as `replacing` does."""
    with replacing(path, size=len(content)) as file:
        file.write(content)


def hidden_beside(path: Path, ending: str) -> Path:
    """Return the place of a hidden file that belongs to a file and has its own ending.

    It is the same each time. A name as long as the system allows is cut, and its hash follows.
    """
    name = f".{path.name}{ending}"
    if len(os.fsencode(name)) > MAX_NAME:
        digest = hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]
        name = f".{path.name[:BEGINNING]}.{digest}{ending}"
    return path.with_name(name)


@contextmanager
def only_writer(path: Path) -> Iterator[None]:
    """Keep other processes that ask for it from writing the same file until the block ends.

    A lock on a hidden file beside it. The system frees it when its process dies, and the next
    writer removes what a killed one left. Where a file system has no locks, or nothing can be
    written, nothing is locked.

    Raises:
        MolvaeError: when another process has the lock, naming it.
    """
    if sys.platform == "win32" or (path.exists() and not path.is_file()):
        yield
        return
    place = hidden_beside(Path(os.path.realpath(path)), LOCK)
    try:
        file = _open_locked(place)
    except BlockingIOError:
        raise MolvaeError(
            f"{path}: {_holder(place)} is writing this file. Wait until it is done, or name"
            " another file."
        ) from None
    except OSError:
        yield
        return
    try:
        yield
    finally:
        _remove(file, str(place))


def _open_locked(place: Path) -> BinaryIO:
    """Open a file, lock it for as long as it is open, and write into it who has it.

    Raises:
        BlockingIOError: when another process has it.
        OSError: when it cannot be locked.
    """
    while True:
        file = open(place, "a+b")
        try:
            _lock(file, wait=False)
            if os.path.samestat(os.stat(place), os.fstat(file.fileno())):
                break
        except FileNotFoundError:  # its owner has just removed it
            file.close()
        except OSError as error:
            file.close()
            if not isinstance(error, BlockingIOError):
                place.unlink(missing_ok=True)
            raise
    file.truncate(0)
    file.write(f"process {os.getpid()}".encode())
    file.flush()
    return file


def _holder(place: Path) -> str:
    with suppress(OSError):
        return place.read_text("utf-8", errors="replace")[:80] or "another process"
    return "another process"


def free(folder: str | Path) -> float:
    """Return the free space on the disk of a folder, in MiB; NaN where the system does not know."""
    with suppress(OSError):
        return shutil.disk_usage(folder).free / 2**20
    return math.nan


def not_written(path: Path, size: int, cause: object) -> str:
    """Return a sentence: so many of `size` bytes could not be written, why, and the free space."""
    needed = math.ceil(10 * size / 2**20) / 10
    there = free(os.path.dirname(os.path.realpath(path)))
    return f"{path}: {needed:,.1f} MiB could not be written: {cause}; {there:,.1f} MiB are free."


def require_space(folder: Path, size: int, *, purpose: str, instead: str) -> None:
    """Raise an error unless a folder has room for `size` bytes.

    Args:
        folder: on the disk in question.
        size: bytes.
        purpose: of these bytes, for the message: "for this training".
        instead: the remedy besides making room: "name another folder".

    Raises:
        MolvaeError: naming the needed and the free space, in MiB.
    """
    there = free(folder)
    if there < size / 2**20:
        raise MolvaeError(
            f"{folder}: {size / 2**20:,.1f} MiB are needed {purpose} and {there:,.1f} MiB are free."
            f" Make room, or {instead}."
        )


def _create(temporary: str) -> BinaryIO:
    """Open a new file and lock it for as long as it is open."""
    while True:
        file = open(temporary, "xb")
        with suppress(OSError):  # a file system without locks
            _lock(file, wait=True)
        if os.path.exists(temporary):  # no other writer removed it before it was locked
            return file
        file.close()


def _lock(file: BinaryIO, *, wait: bool) -> None:
    if sys.platform != "win32":  # where an open file cannot be removed
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))


def _sweep(folder: str, mine: str) -> None:
    """Remove what dead writers left behind under names that begin with `mine`."""
    entries: list[os.DirEntry[str]] = []
    with suppress(OSError), os.scandir(folder) as found:  # a folder may be writable, not readable
        entries = [each for each in found if each.name.startswith(mine)]
    for entry in entries:
        if entry.name.endswith(UNFINISHED) and entry.is_file(follow_symlinks=False):
            with suppress(OSError), open(entry.path, "rb+") as file:
                _lock(file, wait=False)
                os.unlink(entry.path)


def _remove(file: BinaryIO, temporary: str) -> None:
    """Close and remove a temporary, unless it was renamed to its target."""
    with suppress(OSError):  # the rest of its buffer may not fit either
        file.close()
    with suppress(FileNotFoundError):
        os.unlink(temporary)


def _sync_folder(folder: str) -> None:
    """Make the rename last through a power cut, on file systems that support it."""
    with suppress(OSError):  # the new file is in place by now, whatever happens here
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
