"""`molvae benchmark control`: requested against realized properties."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from molvae.arguments import MAX_MOLECULES
from molvae.cli import fields, generators, options
from molvae.cli.judged import name_columns, read_generated
from molvae.cli.progress import stages
from molvae.cli.reporting import Reporting, reported, versions
from molvae.config import GenerateConfig
from molvae.errors import UsageError

ASKING = ("tier", "temperature", "top_p", "guidance", "shortlist", "best_of", "max_tries")
SAMPLE = 30_000  # molecules of a training table that are measured, to count neighbors


@click.command("control")
@click.argument("model", required=False)
@click.option(
    "--generated",
    type=click.Path(path_type=Path),
    help="Table of molecules with columns target_NAME to judge instead of a model's.",
)
@click.option(
    "--training",
    type=click.Path(path_type=Path),
    help="Training set, a dataset of molvae prepare or a table: to count the molecules near each"
    " target.",
)
@click.option(
    "--test",
    type=click.Path(path_type=Path),
    help="Held-out molecules, a dataset of molvae prepare or a table: their properties are the"
    " joint targets.",
)
@click.option(
    "--only",
    multiple=True,
    type=click.Choice(("grid", "single", "calibration", "joint")),
    help="Run this test only; repeat for more.",
)
@click.option(
    "--joint",
    type=click.IntRange(20, MAX_MOLECULES),
    default=2000,
    show_default=True,
    help="Held-out molecules whose properties become joint targets.",
)
@options.number(1000, help="Molecules drawn for each target.")
@fields.config_options(GenerateConfig, only=ASKING)
@options.seed("Seed of all randomness.", default=1)
@options.smiles_column
@options.input_format
@reported
def command(
    model: str | None,
    generated: Path | None,
    training: Path | None,
    test: Path | None,
    only: Sequence[str],
    joint: int,
    number: int,
    seed: int,
    smiles_column: str,
    input_format: str,
    reporting: Reporting,
    **drawing: Any,
) -> None:
    """Compare the properties of generated molecules with their targets.

    Four tests: a grid of LogP, TPSA and QED at once, single targets, calibration over the range
    of the training set, and with --test all properties of real molecules at once. The tier is
    raw unless you choose another: no molecule is left out. Generates about 40,000 molecules with
    the default -n:
    molvae benchmark control druglike -n 200 --training train.csv --test test.csv
    """
    from molvae.chem.properties import resolve
    from molvae.evaluate.work import Work
    from molvae.suites.control import judge_table
    from molvae.suites.control_model import TESTS, ControlTests, PropertySampler, run_control
    from molvae.suites.tokenized import load_tokenized, load_training_properties

    if model and generated:
        raise UsageError("a model or --generated, not both.")
    quiet = reporting.quiet
    name_columns((training, test), quiet=quiet)
    with stages(quiet=quiet) as tell:
        work = Work(reporting.processes, progress=tell)

        def values(names: Sequence[str]) -> Any:
            if training is None:
                return None
            return load_training_properties(training, names, limit=SAMPLE, seed=seed, work=work)

        if generated:
            rows = read_generated(generated, smiles_column, format=input_format, quiet=quiet)
            targets = {resolve(name).name: asked for name, asked in rows.targets.items() if asked}
            found = judge_table(
                rows.smiles,
                targets,
                training=values(tuple(targets)),
                name=generated.name.partition(".")[0],
                versions=versions(),
                work=work,
            )
        else:
            generator = generators.load(model or "druglike", reporting.device)
            drawing["tier"] = drawing["tier"] or "raw"
            config = generators.draw_settings(
                generator, {**drawing, "rings": "any", "novel": False}
            )
            held_out = None
            if test is not None:
                held_out = load_tokenized(
                    test, generator, split="test", limit=joint, seed=seed, work=work
                )
            questions = ControlTests(
                n=number,
                seed=seed,
                tests=only or TESTS,
                training=values(generator.measured),
                held_out=held_out,
            )
            with generators.chemists(number, reporting.jobs) as executor:
                asked = PropertySampler(generator, config, executor, tell)
                name = generators.title(model or "druglike")
                found = run_control(asked, questions, name=name, versions=versions())
    reporting.show(found)
