"""The folder of a run: its files, the lock that keeps a second training out, the space it needs."""

import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, SoftFileLock, Timeout

from molvae.checkpoint import MODEL_FILE
from molvae.errors import MolvaeError
from molvae.files import atomic

LOG_FILE, CONFIG_FILE, STATE_FILE = "log.csv", "config.toml", "state.safetensors"
LOCK_FILE = ".lock"
EVENTS_FOLDER = "tensorboard"


@contextmanager
def lock_run(run: Path, *, doing: str = "training") -> Iterator[None]:
    """Make the folder and lock it against other processes' work until the block ends.

    The system frees the lock when its process dies. The file `.lock` stays and means nothing by
    itself: removing it would allow two processes locks of the same name. May be nested within a
    process.

    Raises:
        MolvaeError: when another process has the lock, naming it and its start, or when the folder
            cannot be made or written to.
    """
    try:
        run.mkdir(parents=True, exist_ok=True)
        path = run.resolve() / LOCK_FILE
        holder = _holder(path)  # read before trying: older filelocks empty the file in doing so
        lock = FileLock(path, is_singleton=True)
        first = not lock.is_locked
        lock.acquire(timeout=0)
    except Timeout:
        raise MolvaeError(
            f"{run}: {holder} is {doing} in this folder. Wait until it is done, or name another."
        ) from None
    except (OSError, NotImplementedError) as error:
        reason = getattr(error, "strerror", None) or error
        raise MolvaeError(f"{run}: cannot be written to: {reason}. Name another folder.") from error
    try:
        if first and not isinstance(lock, SoftFileLock):
            _sign(path)
        yield
    finally:
        lock.release()


def _sign(path: Path) -> None:
    """Write the process that has the lock into the lock's file, for the message to others.

    Windows allows no writing to a locked file, and without file locks filelock writes its own mark.
    """
    since = time.strftime("%Y-%m-%d %H:%M:%S")
    with suppress(OSError):
        path.write_text(f"process {os.getpid()} on {platform.node()}, since {since},\n", "utf-8")


def _holder(path: Path) -> str:
    with suppress(OSError, UnicodeDecodeError):
        return path.read_text("utf-8")[:200].strip() or "another process"
    return "another process"


def require_space(run: Path, *, weights: int, molecules: int) -> None:
    """Check that the disk has space for the training.

    A file is written beside the one that it replaces: for a moment the folder has the model and
    two states. The model's index of the training molecules takes 2 bytes each.

    Raises:
        MolvaeError: naming the needed and the free space, in MiB.
    """
    state = 4 * 4 * weights  # float32: the weights, their average, and at most two moments
    model = 4 * weights + 2 * molecules
    files = [run / STATE_FILE, run / MODEL_FILE]
    there = sum(path.stat().st_size for path in files if path.is_file())
    needed = 2 * state + model - there
    atomic.require_space(run, needed, purpose="for this training", instead="name another folder")
