"""`molvae reconstruct`: molecules through a model and back."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from molvae.cli import generators
from molvae.cli.annotation import Annotation, annotating, own_columns

if TYPE_CHECKING:
    from molvae.data.molecules import PreparedMolecule
    from molvae.data.tables.records import Row, Table
    from molvae.generator import MoleculeGenerator

COLUMNS = ("ID", "SMILES", "reconstruction", "exact", "tanimoto", "consistent", "model")


@click.command(epilog="Try: molvae reconstruct compounds.csv -o back.csv")
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("model", default="druglike")
@click.option(
    "--alone", is_flag=True, help="Withhold the molecules' own properties from the decoder."
)
@annotating
def command(file: Path, model: str, alone: bool, **options: Any) -> None:
    """Write the molecules in FILE again from their latent codes.

    Each is encoded to its posterior mean, and the likeliest molecule of that code and of the
    molecule's own measured properties is written: exact tells whether it is the same one, tanimoto
    how similar (Morgan fingerprints of radius 2), consistent whether SELFIES had nothing to repair.
    The other columns of FILE stand behind these.

    How much comes back depends on how much the model's code holds: `molvae info MODEL` tells it as
    kl, in nats, and exact_from_mean. Where that is little, most come back as a relative.
    """

    def reading_of(generator: "MoleculeGenerator", table: "Table", spelled: int | None) -> _Reading:
        title = f"{generators.title(model)}-{generator.name}"
        given = own_columns(table, COLUMNS)
        own = tuple(table.columns[place] for place in given)
        return _Reading(generator, alone, title, given, own)

    Annotation(file, model, **options).run("Reconstructing", reading_of, known_only=True)


@dataclass
class _Reading:
    """What came back, and its counts.

    Attributes:
        generator: the model.
        alone: the decoder is not told the properties.
        title: name and short hash of the model.
        given: the places of the table's columns that stand behind the others.
        own: their names.
        read: molecules so far.
        exact: those that came back.
        similarity: the sum of their similarities to what came back.
        consistent: those of which SELFIES had nothing to repair.
    """

    generator: "MoleculeGenerator"
    alone: bool
    title: str
    given: tuple[int, ...]
    own: tuple[str, ...]
    read: int = 0
    exact: int = 0
    similarity: float = 0.0
    consistent: int = 0

    smiles = 1
    unread = 0  # rejected instead

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns of the table to be."""
        return (*COLUMNS, *self.own)

    def rows(self, molecules: Sequence[tuple["Row", "PreparedMolecule"]]) -> Iterator[list[object]]:
        """Yield a row of the table to be for each molecule."""
        from molvae.generation.decode import reconstruct

        found = [seen for _, seen in molecules]
        back = reconstruct(self.generator.model, found, alone=self.alone)
        for (row, _), each in zip(molecules, back, strict=True):
            self.read += 1
            self.exact += each.exact
            self.similarity += each.tanimoto
            self.consistent += each.consistent
            own = (row.cells[place] for place in self.given)
            yield [row.id or str(row.line), *each, self.title, *own]

    def summary(self) -> dict[str, Any]:
        """Return the counts and shares."""
        count = self.read or None
        return {
            "molecules": self.read,
            "alone": self.alone,
            "exact": count and self.exact / count,
            "tanimoto": count and self.similarity / count,
            "consistent": count and self.consistent / count,
        }

    def lines(self, summary: Mapping[str, Any]) -> Iterator[str]:
        """Return it in words."""
        rejected = sum(summary["rejected"].values())
        told = "" if self.alone else " and their properties"
        yield (
            f"{self.read:,} molecules through {summary['model']} and back, from their codes{told};"
            f" {rejected:,} rows rejected"
        )
        if self.read:
            yield (
                f"exact {summary['exact']:.1%}, mean Tanimoto {summary['tanimoto']:.3f},"
                f" consistent {summary['consistent']:.1%}"
            )
