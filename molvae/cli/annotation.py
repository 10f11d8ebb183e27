"""A table of molecules read by a model, and a table of what it says of each.

`predict` and `score` write the table again; `reconstruct` and `encode` write one of their own, with
the other columns of the table behind it.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from molvae.cli import generators, options
from molvae.cli.outputs import check_table, rounded, tell_names
from molvae.cli.progress import Report, progress
from molvae.cli.rejects import Rejects, rejects_option, strict_option
from molvae.cli.stopping import stop_signals
from molvae.cli.terminal import describe_table, print_json, say
from molvae.errors import InputError, Rejected

if TYPE_CHECKING:
    from molvae.data.molecules import PreparedMolecule
    from molvae.data.tables.records import Row, Table
    from molvae.generator import MoleculeGenerator

PIECE = 256  # rows that are looked at before the model reads them together


def annotating(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that `Annotation` takes, behind its own."""
    for decorate in reversed(
        (
            options.table_output,
            options.input_format(),
            options.output_format("--output-format"),
            options.smiles_column,
            rejects_option,
            strict_option,
            options.jobs,
            options.device,
            options.force,
            options.json_summary(),
            options.quiet,
        )
    ):
        command = decorate(command)
    return command


class Reading(Protocol):
    """What a command makes of the molecules of a table."""

    @property
    def given(self) -> tuple[int, ...]:
        """The places of the table's columns that are kept."""
        ...

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns of the table to be."""
        ...

    @property
    def smiles(self) -> int:
        """The place of the molecules among them."""
        ...

    @property
    def read(self) -> int:
        """Molecules that the model could read, so far."""
        ...

    @property
    def unread(self) -> int:
        """Molecules with symbols that it does not know, so far."""
        ...

    def rows(self, molecules: Sequence[tuple["Row", "PreparedMolecule"]]) -> Iterable[list[object]]:
        """Return a row of the table to be for each molecule."""
        ...

    def summary(self) -> dict[str, Any]:
        """Return the account of how it went."""
        ...

    def lines(self, summary: Mapping[str, Any]) -> Iterable[str]:
        """Return it in words."""
        ...


class Annotation(NamedTuple):
    """One run of such a command: what `annotating` asks for, FILE and MODEL."""

    file: Path
    model: str
    output: str
    input_format: str
    output_format: str
    smiles_column: str | None
    rejects: Path | None
    strict: bool
    jobs: int | None
    device: str
    force: bool
    as_json: bool
    quiet: bool

    def run(
        self,
        title: str,
        reading_of: Callable[["MoleculeGenerator", "Table", int | None], Reading],
        *,
        known_only: bool = False,
    ) -> None:
        """Read the table and write it again.

        Args:
            title: of the work: "Predicting".
            reading_of: from the model, the open table, and the place of the column in which a mol
                block becomes SMILES, since only an SD file has room for it; None where it stays.
            known_only: reject the rows with symbols that the model does not know.
        """
        from molvae.data.tables import tables
        from molvae.data.tables.cells import plain

        target = None if self.output == "-" else Path(self.output)
        bad = self._rejects(target)
        generator = generators.load(self.model, self.device)
        table = tables.open_table(
            self.file, smiles_column=self.smiles_column or "", format=self.input_format
        )
        kind = tables.output_format(Path(self.output), format=self.output_format)
        reading = reading_of(generator, table, None if kind == "sdf" else table.smiles)
        self._tell_anew(table, reading)
        inside = self.as_json and target is None
        names = tell_names(reading.columns, "json" if inside else kind, quiet=self.quiet)
        rows: list[dict[str, Any]] = []
        left_out: Counter[str] = Counter()
        with stop_signals() as stopped, progress(title, unit="rows", quiet=self.quiet) as report:
            cells = self._cells(
                table, generator, reading, bad, left_out, stopped, report, known_only=known_only
            )
            if inside:
                rows = [dict(zip(names, map(plain, row), strict=True)) for row in cells]
            else:
                written = ([rounded(value) for value in row] for row in cells)
                tables.write_table(
                    Path(self.output),
                    reading.columns,
                    written,
                    format=self.output_format,
                    smiles=reading.smiles,
                )
        bad.finish(quiet=self.quiet)
        rows_seen = _seen(reading, bad)
        say(describe_table(table.name, rows_seen, table.smiles_column), quiet=self.quiet)
        if table.late:
            late = ", ".join(sorted(table.late))
            say(
                f"{table.name}: fields that begin behind its first rows are left out: {late}.",
                quiet=self.quiet,
            )
        told = {"rejected": dict(bad.counts), "model": self._title(generator)}
        summary = told | reading.summary()
        for line in reading.lines(summary):
            say(line, quiet=self.quiet)
        for part, count in left_out.items():
            say(
                f"{count:,} molecules were read without {part}, as the training set was.",
                quiet=self.quiet,
            )
        if self.as_json:
            print_json(summary | ({} if target else {"rows": rows}))
        if stopped:
            say("Interrupted; the finished rows are kept.")
            raise SystemExit(128 + stopped[0])
        if not reading.read:
            raise InputError(f"{self.file}: no molecule that the model can read.")

    def _tell_anew(self, table: "Table", reading: Reading) -> None:
        """Name the table's columns that make way for one of ours of the same name."""
        from molvae.data.tables.columns import id_place

        replaced = (table.smiles, id_place(table.columns))  # by SMILES and ID
        for place, column in enumerate(table.columns):
            if place not in reading.given and place not in replaced:
                say(f"{table.name}: its column '{column}' is written anew.", quiet=self.quiet)

    def _rejects(self, target: Path | None) -> Rejects:
        """Check where the table is to be written, and say where its bad rows go."""
        check_table(
            Path(self.output), format=self.output_format, force=self.force, inputs=(self.file,)
        )
        return Rejects(
            self.rejects,
            strict=self.strict,
            force=self.force,
            inputs=(self.file, target),
            stdout_taken=target is None or self.as_json,
        )

    def _title(self, generator: "MoleculeGenerator") -> str:
        return f"{generators.title(self.model)}-{generator.name}"

    def _cells(
        self,
        table: "Table",
        generator: "MoleculeGenerator",
        reading: Reading,
        bad: Rejects,
        left_out: Counter[str],
        stopped: list[int],
        report: Report,
        *,
        known_only: bool,
    ) -> Iterator[list[object]]:
        """Yield the rows of the table to be, until the end or until stopped."""
        from molvae.data.molecules import known_to, standardize_rows

        found = standardize_rows(
            table.rows,
            generator.standardization,
            generator.measured,
            jobs=self.jobs or os.cpu_count() or 1,
        )
        with closing(found):
            while not stopped and (piece := list(islice(found, PIECE))):
                if known_only:
                    piece = [(row, known_to(generator.vocabulary, seen)) for row, seen in piece]
                for row, seen in piece:
                    if isinstance(seen, Rejected):
                        bad.add(row, seen)
                    else:
                        left_out.update(generator.standardization.left_out(row.smiles))
                yield from reading.rows(
                    [(row, seen) for row, seen in piece if not isinstance(seen, Rejected)]
                )
                report(_seen(reading, bad))


def own_columns(table: "Table", columns: Iterable[str]) -> tuple[int, ...]:
    """Return the places of a table's columns that another one has room for behind its `columns`.

    Not the molecules and their names, which it has in the columns SMILES and ID.
    """
    from molvae.data.tables.columns import id_place

    taken = {column.lower() for column in columns}
    held = (table.smiles, id_place(table.columns))
    return tuple(
        place
        for place, column in enumerate(table.columns)
        if place not in held and column.lower() not in taken
    )


def own_cells(
    row: "Row", seen: "PreparedMolecule", given: Iterable[int], *, spelled: int | None
) -> list[object]:
    """Return the cells of a row that are kept.

    Args:
        row: of the table that is read.
        seen: its molecule.
        given: the places of the columns that are kept.
        spelled: the place of the column in which a mol block becomes SMILES, None where it stays.
    """
    from molvae.chem.molblock import is_block

    blocks = {spelled} if is_block(row.smiles) else set()
    return [seen.smiles if place in blocks else row.cells[place] for place in given]


def _seen(reading: Reading, bad: Rejects) -> int:
    return reading.read + reading.unread + sum(bad.counts.values())
