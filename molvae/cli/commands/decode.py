"""`molvae decode`: a table of latent codes to molecules."""

import secrets
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from molvae.cli import generators, options
from molvae.cli.outputs import check_table, rounded
from molvae.cli.progress import Report, progress
from molvae.cli.rejects import Rejects, rejects_option, strict_option
from molvae.cli.stopping import stop_signals
from molvae.cli.terminal import print_json, say
from molvae.errors import InputError, Rejected, UsageError

if TYPE_CHECKING:
    import numpy as np

    from molvae.data.tables.records import Row, Table
    from molvae.generator import MoleculeGenerator
    from molvae.targets import Request

PIECE = 256  # codes that are written before their rows are


@click.command(epilog="Try: molvae decode codes.csv -o molecules.csv")
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("model", default="druglike")
@options.targets
@click.option(
    "--alone", is_flag=True, help="Do not ask for the properties in the table, only for --target."
)
@click.option(
    "--temperature",
    type=click.FloatRange(0.0, 10.0),
    default=0.0,
    show_default=True,
    help="0 writes the likeliest molecule of each code; 1 draws as the model has learned.",
)
@options.table_output
@options.input_format()
@options.output_format("--output-format")
@rejects_option
@strict_option
@options.seed("Seed of the temperature's randomness; drawn and reported when not given.")
@options.device
@options.force
@options.json_summary()
@options.quiet
def command(
    file: Path,
    model: str,
    targets: options.Ranges,
    alone: bool,
    temperature: float,
    output: str,
    input_format: str,
    output_format: str,
    rejects: Path | None,
    strict: bool,
    seed: int | None,
    device: str,
    force: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Write a molecule for each latent code in FILE.

    FILE is a table as `molvae encode` writes it: a code in the columns z1, z2, ..., and properties
    in columns of their names, which are asked of the row's molecule; an empty cell leaves one free.
    --target asks the same of all rows. The columns of the molecule come back: consistent tells
    where SELFIES had nothing to repair.

    How like the encoded molecule the written one is depends on how much the model's code holds,
    which `molvae info MODEL` tells as kl, in nats, and exact_from_mean.
    """
    from molvae.data.tables import tables
    from molvae.data.tables.cells import plain

    target = None if output == "-" else Path(output)
    check_table(Path(output), format=output_format, force=force, inputs=(file,))
    bad = Rejects(
        rejects,
        strict=strict,
        force=force,
        inputs=(file, target),
        stdout_taken=target is None or as_json,
    )
    generator = generators.load(model, device)
    request = generator.request(targets)
    generators.warn_of_targets(request, quiet=quiet)
    # Any column will do for the one that must be there: a code needs no SMILES beside it.
    table = tables.open_table(file, smiles_column="z1", format=input_format)
    seed = secrets.randbelow(2**32) if temperature and seed is None else seed
    run = _Decoding(
        generator,
        _Layout.of(table, generator, alone=alone),
        request,
        temperature,
        seed or 0,
        f"{generators.title(model)}-{generator.name}",
    )
    rows: list[dict[str, Any]] = []
    with stop_signals() as stopped, progress("Decoding", unit="rows", quiet=quiet) as report:
        cells = run.cells(table, bad, stopped, report)
        if as_json and target is None:
            rows = [dict(zip(run.columns, map(plain, row), strict=True)) for row in cells]
        else:
            written = ([rounded(value) for value in row] for row in cells)
            tables.write_table(Path(output), run.columns, written, format=output_format)
    bad.finish(quiet=quiet)
    say(run.line(bad), quiet=quiet)
    if as_json:
        summary = run.summary() | {"rejected": dict(bad.counts)}
        print_json(summary | ({} if target else {"rows": rows}))
    if stopped:
        say("Interrupted; the finished rows are kept.")
        raise SystemExit(128 + stopped[0])
    if not run.decoded:
        raise InputError(f"{file}: no code that the model can decode.")


class _Layout(NamedTuple):
    """Where a table holds what is read.

    Attributes:
        columns: all of its columns.
        codes: the places of z1, z2, ..., in order.
        asked: by place among the model's properties, the place of the column of what is asked.
        model: the place of the column that names the model which made the codes, None without one.
    """

    columns: tuple[str, ...]
    codes: tuple[int, ...]
    asked: dict[int, int]
    model: int | None

    @classmethod
    def of(cls, table: "Table", generator: "MoleculeGenerator", *, alone: bool) -> "_Layout":
        """Find the columns.

        Raises:
            UsageError: for too few of a code's columns, or too many.
            InputError: for two columns of the same name.
        """
        from molvae.data.tables.records import find_column

        lower = {column.lower() for column in table.columns}
        size = generator.checkpoint.model.config.latent_size
        codes = tuple(find_column(table, f"z{place}") for place in range(1, size + 1))
        if f"z{size + 1}" in lower:
            raise UsageError(
                f"{table.name}: has a column z{size + 1}, and codes of this model end with z{size};"
                " name the model that made them."
            )
        asked = {}
        for place, name in enumerate(() if alone else generator.normalizer.names):
            if name in generator.normalizer.quantities and name.lower() in lower:
                asked[place] = find_column(table, name)
        model = find_column(table, "model") if "model" in lower else None
        return cls(table.columns, codes, asked, model)

    def read(self, row: "Row", generator: "MoleculeGenerator") -> "tuple[np.ndarray, np.ndarray]":
        """Read a row: its code, shape (Z,), and what is asked, NaN where nothing is, shape (P,).

        Raises:
            Rejected: for a cell that is no number, or the code of another model.
        """
        import numpy as np

        if row.fault:
            raise Rejected(row.fault, field="")
        maker = "" if self.model is None else row.cells[self.model]
        if maker and not maker.endswith(generator.name):
            raise Rejected("code of another model", f"{maker[:80]!a}", field="model")
        code = np.array([self._number(row, place) for place in self.codes])
        if not np.all(np.abs(code) < np.finfo(np.float32).max):
            missing = self.codes[int(np.argmin(np.abs(code) < np.finfo(np.float32).max))]
            field = self.columns[missing]
            raise Rejected("no number", "a code has one in each column", field=field)
        point = np.full(len(generator.normalizer.names), np.nan)
        for asked, place in self.asked.items():
            point[asked] = self._number(row, place)
        return code, point

    def _number(self, row: "Row", place: int) -> float:
        from molvae.data.tables.cells import number

        return number(row.cells[place], field=self.columns[place])


@dataclass
class _Decoding:
    """What is written, and its counts.

    Attributes:
        generator: the model.
        layout: of the table of codes.
        request: what is asked of all.
        temperature: 0 for the likeliest molecules.
        seed: of the randomness, if there is any.
        title: name and short hash of the model.
        decoded: codes so far.
        counts: of molecules, by SMILES.
        consistent: those of which SELFIES had nothing to repair.
    """

    generator: "MoleculeGenerator"
    layout: _Layout
    request: "Request"
    temperature: float
    seed: int
    title: str
    decoded: int = 0
    consistent: int = 0
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns of the table to be."""
        generator = self.generator
        labels = (f"predicted_{name}" for name in generator.labels)
        random = ("temperature", "seed") if self.temperature else ()
        asked = (f"target_{name}" for name in self.request.ranges)
        known = (*generator.measured, *labels, "consistent", "nll")
        return ("ID", "SMILES", *known, *asked, "model", *random)

    def cells(
        self, table: "Table", bad: Rejects, stopped: list[int], report: Report
    ) -> Iterator[list[object]]:
        """Yield the rows of the table to be, until the end or until stopped."""
        numbered = enumerate(table.rows)
        while not stopped and (piece := list(islice(numbered, PIECE))):
            found = []
            for number, row in piece:
                try:
                    found.append((number, row, *self.layout.read(row, self.generator)))
                except Rejected as rejected:
                    bad.add(row._replace(smiles=""), rejected)
            if found:
                yield from self._piece(*zip(*found, strict=True))
            report(self.decoded + sum(bad.counts.values()))

    def _piece(
        self,
        numbers: Sequence[int],
        rows: "Sequence[Row]",
        codes: "Sequence[np.ndarray]",
        points: "Sequence[np.ndarray]",
    ) -> Iterator[list[object]]:
        import numpy as np
        import torch

        from molvae.config import DrawSettings
        from molvae.generation.decode import decode_molecules
        from molvae.targets import format_range

        molecules = decode_molecules(
            self.generator.model,
            torch.from_numpy(np.stack(codes).astype(np.float32)),
            self.request.fill_in(np.stack(points)),
            DrawSettings(temperature=self.temperature, guidance=1.0),
            seed=self.seed,
            slots=numbers,
        )
        more: list[object] = [format_range(wanted) for wanted in self.request.ranges.values()]
        more += [self.title, *((self.temperature, self.seed) if self.temperature else ())]
        for row, molecule in zip(rows, molecules, strict=True):
            self.decoded += 1
            self.consistent += molecule.consistent
            self.counts[molecule.smiles] += 1
            name = row.id or str(row.line)
            yield [name, molecule.smiles, *molecule.cells().values(), *more]

    def summary(self) -> dict[str, Any]:
        """Return the counts."""
        return {
            "decoded": self.decoded,
            "distinct": len(self.counts.keys() - {""}),
            "consistent": self.consistent / self.decoded if self.decoded else None,
            "temperature": self.temperature,
            "seed": self.seed if self.temperature else None,
            "model": self.title,
        }

    def line(self, bad: Rejects) -> str:
        """Return them in words."""
        told = self.summary()
        share = f", {told['consistent']:.1%} consistent" if self.decoded else ""
        seed = f", seed {self.seed}" if self.temperature else ""
        return (
            f"{self.decoded:,} codes decoded by {self.title} to {told['distinct']:,} molecules"
            f"{share}{seed}; {sum(bad.counts.values()):,} rows rejected"
        )
