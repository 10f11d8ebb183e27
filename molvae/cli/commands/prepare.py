"""`molvae prepare`: tables of molecules -> one dataset to train on."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from molvae.cli import generators, options
from molvae.cli.initial import prepared_like
from molvae.cli.outputs import check_output, check_table, is_device
from molvae.cli.progress import progress
from molvae.cli.terminal import describe_table, print_json, say
from molvae.config import DataConfig
from molvae.errors import MolvaeError, UsageError

NOT_A_NUMBER = "not a number"
SHOWN = 10  # bad rows and conflicts named on stderr; the rejects file has all


@click.command()
@click.argument(
    "files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path)
)
@options.output("Dataset to write.", required=True)
@options.input_format()
@options.config_options(DataConfig)
@click.option(
    "--init",
    metavar="MODEL",
    default=None,
    help="Prepare for training this model further: with its properties and in its form, and none of"
    " the symbols that it knows is too rare.",
)
@click.option(
    "--rejects",
    type=click.Path(path_type=Path),
    default=None,
    help="Write every row left out, with its reason, to this table.",
)
@click.option(
    "--conflicts",
    type=click.Path(path_type=Path),
    default=None,
    help="Write every label that disagrees between rows of one molecule, with both rows, to this"
    " table.",
)
@click.option("--strict", is_flag=True, help="Stop at the first bad row.")
@options.jobs
@options.executor
@options.force
@options.as_json
@options.quiet
def command(
    files: tuple[Path, ...],
    output: str,
    input_format: str,
    init: str | None,
    rejects: Path | None,
    conflicts: Path | None,
    strict: bool,
    jobs: int | None,
    executor: str | None,
    force: bool,
    as_json: bool,
    quiet: bool,
    **settings: Any,
) -> None:
    """Turn tables of molecules into a dataset to train on.

    Each FILE is a .smi, .csv, .tsv, .sdf, .parquet, .json or .jsonl table, as it is or with .gz; -
    is stdin. Molecules are brought to one form, checked, measured, merged when they are equal, and
    split. Bad rows are left out, counted and named:
    molvae prepare esol.csv -o esol.molvae --label logS --rejects bad.csv

    A label whose cells are words is a class label, such as active and inactive; write
    --label NAME:class where the classes are numbers.

    A run that is cut short keeps the rows that are done beside DATASET; the same command goes on
    with them.
    """
    from molvae.data.journal import forget
    from molvae.data.prepare import prepare

    base, known_symbols = prepared_like(init, settings) if init else (None, frozenset())
    config = options.config_from(DataConfig, settings, base=base)
    target = Path(output)
    if output == "-":
        raise UsageError("-o -: a dataset is no table; name a file.")
    check_output(target, force=force, inputs=files)
    for table, others in ((rejects, (target,)), (conflicts, (target, rejects))):
        if table is not None:
            check_table(table, force=force, inputs=(*files, *others))
    if [rejects, conflicts].count(Path("-")) + as_json > 1:
        raise UsageError("stdout can take one of --rejects -, --conflicts - and --json.")
    # Beside a device, such as /dev/null, nothing is kept.
    unfinished = None if is_device(target) else target.with_name(f".{target.name}.unfinished")
    start = time.monotonic()
    with _kept(unfinished):
        with (
            generators.workers(jobs, executor) as workers,
            progress("Preparing", total=_kibibytes(files), unit="KiB", quiet=quiet) as report,
        ):
            prepared = prepare(
                files,
                config,
                jobs=workers,
                rejects=rejects,
                conflicts=conflicts,
                progress=lambda rows, read: report(read // 1024, f"{rows:,} rows"),
                strict=strict,
                format=input_format,
                known_symbols=known_symbols,
                unfinished=unfinished,
            )
        sha256 = prepared.dataset.save(target)
    if unfinished is not None:
        forget(unfinished)
    seconds = time.monotonic() - start
    listed = _first(prepared.rejects, "rows left out", rejects, "--rejects")
    listed += _first(prepared.conflicts, "labels that disagree", conflicts, "--conflicts")
    for line in listed:
        say(line, quiet=quiet)
    if NOT_A_NUMBER in prepared.tally.rejected:
        say(
            "A row with a label that is no number is left out whole; with an empty cell its"
            " molecule stays, and only the label is missing.",
            quiet=quiet,
        )
    if prepared.recalled:
        say(f"{prepared.recalled:,} rows were done by a run that was cut short.", quiet=quiet)
    for source in prepared.dataset.provenance["sources"]:
        said = describe_table(source["name"], source["rows"], source["smiles_column"])
        say(said, quiet=quiet)
    for line in prepared.tally.lines():
        say(line, quiet=quiet)
    rate = prepared.tally.rows / seconds
    say(f"{target}: {seconds:.1f} s, {rate:,.0f} rows/s, sha256 {sha256[:12]}", quiet=quiet)
    if as_json:
        print_json({"dataset": output, "sha256": sha256, **prepared.tally.to_dict()})


def _kibibytes(files: Sequence[Path]) -> int | None:
    """Return the size of all files; None when one is a pipe."""
    known = all(path.is_file() for path in files)
    return sum(path.stat().st_size for path in files) // 1024 if known else None


@contextmanager
def _kept(unfinished: Path | None) -> Iterator[None]:
    """Tell, when the work within is cut short, that it need not be done again."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit, MolvaeError, OSError):
        if unfinished is not None and unfinished.exists():
            say(f"The rows that are done are kept in {unfinished}: the same command goes on.")
        raise


def _first(items: Sequence[object], what: str, file: Path | None, option: str) -> list[str]:
    """Return the first bad rows or conflicts as lines, and how many more there are."""
    lines = [str(item) for item in items[:SHOWN]]
    if len(items) > SHOWN:
        where = f" in {file}" if file else f"; {option} FILE lists them"
        lines.append(f"... and {len(items) - SHOWN:,} more {what}{where}")
    return lines
