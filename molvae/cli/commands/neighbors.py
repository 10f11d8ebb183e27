"""`molvae neighbors`: the most similar molecules around one molecule in latent space."""

from typing import Any

import click

from molvae.cli import cores, generators, options
from molvae.cli.commands.augment import near_config, searching
from molvae.cli.outputs import TableOutput, table_output
from molvae.cli.requests import check_targets, warn_of_targets
from molvae.cli.summaries import alert_lines, control_lines, near_lines, together, too_few_near
from molvae.errors import ShortfallError


@click.command(epilog="Try: molvae neighbors 'CCN(CC)CC(=O)Nc1c(C)cccc1C' -n 20 --target LogP=3")
@click.argument("smiles")
@click.argument("model", default="druglike")
@options.number(20, help="Number of neighbors.")
@searching
@options.targets
@options.seed()
@options.device
@table_output()
def command(
    smiles: str,
    model: str,
    number: int,
    radius: float,
    tries: int,
    min_similarity: float,
    same_scaffold: bool,
    keep_properties: bool,
    keep: str | None,
    targets: options.Ranges,
    seed: int | None,
    device: str,
    output: TableOutput,
    **settings: Any,
) -> None:
    """Generate molecules similar to SMILES.

    --tries strings are decoded from the molecule's latent code, with noise up to --noise and codes
    up to --radius away. Of the distinct molecules among them, those that SELFIES had to repair and
    those with a rare ring system are left out, and the most similar ones stay; with --target, those
    that are similar and near the targets. Each row has the similarity to the molecule (tanimoto,
    Morgan fingerprints of radius 2), the distance of the latent codes in the unit of --radius, and
    the model and seed that reproduce it. `molvae augment` does the same for a whole table.

    The similarity depends on how much information the model's latent code holds: see kl, in nats,
    in `molvae info MODEL`. With little information, neighbors share properties and size rather than
    structure.
    """
    output.check()
    check_targets(model, targets)
    generator = generators.load(model, device)
    kept, settings = cores.read_kept(generator, keep, settings, quiet=output.quiet)
    config = near_config(generator, settings)
    center = generators.molecule(generator, smiles, model, quiet=output.quiet)
    request = generator.request(targets)
    generators.tell_of_rings(generator, config.rings, quiet=output.quiet)
    warn_of_targets(request, quiet=output.quiet)
    quiet = output.quiet
    with generators.run("Searching", tries, chemistry=tries // 8, quiet=quiet) as (run, stopped):
        found = generator.neighbors(
            center,
            number,
            radius=radius,
            tries=tries,
            min_similarity=min_similarity,
            same_scaffold=same_scaffold,
            targets=request,
            keep_properties=keep_properties,
            keep=kept[0] if kept else None,
            config=config,
            seed=seed,
            **run,
        )
    title = generators.title_and_hash(model, generator)
    more = {"radius": radius, "model": title, "seed": found.summary.seed}
    rows = [neighbor.row() | more for neighbor in found]
    written = output.write_molecules(rows)
    summary = {"smiles": center.smiles, "radius": radius, **found.summary.to_dict()}
    lines = [
        *near_lines(found, f"neighbors of {center.smiles}"),
        *control_lines(generator, found.summary.control),
        *together(found.summary),
        *alert_lines([row["SMILES"] for row in rows], config.filters),
    ]
    output.finish(summary, lines, rows={"rows": written}, stopped=stopped)
    if len(found) < number:
        raise ShortfallError(too_few_near(found.summary, "neighbors"))
