"""`molvae neighbors`: molecules around one in latent space."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from molvae.cli import generators, options
from molvae.cli.commands.augment import SETTINGS
from molvae.cli.listing import Listing, listing, molecule
from molvae.cli.progress import progress
from molvae.cli.stopping import stop_signals
from molvae.cli.terminal import say
from molvae.config import NEAR_CODES, GenerateConfig
from molvae.errors import ShortfallError

if TYPE_CHECKING:
    from molvae.generation.neighbors import Neighbor
    from molvae.generation.results import Generation


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
@options.config_options(GenerateConfig, only=SETTINGS, shown=NEAR_CODES)
@options.seed()
@listing
def command(
    smiles: str,
    model: str,
    number: int,
    radius: float,
    targets: options.Ranges,
    keep_properties: bool,
    seed: int | None,
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
    run = Listing(model, **{name: settings[name] for name in Listing._fields[1:]})
    generator = run.load()
    config = options.config_from(GenerateConfig, settings)
    center = molecule(generator, smiles, quiet=run.quiet)
    request = generator.request(targets)
    generators.warn_of_targets(request, quiet=run.quiet)
    with (
        stop_signals() as stopped,
        progress("Drawing", total=number, quiet=run.quiet) as report,
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
    more = {"radius": radius, "model": run.title(generator), "seed": found.summary.seed}
    rows = [neighbor.row() | more for neighbor in found]
    summary = {"smiles": center.smiles, "radius": radius, **found.summary.to_dict()}
    told = found.summary.control
    asked = {name: told[name] for name in request.ranges if name in told}
    lines = [*_lines(found, center.smiles, radius), *generators.control_lines(generator, asked)]
    run.write(rows, summary, lines)
    if stopped:
        say(f"Interrupted; the {len(rows)} finished neighbors are kept.")
        raise SystemExit(128 + stopped[0])
    if len(rows) < number:
        raise ShortfallError(generators.too_few_near(found.summary, "neighbors"))


def _lines(found: "Generation[Neighbor]", smiles: str, radius: float) -> Iterator[str]:
    """Yield what is worth telling about a run, a line each."""
    summary = found.summary
    yield (
        f"{summary.found} of {summary.requested} neighbors of {smiles}, {summary.draws} draws in"
        f" {summary.seconds:.1f} s, seed {summary.seed}, model {summary.model}"
    )
    if found:
        similar = generators.similarities(neighbor.tanimoto for neighbor in found)
        yield f"radius {radius:g}: {similar}; novel {summary.novelty:.1%}"
    if summary.refusals:
        yield f"refused: {generators.refused(summary)}"
