"""`molvae evaluate`: a table of generated molecules -> how good they are."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from molvae.cli import options
from molvae.cli.outputs import check_output
from molvae.cli.progress import Report, progress
from molvae.cli.terminal import describe_table, printable, say
from molvae.errors import ArtifactError, InputError, UsageError

if TYPE_CHECKING:
    from molvae.data.records import Row
    from molvae.evaluate.references import Source
    from molvae.evaluate.report import Examined
    from molvae.evaluate.training import IndexedMolecules
    from molvae.evaluate.work import Progress

TARGET_PREFIX = "target_"  # as `molvae generate` names the columns of what was asked
CHECKPOINT_ENDING = ".safetensors"


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--suite",
    default="basic",
    show_default=True,
    metavar="basic|moses|guacamol",
    help="Collection of metrics.",
)
@click.option(
    "--training",
    metavar="FILE|MODEL",
    default=None,
    help="What the generator was trained on, for novelty: a table, or a model of molvae.",
)
@click.option(
    "--reference",
    "--test",
    "reference",
    type=click.Path(path_type=Path),
    default=None,
    help="Table of molecules that the generated ones should be like; the test set of a suite.",
)
@click.option(
    "--test-scaffolds",
    "scaffolds",
    type=click.Path(path_type=Path),
    default=None,
    help="The scaffold test set of the suite moses.",
)
@click.option(
    "--fcd/--no-fcd",
    default=True,
    help="With the Frechet ChemNet distance, where the suite has it (default yes).",
)
@click.option(
    "--memorization",
    is_flag=True,
    help="With the nearest training molecule of 30,000 generated ones, and of as many of the"
    " reference to compare; takes minutes where the training set is large.",
)
@click.option(
    "--bootstrap",
    type=click.IntRange(min=0),
    default=0,
    metavar="B",
    help="With 95 % intervals from B resamples of the molecules, 1000 for instance.",
)
@options.smiles_column
@options.input_format()
@options.jobs
@options.device
@options.seed("Seed of the subsets taken of large sets (default 0).")
@options.as_json
@options.output("Write the report to this file, as JSON.")
@click.option(
    "--report",
    "page",
    type=click.Path(path_type=Path),
    default=None,
    metavar="FILE.html",
    help="Write it to this file too, as one HTML page with charts and molecules; needs the extra"
    " 'report'.",
)
@options.force
@options.quiet
def command(
    file: Path,
    suite: str,
    training: str | None,
    reference: Path | None,
    scaffolds: Path | None,
    fcd: bool,
    memorization: bool,
    bootstrap: int,
    smiles_column: str | None,
    input_format: str,
    jobs: int | None,
    device: str,
    seed: int | None,
    as_json: bool,
    output: str | None,
    page: Path | None,
    force: bool,
    quiet: bool,
) -> None:
    """Score a table of generated molecules: validity, uniqueness, novelty, diversity.

    FILE is a table in any format that molvae prepare reads, - is stdin. It may come from any
    generator; leave its invalid and empty rows in. Columns named target_NAME, as molvae generate
    writes them, are compared with what the molecules are:
    molvae evaluate generated.csv --training train.csv --reference test.csv -o report.json

    The suite moses has all metrics of that benchmark under its names; give it --training, --test
    and --test-scaffolds. What is computed of these sets is kept and found again.
    """
    from molvae.evaluate.gather import Given
    from molvae.evaluate.report import examine
    from molvae.evaluate.work import Work
    from molvae.store import write_atomically

    target = None if output in (None, "-") else Path(str(output))
    trained_on = None if training is None else Path(training)
    inputs = (file, trained_on, reference, scaffolds)
    if target is not None:
        check_output(target, force=force, inputs=inputs)
    if page is not None:
        _check_page(page, force=force, inputs=(*inputs, target))
    workers = jobs or os.cpu_count() or 1
    generated = read_generated(file, smiles_column or "", format=input_format, quiet=quiet)
    model = None if training is None else _read_model(training, workers)
    known = None if trained_on is None or model else read_set(trained_on)
    with stages(quiet=quiet) as report_progress:
        given = Given(
            generated.smiles,
            reference=None if reference is None else read_set(reference),
            scaffolds=None if scaffolds is None else read_set(scaffolds),
            training=model.molecules if model else known,
        )
        examined = examine(
            given,
            Work(workers, chemnet_device(device, suite, fcd=fcd), report_progress),
            targets=generated.targets,
            scales=model.scales if model else None,
            suite=suite,
            fcd=fcd,
            seed=seed or 0,
            memorization=memorization,
            bootstrap=bootstrap,
        )
    report = examined.report
    if target is not None:
        write_atomically(target, f"{report.to_json()}\n".encode())
    if page is not None:
        _write_page(page, examined, inputs, model.said if model else None)
    click.echo(
        report.to_json() if as_json or output == "-" else printable("\n".join(report.table()))
    )
    for note in report.notes:
        say(f"Note: {note}", quiet=quiet)


def _check_page(page: Path, *, force: bool, inputs: Iterable[Path | None]) -> None:
    from molvae.evaluate.page import check_extra

    if str(page) == "-":
        raise UsageError("--report writes a file: name it, as in --report report.html")
    check_extra()
    check_output(page, force=force, inputs=inputs)


def _write_page(
    page: Path, examined: Examined, read: Sequence[Path | None], model: dict[str, Any] | None
) -> None:
    """Write a report as HTML; the files are named, but not where they lie."""
    from molvae.evaluate.page import render
    from molvae.store import write_atomically

    uses = ("generated", "training", "reference", "test scaffolds")
    files = {
        use: "stdin" if path == Path("-") else printable(path.name)
        for use, path in zip(uses, read, strict=True)
        if path
    }
    html = render(examined, files=files, model=model)
    write_atomically(page, html.encode(errors="replace"))  # half a surrogate pair, in a header


@contextmanager
def stages(*, quiet: bool) -> Iterator[Progress]:
    """Show how far work is that has several parts, each with a bar of its own."""
    shown: dict[str, Report] = {}
    with ExitStack() as stack:

        def report(stage: str, done: int, total: int) -> None:
            if stage not in shown:
                stack.close()
                shown.clear()
                shown[stage] = stack.enter_context(progress(stage, total=total, quiet=quiet))
            shown[stage](done)

        yield report


class Generated(NamedTuple):
    """The molecules under test.

    Attributes:
        smiles: one for each row, "" for a row without.
        targets: property -> what was asked of each row; nothing for a name that is no property.
    """

    smiles: list[str]
    targets: dict[str, list[tuple[float, float] | None]]


class _Model(NamedTuple):
    """What a checkpoint knows of its training set.

    Attributes:
        molecules: an index of them.
        scales: property -> standard deviation.
        said: what a page tells of the model.
    """

    molecules: IndexedMolecules
    scales: dict[str, float]
    said: dict[str, Any]


def read_generated(path: Path, column: str, *, format: str, quiet: bool) -> Generated:
    """Read every row, empty ones included: each of them was a molecule that did not come."""
    from molvae.data.tables import open_table

    table = open_table(path, smiles_column=column, format=format)
    asked = {
        name: name[len(TARGET_PREFIX) :]
        for name in table.columns
        if name.lower().startswith(TARGET_PREFIX) and len(name) > len(TARGET_PREFIX)
    }
    measurable = {heading: name for heading, name in asked.items() if _is_property(name)}
    generated = Generated([], {name: [] for name in asked.values()})
    faults = 0
    line = 2 if table.has_header else 1
    for row in table.rows:
        blank = row.line - line if table.line_is_row else 0
        generated.smiles.extend([""] * blank + ["" if row.fault else row.smiles])
        for heading, name in measurable.items():
            generated.targets[name] += [None] * blank + [_request(row, heading, name)]
        faults += bool(row.fault)
        line = row.line + 1 + sum(cell.count("\n") for cell in row.cells.values())
    where = table.file.where
    say(describe_table(where, len(generated.smiles), table.smiles_column), quiet=quiet)
    if faults:
        say(f"{where}: {faults:,} rows are damaged and count as invalid.", quiet=quiet)
    return generated


def _is_property(name: str) -> bool:
    from molvae.chem.properties import resolve

    try:
        resolve(name)
    except UsageError:
        return False
    return True


def _request(row: Row, heading: str, name: str) -> tuple[float, float] | None:
    cell = row.cells.get(heading, "").strip()
    if not cell or row.fault:
        return None
    try:
        (wanted,) = options.parse_targets([f"{name}={cell}"]).values()
    except UsageError as error:
        raise InputError(f"{row.file}:{row.line}: column '{heading}': {error}") from error
    if isinstance(wanted, str):
        raise InputError(f"{row.file}:{row.line}: column '{heading}': '{wanted}' is not a number.")
    return wanted


def read_set(path: Path) -> Source:
    """Return the molecules of a table, which is read only where nothing is known of them yet."""
    from molvae.data.tables import open_table
    from molvae.evaluate.references import file_source

    table = open_table(path)  # says at once what is wrong with it
    table.file.close()
    smiles = table.smiles_column
    return file_source(path, lambda: _read_smiles(path), column=smiles)


def _read_smiles(path: Path) -> list[str]:
    from molvae.data.tables import open_table

    return [row.smiles for row in open_table(path).rows if not row.fault]


def chemnet_device(name: str, suite: str, *, fcd: bool) -> str:
    """Resolve `--device` where something will run there; torch is slow to load."""
    if suite == "basic" or not fcd:
        return "cpu"
    from molvae.device import choose_device

    return choose_device(name)


def _read_model(name: str, jobs: int) -> _Model | None:
    """Read the training index of a model; None where `name` is a table."""
    path = Path(name)
    if path.is_file() and path.suffix != CHECKPOINT_ENDING:
        return None
    from molvae.checkpoint import find_model, read_header, read_training_index
    from molvae.chem.smiles import Standardization
    from molvae.evaluate.trained import trained_model
    from molvae.evaluate.training import IndexedMolecules
    from molvae.store import read_sha256

    path = find_model(name)
    header = read_header(path)
    try:
        data, normalizer = header["provenance"]["data"], header["normalizer"]
        form = Standardization(**{key: data[key] for key in Standardization._fields if key in data})
        scales = dict(zip(normalizer["names"], normalizer["scale"], strict=True))
    except (KeyError, TypeError, ValueError) as error:
        raise ArtifactError(f"{path}: it does not say how its training set was made.") from error
    molecules = IndexedMolecules(read_training_index(path), form, jobs)
    return _Model(molecules, scales, trained_model(path.name, read_sha256(path), header))
