"""`molvae augment`: variants of given molecules, with where they came from."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from molvae.cli import generators, options
from molvae.cli.outputs import check_table, rounded
from molvae.cli.progress import progress
from molvae.cli.rejects import Rejects, rejects_option, strict_option
from molvae.cli.stopping import stop_signals
from molvae.cli.terminal import describe_table, print_json, say
from molvae.config import NEAR_CODES, GenerateConfig
from molvae.errors import InputError, Rejected, ShortfallError

if TYPE_CHECKING:
    from molvae.data.tables.records import Table
    from molvae.generation.neighbors import Source, Variant
    from molvae.generation.results import Generation
    from molvae.generator import MoleculeGenerator

SETTINGS = (
    *("temperature", "top_p", "guidance", "noise", "shortlist", "best_of", "max_tries", "novel"),
    *("filters", "smarts", "not_smarts"),
)


@click.command(epilog="Try: molvae augment hits.csv -n 20 --radius 1 -o variants.csv")
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("model", default="druglike")
@options.number(10, help="Variants of each molecule.")
@click.option(
    "--radius",
    type=click.FloatRange(0.0),
    default=1.5,
    show_default=True,
    help="How far to go, in standard deviations of the molecule's own latent code.",
)
@click.option(
    "--keep-properties/--free-properties",
    default=True,
    help="Ask for the molecule's own measured properties, so that variants stay near (default), or"
    " leave them free.",
)
@options.table_output
@options.input_format()
@options.output_format("--output-format")
@options.smiles_column
@rejects_option
@strict_option
@options.config_options(GenerateConfig, only=SETTINGS, shown=NEAR_CODES)
@options.seed()
@options.batch_size
@options.jobs
@options.device
@options.force
@options.json_summary("variants")
@options.quiet
def command(
    file: Path,
    model: str,
    number: int,
    radius: float,
    keep_properties: bool,
    output: str,
    input_format: str,
    output_format: str,
    smiles_column: str | None,
    rejects: Path | None,
    strict: bool,
    seed: int | None,
    batch_size: int | None,
    jobs: int | None,
    device: str,
    force: bool,
    as_json: bool,
    quiet: bool,
    **settings: Any,
) -> None:
    """Draw variants of each molecule in FILE: its neighbors in the model's latent space.

    Each row tells the molecule that it came from, how similar it is to it (Tanimoto, Morgan
    fingerprints of radius 2), and what draws it again. Variants are distinct and none is a molecule
    of FILE; what SELFIES would repair silently is drawn again.
    """
    from molvae.data.tables.tables import open_table

    target = None if output == "-" else Path(output)
    check_table(Path(output), format=output_format, force=force, inputs=(file,))
    bad = Rejects(
        rejects,
        strict=strict,
        force=force,
        inputs=(file, target),
        stdout_taken=target is None or as_json,
    )
    generator = generators.load(model, device)
    config = options.config_from(GenerateConfig, settings)
    table = open_table(file, smiles_column=smiles_column or "", format=input_format)
    sources = _sources(generator, table, bad, jobs=jobs or os.cpu_count() or 1)
    bad.finish(quiet=quiet)
    say(describe_table(table.name, len(sources) + len(bad.rows), table.smiles_column), quiet=quiet)
    if not sources:
        raise InputError(f"{file}: no molecule that the model knows all symbols of.")
    n = number * len(sources)
    with (
        stop_signals() as stopped,
        progress("Varying", total=n, quiet=quiet) as report,
        generators.chemists(n, jobs) as executor,
    ):
        variants = generator.augment(
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
    rows = _rows(variants, radius, f"{generators.title(model)}-{generator.name}")
    if as_json:
        told = variants.summary.to_dict() | {"sources": len(sources), "radius": radius}
        print_json(told | ({} if target else {"molecules": rows}))
    if target or not as_json:
        _write(rows, Path(output), output_format)
    for line in _lines(variants, sources, radius):
        say(line, quiet=quiet)
    if stopped:
        say(f"Interrupted; the {len(rows)} finished variants are kept.")
        raise SystemExit(128 + stopped[0])
    if len(rows) < n:
        raise ShortfallError(generators.too_few_near(variants.summary, "variants"))


def _sources(
    generator: "MoleculeGenerator", table: "Table", bad: Rejects, *, jobs: int
) -> "list[Source]":
    """Read the molecules; those that cannot be used are rejected with their rows."""
    from molvae.data.molecules import known_to, standardize_rows
    from molvae.generation.neighbors import Source

    sources = []
    looked = standardize_rows(table.rows, generator.standardization, generator.measured, jobs=jobs)
    for row, seen in looked:
        found = known_to(generator.vocabulary, seen)
        if isinstance(found, Rejected):
            bad.add(row, found)
        else:
            sources.append(Source(row.id, row.line, found))
    return sources


def _rows(variants: "Generation[Variant]", radius: float, model: str) -> list[dict[str, Any]]:
    more = {"radius": radius, "model": model, "seed": variants.summary.seed}
    return [variant.row() | more for variant in variants]


def _write(rows: list[dict[str, Any]], target: Path, format: str) -> None:
    from molvae.data.tables.tables import write_table

    columns = list(rows[0]) if rows else ["ID", "SMILES"]
    cells = ([rounded(row[column]) for column in columns] for row in rows)
    write_table(target, columns, cells, format=format)


def _lines(variants: "Generation[Variant]", sources: "list[Source]", radius: float) -> list[str]:
    """Return what is worth telling about a run, a line each."""
    summary, similar = variants.summary, [variant.tanimoto for variant in variants]
    lines = [
        f"{summary.found} of {summary.requested} variants of {len(sources)} molecules,"
        f" {summary.draws} draws in {summary.seconds:.1f} s, seed {summary.seed},"
        f" model {summary.model}"
    ]
    if similar:
        told = generators.similarities(similar)
        lines.append(f"radius {radius:g}: {told}; novel {summary.novelty:.1%}")
    if summary.refusals:
        lines.append(f"refused: {generators.refused(summary)}")
    return lines
