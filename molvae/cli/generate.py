"""`molvae generate`: the main job."""

import csv
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from molvae.cli import options
from molvae.cli.progress import progress
from molvae.cli.stopping import stop_signals
from molvae.cli.terminal import print_json, print_table, say
from molvae.config import GenerateConfig
from molvae.errors import InputError, ShortfallError, UsageError

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from molvae.generated import Generation, Summary
    from molvae.generator import MoleculeGenerator

SMALL = 200  # molecules: fewer are measured sooner than worker processes start


@click.command()
@click.argument("model", default="druglike")
@options.number(help="How many molecules; with --targets-file, for each of its rows.")
@options.targets
@click.option(
    "--targets",
    "targets_file",
    type=click.Path(path_type=Path),
    default=None,
    help="Table with one set of targets a row: columns named like properties, cells like 2.5"
    " or 0.8..0.95, empty where free.",
)
@options.output("Table to write (.csv, .tsv, .smi); - is stdout.", default="-")
@options.config_options(GenerateConfig)
@options.seed()
@options.batch_size
@options.jobs
@options.device
@options.force
@click.option("--json", "as_json", is_flag=True, help="Write the summary to stdout as JSON.")
@options.quiet
def command(
    model: str,
    number: int | None,
    targets: options.Ranges,
    targets_file: Path | None,
    output: str,
    seed: int | None,
    batch_size: int | None,
    jobs: int | None,
    device: str,
    force: bool,
    as_json: bool,
    quiet: bool,
    **settings: Any,
) -> None:
    """Draw molecules with the properties you name.

    MODEL is a file, a folder that `molvae train` wrote, or the name of a bundled model. For
    example: molvae generate -n 100 --target LogP=2.5 --target QED=0.8.. -o out.csv
    """
    from molvae.data.tables import WRITERS, format_of

    config = options.config_from(GenerateConfig, settings)
    target = None if output == "-" else Path(output)
    if target is not None:
        _check_target(target, force)
        format_of(target, WRITERS)
    generator = _load(model, device)
    requests, n = _requests(generator, targets, targets_file, number)
    _warn(generator, requests, quiet)
    with (
        stop_signals() as stopped,
        progress("Generating", total=n, quiet=quiet) as report,
        _workers(n, jobs) as executor,
    ):
        generation = generator.draw(
            n,
            requests,
            config=config,
            seed=seed,
            executor=executor,
            batch_size=batch_size or 1024,
            report=report,
            should_stop=lambda: bool(stopped),
        )
    if target is not None or not as_json:
        _write(generation, target, model=f"{Path(model).stem}-{generator.name}")
    for line in summary_lines(generation.summary):
        say(line, quiet=quiet)
    if as_json:
        print_json(generation.summary.to_dict())
    if stopped:
        raise SystemExit(128 + stopped[0])
    if generation.summary.found < n:
        raise ShortfallError(
            f"{generation.summary.found} of {n} molecules were found; the rest were refused"
            f" ({_most_common(generation.summary)}). A larger --max-tries tries longer."
        )


def _load(model: str, device: str) -> "MoleculeGenerator":
    import torch

    from molvae.device import choose_device
    from molvae.generator import MoleculeGenerator

    # Small matrix products: a second thread costs more than it brings, and the other cores are
    # for the chemistry. One thread also makes the sums the same everywhere.
    torch.set_num_threads(1)
    return MoleculeGenerator.load(model, device=choose_device(device))


def _requests(
    generator: "MoleculeGenerator",
    targets: options.Ranges,
    targets_file: Path | None,
    number: int | None,
) -> tuple[list[options.Ranges], int]:
    """Return what is asked, and the number of molecules in all.

    Raises:
        UsageError: for targets from both places, or a cell that is no target.
    """
    if targets_file is None:
        return [generator.ranges(targets)], number or 20
    if targets:
        raise UsageError("--target and --targets: give the targets in one place.")
    rows = [generator.ranges(row) for row in _read_targets(targets_file)]
    return rows, (number or 1) * len(rows)


def _read_targets(path: Path) -> Iterator[options.Ranges]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            text = file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as a table of targets: {error}") from error
    separator = "\t" if "\t" in text.partition("\n")[0] else ","
    reader = csv.DictReader(text.splitlines(), delimiter=separator)
    found = False
    for row in reader:
        found = True
        cells = {name.removeprefix("target_"): cell for name, cell in row.items() if name and cell}
        try:
            yield options.parse_targets(f"{name}={cell}" for name, cell in cells.items())
        except UsageError as error:
            raise UsageError(f"{path}, line {reader.line_num}: {error}") from error
    if not found:
        raise InputError(f"{path}: no row of targets.")


def _warn(generator: "MoleculeGenerator", requests: Sequence[options.Ranges], quiet: bool) -> None:
    """Say which targets lie outside what the model was trained on."""
    from molvae.targets import format_range, unfamiliar

    normalizer = generator.normalizer
    strange = {name: r[name] for r in requests for name in unfamiliar(r, normalizer)}
    for name, wanted in strange.items():
        column = normalizer.names.index(name)
        say(
            f"Warning: {name}={format_range(wanted)} lies outside the model's training range"
            f" {normalizer.low[column]:.3g}..{normalizer.high[column]:.3g}; the nearest value"
            " there is used and the rows are marked ood.",
            quiet=quiet,
        )


@contextmanager
def _workers(n: int, jobs: int | None) -> Iterator["Executor | None"]:
    """Give worker processes for the chemistry, when there is enough of it."""
    jobs = jobs or os.cpu_count() or 1
    if n < SMALL:
        with nullcontext():
            yield None
        return
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    context = multiprocessing.get_context(
        "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
    )
    context.set_forkserver_preload(["molvae.chem.candidates"])
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=_ignore_interrupts) as executor:
        yield executor


def _ignore_interrupts() -> None:
    """Leave Ctrl-C to the parent, which keeps what is finished."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _check_target(path: Path, force: bool) -> None:
    if path.is_dir():
        raise UsageError(f"{path}: is a folder; name a file in it.")
    if path.exists() and not force:
        raise UsageError(f"{path}: exists; --force overwrites it.")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise UsageError(f"{path.parent}: no such folder, or no right to write there.")


def _write(generation: "Generation", target: Path | None, *, model: str) -> None:
    from molvae.data.tables import write_table

    rows = [
        {**molecule.row(), "model": model, "seed": generation.summary.seed}
        for molecule in generation.molecules
    ]
    columns = list(dict.fromkeys(column for row in rows for column in row)) or ["ID", "SMILES"]
    cells = [[_cell(row.get(column)) for column in columns] for row in rows]
    if target is not None:
        write_table(target, columns, cells)
    elif sys.stdout.isatty():
        shown = [column for column in columns if column not in ("model", "seed", "nll")]
        print_table(shown, ([_short(row.get(column)) for column in shown] for row in rows))
    else:
        write_table(sys.stdout.buffer, columns, cells)


def _cell(value: object) -> str:
    """Write a value as a table shows it: six digits say more than a model knows."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _short(value: object) -> str:
    """Write a value for the eye: three digits."""
    return f"{value:.3g}" if isinstance(value, float) else _cell(value)


def summary_lines(summary: "Summary") -> list[str]:
    """Return what is worth telling about a run, a line each."""
    lines = [
        f"{summary.found} of {summary.requested} molecules, tier {summary.tier},"
        f" {summary.draws} draws in {summary.seconds:.1f} s, seed {summary.seed},"
        f" model {summary.model}",
        f"acceptance {summary.acceptance:.1%} (first draws that SELFIES did not have to repair),"
        f" unique {summary.uniqueness:.1%}, novel {summary.novelty:.1%}",
    ]
    for name, control in summary.control.items():
        lines.append(
            f"{name}: mean {control.mean:.3g}, mean error {control.mae:.3g}"
            f" ({control.mae_scaled:.2f} sd), hit {control.hit_rate:.0%}"
        )
    if summary.refusals:
        lines.append(f"refused: {_most_common(summary)}")
    return lines


def _most_common(summary: "Summary") -> str:
    return ", ".join(f"{count} {reason}" for reason, count in summary.refusals.items()) or "none"
