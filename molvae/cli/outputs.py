"""The files that a command writes, checked before the work; its table and its summary."""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import click

from molvae.cli import options
from molvae.cli.terminal import print_json, say
from molvae.errors import UsageError

Rows = Iterator[Sequence[object]]


def check_table(path: Path, *, format: str = "") -> str:
    """Return the format of a table of molecules to write, and check that it can be written.

    Args:
        path: the file; `-` is stdout.
        format: in place of its ending.

    Raises:
        UsageError: for an ending that names no format, an extra that is missing, and for Parquet
            on a terminal.
    """
    from molvae.data.tables.files import STDIO
    from molvae.data.tables.tables import output_format

    kind = output_format(path, format=format)
    if path == STDIO and kind == "parquet" and sys.stdout.isatty():
        raise UsageError("Parquet is no text: name a file with -o, or redirect stdout.")
    return kind


def tell_names(columns: Sequence[str], kind: str, *, quiet: bool) -> tuple[str, ...]:
    """Return the names of columns in a format, and report on stderr those that change."""
    from molvae.data.tables.tables import names_in

    names = names_in(kind, columns)
    for place, (column, name) in enumerate(zip(columns, names, strict=True), 1):
        if name != column:
            what = f"'{column}'" if column else "without a name"
            say(f"Column {place}, {what}, is written to {kind} as '{name}'.", quiet=quiet)
    return names


def rounded(value: object) -> object:
    """Return a value as a table holds it: a float has six digits."""
    return float(f"{value:.6g}") if isinstance(value, float) else value


class TableOutput(NamedTuple):
    """Where a command writes its table and its summary: the options of `table_output`."""

    output: Path  # the file; `-` is stdout
    output_format: str  # the format, "" where the ending of the file decides
    force: bool  # an existing file may be overwritten
    as_json: bool  # write the summary as JSON, and without a file the rows in it
    quiet: bool  # show errors only

    @property
    def path(self) -> Path | None:
        """The file; None for stdout."""
        return None if str(self.output) == "-" else self.output

    @property
    def on_terminal(self) -> bool:
        """Whether the table goes to a terminal, without a format or JSON."""
        asked = self.path or self.output_format or self.as_json
        return not asked and sys.stdout.isatty()

    @property
    def kind(self) -> str:
        """The format of the table; to find it is to check it, see `check_table`."""
        return check_table(self.output, format=self.output_format)

    def check(self) -> None:
        """Check that the table can be written, before the work rather than after it.

        `overwriting` has checked its place.

        Raises:
            UsageError: as `check_table`.
        """
        check_table(self.output, format=self.output_format)

    @property
    def inside_summary(self) -> bool:
        """Whether the rows are part of the JSON summary."""
        return self.as_json and self.path is None

    def write(
        self,
        columns: Sequence[str],
        rows: Iterable[Sequence[object]],
        *,
        smiles: int | None = None,
        own: int = 0,
    ) -> list[dict[str, Any]]:
        """Write the rows as they come.

        Args:
            columns: their names.
            rows: their cells.
            smiles: the place of the column of molecules, None to find it.
            own: the first columns, whose numbers are not rounded.

        Returns:
            The rows where they belong into the JSON summary, see `finish`; nothing otherwise.
        """
        from molvae.data.tables.cells import plain
        from molvae.data.tables.tables import write_table

        kind = "json" if self.inside_summary else self.kind
        names = tell_names(columns, kind, quiet=self.quiet)
        if self.inside_summary:
            return [dict(zip(names, map(plain, row), strict=True)) for row in rows]
        cells = ([*row[:own], *map(rounded, row[own:])] for row in rows)
        with self._count_changed() as counted:
            write_table(
                self.output, columns, counted(cells), format=self.output_format, smiles=smiles
            )
        return []

    @contextmanager
    def _count_changed(self) -> Iterator[Callable[[Rows], Rows]]:
        """Yield a function that passes rows on; report which of their cells the format changes."""
        from molvae.data.tables.sdf import holds

        changed = 0

        def counted(rows: Rows) -> Rows:
            nonlocal changed
            for row in rows:
                changed += sum(isinstance(cell, str) and not holds(cell) for cell in row)
                yield row

        yield counted if self.kind == "sdf" else iter
        if changed:
            say(
                f"{changed:,} cells have blank lines, or lines that begin with $$$$, which an SD"
                " file cannot hold: these are left out or indented.",
                quiet=self.quiet,
            )

    def write_records(
        self, records: Sequence[Mapping[str, object]], *, columns: Sequence[str] = ()
    ) -> list[dict[str, Any]]:
        """Write rows given as mappings from columns to cells; returns the same as `write`.

        The columns are those of the first row unless they are given.
        """
        from molvae.data.tables.cells import plain

        if self.inside_summary:
            return [{name: plain(value) for name, value in row.items()} for row in records]
        columns = columns or (list(records[0]) if records else ["ID", "SMILES"])
        return self.write(columns, ([row.get(name) for name in columns] for row in records))

    def write_molecules(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Print generated molecules on a terminal, or write them; returns the same as `write`."""
        from molvae.cli.summaries import print_molecules
        from molvae.generation.results import columns_of

        columns = columns_of(rows)
        if self.on_terminal:
            print_molecules(rows, columns)
            return []
        return self.write_records(rows, columns=columns)

    def finish(
        self,
        summary: dict[str, Any],
        lines: Iterable[str],
        *,
        rows: Mapping[str, Sequence[dict[str, Any]]],
        stopped: Sequence[int] = (),
    ) -> None:
        """Write the summary, and exit where a signal has stopped the work.

        Args:
            summary: for `--json`.
            lines: the same in words.
            rows: what `write` returned, under its name in the JSON summary.
            stopped: the signal, as `stop_signals` collects it.
        """
        if self.as_json:
            print_json(summary | ({} if self.path else dict(rows)))
        for line in lines:
            say(line, quiet=self.quiet)
        if stopped:
            say("Interrupted; the finished rows are kept.")
            raise SystemExit(128 + stopped[0])


def table_output(flag: str = "--format", *, inside: str = "rows") -> options.Decorator:
    """Add the options of `TableOutput` to a command, as its parameter `output`.

    Args:
        flag: for the format: `--output-format` where the command reads a table as well.
        inside: the name of the rows in the JSON summary.
    """
    return options.packed(
        TableOutput,
        "output",
        options.output(
            "Output table: .csv, .tsv, .smi, .sdf, .parquet, .json or .jsonl; - is stdout.",
            default="-",
        ),
        options.output_format(flag),
        options.force,
        click.option(
            "--json",
            "as_json",
            is_flag=True,
            help=f"Write the summary to stdout as JSON, with the {inside} unless -o is given.",
        ),
        options.quiet,
    )
