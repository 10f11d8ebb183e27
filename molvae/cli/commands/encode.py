"""`molvae encode`: latent codes of molecules."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from molvae.cli import options
from molvae.cli.outputs import TableOutput, table_output
from molvae.cli.tables import Kept, TableCommand, TableInput, table_input
from molvae.errors import UsageError

if TYPE_CHECKING:
    from molvae.data.molecules import PreparedMolecule
    from molvae.data.tables.records import Row


@click.command(epilog="Try: molvae encode compounds.csv -o codes.csv")
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("model", default="druglike")
@click.option(
    "--deviations",
    is_flag=True,
    help="Add the standard deviations of the posterior, in the columns sd1, sd2, ...",
)
@table_input
@options.device
@table_output("--output-format")
def command(
    file: Path, model: str, deviations: bool, device: str, source: TableInput, output: TableOutput
) -> None:
    """Compute the latent codes of the molecules in FILE.

    Each row has the standardized molecule, its properties, its posterior mean in the columns z1,
    z2, ..., and the other columns of FILE. `molvae decode` turns the codes and the properties back
    into molecules, the same as `molvae reconstruct` finds.

    Codes are valid only for the model that made them; the column model names it. `molvae info
    MODEL` shows how much information they hold: kl, in nats.
    """
    if output.kind == "smi":
        raise UsageError("a .smi file has no room for codes; write .csv, .parquet or .jsonl.")
    run = TableCommand(file, model, device=device, source=source, output=output)
    size = run.generator.checkpoint.model.config.latent_size
    codes = [
        f"{prefix}{place}"
        for prefix in (("z", "sd") if deviations else ("z",))
        for place in range(1, size + 1)
    ]
    columns = ("ID", "SMILES", *run.generator.measured, *codes, "model")
    kept = run.keep(columns, molecules=False)
    encoding = _Encoding(run, deviations, kept, (*columns, *kept.names))
    run.run("Encoding", encoding, run.molecules(known_only=True))


@dataclass
class _Encoding:
    """The latent codes of molecules, and their counts.

    Attributes:
        run: the command at work.
        deviations: whether the posteriors' standard deviations are wanted too.
        kept: the table's other columns, which stand behind the codes.
        columns: of the table that is written.
        done: molecules so far.
        nats: the sum of their KL to N(0, I).
    """

    run: TableCommand
    deviations: bool
    kept: Kept
    columns: tuple[str, ...]
    done: int = 0
    nats: float = 0.0

    smiles = 1

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
            first = (row.id or str(row.line), molecule.smiles, *molecule.values)
            kept = self.kept.cells(row, molecule)
            yield [*first, *codes[number], *more, self.run.title, *kept]

    def summary(self) -> dict[str, Any]:
        """Return the counts."""
        kl = self.nats / self.done if self.done else None
        return {**self.run.counts(), "encoded": self.done, "kl": kl}

    def lines(self) -> Iterator[str]:
        """Yield the counts in words."""
        kl = f", KL {self.nats / self.done:.2f} nats" if self.done else ""
        rejected = f"{self.run.rejects.count:,} rows rejected"
        yield f"{self.done:,} molecules encoded by {self.run.title}{kl}; {rejected}"
