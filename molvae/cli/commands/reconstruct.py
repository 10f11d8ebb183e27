"""`molvae reconstruct`: molecules encoded and decoded again."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from molvae.cli import options
from molvae.cli.outputs import TableOutput, table_output
from molvae.cli.tables import Kept, TableCommand, TableInput, table_input

if TYPE_CHECKING:
    from molvae.data.molecules import PreparedMolecule
    from molvae.data.tables.records import Row

COLUMNS = ("ID", "SMILES", "reconstruction", "exact", "tanimoto", "consistent", "model")


@click.command(epilog="Try: molvae reconstruct compounds.csv -o back.csv")
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("model", default="druglike")
@click.option("--alone", is_flag=True, help="Decode without the properties of the molecules.")
@table_input
@options.device
@table_output("--output-format")
def command(
    file: Path, model: str, alone: bool, device: str, source: TableInput, output: TableOutput
) -> None:
    """Encode the molecules in FILE, decode their latent codes, and compare.

    Each molecule is encoded to its posterior mean and decoded, with its own properties, to the most
    likely molecule. The column exact shows whether both are the same, tanimoto their similarity
    (Morgan fingerprints of radius 2), and consistent whether SELFIES had nothing to repair. The
    other columns of FILE follow.

    The result depends on how much information the latent code holds: see kl, in nats, and
    exact_from_mean in `molvae info MODEL`. With little information, most reconstructions are only
    similar to the molecule.
    """
    run = TableCommand(file, model, device=device, source=source, output=output)
    work = _Reconstruction(run, alone, run.keep(COLUMNS, molecules=False))
    run.run("Reconstructing", work, run.molecules(known_only=True))


@dataclass
class _Reconstruction:
    """Molecules decoded from their own codes, and their counts.

    Attributes:
        run: the command at work.
        alone: the decoder does not get the properties.
        kept: the table's other columns, which stand behind the reconstructions.
        done: molecules so far.
        exact: those that came back.
        similarity: the sum of the similarities of molecules and reconstructions.
        consistent: those of which SELFIES had nothing to repair.
    """

    run: TableCommand
    alone: bool
    kept: Kept
    done: int = 0
    exact: int = 0
    similarity: float = 0.0
    consistent: int = 0

    smiles = 1

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the table that is written."""
        return (*COLUMNS, *self.kept.names)

    def rows(self, batch: Sequence[tuple["Row", "PreparedMolecule"]]) -> Iterator[list[object]]:
        """Yield a row for each molecule."""
        from molvae.generation.decode import reconstruct

        molecules = [molecule for _, molecule in batch]
        reconstructions = reconstruct(self.run.generator.model, molecules, alone=self.alone)
        for (row, molecule), each in zip(batch, reconstructions, strict=True):
            self.done += 1
            self.exact += each.exact
            self.similarity += each.tanimoto
            self.consistent += each.consistent
            kept = self.kept.cells(row, molecule)
            yield [row.id or str(row.line), *each, self.run.title, *kept]

    def summary(self) -> dict[str, Any]:
        """Return the counts and shares."""
        count = self.done or None
        return {
            **self.run.counts(),
            "molecules": self.done,
            "alone": self.alone,
            "exact": count and self.exact / count,
            "tanimoto": count and self.similarity / count,
            "consistent": count and self.consistent / count,
        }

    def lines(self) -> Iterator[str]:
        """Yield the summary in words."""
        known = "" if self.alone else " and their properties"
        yield (
            f"{self.done:,} molecules reconstructed by {self.run.title} from their codes{known};"
            f" {self.run.rejects.count:,} rows rejected"
        )
        if self.done:
            yield (
                f"exact {self.exact / self.done:.1%}, mean Tanimoto"
                f" {self.similarity / self.done:.3f}, consistent {self.consistent / self.done:.1%}"
            )
