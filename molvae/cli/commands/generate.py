"""`molvae generate`: the main job."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from molvae.cli import fields, generators, options
from molvae.cli.outputs import TableOutput, table_output
from molvae.cli.progress import progress
from molvae.cli.requests import PREFIX, read_requests, warn_of_requests
from molvae.cli.stopping import stop_signals
from molvae.cli.summaries import control_lines, draws_of, refused
from molvae.cli.terminal import describe_table, printable, say
from molvae.config import GenerateConfig
from molvae.errors import InputError, Rejected, ShortfallError, UsageError

if TYPE_CHECKING:
    from molvae.generation.results import Summary
    from molvae.generator import MoleculeGenerator
    from molvae.targets import Request

Row = dict[str, Any]


@click.command(epilog="Try: molvae generate -n 9 -t LogP=2.5 -t QED=0.8.. -o out.csv")
@click.argument("model", default="druglike")
@options.number(help="How many molecules (default 20); with --targets, for each of its rows (1).")
@options.targets
@click.option(
    "--targets",
    "targets_file",
    type=click.Path(path_type=Path),
    default=None,
    help="Table with one set of targets a row: columns named like properties, cells like 2.5"
    " or 0.8..0.95, empty where free. In a table that `molvae generate` wrote, the target columns.",
)
@click.option(
    "--exclude",
    type=click.Path(path_type=Path),
    default=None,
    help="Table of molecules that are known and not wanted, in any spelling.",
)
@fields.config_options(GenerateConfig)
@options.seed()
@options.batch_size
@options.jobs
@options.executor
@options.device
@table_output(inside="molecules")
def command(
    model: str,
    number: int | None,
    targets: options.Ranges,
    targets_file: Path | None,
    exclude: Path | None,
    seed: int | None,
    batch_size: int | None,
    jobs: int | None,
    executor: str | None,
    device: str,
    output: TableOutput,
    **settings: Any,
) -> None:
    """Draw molecules with the properties you name.

    MODEL is a file, a folder that `molvae train` wrote, or the name of a bundled model (default
    druglike). `molvae info MODEL` tells which properties it knows,
    and its own defaults, where it has some.
    """
    from molvae.generation.results import columns_of

    output.check(inputs=(exclude,))
    generator = generators.load(model, device)
    config = generators.draw_settings(generator, settings)
    requests, n = read_requests(generator, targets, targets_file, number)
    if config.in_range and not any(request.has_range for request in requests):
        raise UsageError("--in-range: no range is asked for; write LogP=2..3 in place of LogP=2.5.")
    warn_of_requests(generator, requests, output.quiet)
    known = _known(generator, exclude, jobs=jobs, quiet=output.quiet)
    with (
        stop_signals() as stopped,
        progress("Generating", total=n, quiet=output.quiet) as report,
        generators.chemists(n, jobs, executor) as chemists,
    ):
        generation = generator.generate(
            n,
            requests,
            config=config,
            seed=seed,
            exclude=known,
            executor=chemists,
            batch_size=batch_size or 1024,
            report=report,
            should_stop=lambda: bool(stopped),
        )
    summary = generation.summary
    title = f"{generators.title(model)}-{generator.name}"
    rows = [{**each.row(), "model": title, "seed": summary.seed} for each in generation]
    written: list[Row] = []
    if output.on_terminal:
        _show(rows, columns_of(rows))
    else:
        written = output.write_records(rows, columns=columns_of(rows))
    lines = summary_lines(generator, summary)
    output.finish(summary.to_dict(), lines, rows={"molecules": written}, stopped=stopped)
    if summary.found < n:
        raise ShortfallError(
            f"{summary.found} of {n} molecules were found; the rest were refused"
            f" ({refused(summary)})."
            f" {_what_helps(generator, requests, patterns=bool(config.smarts))}"
        )


def _known(
    generator: "MoleculeGenerator", path: Path | None, *, jobs: int | None, quiet: bool
) -> frozenset[str]:
    """Return the molecules of a table as the model's training set spells them.

    Raises:
        InputError: for no table, or one without a molecule.
    """
    if path is None:
        return frozenset()
    from molvae.data.molecules import standardize_rows
    from molvae.data.tables.tables import open_table

    table, form = open_table(path), generator.standardization
    rows = standardize_rows(table.rows, form, (), jobs=jobs or os.cpu_count() or 1)
    looked = [found for _, found in rows]
    known = frozenset(found.smiles for found in looked if not isinstance(found, Rejected))
    if not known:
        raise InputError(f"{path}: no molecule to exclude.")
    bad = sum(isinstance(found, Rejected) for found in looked)
    lost = f"; {bad:,} rows are none, which `molvae prepare` names" if bad else ""
    say(describe_table(table.name, len(looked), table.smiles_column), quiet=quiet)
    say(f"{path}: {len(known):,} molecules are left out{lost}.", quiet=quiet)
    return known


def _show(rows: Sequence[Row], columns: Sequence[str]) -> None:
    """Write rows for the eye: what is the same in all of them is left out.

    SMILES come last, unbroken, so that they can be copied from a narrow terminal.
    """
    told = (PREFIX, "novel", "ood")  # by the summary, unless the rows differ
    shown = [
        column
        for column in columns
        if column not in ("SMILES", "model", "seed", "nll")
        and not (column.startswith(told) and len({row.get(column) for row in rows}) == 1)
    ]
    table = [shown, *([_short(row.get(column)) for column in shown] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for cells, smiles in zip(table, ["SMILES", *(row["SMILES"] for row in rows)], strict=True):
        aligned = [cell.rjust(width) for cell, width in zip(cells, widths, strict=True)]
        click.echo(printable("  ".join([*aligned, smiles])))


def _short(value: object) -> str:
    """Write a value for the eye: three digits."""
    from molvae.data.tables.cells import cell_text

    return f"{value:.3g}" if isinstance(value, float) else cell_text(value)


def summary_lines(generator: "MoleculeGenerator", summary: "Summary") -> Iterator[str]:
    """Yield the summary of a run in words."""
    yield (
        f"{summary.found} of {summary.requested} molecules, tier {summary.tier},"
        f" {draws_of(summary)}"
    )
    novel = f", novel {summary.novelty:.1%} of the molecules" if summary.found else ""
    yield (
        f"acceptance {summary.acceptance:.1%} (first draws that SELFIES did not have to repair),"
        f" unique {summary.uniqueness:.1%} of the first draws{novel}"
    )
    yield from control_lines(generator, summary.control)
    if summary.refusals:
        yield f"refused: {refused(summary)}"


def _what_helps(
    generator: "MoleculeGenerator", requests: Sequence["Request"], *, patterns: bool
) -> str:
    """Say what to do where fewer molecules were found than wanted."""
    more = "A larger --max-tries tries longer."
    if any(map(generator.is_ood, requests)):
        more = "The training set has nothing like the targets: targets that it has find more."
    if patterns:
        elements = ", ".join(generator.vocabulary.elements)
        more += (
            f" The model writes {elements} and no other element. What has the pattern is nearest to"
            " a molecule that has it: molvae neighbors SMILES."
        )
    return more
