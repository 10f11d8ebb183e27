"""The folder where downloads and other files that can be made again are kept between runs."""

import os
import sys
from pathlib import Path

from molvae.errors import MolvaeError

VARIABLE = "MOLVAE_CACHE"


def cache_folder(name: str) -> Path:
    """Return a folder of the cache, made when it is missing.

    The cache is where `MOLVAE_CACHE` points, else in the user's cache folder of the system.

    Args:
        name: of the folder, such as "datasets".

    Raises:
        MolvaeError: when it cannot be made.
    """
    folder = _root() / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MolvaeError(
            f"{folder}: cannot be made: {error.strerror}. Set {VARIABLE} to another folder."
        ) from error
    return folder


def _root() -> Path:
    if named := os.environ.get(VARIABLE):
        return Path(named).expanduser()
    if sys.platform == "win32":
        parent = os.environ.get("LOCALAPPDATA", "~/AppData/Local")
    elif sys.platform == "darwin":
        parent = "~/Library/Caches"
    else:
        parent = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(parent).expanduser() / "molvae"
