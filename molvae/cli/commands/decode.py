"""`molvae decode`: latent codes to molecules."""

import secrets
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from molvae.cli import options
from molvae.cli.layout import Layout
from molvae.cli.outputs import TableOutput, table_output
from molvae.cli.requests import check_targets, warn_of_targets
from molvae.cli.tables import TableCommand, TableInput
from molvae.errors import Rejected, UsageError

if TYPE_CHECKING:
    import numpy as np

    from molvae.data.tables.records import Row, Table
    from molvae.generator import MoleculeGenerator
    from molvae.targets import Request

    Code = tuple[int, np.ndarray, np.ndarray]  # number of the row, code (Z,), targets (P,)


@click.command(epilog="Try: molvae decode codes.csv -o molecules.csv")
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("model", default="druglike")
@options.targets
@click.option(
    "--alone", is_flag=True, help="Ignore the properties in the table; use --target only."
)
@options.real(
    "--temperature",
    low=0.0,
    high=10.0,
    default=0.0,
    help="Sampling temperature: 0 for the most likely molecule, 1 for the learned distribution.",
)
@options.input_format
@options.rejects
@options.strict
@options.seed("Seed of the sampling; drawn and reported when not given.")
@options.device
@table_output("--output-format")
def command(
    file: Path,
    model: str,
    targets: options.Ranges,
    alone: bool,
    temperature: float,
    input_format: str,
    rejects: Path | None,
    strict: bool,
    seed: int | None,
    device: str,
    output: TableOutput,
) -> None:
    """Decode each latent code in FILE to a molecule.

    FILE is a table from `molvae encode`: codes in the columns z1, z2, ..., and properties in
    columns of their names. The properties are the targets of the molecule; an empty cell sets no
    target. --target sets the same target for all rows. The output is a table of new molecules: ID
    names the row of FILE, and the column consistent shows where SELFIES had nothing to repair.

    The similarity to the encoded molecule depends on how much information the code holds: see kl,
    in nats, and exact_from_mean in `molvae info MODEL`.
    """
    check_targets(model, targets)
    # Any column will do for the one that must be there: a code needs no SMILES beside it.
    source = TableInput(input_format, "z1", rejects, strict, jobs=None)
    run = TableCommand(file, model, device=device, source=source, output=output)
    request = run.generator.request(targets)
    warn_of_targets(request, quiet=output.quiet)
    seed = secrets.randbelow(2**32) if temperature and seed is None else seed
    columns = _Columns.of(run.table, run.generator, alone=alone)
    work = _Decoding(run, request, temperature, seed or 0)
    holds = f"codes in columns z1 to z{len(columns.codes)}"
    items = columns.codes_of(run.table.rows, run.generator)
    run.run("Decoding", work, items, holds=holds, nothing="no code that the model can decode")


class _Columns(NamedTuple):
    """The columns of codes and targets in a table."""

    names: tuple[str, ...]  # of all its columns
    codes: tuple[int, ...]  # the places of z1, z2, ..., in order
    # By place among the model's properties, the place of the column of its targets.
    asked: dict[int, int]
    # The place of the column that names the model which made the codes, None without one.
    model: int | None

    @classmethod
    def of(cls, table: "Table", generator: "MoleculeGenerator", *, alone: bool) -> "_Columns":
        """Find the columns.

        Raises:
            UsageError: for too few of a code's columns, or too many.
            InputError: for two columns of the same name.
        """
        from molvae.data.tables.columns import last_written
        from molvae.data.tables.records import find_column

        def find(name: str) -> int:
            return find_column(table, last_written(table.columns, name))

        lower = {column.lower() for column in table.columns}
        size = generator.checkpoint.model.config.latent_size
        codes = tuple(find(f"z{place}") for place in range(1, size + 1))
        if f"z{size + 1}{table.columns[codes[0]][2:]}".lower() in lower:  # of the same `encode`
            raise UsageError(
                f"{table.name}: has a column z{size + 1}, and codes of this model end with z{size};"
                " name the model that made them."
            )
        asked = {}
        for place, name in enumerate(() if alone else generator.normalizer.names):
            if name in generator.normalizer.quantities and name.lower() in lower:
                asked[place] = find(name)
        model = find("model") if "model" in lower else None
        return cls(table.columns, codes, asked, model)

    def codes_of(
        self, rows: "Iterator[Row]", generator: "MoleculeGenerator"
    ) -> "Generator[tuple[Row, Code | Rejected], None, None]":
        """Yield each row with its number, code and targets, or the reason why it has no code."""
        for number, row in enumerate(rows):
            try:
                yield row, (number, *self.read(row, generator))
            except Rejected as rejected:
                yield row._replace(smiles=""), rejected

    def read(self, row: "Row", generator: "MoleculeGenerator") -> "tuple[np.ndarray, np.ndarray]":
        """Return the code of a row, shape (Z,), and its targets, NaN for none, shape (P,).

        Raises:
            Rejected: for a cell that is no number, or the code of another model.
        """
        import numpy as np

        row.check()
        maker = "" if self.model is None else row.cells[self.model]
        if maker and not maker.endswith(generator.name):
            raise Rejected("code of another model", f"{maker[:80]!a}", field="model")
        code = np.array([self._number(row, place) for place in self.codes])
        finite = np.abs(code) < np.finfo(np.float32).max
        if not finite.all():
            field = self.names[self.codes[int(np.argmin(finite))]]
            raise Rejected("no number", "a code has one in each column", field=field)
        point = np.full(len(generator.normalizer.names), np.nan)
        for asked, place in self.asked.items():
            point[asked] = self._number(row, place)
        return code, point

    def _number(self, row: "Row", place: int) -> float:
        from molvae.data.tables.cells import number

        return number(row.cells[place], field=self.names[place])


@dataclass
class _Decoding:
    """Decoded molecules, and their counts."""

    run: TableCommand
    request: "Request"  # the targets of all rows
    temperature: float  # 0 for the likeliest molecules
    seed: int  # of the sampling, if there is any
    done: int = 0  # codes so far
    consistent: int = 0  # those with a molecule in which SELFIES had nothing to repair
    found: set[str] = field(default_factory=set)  # the molecules, as SMILES

    @property
    def layout(self) -> Layout:
        """The columns of the table that is written."""
        generator = self.run.generator
        labels = (f"predicted_{name}" for name in generator.labels)
        random = ("temperature", "seed") if self.temperature else ()
        known = (*generator.measured, *labels, "consistent", "nll")
        return Layout(("ID", "SMILES", *known, *self.request.cells(), "model", *random), smiles=1)

    def rows(self, batch: "Sequence[tuple[Row, Code]]") -> Iterator[list[object]]:
        """Yield a row for each code."""
        import numpy as np
        import torch

        from molvae.generation.decode import decode_molecules
        from molvae.presets import DrawSettings

        numbers, codes, points = zip(*(code for _, code in batch), strict=True)
        molecules = decode_molecules(
            self.run.generator.model,
            torch.from_numpy(np.stack(codes).astype(np.float32)),
            self.request.fill_in(np.stack(points)),
            DrawSettings(temperature=self.temperature, guidance=1.0),
            seed=self.seed,
            slots=numbers,
        )
        random = (self.temperature, self.seed) if self.temperature else ()
        more = [*self.request.cells().values(), self.run.title, *random]
        for (row, _), molecule in zip(batch, molecules, strict=True):
            self.done += 1
            self.consistent += molecule.consistent
            self.found.add(molecule.smiles)
            name = row.id or str(row.line)
            yield [name, molecule.smiles, *molecule.cells().values(), *more]

    def summary(self) -> tuple[dict[str, Any], list[str]]:
        """Return the counts."""
        share = self.consistent / self.done if self.done else None
        summary = {
            "decoded": self.done,
            "distinct": len(self.found - {""}),
            "consistent": share,
            "temperature": self.temperature,
            "seed": self.seed if self.temperature else None,
            "model": self.run.title,
            "rejected": dict(self.run.rejects.counts),
        }
        consistent = "" if share is None else f", {share:.1%} consistent"
        seed = f", seed {self.seed}" if self.temperature else ""
        line = (
            f"{self.done:,} codes decoded by {self.run.title} to"
            f" {summary['distinct']:,} molecules{consistent}{seed};"
            f" {len(self.run.rejects.rows):,} rows rejected"
        )
        return summary, [line]
