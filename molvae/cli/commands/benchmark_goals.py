"""`molvae benchmark pmo|guacamol-goals|lead`: what an optimizer finds with few calls."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from molvae.arguments import MAX_MOLECULES
from molvae.cli import generators, options
from molvae.cli.commands.benchmark_distribution import read_seeds
from molvae.cli.progress import stages
from molvae.cli.reporting import Reporting, reported, versions
from molvae.errors import UsageError

_calls = click.option(
    "--calls",
    type=click.IntRange(10, MAX_MOLECULES),
    default=1000,
    show_default=True,
    help="Molecules that each run may score.",
)
_goals = options.chained(
    click.argument("model", required=False),
    click.option("--only", multiple=True, metavar="GOAL", help="Run this goal; repeat for more."),
    click.option(
        "--method",
        type=click.Choice(("bayes", "evolve", "random")),
        default="bayes",
        show_default=True,
        help="As in molvae optimize; random scores what the model draws.",
    ),
    _calls,
    click.option("--seeds", default="1", show_default=True, help="Seeds of the runs: 1,2,3."),
    click.option(
        "--state",
        type=options.RUN,
        metavar="FOLDER",
        help="Folder that keeps every call; the same command goes on there.",
    ),
    reported,
)


@click.command("pmo")
@_goals
def pmo(**settings: Any) -> None:
    """Optimize the goals of PMO, and compute the area under the ten best.

    The 20 goals that RDKit alone can compute. The published figures are of 10,000 calls.
    """
    from molvae.suites.oracles import PMO

    _run_goals("pmo", PMO, **settings)


@click.command("guacamol-goals")
@_goals
def guacamol_goals(**settings: Any) -> None:
    """Optimize the 20 goals of GuacaMol, and compute the means of the best molecules.

    GuacaMol itself allows any number of calls: say how many with the figures.
    """
    from molvae.suites.oracles import GUACAMOL

    _run_goals("guacamol", GUACAMOL, **settings)


def _run_goals(
    suite: str,
    known: Sequence[str],
    *,
    model: str | None,
    only: Sequence[str],
    method: str,
    calls: int,
    seeds: str,
    state: Path | None,
    reporting: Reporting,
) -> None:
    from molvae.suites.goal_directed import Protocol, run_goals

    if unknown := next((name for name in only if name not in known), ""):
        raise UsageError(f"unknown goal '{unknown}'. Known: {', '.join(known)}.")
    generator = generators.load(model or "druglike", reporting.device)
    name = generators.title_and_hash(model or "druglike", generator)
    with (
        generators.chemists(calls, reporting.jobs) as executor,
        stages(quiet=reporting.quiet) as tell,
    ):
        found = run_goals(
            generator,
            suite,
            only or known,
            read_seeds(seeds),
            Protocol(method, calls, state, executor),
            name=name,
            versions=versions(),
            report=tell,
        )
    reporting.show(found)


@click.command("lead")
@click.argument("leads", type=click.Path(path_type=Path))
@click.argument("model", required=False)
@options.number(100, help="Leads, drawn with the seed; all where there are fewer.")
@_calls
@options.seed("Seed of all randomness.", default=1)
@options.input_format
@reported
def lead(
    leads: Path,
    model: str | None,
    number: int,
    calls: int,
    seed: int,
    input_format: str,
    reporting: Reporting,
) -> None:
    """Improve the QED of the molecules of a table to 0.9, at a similarity of 0.4 to each.

    The published figures are of the 800 leads of Jin 2018, in the set `qed` of
    https://github.com/wengong-jin/iclr19-graph2graph.
    """
    import numpy as np

    from molvae.data.tables.tables import open_table
    from molvae.suites.leads import improve_leads

    smiles = [row.smiles for row in open_table(leads, format=input_format).rows]
    drawn = np.random.default_rng(seed).permutation(len(smiles))[:number]
    generator = generators.load(model or "druglike", reporting.device)
    with stages(quiet=reporting.quiet) as tell:
        found = improve_leads(
            generator,
            [smiles[place] for place in sorted(drawn.tolist())],
            calls=calls,
            seed=seed,
            name=generators.title_and_hash(model or "druglike", generator),
            versions=versions(),
            report=tell,
        )
    reporting.show(found)
