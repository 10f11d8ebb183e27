"""Rejected rows: counted, shown on stderr, and listed in full in a table."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from molvae.cli.terminal import say
from molvae.errors import InputError

if TYPE_CHECKING:
    from molvae.data.tables.records import Row
    from molvae.data.tally import Reject
    from molvae.errors import Rejected

SHOWN = 10  # rejected rows shown on stderr; the table of --rejects lists all


@dataclass
class Rejects:
    """The rejected rows of a run."""

    path: Path | None  # the table to list them in, if any
    strict: bool  # the first rejected row ends the run
    rows: list["Reject"] = field(default_factory=list)  # those so far
    counts: Counter[str] = field(default_factory=Counter)  # their numbers, by reason

    def add(self, row: "Row", cause: "Rejected") -> None:
        """Add a rejected row.

        Raises:
            InputError: when `strict`.
        """
        from molvae.chem.molblock import without_block
        from molvae.data.tally import Reject

        smiles = without_block(row.smiles)
        reject = Reject(row.file, row.line, cause.field, smiles, str(cause))
        if self.strict:
            raise InputError(str(reject))
        self.rows.append(reject)
        self.counts[cause.reason] += 1

    def finish(self, *, quiet: bool) -> None:
        """Write the table, and show the first rows on stderr."""
        from molvae.data.tables.tables import write_table
        from molvae.data.tally import Reject

        if self.path is not None:
            write_table(self.path, Reject._fields, self.rows)
        show_first(self.rows, "rejected rows", self.path, "--rejects", quiet=quiet)


def show_first(
    items: Sequence[object], what: str, file: Path | None, option: str, *, quiet: bool
) -> None:
    """Show the first rejected rows or conflicts on stderr, and how many more there are.

    Args:
        items: all of them.
        what: they are: "rejected rows".
        file: the table that lists them, if any.
        option: the option that names such a table.
        quiet: show nothing.
    """
    for item in items[:SHOWN]:
        say(item, quiet=quiet)
    if len(items) > SHOWN:
        where = f" in {file}" if file else f"; {option} FILE lists them"
        say(f"... and {len(items) - SHOWN:,} more {what}{where}", quiet=quiet)
