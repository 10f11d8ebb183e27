"""`molvae neighbors`: molecules near one molecule in latent space."""

from typing import Any

import click

from molvae.arguments import MAX_RADIUS
from molvae.cli import fields, generators, options
from molvae.cli.commands.augment import SETTINGS
from molvae.cli.outputs import TableOutput, table_output
from molvae.cli.progress import progress
from molvae.cli.requests import warn_of_targets
from molvae.cli.stopping import stop_signals
from molvae.cli.summaries import control_lines, near_lines, too_few_near
from molvae.config import GenerateConfig
from molvae.errors import ShortfallError
from molvae.presets import NEAR_CODES


@click.command(epilog="Try: molvae neighbors 'CCN(CC)CC(=O)Nc1c(C)cccc1C' -n 20 --target LogP=3")
@click.argument("smiles")
@click.argument("model", default="druglike")
@options.number(20, help="Number of neighbors.")
@options.real(
    "--radius",
    low=0.0,
    high=MAX_RADIUS,
    default=1.0,
    help="Standard deviation of the codes sampled around the molecule's own, in each latent"
    " dimension; that of all codes together is about 1.",
)
@options.targets
@click.option(
    "--keep-properties/--free-properties",
    default=True,
    help="Target the molecule's own properties, so that neighbors stay similar (default), or none.",
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
    """Generate molecules near SMILES in latent space.

    Neighbors are distinct, and molecules that SELFIES had to repair are sampled again. Each row has
    the similarity to the molecule (tanimoto, Morgan fingerprints of radius 2), the distance of the
    latent codes in the unit of --radius, and the model, seed and ID that reproduce it. With a
    noise-conditional model, a larger --noise keeps less of the structure; at 1 only the properties
    stay. `molvae augment` generates variants of a whole table, as far from each molecule as its own
    latent code is wide.

    The similarity depends on how much information the model's latent code holds: see kl, in nats,
    in `molvae info MODEL`. With little information, neighbors share properties and size rather than
    structure.
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
    title = generators.title_and_hash(model, generator)
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
