"""Places to write to: refused before the work rather than after it."""

import os
from collections.abc import Iterable
from pathlib import Path

from molvae.errors import UsageError


def check_output(path: Path, *, force: bool, inputs: Iterable[Path | None] = ()) -> None:
    """Check that a file can be written.

    Args:
        path: the file to be.
        force: an existing one may be overwritten.
        inputs: what the same command reads or writes besides.

    Raises:
        UsageError: saying what is in the way and which flag mends it.
    """
    if any(other is not None and path.resolve() == other.resolve() for other in inputs):
        raise UsageError(f"{path}: is read or written already by the same command.")
    if path.is_dir():
        raise UsageError(f"{path}: is a folder; name a file in it.")
    if path.exists() and not force:
        raise UsageError(f"{path}: exists; --force overwrites it.")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise UsageError(f"{path.parent}: no such folder, or no right to write there.")
