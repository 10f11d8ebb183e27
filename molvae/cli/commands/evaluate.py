"""`molvae evaluate`: a table of generated molecules -> a report of their quality."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from molvae.arguments import MAX_RESAMPLES
from molvae.cli import generators, options
from molvae.cli.judged import chemnet_device, read_generated, read_model, read_set
from molvae.cli.progress import stages
from molvae.cli.reporting import Reporting, reported
from molvae.errors import UsageError

if TYPE_CHECKING:
    from molvae.evaluate.report import Evaluation


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--suite",
    default="basic",
    show_default=True,
    metavar="basic|moses|guacamol",
    help="Collection of metrics.",
)
@click.option(
    "--training",
    metavar="FILE|MODEL",
    default=None,
    help="Training set of the generator, for novelty: a table, or a molvae model.",
)
@click.option(
    "--reference",
    "--test",
    "reference",
    type=click.Path(path_type=Path),
    default=None,
    help="Table of molecules to compare distributions with; the test set of a suite.",
)
@click.option(
    "--test-scaffolds",
    "scaffolds",
    type=click.Path(path_type=Path),
    default=None,
    help="Scaffold test set of the suite moses.",
)
@click.option(
    "--fcd/--no-fcd",
    default=True,
    help="Compute the Frechet ChemNet distance, if the suite has it (default yes).",
)
@click.option(
    "--memorization",
    is_flag=True,
    help="Compare 30,000 generated molecules, and as many of the reference, with their nearest"
    " training molecule; takes minutes for a large training set.",
)
@click.option(
    "--bootstrap",
    type=click.IntRange(0, MAX_RESAMPLES),
    default=0,
    metavar="B",
    help="Compute 95 % intervals from B resamples of the molecules, for example 1000.",
)
@options.smiles_column
@options.input_format
@options.executor
@options.seed("Seed of the subsets of large sets.", default=0)
@click.option(
    "--report",
    "page",
    type=options.OUTPUT,
    default=None,
    metavar="FILE.html",
    help="Also write the report as one HTML page with charts and molecules; needs the extra"
    " 'report'.",
)
@reported
def command(
    file: Path,
    suite: str,
    training: str | None,
    reference: Path | None,
    scaffolds: Path | None,
    fcd: bool,
    memorization: bool,
    bootstrap: int,
    smiles_column: str,
    input_format: str,
    executor: str | None,
    seed: int,
    page: Path | None,
    reporting: Reporting,
) -> None:
    """Score a table of generated molecules: validity, uniqueness, novelty, diversity.

    FILE is a table in any format that molvae prepare reads; - is stdin. Any generator may have
    written it; keep its invalid and empty rows. Columns named target_NAME, as molvae generate
    writes them, are compared with the properties of the molecules:
    molvae evaluate generated.csv --training train.csv --reference test.csv -o report.json

    The suite moses computes all metrics of MOSES, under their names; it needs --training, --test
    and --test-scaffolds. Statistics of these sets are cached.
    """
    from molvae.evaluate.inputs import Inputs
    from molvae.evaluate.report import evaluate_sets
    from molvae.evaluate.work import Work
    from molvae.files.atomic import write_atomically

    quiet = reporting.quiet
    trained_on = None if training is None else Path(training)
    inputs = (file, trained_on, reference, scaffolds)
    if page is not None:
        _check_page(page)
    generated = read_generated(file, smiles_column, format=input_format, quiet=quiet)
    chemnet = ("torch", "fcd") if fcd and suite != "basic" else ()
    with (
        generators.workers(reporting.jobs, executor, packages=chemnet) as workers,
        stages(quiet=quiet) as report_progress,
    ):
        model = None if training is None else read_model(training, workers)
        known = None if trained_on is None or model else read_set(trained_on, quiet=quiet)
        sets = Inputs(
            generated.smiles,
            reference=None if reference is None else read_set(reference, quiet=quiet),
            scaffolds=None if scaffolds is None else read_set(scaffolds, quiet=quiet),
            training=model.molecules if model else known,
        )
        evaluation = evaluate_sets(
            sets,
            Work(workers, chemnet_device(reporting.device, suite, fcd=fcd), report_progress),
            targets=generated.targets,
            scales=model.scales if model else None,
            suite=suite,
            fcd=fcd,
            seed=seed,
            memorization=memorization,
            bootstrap=bootstrap,
        )
    if page is not None:
        html = _page(evaluation, inputs, model.account if model else None, generated.calls)
        write_atomically(page, html.encode())
    reporting.show(evaluation.report, notes=evaluation.report.notes)


def _check_page(page: Path) -> None:
    from molvae.evaluate.page.render import check_extra

    if str(page) == "-":
        raise UsageError("--report writes a file: name it, as in --report report.html")
    check_extra()


def _page(
    evaluation: Evaluation,
    read: Sequence[Path | None],
    model: dict[str, Any] | None,
    calls: list[tuple[float, float]] | None,
) -> str:
    """Return a report as HTML; it names the files without their folders."""
    import numpy as np

    from molvae.evaluate.page.optimization import Calls
    from molvae.evaluate.page.render import render

    uses = ("generated", "training", "reference", "test scaffolds")
    files = {
        use: "stdin" if path == Path("-") else path.name
        for use, path in zip(uses, read, strict=True)
        if path
    }
    optimized = Calls(*np.array(calls).T) if calls else None
    return render(evaluation, files=files, model=model, calls=optimized)
