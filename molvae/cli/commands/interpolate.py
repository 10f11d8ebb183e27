"""`molvae interpolate`: the molecules between two molecules."""

from typing import TYPE_CHECKING, Any

import click

from molvae.arguments import MAX_SERIES
from molvae.cli import generators, options
from molvae.cli.outputs import TableOutput, table_output
from molvae.cli.requests import check_targets, warn_of_targets

if TYPE_CHECKING:
    from molvae.generation.paths import Step


@click.command(epilog="Try: molvae interpolate CCOc1ccccc1 'Cc1ccc(C(=O)NC2CC2)cc1' -n 9")
@click.argument("first", metavar="A")
@click.argument("last", metavar="B")
@click.argument("model", default="druglike")
@options.number(9, most=MAX_SERIES, help="Number of steps, both ends included.")
@click.option(
    "--path",
    type=click.Choice(("spherical", "linear")),
    default="spherical",
    show_default=True,
    help="Spherical (slerp) or linear interpolation of the latent codes.",
)
@options.targets
@click.option("--distinct", is_flag=True, help="Leave out repeated molecules.")
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
    rings: str,
    seed: int,
    device: str,
    output: TableOutput,
) -> None:
    """Generate the molecules between A and B in latent space.

    Each row is a molecule at one step of the path, 0 to 1. The ends are the reconstructions of A
    and B. For each step between them, --tries molecules are decoded, from the latent code of the
    step with increasing noise, up to --noise. Their targets are the properties of A and B,
    interpolated; --target fixes one of them. The row holds the molecule most similar to A and B
    (tanimoto_A, tanimoto_B: Morgan fingerprints of radius 2) and nearest to the targets; the nearer
    end has more weight, and repetitions are avoided. The column consistent shows whether SELFIES
    had nothing to repair. The same command gives the same rows.
    """
    from molvae.generation.search import Search

    output.check()
    check_targets(model, targets)
    generator = generators.load(model, device)
    generators.tell_of_rings(generator, rings, quiet=output.quiet)
    request = generator.request(targets)
    warn_of_targets(request, quiet=output.quiet)
    ends = [generators.molecule(generator, end, model, quiet=output.quiet) for end in (first, last)]
    search = Search(noise, tries, seed, rings)
    steps = generator.interpolate(
        ends[0], ends[1], number, path=path, targets=request, search=search
    )
    title = generators.title_and_hash(model, generator)
    more = request.cells() | {"path": path, "model": title, "seed": seed}
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
        "rare_rings": sum(step.rare_rings for step in steps),
        "model": title,
    }
    line = (
        f"{ends[0].smiles} to {ends[1].smiles}: {len(steps)} steps, {path}, {len(met)} molecules,"
        f" {summary['consistent']} of {len(steps)} consistent, {summary['rare_rings']} of the"
        f" decoded molecules refused for a rare ring system, model {title}"
    )
    output.finish(summary, [line], rows={"rows": output.write_records(rows)})


def _row(number: int, step: "Step") -> dict[str, Any]:
    return {
        "ID": number,
        "SMILES": step.molecule.smiles,
        "step": step.at,
        "tanimoto_A": step.similarities[0],
        "tanimoto_B": step.similarities[1],
        **step.molecule.cells(),
        "noise": step.noise,
    }
