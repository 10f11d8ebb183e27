"""Rows that cannot be used: counted, named on stderr, and listed in full in a table."""

from collections import Counter
from collections.abc import Callable
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

SHOWN = 10  # bad rows named on stderr; the rejects file has all

rejects_option: Callable[[Callable[..., Any]], Callable[..., Any]] = click.option(
    "--rejects",
    type=click.Path(path_type=Path),
    default=None,
    help="Write every row left out, with its reason, to this table.",
)
strict_option: Callable[[Callable[..., Any]], Callable[..., Any]] = click.option(
    "--strict", is_flag=True, help="Stop at the first bad row."
)


class Rejects:
    """The bad rows of one run.

    Args:
        path: the table to list them in, if any; refused at once when it cannot be written.
        strict: the first bad row ends the run.
        force: an existing table may be overwritten.
        inputs: what the same command reads or writes besides.
        stdout_taken: whether the command writes something else to stdout.

    Raises:
        UsageError: for a path that cannot be written to.
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

    def add(self, row: "Row", cause: "Rejected") -> None:
        """Take in one bad row.

        Raises:
            InputError: when bad rows are not to be passed over.
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
        """Write the table, and name the first rows on stderr."""
        from molvae.data.tables.tables import write_table
        from molvae.data.tally import Reject

        if self.path is not None:
            write_table(self.path, Reject._fields, self.rows)
        for reject in self.rows[:SHOWN]:
            say(reject, quiet=quiet)
        if len(self.rows) > SHOWN:
            where = f" in {self.path}" if self.path else "; --rejects FILE lists them"
            say(f"... and {len(self.rows) - SHOWN:,} more rows left out{where}", quiet=quiet)
