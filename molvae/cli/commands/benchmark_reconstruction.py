"""`molvae benchmark reconstruction`: the latent space of a model."""

from __future__ import annotations

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
    help="Training set, to measure memorization: the loss that held-out molecules add.",
)
@options.number(2000, help="Molecules of each set, drawn with the seed.")
@options.seed("Seed of all randomness.", default=1)
@reported
def command(
    model: str | None,
    test: Path,
    training: Path | None,
    number: int,
    seed: int,
    reporting: Reporting,
) -> None:
    """Reconstruct held-out molecules and examine the latent space.

    Reports the exact reconstruction rate, the KL divergence, the loss that shuffled codes and
    properties add, a linear probe of each property, and the gap between prior and posterior.
    With --training it compares the loss on training molecules, to find overfitting.
    """
    from molvae.evaluate.work import Work
    from molvae.suites.reconstruction import reconstruct
    from molvae.suites.tokenized import load_tokenized

    quiet = reporting.quiet
    generator = generators.load(model or "druglike", reporting.device)
    name_columns((test, training), quiet=quiet)
    with stages(quiet=quiet) as tell:
        work = Work(reporting.processes, progress=tell)
        held_out, seen = (
            None
            if path is None
            else load_tokenized(path, generator, split=split, limit=number, seed=seed, work=work)
            for path, split in ((test, "test"), (training, "train"))
        )
    assert held_out is not None
    say(
        f"Reading {held_out.dataset.size:,} molecules and reconstructing them.",
        quiet=quiet,
    )
    name = generators.title(model or "druglike")
    reporting.show(
        reconstruct(generator, held_out, name=name, seed=seed, versions=versions(), training=seen)
    )
