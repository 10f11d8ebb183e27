"""`molvae optimize`: molecules that are better by any score."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from molvae.arguments import MAX_MOLECULES
from molvae.cli import cores, fields, generators, options
from molvae.cli.commands.generate import read_known
from molvae.cli.goals import (
    BUDGET,
    DRAWING,
    GoalWords,
    Laboratory,
    goal_options,
    laboratory_options,
    read_plan,
)
from molvae.cli.outputs import TableOutput, table_output
from molvae.cli.progress import progress
from molvae.cli.rejects import Rejects
from molvae.cli.stopping import stop_signals
from molvae.cli.terminal import describe_table, say
from molvae.config import GenerateConfig, OptimizeConfig
from molvae.errors import InputError, Rejected, ShortfallError, UsageError

if TYPE_CHECKING:
    from molvae.data.tables.records import Row
    from molvae.optimize.archive import Scored
    from molvae.optimize.loop import Run

TOP = 10  # best molecules whose mean is reported


@click.command(epilog="Try: molvae optimize --maximize QED -t LogP=2..3 --budget 300 -o best.csv")
@click.argument("model", default="druglike")
@goal_options
@click.option("--like", metavar="SMILES", help="A molecule that all must be similar to.")
@cores.keep
@click.option(
    "--budget",
    type=click.IntRange(1, MAX_MOLECULES),
    help=f"Molecules to score in all (default {BUDGET:,}).",
)
@laboratory_options
@options.exclude
@fields.config_options(OptimizeConfig)
@fields.config_options(GenerateConfig, only=DRAWING)
@options.seed("Random seed; chosen and kept in the state when not given.")
@options.jobs
@options.device
@table_output(inside="molecules")
def command(
    model: str,
    words: GoalWords,
    laboratory: Laboratory,
    keep: str | None,
    exclude: Path | None,
    jobs: int | None,
    device: str,
    output: TableOutput,
    **settings: Any,
) -> None:
    """Find molecules that are better by any score, with few calls of it.

    The score is a property, a prediction of MODEL, a program of yours, or several of these: then
    it is their geometric mean, from 0 to 1. MODEL proposes molecules, and a Gaussian process
    chooses which of them are scored next. The table has all that were scored, the best first.

    A laboratory takes its own time, command by command:
    molvae optimize --ask 24 --state run -o make.csv, then
    molvae optimize --tell assay.csv --score-column pIC50 --state run, then --ask again.
    """
    from molvae.optimize.loop import Run
    from molvae.train.folder import lock_run

    output.check()
    folder = _folder(laboratory, output)
    generator = generators.load(model, device)
    kept, settings = cores.read_kept(generator, keep, settings, quiet=output.quiet)
    plan = read_plan(generator, words, laboratory, settings | {"keep": kept})
    if laboratory.ask or not laboratory.used:
        generators.tell_of_rings(generator, plan.wishes.drawing.rings, quiet=output.quiet)
    known = read_known(generator, exclude, jobs=jobs, quiet=output.quiet)
    with ExitStack() as stack:
        if folder is not None:
            stack.enter_context(lock_run(folder, doing="optimizing"))
        run = Run(
            generator,
            plan.goals,
            wishes=plan.wishes._replace(excluded=known),
            config=plan.config,
            seed=plan.seed,
            folder=folder,
            executor=stack.enter_context(generators.chemists(plan.budget, jobs)),
        )
        _tell_tables(run, laboratory, quiet=output.quiet)
        stopped = stack.enter_context(stop_signals())
        if not laboratory.used:
            _spend(run, plan.budget, stopped, quiet=output.quiet)
        asked = run.ask(laboratory.ask) if laboratory.ask else []
    rows = _asked_rows(run, asked) if laboratory.ask else [_row(run, e) for e in run.molecules]
    only_told = laboratory.used and not laboratory.ask and output.path is None
    written = [] if only_told and not output.as_json else output.write_records(rows)
    summary, lines = _summary(run)
    output.finish(summary, lines, rows={"molecules": written}, stopped=stopped)
    wanted, found = laboratory.ask or plan.budget, len(asked) or run.archive.spent
    if found < wanted and (laboratory.ask or not laboratory.used):
        raise ShortfallError(
            f"{found} of {wanted} molecules: the model proposes no others that are new and"
            " allowed. A lower --min-similarity or fewer filters allow more."
        )


def _folder(laboratory: Laboratory, output: TableOutput) -> Path | None:
    """Return the folder of the state: as named, or beside the output."""
    if laboratory.used and laboratory.state is None:
        raise UsageError("--ask and --tell need --state FOLDER, which keeps the run.")
    if laboratory.state is not None or output.path is None:
        return laboratory.state
    return output.path.with_suffix(".run")


def _spend(run: "Run", budget: int, stopped: Sequence[int], *, quiet: bool) -> None:
    """Score molecules, and show the progress."""
    spent = run.archive.spent
    with progress("Optimizing", total=budget, begun=spent, unit="calls", quiet=quiet) as report:
        run.spend(
            budget,
            report=lambda run: report(run.archive.spent, _progress_note(run)),
            should_stop=lambda: bool(stopped),
        )


def _progress_note(run: "Run") -> str:
    best = run.best_scores(TOP)
    return f"best {best[0]:.4g}, ten best {best.mean():.4g}" if len(best) else "no score yet"


def _tell_tables(run: "Run", laboratory: Laboratory, *, quiet: bool) -> None:
    """Read the tables of scores: that of the start once, when the run begins."""
    if laboratory.start is not None and not run.archive.calls:
        _tell_table(run, laboratory.start, laboratory.score_column, operator="start", quiet=quiet)
    if laboratory.tell is not None:
        _tell_table(run, laboratory.tell, laboratory.score_column, operator="told", quiet=quiet)


def _tell_table(
    run: "Run", path: Path, score_column: str | None, *, operator: str, quiet: bool
) -> None:
    """Add the scores of a table to the run; its bad rows are shown, and cost only themselves.

    Raises:
        InputError: for a table without the scores, or without a molecule that has one.
    """
    from molvae.data.tables.records import find_column
    from molvae.data.tables.tables import open_table

    table, names = open_table(path), run.goals.names
    columns = [score_column] if score_column and len(names) == 1 else names
    places = [find_column(table, column) for column in columns]
    rejects, smiles, values = Rejects(None, strict=False), [], []
    rows = missing = 0
    for row in table.rows:
        rows += 1
        try:
            found = _values(run, row, columns, places)
        except Rejected as rejected:
            rejects.add(row, rejected)
            continue
        missing += found is None
        if found is not None:
            smiles.append(found[0])
            values.append(found[1])
    say(describe_table(table.name, rows, table.smiles_column), quiet=quiet)
    rejects.finish(quiet=quiet)
    if not smiles:
        raise InputError(f"{path}: no molecule with a value of {', '.join(columns)}.")
    told = run.tell(smiles, values, operator=operator)
    for count, what in (
        (told.unasked if operator == "told" else 0, "were never asked for, and count as well"),
        (told.changed, "were told before with other values; the later ones count"),
        (missing, "have no score yet, and stay open"),
    ):
        if count:
            say(f"{path}: {count:,} molecules {what}.", quiet=quiet)
    say(f"{path}: {told.molecules:,} molecules with scores.", quiet=quiet)


def _values(
    run: "Run", row: "Row", columns: Sequence[str], places: Sequence[int]
) -> tuple[str, list[float]] | None:
    """Return the molecule of a row and its values, None where a value is missing.

    Raises:
        Rejected: for what is no molecule, or no number.
    """
    from molvae.data.molecules import validate_row
    from molvae.data.tables.cells import number

    smiles = validate_row(row, run.generator.standardization).smiles
    cells = zip(columns, places, strict=True)
    values = [number(row.cells[place], field=column) for column, place in cells]
    return None if any(value != value for value in values) else (smiles, values)


def _asked_rows(run: "Run", asked: Sequence[str]) -> list[dict[str, Any]]:
    """Return molecules to be scored as rows of a table."""
    numbers = run.archive.asked
    return [
        {
            "ID": f"{numbers[smiles][1]}-{place}",
            "SMILES": smiles,
            **_origin(run, smiles),
            **dict.fromkeys(run.goals.names, ""),
        }
        for place, smiles in enumerate(asked, 1)
    ]


def _row(run: "Run", scored: "Scored") -> dict[str, Any]:
    """Return a molecule that was scored as a row of a table."""
    call = scored.call
    more = {"pareto": scored.on_front} if len(run.goals.goals) > 1 else {}
    return {
        "ID": call.number,
        "SMILES": scored.smiles,
        "score": scored.score,
        **dict(zip(run.goals.names, call.values, strict=True)),
        **more,
        **_origin(run, scored.smiles),
        "model": run.generator.name,
        "seed": run.archive.seed,
    }


def _origin(run: "Run", smiles: str) -> dict[str, Any]:
    """Return where a molecule comes from, and its similarity to the one of --like."""
    known = run.archive.asked.get(smiles)
    proposal = known[0] if known else run.archive.calls[smiles].proposal
    similarity = run.similarity(smiles)
    near = {} if similarity is None else {"similarity": similarity}
    return {**near, "operator": proposal.operator, "parents": " ".join(proposal.parents)}


def _summary(run: "Run") -> tuple[dict[str, Any], Iterator[str]]:
    """Return the summary for `--json`, and the same in words."""
    best, calls = run.best_scores(TOP), run.archive.calls.values()
    scored = zip(run.scores.tolist(), calls, strict=True)
    unscored = sum(call.batch > 0 and score != score for score, call in scored)
    summary = {
        "calls": run.archive.spent,
        "not_scored": unscored,
        "told": len(calls) - run.archive.spent,
        "open": len(run.archive.pending),
        "best": float(best[0]) if len(best) else None,
        "mean_of_ten_best": float(best.mean()) if len(best) else None,
        "seed": run.archive.seed,
        "model": run.generator.name,
        "state": None if run.archive.folder is None else str(run.archive.folder),
    }

    def lines() -> Iterator[str]:
        yield (
            f"{summary['calls']:,} calls, {_progress_note(run)}; seed {summary['seed']}, model"
            f" {summary['model']}"
        )
        for count, what in (
            (unscored, "calls without a score: the table has them last"),
            (summary["told"], "molecules told besides"),
            (summary["open"], "molecules asked for have no score yet"),
        ):
            if count:
                yield f"{count:,} {what}"
        if run.archive.folder is not None:
            yield f"{run.archive.folder} keeps every call: the same command goes on there"

    return summary, lines()
