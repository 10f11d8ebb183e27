"""`molvae interpolate`: the molecules between two."""

from typing import TYPE_CHECKING, Any

import click

from molvae.cli import generators, options
from molvae.cli.listing import Listing, listing, molecule

if TYPE_CHECKING:
    from molvae.series import Step


@click.command(epilog="Try: molvae interpolate CCOc1ccccc1 'Cc1ccc(C(=O)NC2CC2)cc1' -n 9")
@click.argument("first", metavar="A")
@click.argument("last", metavar="B")
@click.argument("model", default="druglike")
@options.number(9, help="How many places on the path, both ends included.")
@click.option(
    "--path",
    type=click.Choice(("spherical", "linear")),
    default="spherical",
    show_default=True,
    help="How to go: along the great circle, on which codes lie, or straight.",
)
@options.targets
@click.option("--distinct", is_flag=True, help="Leave out molecules that the path has met before.")
@listing
def command(
    first: str,
    last: str,
    model: str,
    number: int,
    path: str,
    targets: options.Ranges,
    distinct: bool,
    **settings: Any,
) -> None:
    """Write the molecules on the way from A to B through the latent space.

    Each row is the likeliest molecule at a step of the path, 0 to 1; the ends are what the model
    makes of the codes of A and B. It is asked for the properties of A and B, blended likewise;
    --target holds one of them fixed. tanimoto_A and tanimoto_B tell how similar it is to both
    (Morgan fingerprints of radius 2), consistent whether SELFIES had nothing to repair.

    How near the ends are to A and B depends on how much the model's code holds, which `molvae info
    MODEL` tells as kl, in nats, and exact_from_mean.
    """
    from molvae.series import interpolate

    run = Listing(model, **settings)
    generator = run.load()
    ranges = generator.ranges(targets)
    generators.warn_of_targets(generator, ranges, quiet=run.quiet)
    ends = molecule(generator, first), molecule(generator, last)
    steps = interpolate(generator.checkpoint, ends, number, path=path, ranges=ranges)
    title = run.title(generator)
    more = _target_cells(ranges) | {"path": path, "model": title}
    rows = [_row(number, step) | more for number, step in enumerate(steps, 1)]
    met = {row["SMILES"] for row in rows} - {""}
    if distinct:
        rows = list({row["SMILES"]: row for row in reversed(rows) if row["SMILES"]}.values())[::-1]
    summary = {
        "A": ends[0].smiles,
        "B": ends[1].smiles,
        "path": path,
        "steps": len(steps),
        "distinct": len(met),
        "consistent": sum(step.molecule.consistent for step in steps),
        "model": title,
    }
    line = (
        f"{ends[0].smiles} to {ends[1].smiles}: {len(steps)} steps, {path}, {len(met)} molecules,"
        f" {summary['consistent']} of {len(steps)} consistent, model {title}"
    )
    run.write(rows, summary, [line])


def _row(number: int, step: "Step") -> dict[str, Any]:
    return {
        "ID": number,
        "SMILES": step.molecule.smiles,
        "step": step.at,
        "tanimoto_A": step.tanimoto[0],
        "tanimoto_B": step.tanimoto[1],
        **step.molecule.cells(),
    }


def _target_cells(ranges: options.Ranges) -> dict[str, str]:
    from molvae.targets import format_range

    return {f"target_{name}": format_range(wanted) for name, wanted in ranges.items()}
