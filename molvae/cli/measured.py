"""Tables of scores that were measured elsewhere: of a laboratory, or before a run."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from molvae.cli.goals import Laboratory
from molvae.cli.rejects import Rejects
from molvae.cli.terminal import describe_table, say
from molvae.errors import InputError, Rejected, UsageError

if TYPE_CHECKING:
    from molvae.data.tables.records import Row
    from molvae.optimize.loop import Run


def tell_tables(run: "Run", laboratory: Laboratory, *, quiet: bool) -> None:
    """Read the tables of scores: that of the start once, when the run begins."""
    if laboratory.start is not None and not run.archive.calls:
        _tell_table(run, laboratory.start, laboratory.score_column, operator="start", quiet=quiet)
    if laboratory.tell is not None:
        _tell_table(run, laboratory.tell, laboratory.score_column, operator="told", quiet=quiet)


def _tell_table(
    run: "Run", path: Path, score_column: str | None, *, operator: str, quiet: bool
) -> None:
    """Add the scores of a table to the run; its bad rows are shown, and cost only themselves.

    Raises:
        InputError: for a table without the scores, or without a molecule that has one.
    """
    from molvae.data.tables.records import find_column
    from molvae.data.tables.tables import open_table

    table, names = open_table(path), run.goals.names
    columns = [score_column] if score_column and len(names) == 1 else names
    try:
        places = [find_column(table, column) for column in columns]
    except UsageError as error:
        hint = "" if score_column or len(names) > 1 else " --score-column names that of the scores."
        raise UsageError(f"{error}{hint}") from error
    rejects, smiles, values = Rejects(None, strict=False), [], []
    rows = missing = 0
    for row in table.rows:
        rows += 1
        try:
            found = _values(run, row, columns, places)
        except Rejected as rejected:
            rejects.add(row, rejected)
            continue
        missing += found is None
        if found is not None:
            smiles.append(found[0])
            values.append(found[1])
    say(describe_table(table.name, rows, table.smiles_column), quiet=quiet)
    rejects.finish(quiet=quiet)
    if not smiles:
        raise InputError(f"{path}: no molecule with a value of {', '.join(columns)}.")
    told = run.tell(smiles, values, operator=operator)
    for count, what in (
        (told.unasked if operator == "told" else 0, "were never asked for, and count as well"),
        (told.changed, "were told before with other values; the later ones count"),
        (missing, "have no score yet, and stay open"),
    ):
        if count:
            say(f"{path}: {count:,} molecules {what}.", quiet=quiet)
    say(f"{path}: {told.molecules:,} molecules with scores.", quiet=quiet)


def _values(
    run: "Run", row: "Row", columns: Sequence[str], places: Sequence[int]
) -> tuple[str, list[float]] | None:
    """Return the molecule of a row and its values, None where a value is missing.

    Raises:
        Rejected: for what is no molecule, or no number.
    """
    from molvae.data.molecules import validate_row
    from molvae.data.tables.cells import number

    smiles = validate_row(row, run.generator.standardization).smiles
    cells = zip(columns, places, strict=True)
    values = [number(row.cells[place], field=column) for column, place in cells]
    return None if any(value != value for value in values) else (smiles, values)
