"""Tables as tests write them and look at them."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from molvae.data.tables.records import Row
from molvae.data.tables.tables import open_table

ASPIRIN = "CC(=O)Oc1ccccc1C(=O)O"
CAFFEINE = "Cn1c(=O)c2c(ncn2C)n(C)c1=O"
PARQUET = pytest.param(  # the kind of a table, where it can be tested
    "parquet",
    marks=pytest.mark.skipif(
        find_spec("pyarrow") is None, reason="the extra `parquet` is not installed"
    ),
)


def write(path: Path, content: str | bytes) -> Path:
    """Write a file; return its path."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def rows(path: Path, *, smiles_column: str = "") -> list[Row]:
    """Return the rows of a table."""
    return list(open_table(path, smiles_column=smiles_column).rows)


def column(path: Path, name: str) -> list[str]:
    """Return the cells of the first column of this name."""
    table = open_table(path)
    place = table.columns.index(name)
    return [row.cells[place] for row in table.rows]
