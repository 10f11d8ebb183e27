"""Where the data of MOSES is on this machine: not ours to redistribute, so looked for."""

import csv
import gzip
import os
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from molvae.evaluate.inputs import Source, file_source

FOLDER = Path(__file__).resolve().parents[2] / "shared" / "data"


class Moses(NamedTuple):
    """The three sets of MOSES."""

    training: Source
    test: Source
    scaffolds: Source


def moses(folder: Path = FOLDER) -> Moses:
    """Return the sets of MOSES: `moses/train.csv.gz`, `test.csv.gz`, `test_scaffolds.csv.gz`.

    Args:
        folder: the data folder.
    """
    paths = [folder / "moses" / f"{name}.csv.gz" for name in ("train", "test", "test_scaffolds")]
    for path in paths:
        if not path.exists():
            raise SystemExit(f"{path}: missing. molvae data get moses, or --data FOLDER")
    return Moses(*(_source(path) for path in paths))


def machine() -> str:
    """Return what a result was made on."""
    return f"{platform.machine()}, {os.cpu_count()} cores"


def rows(path: Path) -> list[str]:
    """Return the first column of a table with a header, one string for each line."""
    return list(_rows(path))


def _rows(path: Path) -> Iterator[str]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        lines = csv.reader(file)
        next(lines)
        for line in lines:
            yield line[0] if line else ""


def _source(path: Path) -> Source:
    return file_source(path, lambda: rows(path), column="1")
