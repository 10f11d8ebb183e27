"""Where things that can be made or fetched again are kept between runs."""

import os
import sys
from pathlib import Path

from molvae.errors import MolvaeError

VARIABLE = "MOLVAE_CACHE"


def cache_folder(name: str) -> Path:
    """Return a folder of the cache, made when it is not there.

    `MOLVAE_CACHE` says where the cache is; else the place that the system keeps for such things.

    Args:
        name: what is kept in it, such as "datasets".

    Raises:
        MolvaeError: when it cannot be made.
    """
    folder = _root() / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MolvaeError(
            f"{folder}: cannot be made: {error.strerror}. Set {VARIABLE} to a folder of yours."
        ) from error
    return folder


def _root() -> Path:
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named).expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", "~/AppData/Local")).expanduser() / "molvae"
    if sys.platform == "darwin":
        return Path("~/Library/Caches/molvae").expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "molvae"
