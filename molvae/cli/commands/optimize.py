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
from molvae.cli.measured import tell_tables
from molvae.cli.outputs import TableOutput, table_output
from molvae.cli.overwriting import folder_beside, note_table
from molvae.cli.progress import progress
from molvae.cli.requests import warn_of_targets
from molvae.cli.stopping import stop_signals
from molvae.cli.terminal import say
from molvae.config import GenerateConfig, OptimizeConfig
from molvae.errors import Rejected, ShortfallError, UsageError

if TYPE_CHECKING:
    import numpy as np

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
    if folder is None and words.score is not None:
        say("Warning: without -o or --state a kill loses all scores.", quiet=output.quiet)
    generator = generators.load(model, device)
    kept, settings = cores.read_kept(generator, keep, settings, quiet=output.quiet)
    plan = read_plan(generator, words, laboratory, settings | {"keep": kept})
    if laboratory.ask or not laboratory.used:
        generators.tell_of_rings(generator, plan.wishes.drawing.rings, quiet=output.quiet)
    warn_of_targets(generator.request(plan.wishes.targets), quiet=output.quiet)
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
        tell_tables(run, laboratory, quiet=output.quiet)
        stopped = stack.enter_context(stop_signals())
        if not laboratory.used:
            _spend(run, plan.budget, stopped, quiet=output.quiet)
        asked = run.ask(laboratory.ask) if laboratory.ask else []
    only_told = laboratory.used and not laboratory.ask and output.path is None
    rows: list[dict[str, Any]] = []
    if output.as_json or not only_told:
        title = generators.title_and_hash(model, generator)
        rows = _asked_rows(run, asked) if laboratory.ask else _rows(run, title)
    written = output.write_records(rows) if rows or not only_told else []
    if folder is not None and output.path is not None and not laboratory.ask:
        note_table(folder, output.path)
    summary, lines = _summary(run, going_on=_going_on(run, laboratory, plan.budget))
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
    return folder_beside(output.path)


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
    best = _best(run)
    if len(best) < 2:
        return f"best {best[0]:.4g}" if len(best) else "no score yet"
    return f"best {best[0]:.4g}, mean of the best {len(best)}: {best.mean():.4g}"


def _best(run: "Run") -> "np.ndarray":
    """Return the best scores, the best first: of a single goal its values, also if minimized."""
    found = run.best_scores(TOP)
    return -found if run.goals.downwards else found


def _asked_rows(run: "Run", asked: Sequence[str]) -> list[dict[str, Any]]:
    """Return molecules to be scored as rows of a table."""
    numbers, empty = run.archive.asked, dict.fromkeys(run.goals.names, "")
    return [
        {
            "ID": f"{numbers[smiles][1]}-{place}",
            "SMILES": smiles,
            **empty,
            **found,
            **_origin(run, smiles),
        }
        for place, (smiles, found) in enumerate(_measured(run, asked), 1)
    ]


def _rows(run: "Run", title: str) -> list[dict[str, Any]]:
    """Return the molecules that were scored as rows of a table, the best first."""
    molecules = run.molecules
    measured = _measured(run, [scored.smiles for scored in molecules])
    return [
        {
            "ID": scored.call.number,
            "SMILES": smiles,
            "score": -scored.score if run.goals.downwards else scored.score,
            **dict(zip(run.goals.names, scored.call.values, strict=True)),
            **({"pareto": scored.on_front} if len(run.goals.goals) > 1 else {}),
            **found,
            **_origin(run, smiles),
            "model": title,
            "seed": run.archive.seed,
        }
        for scored, (smiles, found) in zip(molecules, measured, strict=True)
    ]


def _measured(run: "Run", molecules: Sequence[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each molecule with the model's properties that are no goals, computed by RDKit."""
    from molvae.data.molecules import standardize_and_measure

    names, form = run.generator.measured, run.generator.standardization
    for smiles, seen in zip(
        molecules, standardize_and_measure(form, names, molecules), strict=True
    ):
        values = [""] * len(names) if isinstance(seen, Rejected) else seen.values
        found = dict(zip(names, values, strict=True))
        yield smiles, {name: found[name] for name in names if name not in run.goals.names}


def _origin(run: "Run", smiles: str) -> dict[str, Any]:
    """Return where a molecule comes from, and its similarity to the one of --like."""
    known = run.archive.asked.get(smiles)
    proposal = known[0] if known else run.archive.calls[smiles].proposal
    similarity = run.similarity(smiles)
    near = {} if similarity is None else {"similarity": similarity}
    return {**near, "operator": proposal.operator, "parents": " ".join(proposal.parents)}


def _going_on(run: "Run", laboratory: Laboratory, budget: int) -> str:
    """Return what goes on in the folder of a run."""
    if laboratory.used:
        less = run.goals.goals[0].minimize
        return f"--ask and --tell go on there; {'less' if less else 'more'} is better"
    done = run.archive.spent >= budget
    return f"{'a larger --budget' if done else 'the same command'} goes on there"


def _summary(run: "Run", *, going_on: str) -> tuple[dict[str, Any], Iterator[str]]:
    """Return the summary for `--json`, and the same in words."""
    best, calls = _best(run), run.archive.calls.values()
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
            yield f"{run.archive.folder} keeps every call: {going_on}"

    return summary, lines()
