"""`molvae benchmark scaffold`: molecules that keep a core."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from molvae.cli import fields, generators, options
from molvae.cli.progress import stages
from molvae.cli.reporting import Reporting, reported, versions
from molvae.config import GenerateConfig
from molvae.errors import InputError

ASKING = ("temperature", "top_p", "guidance", "noise", "shortlist", "max_tries", "rings")


@click.command("scaffold")
@click.argument("model", default="moses")
@click.option(
    "--fragments",
    type=click.Path(path_type=Path),
    help="Table of GenMol's fragment tasks: name, linker_design, motif_extension,"
    " scaffold_decoration and superstructure_generation of each drug.",
)
@click.option(
    "--only",
    multiple=True,
    type=click.Choice(("cores", "control", "fragments")),
    help="Run this test only; repeat for more.",
)
@options.number(1000, help="Strings for each core, and molecules for each target.")
@fields.config_options(GenerateConfig, only=ASKING)
@options.seed("Seed of all randomness.", default=1)
@reported
def command(
    model: str,
    fragments: Path | None,
    only: Sequence[str],
    number: int,
    seed: int,
    reporting: Reporting,
    **drawing: Any,
) -> None:
    """Keep a core: MolGPT's five scaffolds with properties, and GenMol's fragment tasks.

    The first test counts what a core leaves of -n strings; the second compares LogP 1, 2, 3 and
    TPSA 30, 60, 90 with what comes, with one string, the default and the best of 8; the third needs
    --fragments and draws 100 samples for each drug and task:
    molvae benchmark scaffold moses -n 200 --only cores
    """
    from molvae.suites.control_model import PropertySampler
    from molvae.suites.scaffold import TESTS, ScaffoldTests, run_scaffold

    rows = [] if fragments is None else _read_fragments(fragments)
    generator = generators.load(model, reporting.device)
    config = generators.draw_settings(generator, drawing)
    tests = only or [test for test in TESTS if rows or test != "fragments"]
    with (
        stages(quiet=reporting.quiet) as tell,
        generators.chemists(number, reporting.jobs) as executor,
    ):
        sampler = PropertySampler(generator, config, executor, tell)
        asked = ScaffoldTests(number, seed, tests, rows)
        name = generators.title(model)
        found = run_scaffold(sampler, asked, name=name, versions=versions())
    reporting.show(found)


def _read_fragments(path: Path) -> list[dict[str, str]]:
    """Return the rows of a table of fragment tasks.

    Raises:
        InputError: for a file that is no such table.
    """
    from molvae.suites.fragment_tasks import TASKS

    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as a table of fragments: {error}") from error
    wanted = {"name", *TASKS}
    if not rows or not wanted <= rows[0].keys():
        raise InputError(f"{path}: no table with the columns {', '.join(sorted(wanted))}.")
    return rows
