"""`molvae interpolate`: the molecules between two."""

from typing import TYPE_CHECKING, Any

import click

from molvae.cli import generators, options
from molvae.cli.outputs import TableOutput, table_output
from molvae.cli.requests import warn_of_targets

if TYPE_CHECKING:
    from molvae.generation.paths import Step
    from molvae.targets import Request


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
@options.searching
@options.device
@table_output()
def command(
    first: str,
    last: str,
    model: str,
    number: int,
    path: str,
    targets: options.Ranges,
    distinct: bool,
    noise: float | None,
    tries: int,
    seed: int,
    device: str,
    output: TableOutput,
) -> None:
    """Write the molecules on the way from A to B through the latent space.

    Each row is a molecule at a step of the path, 0 to 1; the ends are what the model makes of the
    codes of A and B, which is A and B where these hold all of them. Between them --tries molecules
    are written for each step, from the path's latent code and from codes with more and more noise
    in them, up to --noise, and the properties of A and B are asked for, blended likewise; --target
    holds one of them fixed. A row is the one most similar to A and B (tanimoto_A, tanimoto_B:
    Morgan fingerprints of radius 2), the nearer end counting more, and nearest to the targets,
    that stands nowhere else, where one was found; consistent tells whether SELFIES had nothing to
    repair. The same command gives the same rows.
    """
    from molvae.generation.search import Search

    output.check()
    generator = generators.load(model, device)
    request = generator.request(targets)
    warn_of_targets(request, quiet=output.quiet)
    ends = [generators.molecule(generator, end, quiet=output.quiet) for end in (first, last)]
    search = Search(noise, tries, seed)
    steps = generator.interpolate(
        ends[0], ends[1], number, path=path, targets=request, search=search
    )
    title = f"{generators.title(model)}-{generator.name}"
    more = _target_cells(request) | {"path": path, "model": title, "seed": seed}
    rows = [_row(number, step) | more for number, step in enumerate(steps, 1)]
    met = {row["SMILES"] for row in rows} - {""}
    if distinct:
        rows = list({row["SMILES"]: row for row in reversed(rows) if row["SMILES"]}.values())[::-1]
    summary = {
        "A": ends[0].smiles,
        "B": ends[1].smiles,
        "path": path,
        **search._asdict(),
        "steps": len(steps),
        "distinct": len(met),
        "consistent": sum(step.molecule.consistent for step in steps),
        "model": title,
    }
    line = (
        f"{ends[0].smiles} to {ends[1].smiles}: {len(steps)} steps, {path}, {len(met)} molecules,"
        f" {summary['consistent']} of {len(steps)} consistent, model {title}"
    )
    output.finish(summary, [line], rows={"rows": output.write_records(rows)})


def _row(number: int, step: "Step") -> dict[str, Any]:
    return {
        "ID": number,
        "SMILES": step.molecule.smiles,
        "step": step.at,
        "tanimoto_A": step.tanimoto[0],
        "tanimoto_B": step.tanimoto[1],
        **step.molecule.cells(),
        "noise": step.noise,
    }


def _target_cells(request: "Request") -> dict[str, str]:
    from molvae.targets import format_range

    return {f"target_{name}": format_range(wanted) for name, wanted in request.ranges.items()}
