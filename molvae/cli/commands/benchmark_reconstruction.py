"""`molvae benchmark reconstruction`: what a latent code holds."""

from __future__ import annotations

import os
from pathlib import Path

import click

from molvae.cli import generators, options
from molvae.cli.judged import name_columns
from molvae.cli.progress import stages
from molvae.cli.reporting import Reporting, reported, versions
from molvae.cli.terminal import say


@click.command("reconstruction")
@click.argument("model", required=False)
@click.option(
    "--test",
    type=click.Path(path_type=Path),
    required=True,
    help="Held-out molecules: a dataset of molvae prepare (its test split) or a table.",
)
@click.option(
    "--training",
    type=click.Path(path_type=Path),
    help="Training set, for what held-out molecules cost more than those (memorization).",
)
@options.number(2000, help="Molecules that are taken of each set.")
@options.seed("Seed of all randomness (default 1).")
@reported
def command(
    model: str | None,
    test: Path,
    training: Path | None,
    number: int,
    seed: int | None,
    jobs: int | None,
    device: str,
    as_json: bool,
    output: str | None,
    force: bool,
    quiet: bool,
) -> None:
    """Does a code hold its molecule, and does the prior lie where codes of molecules do?

    Held-out molecules through the model and back, the rate of the code (KL), what a code and the
    properties are worth, a linear probe, prior against posterior, and with --training the cost of
    molecules that it has seen.
    """
    from molvae.evaluate.work import Work
    from molvae.suites.reconstruction import reconstruct
    from molvae.suites.tokenized import load_tokenized

    reporting = Reporting.to(
        output, as_json=as_json, force=force, quiet=quiet, inputs=(test, training)
    )
    seed = 1 if seed is None else seed
    generator = generators.load(model or "druglike", device)
    name_columns((test, training), quiet=quiet)
    with stages(quiet=quiet) as tell:
        work = Work(jobs or os.cpu_count() or 1, progress=tell)
        held_out, seen = (
            None
            if path is None
            else load_tokenized(path, generator, split=split, limit=number, seed=seed, work=work)
            for path, split in ((test, "test"), (training, "train"))
        )
    assert held_out is not None
    say(f"Reading {held_out.dataset.size:,} molecules and writing them again.", quiet=quiet)
    name = generators.title(model or "druglike")
    reporting.show(
        reconstruct(generator, held_out, name=name, seed=seed, versions=versions(), training=seen)
    )
