"""`molvae generate`: molecules with requested properties."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from molvae.cli import cores, fields, generators, options
from molvae.cli.outputs import TableOutput, table_output
from molvae.cli.requests import normalizer_of, read_requests, warn_of_requests
from molvae.cli.summaries import (
    IN_TRAINING,
    alert_lines,
    control_lines,
    copies,
    draws_of,
    rejected,
    together,
)
from molvae.cli.terminal import describe_table, say
from molvae.config import GenerateConfig
from molvae.errors import InputError, Rejected, ShortfallError, UsageError
from molvae.presets import DrawSettings

if TYPE_CHECKING:
    from molvae.generation.results import Summary
    from molvae.generator import MoleculeGenerator
    from molvae.targets import Request

Row = dict[str, Any]
MISSED = "out of range"  # the end of the reason why a draw was rejected
GREEDY = 0.1  # temperature below which the same molecules come again and again
RARE = "rare ring system"
REPAIRED = "repaired by SELFIES"
KNOWN = ("duplicate", "excluded", IN_TRAINING)  # such reasons


@click.command(epilog="Try: molvae generate -n 9 -t LogP=2.5 -t QED=0.8.. -o out.csv")
@click.argument("model", default="druglike")
@options.number(help="Number of molecules (default 20); with --targets, per row (default 1).")
@options.targets
@click.option(
    "--targets",
    "targets_file",
    type=click.Path(path_type=Path),
    default=None,
    help="Table with one set of targets per row: columns named as properties, cells such as 2.5 or"
    " 0.8..0.95, empty for no target. Of a table from `molvae generate`, its target_ columns.",
)
@options.exclude
@cores.keep
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
    keep: str | None,
    seed: int | None,
    batch_size: int | None,
    jobs: int | None,
    executor: str | None,
    device: str,
    output: TableOutput,
    **settings: Any,
) -> None:
    """Generate molecules with the properties you ask for.

    MODEL is a file, a folder from `molvae train`, or the name of a bundled model (default
    druglike). `molvae info MODEL` shows its properties and its own defaults.
    """
    output.check()
    requests, n = read_requests(normalizer_of(model), targets, targets_file, number)
    generator = generators.load(model, device)
    requests = [replace(request, normalizer=generator.normalizer) for request in requests]
    kept, settings = cores.read_kept(generator, keep, settings, quiet=output.quiet)
    config = settle(generator, requests, settings, quiet=output.quiet)
    known = read_known(generator, exclude, jobs=jobs, quiet=output.quiet)
    with generators.run("Generating", n, jobs, executor, quiet=output.quiet) as (run, stopped):
        generation = generator.generate(
            n,
            requests,
            config=config,
            seed=seed,
            exclude=known,
            keep=kept,
            batch_size=batch_size or 1024,
            **run,
        )
    title = generators.title_and_hash(model, generator)
    rows = [{**each.row(), "model": title, "seed": generation.summary.seed} for each in generation]
    finish(generator, generation.summary, rows, output=output, stopped=stopped)
    if generation.summary.found < n:
        help = _what_helps(generator, requests, generation.summary, patterns=bool(config.smarts))
        raise too_few(generation.summary, help)


def settle(
    generator: "MoleculeGenerator",
    requests: Sequence["Request"],
    settings: Mapping[str, Any],
    *,
    quiet: bool,
) -> DrawSettings:
    """Return the settings of a run; warn of targets and a rule that the model cannot meet.

    Raises:
        UsageError: for --in-range without a target.
    """
    config = generators.draw_settings(generator, settings)
    if config.in_range and not any(requests):
        raise UsageError("--in-range needs a target: --target LogP=2..3, for example.")
    generators.tell_of_rings(generator, config.rings, quiet=quiet)
    warn_of_requests(generator, requests, quiet)
    return config


def finish(
    generator: "MoleculeGenerator",
    summary: "Summary",
    rows: Sequence[Row],
    *,
    output: TableOutput,
    stopped: Sequence[int],
) -> None:
    """Write or show generated molecules, and the summary."""
    written = output.write_molecules(rows)
    alerts = alert_lines([row["SMILES"] for row in rows], summary.settings["filters"])
    lines = (*summary_lines(generator, summary), *alerts)
    output.finish(summary.to_dict(), lines, rows={"molecules": written}, stopped=stopped)


def too_few(summary: "Summary", help: str) -> ShortfallError:
    """Return the error for fewer molecules than were asked for, with what helps."""
    return ShortfallError(
        f"{summary.found} of {summary.requested} molecules were found; the other draws were"
        f" rejected ({rejected(summary)}). {help}"
    )


def read_known(
    generator: "MoleculeGenerator", path: Path | None, *, jobs: int | None, quiet: bool
) -> frozenset[str]:
    """Return the molecules of a table, standardized as the training set.

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
    lost = f"; {bad:,} rows are not molecules" if bad else ""
    say(describe_table(table.name, len(looked), table.smiles_column), quiet=quiet)
    say(f"{path}: {len(known):,} molecules are excluded{lost}.", quiet=quiet)
    return known


def summary_lines(generator: "MoleculeGenerator", summary: "Summary") -> Iterator[str]:
    """Yield the summary of a run in words."""
    yield from copies(generator, summary)
    yield (
        f"{summary.found} of {summary.requested} molecules, tier {summary.tier},"
        f" {draws_of(summary)}"
    )
    novel = f", novel {summary.novelty:.1%} of the molecules" if summary.found else ""
    yield (
        f"acceptance {summary.acceptance:.1%} (first draws that SELFIES did not repair),"
        f" unique {summary.uniqueness:.1%} of the first draws{novel}"
    )
    yield from control_lines(generator, summary.control)
    yield from together(summary)
    if summary.refusals:
        yield f"rejected: {rejected(summary)}"


def _what_helps(
    generator: "MoleculeGenerator",
    requests: Sequence["Request"],
    summary: "Summary",
    *,
    patterns: bool,
) -> str:
    """Return advice for a run that found too few molecules, by the commonest reason."""
    reason = next(iter(summary.refusals), "")
    more = "A larger --max-tries tries longer."
    if any(map(generator.is_ood, requests)):
        more = "No training molecule is similar to the targets: choose others."
    elif reason.endswith(MISSED):
        more += " A larger --shortlist comes nearer to the targets."
    elif (
        reason == REPAIRED and summary.settings["shortlist"] > 1 and any(r.ranges for r in requests)
    ):
        more += " With --shortlist 1 SELFIES repairs fewer, which are farther from the targets."
    elif reason == RARE:
        more += " --rings any keeps them."
    elif reason in KNOWN and summary.settings["temperature"] < GREEDY:
        more = _warmer(summary)
    elif reason in KNOWN:
        more += " A higher --temperature brings more different molecules."
    if patterns:
        elements = ", ".join(generator.vocabulary.elements)
        more += (
            f" The model knows only the elements {elements}. To start from a molecule with the"
            " pattern: molvae neighbors SMILES."
        )
    return more


def _warmer(summary: "Summary") -> str:
    """Return advice for a run at a temperature near 0."""
    temperature, noise = summary.settings["temperature"], summary.settings["noise"]
    another = " With --noise 0, each molecule has a latent code of its own." if noise else ""
    return (
        f"At temperature {temperature:g} the model repeats its most likely molecules, however often"
        f" it tries: choose a higher --temperature.{another}"
    )
