"""`molvae score`: how likely a model holds molecules to be, and which are of no kind it knows."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from molvae.cli.annotation import Annotation, annotating, own_cells

if TYPE_CHECKING:
    from molvae.data.molecules import PreparedMolecule
    from molvae.data.tables.records import Row, Table
    from molvae.generation.score import Score
    from molvae.generator import MoleculeGenerator

NATS = ("elbo", "nll_per_symbol", "reconstruction", "kl")
COLUMNS = (*NATS, "percentile", "ood", "ood_reason")


@click.command(epilog="Try: molvae score compounds.csv -o scored.csv")
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("model", default="druglike")
@click.option(
    "-k",
    "--codes",
    type=click.IntRange(1, 1024),
    default=4,
    show_default=True,
    help="Latent codes drawn for each molecule: more make the ELBO tighter, where it is a bound,"
    " not the percentile.",
)
@annotating
def command(file: Path, model: str, codes: int, **options: Any) -> None:
    """Tell how likely a model holds the molecules in FILE, and which are not of the kind it knows.

    Each row is written again with its scores, in nats, behind its own columns: elbo bounds
    log p(molecule given its own properties) from below, and is that itself for a model whose
    decoder was taught noise, as those bundled were; nll_per_symbol is its negative for each SELFIES
    symbol. reconstruction is what the molecule costs given its latent code, and kl what the code
    holds. percentile says how many percent of the molecules that were held out of training are less
    odd. Those beyond 99 %, and those with symbols, a length or properties that the training set
    lacked, are marked in the column ood, and ood_reason says why; `molvae predict` marks the latter
    alone.
    """

    def reading_of(generator: "MoleculeGenerator", table: "Table", spelled: int | None) -> _Reading:
        given = [
            place
            for place, column in enumerate(table.columns)
            if place == table.smiles or column not in COLUMNS
        ]
        columns = (*(table.columns[place] for place in given), *COLUMNS)
        return _Reading(generator, codes, tuple(given), columns, given.index(table.smiles), spelled)

    Annotation(file, model, **options).run("Scoring", reading_of)


@dataclass
class _Reading:
    """What is scored, and its counts.

    Attributes:
        generator: the model.
        codes: drawn for each molecule.
        given: the places of the table's columns that are kept.
        columns: all columns of the table to be.
        smiles: the place of the molecules among them.
        spelled: the place of the column in which a mol block becomes SMILES, since only an SD file
            has room for it; None where it stays.
        read: rows with scores so far.
        unread: rows with symbols that the model does not know.
        ood: rows of a kind that the model does not know, those included.
        sums: of each of `NATS`, over the rows with scores.
    """

    generator: "MoleculeGenerator"
    codes: int
    given: tuple[int, ...]
    columns: tuple[str, ...]
    smiles: int
    spelled: int | None
    read: int = 0
    unread: int = 0
    ood: int = 0
    sums: dict[str, float] = field(default_factory=lambda: dict.fromkeys(NATS, 0.0))

    def rows(self, molecules: Sequence[tuple["Row", "PreparedMolecule"]]) -> Iterator[list[object]]:
        """Yield a row of the table to be for each molecule."""
        from molvae.generation.score import score

        found = [seen for _, seen in molecules]
        scores = score(self.generator.model, found, codes=self.codes)
        for (row, seen), each in zip(molecules, scores, strict=True):
            self._count(each)
            yield self._row(row, seen, each)

    def _count(self, score: "Score") -> None:
        self.ood += bool(score.ood)
        if score.elbo is None:
            self.unread += 1
            return
        self.read += 1
        for name in NATS:
            self.sums[name] += getattr(score, name)

    def _row(self, row: "Row", seen: "PreparedMolecule", score: "Score") -> list[object]:
        cells = own_cells(row, seen, self.given, spelled=self.spelled)
        nats = (getattr(score, name) for name in NATS)
        return [*cells, *nats, score.percentile, bool(score.ood), score.ood]

    def summary(self) -> dict[str, Any]:
        """Return the counts, the means, and what the rows were compared with."""
        from molvae.generation.score import typicality_of

        typicality = typicality_of(self.generator.model)
        held_out = typicality and {"split": typicality.split, "molecules": typicality.molecules}
        return {
            "scored": self.read,
            "not_scored": self.unread,
            "ood": self.ood,
            "codes": self.codes,
            "mean": {name: self.sums[name] / self.read if self.read else None for name in NATS},
            "held_out": held_out,
        }

    def lines(self, summary: Mapping[str, Any]) -> Iterator[str]:
        """Return it in words."""
        return _lines(summary)


def _lines(summary: Mapping[str, Any]) -> Iterator[str]:
    """Yield the summary in words."""
    from molvae.model.ood import MIN_MOLECULES

    rejected = sum(summary["rejected"].values())
    yield (
        f"{summary['scored']:,} molecules scored by {summary['model']},"
        f" {summary['not_scored']:,} with symbols unknown to it, {rejected:,} rows rejected;"
        f" {summary['ood']:,} not of the kind it knows (ood)"
    )
    if summary["scored"]:
        mean = summary["mean"]
        yield (
            f"on average: ELBO {mean['elbo']:.2f} nats, nll {mean['nll_per_symbol']:.3f} a symbol,"
            f" reconstruction {mean['reconstruction']:.2f}, KL {mean['kl']:.2f}"
        )
    held_out = summary["held_out"]
    if held_out is None:
        yield (
            "Note: this model does not say how its held-out molecules score: there is no"
            " percentile, and only what differs from all of its training set is marked."
        )
    elif held_out["molecules"] < MIN_MOLECULES:
        yield (
            f"Note: the model was compared with {held_out['molecules']} held-out molecules, fewer"
            f" than {MIN_MOLECULES}: none is marked for its percentile."
        )
