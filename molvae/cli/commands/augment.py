"""`molvae augment`: variants of the molecules of a table."""

from typing import Any

import click

from molvae.arguments import MAX_RADIUS
from molvae.cli import fields, generators, options
from molvae.cli.progress import progress
from molvae.cli.stopping import stop_signals
from molvae.cli.summaries import near_lines, too_few_near
from molvae.cli.tables import TableCommand, table_command
from molvae.config import GenerateConfig
from molvae.errors import InputError, ShortfallError
from molvae.presets import NEAR_CODES

SETTINGS = (
    *("temperature", "top_p", "guidance", "noise", "shortlist", "best_of", "max_tries", "novel"),
    *("rings", "filters", "smarts", "not_smarts"),
)


@click.command(epilog="Try: molvae augment hits.csv -n 20 --radius 1 -o variants.csv")
@options.number(10, help="Variants of each molecule.")
@options.real(
    "--radius",
    low=0.0,
    high=MAX_RADIUS,
    default=1.5,
    help="Radius, in standard deviations of the molecule's own posterior.",
)
@click.option(
    "--keep-properties/--free-properties",
    default=True,
    help="Target the molecule's own properties, so that variants stay similar (default), or none.",
)
@fields.config_options(GenerateConfig, only=SETTINGS, shown=NEAR_CODES)
@options.seed()
@options.batch_size
@table_command(inside="variants")
def command(
    run: TableCommand,
    number: int,
    radius: float,
    keep_properties: bool,
    seed: int | None,
    batch_size: int | None,
    **settings: Any,
) -> None:
    """Generate variants of each molecule in FILE: its neighbors in latent space.

    Each row names the source molecule, the similarity to it (Tanimoto, Morgan fingerprints of
    radius 2), and the model, seed and ID that reproduce the variant. Variants are distinct, and
    none is a molecule of FILE. Molecules that SELFIES had to repair are sampled again.
    """
    from molvae.generation.neighbors import Source

    config = fields.config_from(GenerateConfig, settings)
    batches = run.batches(run.molecules(known_only=True))
    sources = [Source(row.id, row.line, found) for batch in batches for row, found in batch]
    run.tell_rows()
    if not sources:
        raise InputError(f"{run.file}: no molecule that the model can read.")
    n = number * len(sources)
    with (
        stop_signals() as stopped,
        progress("Varying", total=n, quiet=run.output.quiet) as report,
        generators.chemists(n, run.source.jobs) as executor,
    ):
        variants = run.generator.augment(
            sources,
            number,
            radius=radius,
            keep_properties=keep_properties,
            config=config,
            seed=seed,
            executor=executor,
            batch_size=batch_size or 1024,
            report=report,
            should_stop=lambda: bool(stopped),
        )
    more = {"radius": radius, "model": run.title, "seed": variants.summary.seed}
    rows = run.output.write_records([variant.row() | more for variant in variants])
    summary = variants.summary.to_dict() | {"sources": len(sources), "radius": radius}
    lines = near_lines(variants, f"variants of {len(sources)} molecules", radius=radius)
    run.output.finish(summary, lines, rows={"molecules": rows}, stopped=stopped)
    if len(variants) < n:
        raise ShortfallError(too_few_near(variants.summary, "variants"))
