"""`molvae reconstruct`: molecules encoded and decoded again."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from molvae.cli.layout import Layout
from molvae.cli.tables import TableCommand, table_command

if TYPE_CHECKING:
    from molvae.data.molecules import PreparedMolecule
    from molvae.data.tables.records import Row

COLUMNS = (*("standardized_SMILES", "reconstruction", "exact", "tanimoto", "consistent", "model"),)


@click.command(epilog="Try: molvae reconstruct compounds.csv -o back.csv")
@click.option("--alone", is_flag=True, help="Decode without the properties of the molecules.")
@table_command()
def command(run: TableCommand, alone: bool) -> None:
    """Encode the molecules in FILE, decode their latent codes, and compare.

    Each molecule is encoded to its posterior mean and decoded, with its own properties, to the most
    likely molecule. The column exact shows whether both are the same, tanimoto their similarity
    (Morgan fingerprints of radius 2), and consistent whether SELFIES had nothing to repair. The
    output has all columns of FILE, and the standardized molecule (standardized_SMILES) beside its
    reconstruction.

    The result depends on how much information the latent code holds: see kl, in nats, and
    exact_from_mean in `molvae info MODEL`. With little information, most reconstructions are only
    similar to the molecule.
    """
    work = _Reconstruction(run, alone, run.layout(COLUMNS, ids=True))
    run.run("Reconstructing", work, run.molecules(known_only=True))


@dataclass
class _Reconstruction:
    """Molecules decoded from their own codes, and their counts."""

    run: TableCommand
    alone: bool  # the decoder does not get the properties
    layout: Layout  # of the table that is written
    done: int = 0  # molecules so far
    exact: int = 0  # those that came back
    similarity: float = 0.0  # the sum of the similarities of molecules and reconstructions
    consistent: int = 0  # those of which SELFIES had nothing to repair

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
            new = (*each, self.run.title)
            yield self.layout.row(row, molecule, new)

    def summary(self) -> tuple[dict[str, Any], list[str]]:
        """Return the counts and shares."""
        sums = {"exact": self.exact, "tanimoto": self.similarity, "consistent": self.consistent}
        shares = {name: total / self.done if self.done else None for name, total in sums.items()}
        counts = {**self.run.counts(), "molecules": self.done, "alone": self.alone}
        known = "" if self.alone else " and their properties"
        lines = [
            f"{self.done:,} molecules reconstructed by {self.run.title} from their codes{known};"
            f" {len(self.run.rejects.rows):,} rows rejected"
        ]
        if self.done:
            lines.append(
                f"exact {shares['exact']:.1%}, mean Tanimoto {shares['tanimoto']:.3f},"
                f" consistent {shares['consistent']:.1%}"
            )
        return counts | shares, lines
