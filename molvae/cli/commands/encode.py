"""`molvae encode`: latent codes of molecules."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from molvae.cli.layout import Layout
from molvae.cli.tables import TableCommand, table_command

if TYPE_CHECKING:
    from molvae.data.molecules import PreparedMolecule
    from molvae.data.tables.records import Row


@click.command(epilog="Try: molvae encode compounds.csv -o codes.csv")
@click.option(
    "--deviations",
    is_flag=True,
    help="Add the standard deviations of the posterior, in the columns sd1, sd2, ...",
)
@table_command(no_smi="a .smi file has no room for codes; write .csv, .parquet or .jsonl.")
def command(run: TableCommand, deviations: bool) -> None:
    """Compute the latent codes of the molecules in FILE.

    The output has all columns of FILE, the standardized molecule (standardized_SMILES), its
    properties, and its posterior mean in the columns z1, z2, ... `molvae decode` turns the codes
    and the properties back into molecules, the same as `molvae reconstruct` finds.

    Codes are valid only for the model that made them; the column model names it. `molvae info
    MODEL` shows how much information they hold: kl, in nats.
    """
    size = run.generator.checkpoint.model.config.latent_size
    codes = [
        f"{prefix}{place}"
        for prefix in (("z", "sd") if deviations else ("z",))
        for place in range(1, size + 1)
    ]
    columns = ("standardized_SMILES", *run.generator.measured, *codes, "model")
    work = _Encoding(run, deviations, run.layout(columns, ids=True))
    run.run("Encoding", work, run.molecules(known_only=True))


@dataclass
class _Encoding:
    """The latent codes of molecules, and their counts."""

    run: TableCommand
    deviations: bool  # whether the posteriors' standard deviations are wanted too
    layout: Layout  # of the table that is written
    done: int = 0  # molecules so far
    nats: float = 0.0  # the sum of their KL to N(0, I)

    def rows(self, batch: Sequence[tuple["Row", "PreparedMolecule"]]) -> Iterator[list[object]]:
        """Yield a row for each molecule."""
        model = self.run.generator.model
        posterior = model.encode([molecule.symbols for _, molecule in batch])
        self.done += len(batch)
        self.nats += float(posterior.kl().sum())
        # As numpy's float32, whose text brings the same bits back.
        codes = posterior.mean.cpu().numpy()
        widths = posterior.log_var.mul(0.5).exp().cpu().numpy()
        for number, (row, molecule) in enumerate(batch):
            more = widths[number] if self.deviations else ()
            properties = (molecule.smiles, *molecule.values)
            new = (*properties, *codes[number], *more, self.run.title)
            yield self.layout.row(row, molecule, new)

    def summary(self) -> tuple[dict[str, Any], list[str]]:
        """Return the counts."""
        kl = self.nats / self.done if self.done else None
        nats = "" if kl is None else f", KL {kl:.2f} nats"
        line = (
            f"{self.done:,} molecules encoded by {self.run.title}{nats};"
            f" {len(self.run.rejects.rows):,} rows rejected"
        )
        return {**self.run.counts(), "encoded": self.done, "kl": kl}, [line]
