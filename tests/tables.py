"""A table as tests look at it: column by column."""

from pathlib import Path

from molvae.data.tables.tables import open_table


def column(path: Path, name: str) -> list[str]:
    """Return the cells of the first column of this name."""
    table = open_table(path)
    place = table.columns.index(name)
    return [row.cells[place] for row in table.rows]
