"""`molvae score`: how likely a model holds molecules to be, and which are of no kind it knows."""

import os
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from molvae.cli import generators, options
from molvae.cli.outputs import check_table, rounded
from molvae.cli.progress import Report, progress
from molvae.cli.rejects import Rejects, rejects_option, strict_option
from molvae.cli.stopping import stop_signals
from molvae.cli.terminal import describe_table, print_json, say
from molvae.errors import InputError, Rejected

if TYPE_CHECKING:
    from molvae.data.molecules import Seen
    from molvae.data.records import Row, Table
    from molvae.generator import MoleculeGenerator
    from molvae.scores import Score

PIECE = 256  # rows that are looked at before they are scored together
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
    help="Latent codes drawn for each molecule: more make the ELBO tighter, not the percentile.",
)
@options.output(
    "Table to write: .csv, .tsv, .smi, .sdf, .parquet, .json, .jsonl; - is stdout.", default="-"
)
@options.input_format()
@options.output_format("--output-format")
@options.smiles_column
@rejects_option
@strict_option
@options.jobs
@options.device
@options.force
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Write the summary to stdout as JSON; without -o, the rows in it.",
)
@options.quiet
def command(
    file: Path,
    model: str,
    codes: int,
    output: str,
    input_format: str,
    output_format: str,
    smiles_column: str | None,
    rejects: Path | None,
    strict: bool,
    jobs: int | None,
    device: str,
    force: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Tell how likely a model holds the molecules in FILE, and which are not of the kind it knows.

    Each row is written again with its scores, in nats, behind its own columns: elbo bounds
    log p(molecule given its own properties) from below, nll_per_symbol is its negative for each
    SELFIES symbol, reconstruction and kl are its two parts. percentile says how many percent of the
    molecules that were held out of training are less odd. Those beyond 99 %, and those with
    symbols, a length or properties that the training set lacked, are marked in the column ood;
    ood_reason says why.
    """
    from molvae.data import tables

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
    table = tables.open_table(file, smiles_column=smiles_column or "", format=input_format)
    given = tuple(column for column in table.columns if column not in COLUMNS)
    for column in sorted(set(table.columns) - set(given)):
        say(f"{table.name}: its column '{column}' is written anew.", quiet=quiet)
    blocks = tables.output_format(Path(output), format=output_format) == "sdf"
    run = _Run(
        generator,
        codes,
        given,
        "" if blocks else table.smiles_column,
        bad,
        jobs or os.cpu_count() or 1,
    )
    rows: list[dict[str, Any]] = []
    with stop_signals() as stopped, progress("Scoring", unit="rows", quiet=quiet) as report:
        cells = run.rows(table, stopped, report)
        if as_json and target is None:
            rows = [dict(zip(run.columns, row, strict=True)) for row in cells]
        else:
            written = ([rounded(value) for value in row] for row in cells)
            tables.write_table(Path(output), run.columns, written, format=output_format)
    bad.finish(quiet=quiet)
    say(describe_table(table.name, run.seen, table.smiles_column), quiet=quiet)
    summary = run.summary(f"{generators.title(model)}-{generator.name}")
    for line in _lines(summary):
        say(line, quiet=quiet)
    if as_json:
        print_json(summary | ({} if target else {"rows": rows}))
    if stopped:
        say("Interrupted; the finished rows are kept.")
        raise SystemExit(128 + stopped[0])
    if not run.scored:
        raise InputError(f"{file}: no molecule that the model can read.")


@dataclass
class _Run:
    """The work and its counts.

    Attributes:
        generator: the model.
        codes: drawn for each molecule.
        given: the columns of the table that are kept.
        spelled: where a mol block becomes SMILES, since only an SD file has room for it; "" where
            it stays.
        bad: where bad rows go.
        jobs: worker processes.
        seen: rows read so far.
        scored: rows with scores so far.
        unread: rows with symbols that the model does not know.
        ood: rows of a kind that the model does not know, those included.
        sums: of each of `NATS`, over the rows with scores.
    """

    generator: "MoleculeGenerator"
    codes: int
    given: tuple[str, ...]
    spelled: str
    bad: Rejects
    jobs: int
    seen: int = 0
    scored: int = 0
    unread: int = 0
    ood: int = 0
    sums: dict[str, float] = field(default_factory=lambda: dict.fromkeys(NATS, 0.0))

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the table to be."""
        return (*self.given, *COLUMNS)

    def rows(self, table: "Table", stopped: list[int], report: Report) -> Iterator[list[object]]:
        """Yield the rows of the table to be, until the end or until stopped."""
        from molvae.data.molecules import look_at_rows
        from molvae.scores import score_all

        generator = self.generator
        seen = look_at_rows(
            table.rows, generator.standardization, generator.measured, jobs=self.jobs
        )
        with closing(seen):
            while not stopped and (piece := list(islice(seen, PIECE))):
                good = [(row, found) for row, found in piece if not isinstance(found, Rejected)]
                for row, found in piece:
                    if isinstance(found, Rejected):
                        self.bad.add(row, found)
                molecules = [found for _, found in good]
                scores = score_all(generator.checkpoint, molecules, codes=self.codes)
                for (row, found), score in zip(good, scores, strict=True):
                    self._count(score)
                    yield self._row(row, found, score)
                self.seen += len(piece)
                report(self.seen)

    def _count(self, score: "Score") -> None:
        self.ood += bool(score.ood)
        if score.elbo is None:
            self.unread += 1
            return
        self.scored += 1
        for name in NATS:
            self.sums[name] += getattr(score, name)

    def _row(self, row: "Row", seen: "Seen", score: "Score") -> list[object]:
        from molvae.chem.molblock import is_block

        cells: dict[str, object] = {column: row.cells.get(column, "") for column in self.given}
        if self.spelled and is_block(row.smiles):
            cells[self.spelled] = seen.smiles
        nats = (getattr(score, name) for name in NATS)
        return [*cells.values(), *nats, score.percentile, bool(score.ood), score.ood]

    def summary(self, model: str) -> dict[str, Any]:
        """Return the counts, the means, and what the rows were compared with."""
        from molvae.scores import typicality_of

        typicality = typicality_of(self.generator.checkpoint)
        held_out = typicality and {"split": typicality.split, "molecules": typicality.molecules}
        return {
            "scored": self.scored,
            "not_scored": self.unread,
            "ood": self.ood,
            "rejected": dict(self.bad.counts),
            "model": model,
            "codes": self.codes,
            "mean": {name: self.sums[name] / self.scored if self.scored else None for name in NATS},
            "held_out": held_out,
        }


def _lines(summary: Mapping[str, Any]) -> Iterator[str]:
    """Yield the summary in words."""
    from molvae.typicality import MIN_MOLECULES

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
