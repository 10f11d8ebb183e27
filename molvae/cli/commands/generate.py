"""`molvae generate`: the main job."""

import csv
import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from molvae.cli import generators, options
from molvae.cli.outputs import check_table, rounded
from molvae.cli.progress import progress
from molvae.cli.stopping import stop_signals
from molvae.cli.terminal import describe_table, print_json, printable, say
from molvae.config import GenerateConfig
from molvae.errors import InputError, Rejected, ShortfallError, UsageError

if TYPE_CHECKING:
    from molvae.generation.results import Generated, Generation, Summary
    from molvae.generator import MoleculeGenerator
    from molvae.targets import Request, Wanted

Row = dict[str, Any]
PREFIX = "target_"  # of the columns in which a table of molecules holds what was asked
SHOWN_ODD = 3  # requests that are named when the training set has nothing like them


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
@options.table_output
@options.output_format()
@options.config_options(GenerateConfig)
@options.seed()
@options.batch_size
@options.jobs
@options.executor
@options.device
@options.force
@options.json_summary("molecules")
@options.quiet
def command(
    model: str,
    number: int | None,
    targets: options.Ranges,
    targets_file: Path | None,
    exclude: Path | None,
    output: str,
    output_format: str,
    seed: int | None,
    batch_size: int | None,
    jobs: int | None,
    executor: str | None,
    device: str,
    force: bool,
    as_json: bool,
    quiet: bool,
    **settings: Any,
) -> None:
    """Draw molecules with the properties you name.

    MODEL is a file, a folder that `molvae train` wrote, or the name of a bundled model (default
    druglike). `molvae info MODEL` tells which properties it knows,
    and its own defaults, where it has some.
    """
    target = None if output == "-" else Path(output)
    inputs = [exclude] if exclude else []
    check_table(Path(output), format=output_format, force=force, inputs=inputs)
    generator = generators.load(model, device)
    config = generators.draw_settings(generator, settings)
    requests, n = _requests(generator, targets, targets_file, number)
    if config.in_range and not any(request.has_range for request in requests):
        raise UsageError("--in-range: no range is asked for; write LogP=2..3 in place of LogP=2.5.")
    _warn(generator, requests, quiet)
    known = _known(generator, exclude, jobs=jobs or os.cpu_count() or 1, quiet=quiet)
    with (
        stop_signals() as stopped,
        progress("Generating", total=n, quiet=quiet) as report,
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
    rows = _rows(generation, model=f"{generators.title(model)}-{generator.name}")
    if as_json:
        inside = {} if target else {"molecules": rows}
        print_json(generation.summary.to_dict() | inside)
    if target or not as_json:
        _write(rows, target, output_format)
    for line in summary_lines(generator, generation.summary):
        say(line, quiet=quiet)
    if stopped:
        say(f"Interrupted; the {len(rows)} finished molecules are kept.")
        raise SystemExit(128 + stopped[0])
    if generation.summary.found < n:
        raise ShortfallError(
            f"{generation.summary.found} of {n} molecules were found; the rest were refused"
            f" ({generators.refused(generation.summary)})."
            f" {_what_helps(generator, requests, patterns=bool(config.smarts))}"
        )


def _requests(
    generator: "MoleculeGenerator",
    targets: options.Ranges,
    targets_file: Path | None,
    number: int | None,
) -> tuple[list["Request"], int]:
    """Return what is asked, and the number of molecules in all.

    Raises:
        UsageError: for targets from both places, or a cell that is no target.
    """
    if targets_file is None:
        return [generator.request(targets)], number or 20
    if targets:
        raise UsageError("--target and --targets: give the targets in one place.")
    rows = [generator.request(row) for row in _read_targets(targets_file)]
    return rows, (number or 1) * len(rows)


def _known(
    generator: "MoleculeGenerator", path: Path | None, *, jobs: int, quiet: bool
) -> frozenset[str]:
    """Return the molecules of a table as the model's training set spells them.

    Raises:
        InputError: for no table, or one without a molecule.
    """
    if path is None:
        return frozenset()
    from molvae.data.molecules import standardize_rows
    from molvae.data.tables.tables import open_table

    table = open_table(path)
    looked = [
        seen for _, seen in standardize_rows(table.rows, generator.standardization, (), jobs=jobs)
    ]
    known = frozenset(seen.smiles for seen in looked if not isinstance(seen, Rejected))
    if not known:
        raise InputError(f"{path}: no molecule to exclude.")
    bad = sum(isinstance(seen, Rejected) for seen in looked)
    lost = f"; {bad:,} rows are none, which `molvae prepare` names" if bad else ""
    say(describe_table(table.name, len(looked), table.smiles_column), quiet=quiet)
    say(f"{path}: {len(known):,} molecules are left out{lost}.", quiet=quiet)
    return known


def _read_targets(path: Path) -> Iterator["dict[str, Wanted]"]:
    from molvae.targets import Request

    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            text = file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as a table of targets: {error}") from error
    header = text.partition("\n")[0]
    reader = csv.DictReader(text.splitlines(), delimiter=max(",;\t", key=header.count))
    asked = [name for name in reader.fieldnames or () if name.startswith(PREFIX)]
    if twice := [name for name, times in Counter(reader.fieldnames).items() if name and times > 1]:
        raise UsageError(f"{path}: column '{twice[0]}' stands twice; leave one of them out.")
    found = False
    for row in reader:
        found = True
        cells = {name: row[name] or "" for name in asked or reader.fieldnames or ()}
        words = [
            f"{name.removeprefix(PREFIX)}={cell}" for name, cell in cells.items() if cell.strip()
        ]
        try:
            if None in row:
                raise UsageError("more cells than columns; write the decimal point as a dot.")
            yield Request.parse(words)
        except UsageError as error:
            raise UsageError(f"{path}, line {reader.line_num}: {error}") from error
    if not found:
        raise InputError(f"{path}: no row of targets.")


def _warn(generator: "MoleculeGenerator", requests: Sequence["Request"], quiet: bool) -> None:
    """Say which targets lie outside what the model was trained on, or nowhere together."""
    strange = {n: r.ranges[n] for r in requests for n in r.unfamiliar}
    so = " and the rows are marked ood"
    generators.warn_of_targets(generator.request(strange), quiet=quiet, so=so)
    # Of a single property that lies outside its range, all is said.
    together = [request for request in requests if len(request.ranges) > 1 or not strange]
    _tell_feasibility(generator, together, quiet)


def _tell_feasibility(
    generator: "MoleculeGenerator", requests: Sequence["Request"], quiet: bool
) -> None:
    """Say which combinations the training set has nothing of; of a single one how much it has."""
    found = [(request, generator.feasibility(request)) for request in requests]
    odd = [(request, each) for request, each in found if each is not None and each.ood]
    for request, each in odd[:SHOWN_ODD]:
        nearest = ", ".join(f"{name}={value:.3g}" for name, value in each.nearest.items())
        say(
            f"Warning: {request}: the training set has nothing like it; the nearest combination is"
            f" {nearest}, {each.distance:.1f} sd away. The rows are marked ood.",
            quiet=quiet,
        )
    if len(odd) > SHOWN_ODD:
        say(f"Warning: the same of {len(odd) - SHOWN_ODD:,} more requests.", quiet=quiet)
    if len(found) == 1 and not odd and found[0][1] is not None:
        say(
            f"{found[0][1].share:.1%} of the training molecules are within half an sd of what is"
            " asked.",
            quiet=quiet,
        )


def _rows(generation: "Generation[Generated]", *, model: str) -> list[Row]:
    more = {"model": model, "seed": generation.summary.seed}
    return [{**molecule.row(), **more} for molecule in generation.molecules]


def _write(rows: Sequence[Row], target: Path | None, format: str) -> None:
    from molvae.data.tables.tables import write_table
    from molvae.generation.results import columns_of

    columns = columns_of(rows)
    if target is None and not format and sys.stdout.isatty():
        _show(rows, columns)
        return
    cells = ([rounded(row.get(column)) for column in columns] for row in rows)
    write_table(target or sys.stdout.buffer, columns, cells, format=format)


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


def summary_lines(generator: "MoleculeGenerator", summary: "Summary") -> list[str]:
    """Return what is worth telling about a run, a line each."""
    lines = [
        f"{summary.found} of {summary.requested} molecules, tier {summary.tier},"
        f" {summary.draws} draws in {summary.seconds:.1f} s, seed {summary.seed},"
        f" model {summary.model}",
        f"acceptance {summary.acceptance:.1%} (first draws that SELFIES did not have to repair),"
        f" unique {summary.uniqueness:.1%} of the first draws"
        + (f", novel {summary.novelty:.1%} of the molecules" if summary.found else ""),
        *generators.control_lines(generator, summary.control),
    ]
    if summary.refusals:
        lines.append(f"refused: {generators.refused(summary)}")
    return lines


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
