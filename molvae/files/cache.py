"""The folder where downloads and other files that can be made again are kept between runs."""

import os
from pathlib import Path

from platformdirs import user_cache_path

from molvae.errors import MolvaeError

VARIABLE = "MOLVAE_CACHE"


def cache_folder(name: str) -> Path:
    """Return a folder of the cache, such as "datasets"; it is made when it is missing.

    The cache is where `MOLVAE_CACHE` points, else in the user's cache folder of the system.

    Raises:
        MolvaeError: when it cannot be made.
    """
    named = os.environ.get(VARIABLE)
    root = Path(named).expanduser() if named else user_cache_path("molvae", False, opinion=False)
    folder = root / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MolvaeError(
            f"{folder}: cannot be made: {error.strerror}. Set {VARIABLE} to another folder."
        ) from error
    return folder
