"""`molvae encode`: a table of molecules to a table of their latent codes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from molvae.cli import generators
from molvae.cli.annotation import Annotation, annotating, own_columns
from molvae.errors import UsageError

if TYPE_CHECKING:
    from molvae.data.molecules import PreparedMolecule
    from molvae.data.tables.records import Row, Table
    from molvae.generator import MoleculeGenerator


@click.command(epilog="Try: molvae encode compounds.csv -o codes.csv")
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("model", default="druglike")
@click.option(
    "--deviations",
    is_flag=True,
    help="Add the posterior's standard deviations, in the columns sd1, sd2, ...",
)
@annotating
def command(file: Path, model: str, deviations: bool, **options: Any) -> None:
    """Write the latent codes of the molecules in FILE.

    Each row holds a molecule as the model reads it, its measured properties, and its posterior mean
    in the columns z1, z2, ..., and behind these the other columns of FILE. The code and the
    properties together are what the model knows of a molecule: `molvae decode` reads both and
    writes what `molvae reconstruct` would.

    Codes belong to the model that made them, which the column model names; `molvae info MODEL`
    tells as kl, in nats, how much they hold.
    """
    from molvae.data.tables.tables import output_format

    if output_format(Path(options["output"]), format=options["output_format"]) == "smi":
        raise UsageError("a .smi file has no room for codes; write .csv, .parquet or .jsonl.")

    def reading_of(generator: "MoleculeGenerator", table: "Table", spelled: int | None) -> _Reading:
        title = f"{generators.title(model)}-{generator.name}"
        reading = _Reading(generator, title, deviations=deviations)
        given = own_columns(table, reading.columns)
        return replace(reading, given=given, own=tuple(table.columns[place] for place in given))

    Annotation(file, model, **options).run("Encoding", reading_of, known_only=True)


@dataclass
class _Reading:
    """What is encoded, and its counts.

    Attributes:
        generator: the model.
        title: its name and short hash.
        deviations: whether standard deviations are asked for.
        given: the places of the table's columns that stand behind the others.
        own: their names.
        read: molecules so far.
        nats: the sum of their KL to N(0, I).
    """

    generator: "MoleculeGenerator"
    title: str
    deviations: bool
    given: tuple[int, ...] = ()
    own: tuple[str, ...] = ()
    read: int = 0
    nats: float = 0.0

    smiles = 1
    unread = 0  # rejected instead

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns of the table to be."""
        size = self.generator.checkpoint.model.config.latent_size
        prefixes = ("z", "sd") if self.deviations else ("z",)
        codes = [f"{prefix}{place}" for prefix in prefixes for place in range(1, size + 1)]
        return ("ID", "SMILES", *self.generator.measured, *codes, "model", *self.own)

    def rows(self, molecules: Sequence[tuple["Row", "PreparedMolecule"]]) -> Iterator[list[object]]:
        """Yield a row of the table to be for each molecule."""
        if not molecules:
            return
        posterior = self.generator.model.encode([seen.symbols for _, seen in molecules])
        self.read += len(molecules)
        self.nats += float(posterior.kl().sum())
        # As numpy's float32, whose text brings the same bits back.
        codes = posterior.mean.cpu().numpy()
        widths = posterior.log_var.mul(0.5).exp().cpu().numpy()
        for number, (row, seen) in enumerate(molecules):
            more = widths[number] if self.deviations else ()
            told = (row.id or str(row.line), seen.smiles, *seen.values)
            own = (row.cells[place] for place in self.given)
            yield [*told, *codes[number], *more, self.title, *own]

    def summary(self) -> dict[str, Any]:
        """Return the counts."""
        return {"encoded": self.read, "kl": self.nats / self.read if self.read else None}

    def lines(self, summary: Mapping[str, Any]) -> Iterator[str]:
        """Return it in words."""
        rejected = sum(summary["rejected"].values())
        kl = f", KL {summary['kl']:.2f} nats" if self.read else ""
        yield (
            f"{self.read:,} molecules encoded by {summary['model']}{kl}; {rejected:,} rows rejected"
        )
