"""Commands that read a table of molecules and write a table."""

import os
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from functools import wraps
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

import click

from molvae.cli import generators, options
from molvae.cli.layout import Layout, arrange
from molvae.cli.outputs import TableOutput, check_table, table_output
from molvae.cli.progress import progress
from molvae.cli.rejects import Rejects
from molvae.cli.stopping import stop_signals
from molvae.cli.terminal import say
from molvae.errors import InputError, Rejected, UsageError

if TYPE_CHECKING:
    from molvae.data.molecules import PreparedMolecule
    from molvae.data.tables.records import Row, Table

BATCH = 256  # rows that the model works on together

Item = TypeVar("Item")
Used = TypeVar("Used", contravariant=True)


class TableInput(NamedTuple):
    """How a command reads its table: the options of `table_input`."""

    input_format: str
    smiles_column: str
    rejects: Path | None
    strict: bool
    jobs: int | None

    def open(self, file: Path) -> "Table":
        """Open the table."""
        from molvae.data.tables.tables import open_table

        return open_table(file, smiles_column=self.smiles_column, format=self.input_format)

    def collect_rejects(self, output: TableOutput) -> Rejects:
        """Return the place for the bad rows.

        Raises:
            UsageError: when their table cannot be written.
        """
        if self.rejects == Path("-") and (output.path is None or output.as_json):
            raise UsageError("--rejects -: stdout is taken; name a file here or with -o.")
        if self.rejects is not None:
            check_table(self.rejects)
        return Rejects(self.rejects, self.strict)


table_input = options.packed(
    TableInput,
    "source",
    options.input_format,
    options.smiles_column,
    options.rejects,
    options.strict,
    options.jobs,
)


class Transform(Protocol[Used]):
    """The work of a command on the rows of a table."""

    @property
    def layout(self) -> Layout:
        """The columns of the table that is written."""
        ...

    @property
    def done(self) -> int:
        """The number of rows with a result so far."""
        ...

    def rows(self, batch: Sequence[tuple["Row", Used]]) -> Iterable[list[object]]:
        """Return the rows that are written for some rows of the table."""
        ...

    def summary(self) -> tuple[dict[str, Any], list[str]]:
        """Return the summary for `--json`, and the same in words."""
        ...


class TableCommand:
    """One run of a command that reads a table of molecules with a model.

    Attributes:
        generator: the model.
        title: its name and short hash, as the column `model` has it.
        table: the open table.
        rejects: its bad rows so far.
        count: rows read so far.

    Raises:
        MolvaeError: when something cannot be read or written.
    """

    def __init__(
        self, file: Path, model: str, *, device: str, source: TableInput, output: TableOutput
    ) -> None:
        output.check()
        self.rejects = source.collect_rejects(output)
        self.table = source.open(file)  # first: it fails sooner than a model is loaded
        self.generator = generators.load(model, device)
        self.title = generators.title_and_hash(model, self.generator)
        self.file, self.source, self.output = file, source, output
        self.count = 0
        self._left_out: Counter[str] = Counter()  # parts of molecules, such as stereo marks

    def layout(self, new: Sequence[str], *, ids: bool = False) -> Layout:
        """Arrange the columns of the table and new ones: see `arrange`."""
        return arrange(self.table, self.output, new, ids=ids)

    def molecules(
        self, properties: Sequence[str] | None = None, *, known_only: bool = False
    ) -> Generator[tuple["Row", "PreparedMolecule | Rejected"], None, None]:
        """Yield each row with its standardized molecule, or the reason why it has none.

        Args:
            properties: to compute; None for those of the model.
            known_only: reject the rows with symbols that the model does not know.
        """
        from molvae.data.molecules import known_to, standardize_rows

        form = self.generator.standardization
        jobs = self.source.jobs or os.cpu_count() or 1
        properties = self.generator.measured if properties is None else properties
        found = standardize_rows(self.table.rows, form, properties, jobs=jobs)
        with closing(found):
            for row, molecule in found:
                if known_only:
                    molecule = known_to(self.generator.vocabulary, molecule)
                if not isinstance(molecule, Rejected):
                    self._left_out.update(form.left_out(row.smiles))
                yield row, molecule

    def batches(
        self,
        items: Generator[tuple["Row", Item | Rejected], None, None],
        stopped: Sequence[int] = (),
    ) -> Iterator[list[tuple["Row", Item]]]:
        """Yield the good rows in batches until stopped; collect the bad ones."""
        with closing(items):
            while not stopped and (piece := list(islice(items, BATCH))):
                good = []
                for row, item in piece:
                    if isinstance(item, Rejected):
                        self.rejects.add(row, item)
                    else:
                        good.append((row, item))
                self.count += len(piece)
                yield good

    def run(
        self,
        title: str,
        work: Transform[Item],
        items: Generator[tuple["Row", Item | Rejected], None, None],
        *,
        holds: str = "",
        nothing: str = "no molecule that the model can read",
    ) -> None:
        """Write the results of a command on all rows, and its summary.

        Args:
            title: of the work: "Predicting".
            work: the work of the command.
            items: each row with its molecule or code, or the reason why there is none.
            holds: the content of the table, in words; "" for its column of SMILES.
            nothing: the error when no row has a result.

        Raises:
            InputError: when no row has a result.
        """
        quiet = self.output.quiet
        with stop_signals() as stopped, progress(title, unit="rows", quiet=quiet) as report:

            def rows() -> Iterator[list[object]]:
                for batch in self.batches(items, stopped):
                    yield from work.rows(batch) if batch else ()
                    report(self.count)

            layout = work.layout
            columns, smiles, own = layout.columns, layout.smiles, layout.own
            written = self.output.write(columns, rows(), smiles=smiles, own=own)
        self.tell_rows(holds)
        self.output.finish(*work.summary(), rows={"rows": written}, stopped=stopped)
        if not work.done:
            raise InputError(f"{self.file}: {nothing}.")

    def counts(self) -> dict[str, Any]:
        """Return the bad rows by reason, and the model: a part of each summary."""
        return {"rejected": dict(self.rejects.counts), "model": self.title}

    def tell_rows(self, holds: str = "") -> None:
        """Report the rows on stderr, and what the table `holds` if no SMILES."""
        quiet, table = self.output.quiet, self.table
        self.rejects.finish(quiet=quiet)
        holds = holds or f"SMILES in column '{table.smiles_column}'"
        say(f"{table.name}: {self.count:,} rows, {holds}.", quiet=quiet)
        if table.late:
            late = ", ".join(sorted(table.late))
            say(
                f"{table.name}: fields that begin behind its first rows are left out: {late}.",
                quiet=quiet,
            )
        for part, count in self._left_out.items():
            left_out = f"without {part}, as the training set was"
            say(f"{count:,} molecules were read {left_out}.", quiet=quiet)


def table_command(inside: str = "rows", *, no_smi: str = "") -> options.Decorator:
    """Add FILE, MODEL and the options of a `TableCommand`, as the parameter `run`.

    Args:
        inside: the part of the `--json` summary that is the table.
        no_smi: why a .smi file cannot hold the table; "" when it can.
    """

    def decorate(command: options.Command) -> options.Command:
        @wraps(command)
        def with_run(
            file: Path,
            model: str,
            device: str,
            source: TableInput,
            output: TableOutput,
            **parameters: Any,
        ) -> None:
            if no_smi and output.kind == "smi":
                raise UsageError(no_smi)
            run = TableCommand(file, model, device=device, source=source, output=output)
            command(run, **parameters)

        return options.chained(
            click.argument("file", type=click.Path(path_type=Path)),
            click.argument("model", default="druglike"),
            table_input,
            options.device,
            table_output("--output-format", inside=inside),
        )(with_run)

    return decorate
