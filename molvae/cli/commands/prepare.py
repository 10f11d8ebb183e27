"""`molvae prepare`: tables of molecules -> one dataset to train on."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from molvae.cli import fields, generators, options
from molvae.cli.initial import prepared_like
from molvae.cli.outputs import check_table
from molvae.cli.overwriting import is_device
from molvae.cli.progress import progress
from molvae.cli.rejects import show_first
from molvae.cli.terminal import describe_table, print_json, say
from molvae.config import DataConfig
from molvae.errors import MolvaeError, UsageError

if TYPE_CHECKING:
    from molvae.data.prepare import Prepared

NOT_A_NUMBER = "not a number"


@click.command()
@click.argument(
    "files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path)
)
@options.output("Dataset to write.", required=True, kind=options.DATASET)
@options.input_format
@fields.config_options(DataConfig)
@click.option(
    "--init",
    metavar="MODEL",
    default=None,
    help="Prepare for training this model further: with its properties and standardization. Its"
    " symbols are never too rare.",
)
@options.rejects
@click.option(
    "--conflicts",
    type=options.OUTPUT,
    default=None,
    help="Write every label on which rows of one molecule disagree, with both rows, to this table.",
)
@options.strict
@options.jobs
@options.executor
@options.force
@options.as_json
@options.quiet
def command(
    files: tuple[Path, ...],
    output: Path,
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

    Each FILE is a .smi, .csv, .tsv, .sdf, .parquet, .json or .jsonl table, also with .gz; - is
    stdin. Molecules are standardized, checked and measured, equal ones are merged, and all are
    split. Each rejected row is counted and reported with its reason:
    molvae prepare esol.csv -o esol.molvae --label logS --rejects bad.csv

    A label with words, such as active and inactive, has classes. Write --label NAME:class when the
    classes are numbers.

    An interrupted run keeps the finished rows beside DATASET; the same command continues it.
    """
    from molvae.data.prepare import prepare
    from molvae.files.atomic import hidden_beside

    base, known_symbols = prepared_like(init, settings) if init else (None, frozenset())
    config = fields.config_from(DataConfig, settings, base=base)
    if str(output) == "-":
        raise UsageError("-o -: a dataset is no table; name a file.")
    for table in (rejects, conflicts):
        if table is not None:
            check_table(table)
    if [rejects, conflicts].count(Path("-")) + as_json > 1:
        raise UsageError("stdout can take one of --rejects -, --conflicts - and --json.")
    # No file is kept beside a device such as /dev/null.
    unfinished = None if is_device(output) else hidden_beside(output, ".unfinished")
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
        sha256 = prepared.dataset.save(output)
    if unfinished is not None:
        unfinished.unlink(missing_ok=True)
    seconds = time.monotonic() - start
    show_first(prepared.rejects, "rows left out", rejects, "--rejects", quiet=quiet)
    show_first(prepared.conflicts, "labels that disagree", conflicts, "--conflicts", quiet=quiet)
    for line in _report(prepared):
        say(line, quiet=quiet)
    rate = prepared.tally.rows / seconds
    say(f"{output}: {seconds:.1f} s, {rate:,.0f} rows/s, sha256 {sha256[:12]}", quiet=quiet)
    if as_json:
        print_json({"dataset": str(output), "sha256": sha256, **prepared.tally.to_dict()})


def _kibibytes(files: Sequence[Path]) -> int | None:
    """Return the size of all files; None when one is a pipe."""
    known = all(path.is_file() for path in files)
    return sum(path.stat().st_size for path in files) // 1024 if known else None


@contextmanager
def _kept(unfinished: Path | None) -> Iterator[None]:
    """Name the file that keeps the finished rows when the work within is interrupted."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit, MolvaeError, OSError):
        if unfinished is not None and unfinished.exists():
            say(f"{unfinished} keeps the finished rows: the next run uses them.")
        raise


def _report(prepared: "Prepared") -> Iterator[str]:
    """Yield the lines on the tables and their rows."""
    if NOT_A_NUMBER in prepared.tally.rejected:
        yield (
            "A row with a label that is no number is left out whole; with an empty cell its"
            " molecule stays, and only the label is missing."
        )
    if prepared.recalled:
        yield f"{prepared.recalled:,} rows were prepared by an interrupted run."
    for source in prepared.dataset.provenance["sources"]:
        yield describe_table(source["name"], source["rows"], source["smiles_column"])
    yield from prepared.tally.lines()
    if lacking := prepared.dataset.lacks():
        yield f"Note: {lacking}"
    fingerprints = prepared.dataset.training_fingerprints
    if fingerprints is not None:
        yield (
            f"fingerprints of {len(fingerprints):,} training molecules are inside, as in models"
            " trained on them; --no-fingerprints leaves them out"
        )
