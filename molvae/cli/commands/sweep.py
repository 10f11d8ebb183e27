"""`molvae sweep`: a series of similar molecules along one property."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from molvae.arguments import MAX_SERIES, MAX_VALUE
from molvae.cli import cores, generators, options
from molvae.cli.outputs import TableOutput, table_output
from molvae.cli.requests import MARKED, check_targets, normalizer_of, warn_of_targets
from molvae.cli.summaries import similarities
from molvae.presets import SWEEP_GUIDANCE

if TYPE_CHECKING:
    from molvae.generation.paths import Step


@click.command(epilog="Try: molvae sweep 'CCN(CC)CC(=O)Nc1c(C)cccc1C' --property LogP -n 9")
@click.argument("smiles")
@click.argument("model", default="druglike")
@click.option("-p", "--property", "name", required=True, help="Property or numeric label to vary.")
@options.real(
    "--from",
    "low",
    low=-MAX_VALUE,
    high=MAX_VALUE,
    help="First target (default: the first percentile of the training set).",
)
@options.real(
    "--to",
    "high",
    low=-MAX_VALUE,
    high=MAX_VALUE,
    help="Last target (default: the 99th percentile of the training set).",
)
@options.number(9, most=MAX_SERIES, help="Number of targets; for a count, only whole numbers.")
@options.real(
    "--guidance",
    low=0.0,
    high=10.0,
    default=SWEEP_GUIDANCE,
    help="Classifier-free guidance weight; 1 is off, larger follows the value more closely.",
)
@cores.keep
@options.searching
@options.device
@table_output()
def command(
    smiles: str,
    model: str,
    name: str,
    low: float | None,
    high: float | None,
    number: int,
    guidance: float,
    keep: str | None,
    noise: float | None,
    tries: int,
    rings: str,
    seed: int,
    device: str,
    output: TableOutput,
) -> None:
    """Vary one property of a molecule and keep the rest similar: a matched series.

    The target of one property goes from --from to --to. The other targets are the molecule's own
    properties. For each target, --tries molecules are decoded, from the molecule's latent code with
    increasing noise, up to --noise. The row holds the most similar of those that hit the target
    (tanimoto, Morgan fingerprints of radius 2), or else the one nearest to the target. A hit is
    closer than half the distance to the next target, and than a quarter of a standard deviation.
    The column consistent shows whether SELFIES had nothing to repair, and ood flags targets that
    the training set does not have together with the molecule's other properties. The same command
    gives the same rows. With --keep, a core without marks grows where SMILES has other parts on it,
    and a target for which no molecule has the core or pattern has no SMILES.
    """
    from molvae.generation.paths import sweep_values
    from molvae.generation.search import Search
    from molvae.targets import spell

    output.check()
    name = spell(name, normalizer_of(model))
    for end in (low, high):
        check_targets(model, {} if end is None else {name: (end, end)})
    generator = generators.load(model, device)
    generators.tell_of_rings(generator, rings, quiet=output.quiet)
    start = generators.molecule(generator, smiles, model, quiet=output.quiet)
    kept, patterns = cores.read_kept(generator, keep, {"smarts": ()}, quiet=output.quiet)
    values = sweep_values(generator.model, name, number, low=low, high=high)
    for end in dict.fromkeys((values[0], values[-1])):
        asked = generator.request({name: end})
        warn_of_targets(asked, quiet=output.quiet, so=MARKED)
    search = Search(noise, tries, seed, rings, patterns["smarts"])
    core = kept[0] if kept else None
    steps = generator.sweep(start, name, values, guidance=guidance, search=search, keep=core)
    title = generators.title_and_hash(model, generator)
    more = {"guidance": guidance, "model": title, "seed": seed}
    own = dict(zip(generator.measured, start.values, strict=True))
    rows = [
        _row(number, name, step, ood=generator.is_ood(own | {name: step.at})) | more
        for number, step in enumerate(steps, 1)
    ]
    mean_error = _mean_error(name, steps)
    summary = {
        "smiles": start.smiles,
        "property": name,
        "from": values[0],
        "to": values[-1],
        "steps": len(steps),
        "distinct": len({row["SMILES"] for row in rows} - {""}),
        "consistent": sum(step.molecule.consistent for step in steps),
        "rare_rings": sum(step.rare_rings for step in steps),
        "ood": sum(row["ood"] for row in rows),
        "guidance": guidance,
        **search._asdict(),
        "mean_error": mean_error,
        "model": title,
    }
    lines = [
        f"{start.smiles}: {name} {values[0]:g} to {values[-1]:g} in {len(steps)} steps,"
        f" {summary['distinct']} molecules, {summary['consistent']} of {len(steps)} consistent,"
        f" {summary['rare_rings']} of the decoded molecules refused for a rare ring system,"
        f" model {title}",
    ]
    if mean_error is not None:
        similar = similarities(step.similarities[0] for step in steps)
        lines.append(f"{name}: mean error {mean_error:.3g}; {similar}")
    output.finish(summary, lines, rows={"rows": output.write_records(rows)})


def _mean_error(name: str, steps: Sequence["Step"]) -> float | None:
    """Return the mean distance of the values from their targets; None where there is no value."""
    gaps = [
        abs(got - step.at)
        for step in steps
        if step.molecule.smiles and isinstance(got := step.molecule.value(name), float)
    ]
    return sum(gaps) / len(gaps) if gaps else None


def _row(number: int, name: str, step: "Step", *, ood: bool) -> dict[str, Any]:
    """Return a step as a row: the target and the value side by side."""
    cells = step.molecule.cells()
    got = name if name in cells else f"predicted_{name}"
    asked = {"ID": number, "SMILES": step.molecule.smiles, f"target_{name}": step.at}
    first = asked | {got: cells[got], "tanimoto": step.tanimoto}
    return first | cells | {"ood": ood, "noise": step.noise}
