"""`molvae augment`: variants of the molecules of a table."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from molvae.arguments import MAX_RADIUS, MAX_SERIES
from molvae.cli import cores, fields, generators, options
from molvae.cli.layout import names_beside
from molvae.cli.summaries import alert_lines, near_lines, too_few_near
from molvae.cli.tables import TableCommand, table_command
from molvae.config import GenerateConfig
from molvae.errors import InputError, ShortfallError
from molvae.presets import NEAR_CODES, NEAR_RADIUS, NEAR_TRIES

if TYPE_CHECKING:
    from molvae.data.tables.records import Row, Table
    from molvae.generator import MoleculeGenerator

SETTINGS = (
    *("temperature", "top_p", "guidance", "noise", "novel", "rings"),
    *("filters", "smarts", "not_smarts"),
)

searching = options.chained(
    options.real(
        "--radius",
        low=0.0,
        high=MAX_RADIUS,
        default=NEAR_RADIUS,
        help="Largest standard deviation of the codes around the molecule's own, in each latent"
        " dimension; that of all codes together is about 1.",
    ),
    click.option(
        "--tries",
        type=click.IntRange(1, MAX_SERIES),
        default=NEAR_TRIES,
        show_default=True,
        help="Strings decoded around each molecule, at several noise levels and radii.",
    ),
    options.real(
        "--min-similarity",
        low=0.0,
        high=1.0,
        default=0.0,
        help="Least Tanimoto similarity to the molecule (Morgan fingerprints of radius 2).",
    ),
    click.option(
        "--same-scaffold", is_flag=True, help="Keep only molecules with the same Murcko scaffold."
    ),
    click.option(
        "--keep-properties/--free-properties",
        default=True,
        help="Target the molecule's own properties, so that molecules stay similar (default), or"
        " none.",
    ),
    cores.keep,
    fields.config_options(GenerateConfig, only=SETTINGS, shown=NEAR_CODES),
)


def near_config(generator: "MoleculeGenerator", settings: Mapping[str, Any]) -> GenerateConfig:
    """Return the options of a search near a molecule; what is not given stays open."""
    novel = generator.defaults.novel
    base = replace(NEAR_CODES, noise=None, temperature=None, novel=novel)
    return fields.config_from(GenerateConfig, settings, base=base)


@click.command(epilog="Try: molvae augment hits.csv -n 20 --min-similarity 0.4 -o variants.csv")
@options.number(10, help="Variants of each molecule.")
@searching
@options.seed()
@options.batch_size
@table_command(inside="variants")
def command(
    run: TableCommand,
    number: int,
    radius: float,
    tries: int,
    min_similarity: float,
    same_scaffold: bool,
    keep_properties: bool,
    keep: str | None,
    seed: int | None,
    batch_size: int | None,
    **settings: Any,
) -> None:
    """Generate variants of each molecule in FILE: the most similar of its neighbors.

    Each molecule of FILE is searched as `molvae neighbors` does. Each row names the source
    molecule, the similarity to it (Tanimoto, Morgan fingerprints of radius 2), and the model and
    seed that reproduce the variant; the other columns of FILE follow. Variants are distinct, and
    none is a molecule of FILE.
    """
    from molvae.generation.neighbors import Source

    kept, settings = cores.read_kept(run.generator, keep, settings, quiet=run.output.quiet)
    config = near_config(run.generator, settings)
    batches = run.batches(run.molecules(known_only=True))
    good = [(row, found) for batch in batches for row, found in batch]
    sources = [Source(row.id, row.line, found) for row, found in good]
    run.tell_rows()
    if not sources:
        raise InputError(f"{run.file}: no molecule that the model can read.")
    generators.tell_of_rings(run.generator, config.rings, quiet=run.output.quiet)
    generators.tell_of_kind(run.generator, [each.seen for each in sources], quiet=run.output.quiet)
    n = number * len(sources)
    strings, jobs, quiet = tries * len(sources), run.source.jobs, run.output.quiet
    with generators.run("Varying", n, jobs, chemistry=strings, quiet=quiet) as (work, stopped):
        variants = run.generator.augment(
            sources,
            number,
            radius=radius,
            tries=tries,
            min_similarity=min_similarity,
            same_scaffold=same_scaffold,
            keep_properties=keep_properties,
            keep=kept[0] if kept else None,
            config=config,
            seed=seed,
            batch_size=batch_size or 1024,
            **work,
        )
    own, cells = _own_columns(run.table, [row for row, _ in good])
    more = {"radius": radius, "model": run.title, "seed": variants.summary.seed}
    records = [variant.row() | more for variant in variants]
    new = list(records[0]) if records else ["ID", "SMILES"]
    columns = (*names_beside(run.table.name, own, new), *own)
    rows = [
        [*record.values(), *cells[variant.source.row]]
        for record, variant in zip(records, variants, strict=True)
    ]
    written = run.output.write(columns, rows, smiles=1)
    summary = variants.summary.to_dict() | {"sources": len(sources), "radius": radius}
    alerts = alert_lines([record["SMILES"] for record in records], config.filters)
    lines = (*near_lines(variants, f"variants of {len(sources)} molecules"), *alerts)
    run.output.finish(summary, lines, rows={"molecules": written}, stopped=stopped)
    if len(variants) < n:
        raise ShortfallError(too_few_near(variants.summary, "variants"))


def _own_columns(table: "Table", rows: Sequence["Row"]) -> tuple[list[str], dict[int, list[str]]]:
    """Return the columns of a table but those of molecules and IDs, and their cells by line."""
    from molvae.data.tables.columns import id_place

    left_out = {table.smiles, id_place(table.columns)}
    kept = [place for place in range(len(table.columns)) if place not in left_out]
    cells = {row.line: [row.cells[place] for place in kept] for row in rows}
    return [table.columns[place] for place in kept], cells
