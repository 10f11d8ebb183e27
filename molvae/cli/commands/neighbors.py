"""`molvae neighbors`: molecules around one in latent space."""

from typing import Any

import click

from molvae.cli import fields, generators, options
from molvae.cli.commands.augment import SETTINGS
from molvae.cli.outputs import TableOutput, table_output
from molvae.cli.progress import progress
from molvae.cli.requests import warn_of_targets
from molvae.cli.stopping import stop_signals
from molvae.cli.summaries import control_lines, near_lines, too_few_near
from molvae.config import NEAR_CODES, GenerateConfig
from molvae.errors import ShortfallError


@click.command(epilog="Try: molvae neighbors 'CCN(CC)CC(=O)Nc1c(C)cccc1C' -n 20 --target LogP=3")
@click.argument("smiles")
@click.argument("model", default="druglike")
@options.number(20, help="How many neighbors.")
@click.option(
    "--radius",
    type=click.FloatRange(0.0),
    default=1.0,
    show_default=True,
    help="How far to go: standard deviation of the codes drawn around the molecule's own, in each"
    " latent dimension, where all codes together have about 1.",
)
@options.targets
@click.option(
    "--keep-properties/--free-properties",
    default=True,
    help="Ask for the molecule's own measured properties, so that neighbors stay near (default), or"
    " leave them free.",
)
@fields.config_options(GenerateConfig, only=SETTINGS, shown=NEAR_CODES)
@options.seed()
@options.device
@table_output()
def command(
    smiles: str,
    model: str,
    number: int,
    radius: float,
    targets: options.Ranges,
    keep_properties: bool,
    seed: int | None,
    device: str,
    output: TableOutput,
    **settings: Any,
) -> None:
    """Draw molecules around one in the model's latent space.

    Neighbors are distinct, and what SELFIES would repair silently is drawn again. Each row tells
    how similar it is to the molecule (Tanimoto, Morgan fingerprints of radius 2), how far its own
    latent code is from the molecule's (distance, in the unit of --radius), and what draws it again.
    With a model that was taught it, --noise goes from molecules like this one to any with its
    properties.
    `molvae augment` draws variants of a whole table, as far as each molecule's own code is wide.

    How like the molecule its neighbors are depends on how much the model's code holds, which
    `molvae info MODEL` tells as kl, in nats: where that is little, they are alike in properties and
    size first, in structure second.
    """
    output.check()
    generator = generators.load(model, device)
    config = fields.config_from(GenerateConfig, settings)
    center = generators.molecule(generator, smiles, quiet=output.quiet)
    request = generator.request(targets)
    warn_of_targets(request, quiet=output.quiet)
    with (
        stop_signals() as stopped,
        progress("Drawing", total=number, quiet=output.quiet) as report,
        generators.chemists(number, None) as executor,
    ):
        found = generator.neighbors(
            center,
            number,
            radius=radius,
            targets=request,
            keep_properties=keep_properties,
            config=config,
            seed=seed,
            executor=executor,
            report=report,
            should_stop=lambda: bool(stopped),
        )
    title = f"{generators.title(model)}-{generator.name}"
    more = {"radius": radius, "model": title, "seed": found.summary.seed}
    rows = output.write_records([neighbor.row() | more for neighbor in found])
    summary = {"smiles": center.smiles, "radius": radius, **found.summary.to_dict()}
    asked = {n: each for n, each in found.summary.control.items() if n in request.ranges}
    lines = [
        *near_lines(found, f"neighbors of {center.smiles}", radius=radius),
        *control_lines(generator, asked),
    ]
    output.finish(summary, lines, rows={"rows": rows}, stopped=stopped)
    if len(found) < number:
        raise ShortfallError(too_few_near(found.summary, "neighbors"))
