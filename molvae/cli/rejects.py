"""Rejected rows: counted, shown on stderr, and listed in full in a table."""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from molvae.cli.outputs import check_table
from molvae.cli.terminal import say
from molvae.errors import InputError, UsageError

if TYPE_CHECKING:
    from molvae.data.tables.records import Row
    from molvae.data.tally import Reject
    from molvae.errors import Rejected

SHOWN = 10  # rejected rows shown on stderr; the table of --rejects lists all

rejects_option: Callable[[Callable[..., Any]], Callable[..., Any]] = click.option(
    "--rejects",
    type=click.Path(path_type=Path),
    default=None,
    help="Write every rejected row, with its reason, to this table.",
)
strict_option: Callable[[Callable[..., Any]], Callable[..., Any]] = click.option(
    "--strict", is_flag=True, help="Stop at the first rejected row."
)


class Rejects:
    """The rejected rows of a run.

    Args:
        path: the table to list them in, if any.
        strict: the first rejected row ends the run.
        force: an existing table may be overwritten.
        inputs: other files that the command reads or writes.
        stdout_taken: whether the command writes something else to stdout.

    Raises:
        UsageError: when the table cannot be written.
    """

    def __init__(
        self,
        path: Path | None,
        *,
        strict: bool,
        force: bool,
        inputs: tuple[Path | None, ...],
        stdout_taken: bool,
    ) -> None:
        if path == Path("-") and stdout_taken:
            raise UsageError("--rejects -: stdout is taken; name a file here or with -o.")
        self.path, self.strict = path, strict
        self.rows: list[Reject] = []
        self.counts: Counter[str] = Counter()
        if path is not None:
            check_table(path, force=force, inputs=inputs)

    @property
    def count(self) -> int:
        """The number of rejected rows so far."""
        return len(self.rows)

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
