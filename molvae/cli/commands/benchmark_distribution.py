"""`molvae benchmark moses|guacamol`: how like its training set a generator's molecules are."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from molvae.cli import fields, generators, options
from molvae.cli.judged import chemnet_device, read_generated, read_set
from molvae.cli.progress import progress, stages
from molvae.cli.reporting import Reporting, reported
from molvae.config import GenerateConfig
from molvae.errors import UsageError

if TYPE_CHECKING:
    from molvae.generator import MoleculeGenerator
    from molvae.suites.distribution_learning import Sample

DRAWING = ("tier", "temperature", "top_p", "max_tries")  # what a benchmark may set
SHARED = (
    click.argument("model", required=False),
    click.option(
        "--generated",
        multiple=True,
        type=click.Path(path_type=Path),
        help="Table of molecules to judge instead of a model's; repeat for more samples.",
    ),
)


def _shared(command: Callable[..., None]) -> Callable[..., None]:
    """Give a benchmark the options that all have."""
    for decorate in reversed(
        (
            *SHARED,
            fields.config_options(GenerateConfig, only=DRAWING),
            click.option(
                "--seeds",
                default="1,2,3",
                show_default=True,
                help="Seeds of the samples drawn from a model.",
            ),
            click.option("--fcd/--no-fcd", default=True, help="With the Frechet ChemNet distance."),
            options.smiles_column,
            options.input_format(),
            reported,
        )
    ):
        command = decorate(command)
    return command


@click.command("moses")
@_shared
@click.option("--training", default="moses-train", show_default=True, metavar="FILE|NAME")
@click.option("--test", default="moses-test", show_default=True, metavar="FILE|NAME")
@click.option(
    "--test-scaffolds", default="moses-test-scaffolds", show_default=True, metavar="FILE|NAME"
)
@options.number(30_000, help="Molecules of each sample drawn from a model.")
def moses(
    model: str | None,
    training: str,
    test: str,
    test_scaffolds: str,
    **settings: Any,
) -> None:
    """All metrics of MOSES, with the published rows beside.

    The three sets are tables, or names that `molvae data get` knows: it fetches the official
    ones. What is computed of them is kept and found again.
    """
    sets = {"training": training, "reference": test, "scaffolds": test_scaffolds}
    _run("moses", model, sets, **settings)


@click.command("guacamol")
@_shared
@click.option("--training", default="guacamol-train", show_default=True, metavar="FILE|NAME")
@options.number(10_500, help="Molecules of each sample drawn from a model; 10,000 are judged.")
def guacamol(model: str | None, training: str, **settings: Any) -> None:
    """The distribution-learning scores of GuacaMol, against any training set."""
    _run("guacamol", model, {"training": training}, **settings)


def _run(
    suite: str,
    model: str | None,
    sets: dict[str, str],
    *,
    generated: Sequence[Path],
    number: int,
    seeds: str,
    fcd: bool,
    smiles_column: str | None,
    input_format: str,
    jobs: int | None,
    device: str,
    as_json: bool,
    output: str | None,
    force: bool,
    quiet: bool,
    **drawing: Any,
) -> None:
    from molvae.evaluate.report import evaluate
    from molvae.suites.distribution_learning import run_suite

    if model and generated:
        raise UsageError("a model or --generated, not both.")
    reporting = Reporting.to(output, as_json=as_json, force=force, quiet=quiet, inputs=generated)
    compared = {kind: read_set(_table(name), quiet=quiet) for kind, name in sets.items()}
    health: dict[str, Any] = {}
    if generated:
        name = generated[0].name.partition(".")[0]
        column = smiles_column or ""
        samples = [_read(path, column, format=input_format, quiet=quiet) for path in generated]
    else:
        model = model or "druglike"
        name = generators.title(model)
        generator = generators.load(model, device)
        config = generators.draw_settings(generator, {**drawing, "unique": False})
        samples = _draw(generator, number, _seeds(seeds), config, jobs=jobs, quiet=quiet)
        health = dict(generator.checkpoint.provenance.get("health", {}))
    with stages(quiet=quiet) as report_progress:
        judge = partial(
            evaluate,
            reference=compared.get("reference"),
            scaffolds=compared.get("scaffolds"),
            training=compared["training"],
            suite=suite,
            fcd=fcd,
            jobs=jobs or os.cpu_count() or 1,
            device=chemnet_device(device, suite, fcd=fcd),
            progress=report_progress,
        )
        found = run_suite(samples, judge, suite=suite, model=name, health=health)
    reporting.show(found, notes=found.notes)


def _table(name: str) -> Path:
    """Return a table: a file, or a public set that is in the cache."""
    path = Path(name)
    if path.is_file():
        return path
    from molvae.data.public_sets import SETS, cached

    for file in (file for one in SETS for file in one.files):
        if file.name == name:
            found = cached(file)
            if found is None:
                raise UsageError(f"{name} is not here. molvae data get {name}")
            return found
    raise UsageError(f"{name}: no such file, and no set that `molvae data list` knows.")


def _read(path: Path, column: str, *, format: str, quiet: bool) -> Sample:
    from molvae.suites.distribution_learning import Sample

    return Sample(path.name, read_generated(path, column, format=format, quiet=quiet).smiles, {})


def _seeds(text: str) -> list[int]:
    words = [word.strip() for word in text.split(",")]
    if not all(word.isascii() and word.isdigit() and int(word) < 2**32 for word in words):
        raise UsageError(f"--seeds {text}: whole numbers with commas, such as 1,2,3.")
    return [int(word) for word in words]


def _draw(
    generator: MoleculeGenerator,
    number: int,
    seeds: Sequence[int],
    config: GenerateConfig,
    *,
    jobs: int | None,
    quiet: bool,
) -> list[Sample]:
    """Draw all samples."""
    from molvae.suites.distribution_learning import generate_sample

    samples = []
    with generators.chemists(number * len(seeds), jobs) as executor:
        for seed in seeds:
            with progress(f"Drawing seed {seed}", total=number, quiet=quiet) as report:
                samples.append(
                    generate_sample(
                        generator,
                        number,
                        seed=seed,
                        config=config,
                        executor=executor,
                        report=report,
                    )
                )
    return samples
