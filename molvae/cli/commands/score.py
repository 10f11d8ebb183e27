"""`molvae score`: likelihoods of molecules, and a flag for out-of-distribution ones."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click

from molvae.cli.layout import Layout
from molvae.cli.summaries import annotated, applicability, ood_rule
from molvae.cli.tables import TableCommand, table_command

if TYPE_CHECKING:
    from molvae.data.molecules import PreparedMolecule
    from molvae.data.tables.records import Row

NATS = ("elbo", "nll_per_symbol", "reconstruction", "kl")


@click.command(epilog="Try: molvae score compounds.csv -o scored.csv")
@click.option(
    "-k",
    "--codes",
    type=click.IntRange(1, 1024),
    default=4,
    show_default=True,
    help="Latent codes sampled for each molecule; more make a tighter bound.",
)
@table_command()
def command(run: TableCommand, codes: int) -> None:
    """Compute likelihoods of the molecules in FILE and flag out-of-distribution ones.

    The output has all columns of FILE and these scores, in nats: elbo is a lower bound of
    log p(molecule given its properties), and exact for a noise-conditional decoder, as in the
    bundled models; nll_per_symbol is its negative per SELFIES symbol; reconstruction is the
    negative log-likelihood given the latent code; kl is the information in the latent code.

    The column percentile is the percentage of held-out molecules that are more typical. The column
    ood flags molecules above 99, and molecules with symbols, a length or properties that the
    training set does not have; ood_reason gives the reason. A model that holds fingerprints of its
    training set, of up to 20,000 molecules, adds the column nearest, the Tanimoto similarity to the
    nearest training molecule, and flags what only 5 % of held-out molecules fall short of.
    """
    nearest = () if run.generator.model.applicability is None else ("nearest",)
    columns = (*NATS, "percentile", *nearest, "ood", "ood_reason")
    work = _Scoring(run, codes, run.layout(columns), nearest)
    run.run("Scoring", work, run.molecules())


@dataclass
class _Scoring:
    """The scores of molecules, and their counts."""

    run: TableCommand
    codes: int  # latent codes drawn for each molecule
    layout: Layout  # of the table that is written
    nearest: tuple[str, ...]  # the column of that name, if there is one
    done: int = 0  # rows with scores so far
    not_scored: int = 0  # rows with symbols that the model does not know
    ood: int = 0  # out-of-distribution rows, those included
    # Of each of `NATS`, over the rows with scores.
    sums: dict[str, float] = field(default_factory=lambda: dict.fromkeys(NATS, 0.0))

    def rows(self, batch: Sequence[tuple["Row", "PreparedMolecule"]]) -> Iterator[list[object]]:
        """Yield each row with its scores behind it."""
        from molvae.generation.score import score

        molecules = [molecule for _, molecule in batch]
        scores = score(self.run.generator.model, molecules, codes=self.codes)
        for (row, molecule), each in zip(batch, scores, strict=True):
            self.ood += bool(each.ood)
            self.not_scored += each.elbo is None
            if each.elbo is not None:
                self.done += 1
                for name in NATS:
                    self.sums[name] += getattr(each, name)
            nats = (getattr(each, name) for name in NATS)
            nearest = (getattr(each, name) for name in self.nearest)
            new = (*nats, each.percentile, *nearest, bool(each.ood), each.ood)
            yield self.layout.row(row, molecule, new)

    def summary(self) -> tuple[dict[str, Any], list[str]]:
        """Return the counts, the means, and the held-out molecules of the percentile."""
        from molvae.generation.score import typicality_of
        from molvae.model.ood import MIN_MOLECULES

        typicality = typicality_of(self.run.generator.model)
        held_out = typicality and {"split": typicality.split, "molecules": typicality.molecules}
        mean = {name: self.sums[name] / self.done if self.done else None for name in NATS}
        summary = {
            **self.run.counts(),
            "scored": self.done,
            "not_scored": self.not_scored,
            "ood": self.ood,
            "codes": self.codes,
            "mean": mean,
            "held_out": held_out,
            "applicability": applicability(self.run.generator),
        }
        lines = [annotated("scored", summary)]
        if self.nearest:
            lines.append(ood_rule(self.run.generator))
        if self.done:
            lines.append(
                f"means: ELBO {mean['elbo']:.2f} nats, NLL {mean['nll_per_symbol']:.3f} per symbol,"
                f" reconstruction {mean['reconstruction']:.2f}, KL {mean['kl']:.2f}"
            )
        if typicality is None:
            lines.append(
                "Note: this model holds no scores of held-out molecules: there is no percentile,"
                " and only molecules unlike the whole training set are flagged."
            )
        elif typicality.molecules < MIN_MOLECULES:
            lines.append(
                f"Note: the model holds scores of {typicality.molecules} held-out molecules, fewer"
                f" than {MIN_MOLECULES}: no molecule is flagged for its percentile."
            )
        return summary, lines
