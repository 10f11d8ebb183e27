"""The columns of a table that is written again, and new ones behind them."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from molvae.cli.outputs import TableOutput
from molvae.cli.terminal import say

if TYPE_CHECKING:
    from molvae.data.molecules import PreparedMolecule
    from molvae.data.tables.records import Row, Table

SHOWN = 5  # new columns whose names are reported because the table has columns of the usual ones


class Layout(NamedTuple):
    """The columns of the table that is written: those of the table that is read, then new ones."""

    columns: tuple[str, ...]  # all names, in order
    smiles: int  # the place of the column of molecules among them
    # The place of the column in which a mol block becomes SMILES, since only an SD file has room
    # for it; None where it stays.
    spelled: int | None = None
    numbered: bool = False  # the first new column, ID, has the line of each row
    own: int = 0  # the number of columns of the table that is read, which are the first ones
    typed: bool = False  # own numbers are written as numbers again

    def row(self, row: "Row", molecule: "PreparedMolecule", new: Iterable[object]) -> list[object]:
        """Return a row of the table that is written."""
        from molvae.chem.molblock import is_block
        from molvae.data.tables.cells import literal

        number = [str(row.line)] if self.numbered else []
        cells: list[object] = [*row.cells, *number, *new]
        for place in row.literal if self.typed else ():
            cells[place] = literal(row.cells[place])
        if self.spelled is not None and is_block(row.smiles):
            cells[self.spelled] = molecule.smiles
        return cells


def arrange(
    table: "Table", output: TableOutput, new: Sequence[str], *, ids: bool = False
) -> Layout:
    """Arrange the columns of a table, which stay as they are, and new ones behind them.

    Args:
        table: the table that is read.
        output: the table that is written.
        new: the names of the new columns, see `names_beside`.
        ids: whether a table without IDs gets the column ID.
    """
    from molvae.data.tables.columns import id_place

    own = table.columns
    numbered = ids and id_place(own) is None
    names = names_beside(table.name, own, ("ID", *new) if numbered else new)
    if output.kind == "smi":
        say(f"{output.output}: a .smi file holds SMILES and ID only.", quiet=output.quiet)
    kind = "json" if output.inside_summary else output.kind
    typed = kind in ("json", "jsonl") or (kind == "parquet" and table.typed)
    spelled = None if kind == "sdf" else table.smiles
    return Layout((*own, *names), table.smiles, spelled, numbered, len(own), typed)


def names_beside(table: str, own: Sequence[str], new: Sequence[str]) -> tuple[str, ...]:
    """Return other names for new columns that are named as own ones of a table; report them."""
    from molvae.data.tables.columns import names_beside

    names = names_beside(own, new)
    renamed = [f"'{name}'" for name, wanted in zip(names, new, strict=True) if name != wanted]
    if renamed:  # reported even with --quiet: the usual names have the table's own cells
        more = f" and {len(renamed) - SHOWN:,} more" if len(renamed) > SHOWN else ""
        named = ", ".join(renamed[:SHOWN])
        say(f"{table}: its own columns stay; new ones of the same name are {named}{more}.")
    return names
