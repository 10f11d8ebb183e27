"""Tables of molecules to evaluate, and the sets to compare them with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from molvae.cli.terminal import describe_table, say
from molvae.errors import ArtifactError, InputError, UsageError

if TYPE_CHECKING:
    from molvae.data.tables.records import Row
    from molvae.evaluate.inputs import Source
    from molvae.evaluate.training import IndexedMolecules
    from molvae.parallel.workers import Jobs

NO_CALL = (float("nan"), float("nan"))
LARGEST = 1e30  # score that a chart can show
CALL = ("ID", "score", "operator")  # columns of a table of `molvae optimize`
TARGET_PREFIX = "target_"  # of the columns in which `molvae generate` writes the targets


class Generated(NamedTuple):
    """The molecules under test."""

    smiles: list[str]  # one for each row, "" for a row without
    # Property -> the target of each row; empty for a name that is no property.
    targets: dict[str, list[tuple[float, float] | None]]
    calls: list[tuple[float, float]] | None  # number and score of each row, if it was optimized


class TrainedOn(NamedTuple):
    """The training set of a model, as its checkpoint describes it."""

    molecules: IndexedMolecules  # an index of the molecules
    scales: dict[str, float]  # property -> standard deviation
    account: dict[str, Any]  # the model's account of its training, for a page


def read_generated(path: Path, column: str, *, format: str, quiet: bool) -> Generated:
    """Read every row; an empty one counts as an invalid molecule."""
    from molvae.data.tables.tables import open_table

    table = open_table(path, smiles_column=column, format=format)
    asked = {
        place: name[len(TARGET_PREFIX) :]
        for place, name in enumerate(table.columns)
        if name.lower().startswith(TARGET_PREFIX) and len(name) > len(TARGET_PREFIX)
    }
    measurable = _measurable(asked, table.columns, path)
    optimized = [table.columns.index(name) for name in CALL if name in table.columns]
    calls: list[tuple[float, float]] | None = [] if len(optimized) == len(CALL) else None
    generated = Generated([], {name: [] for name in asked.values()}, calls)
    faults = 0
    line = table.begins
    for row in table.rows:
        blank = row.line - line if table.line_is_row else 0
        generated.smiles.extend([""] * blank + ["" if row.fault else row.smiles])
        for place, name in measurable.items():
            heading = table.columns[place]
            wanted = _request(row, row.cells[place], heading=heading, name=name)
            generated.targets[name] += [None] * blank + [wanted]
        if calls is not None:
            calls += [NO_CALL] * blank + [_call(row, *optimized[:2])]
        faults += bool(row.fault)
        line = row.line + 1 + sum(cell.count("\n") for cell in row.cells)
    where = table.file.where
    say(describe_table(where, len(generated.smiles), table.smiles_column), quiet=quiet)
    if faults:
        say(f"{where}: {faults:,} rows are damaged and count as invalid.", quiet=quiet)
    return generated


def _measurable(asked: Mapping[int, str], columns: Sequence[str], path: Path) -> dict[int, str]:
    """Return the columns, place -> name, whose property can be measured.

    Raises:
        InputError: if two columns name the same property.
    """
    from molvae.chem.properties import resolve

    measurable: dict[int, str] = {}
    headings: dict[str, str] = {}  # of each property
    for place, name in asked.items():
        heading = columns[place]
        try:
            known = resolve(name).name
        except UsageError:
            continue
        if known in headings:
            raise InputError(
                f"{path}: columns '{headings[known]}' and '{heading}' both ask for {known}."
                " Leave one of them out."
            )
        headings[known] = heading
        measurable[place] = name
    return measurable


def _request(row: Row, cell: str, *, heading: str, name: str) -> tuple[float, float] | None:
    from molvae.data.tables.cells import is_missing
    from molvae.targets import Request

    cell = cell.strip()
    if is_missing(cell) or row.fault:
        return None
    try:
        (wanted,) = Request.parse([f"{name}={cell}"]).values()
    except UsageError as error:
        raise InputError(f"{row.file}:{row.line}: column '{heading}': {error}") from error
    if isinstance(wanted, str):
        raise InputError(f"{row.file}:{row.line}: column '{heading}': '{wanted}' is not a number.")
    return wanted


def _call(row: Row, number: int, score: int) -> tuple[float, float]:
    """Return the number of a call and its score; NaN for a row that is none, or has none."""
    try:
        found = float(row.cells[number]), float(row.cells[score] or "nan")
    except (ValueError, IndexError):  # a damaged row may lack cells
        return NO_CALL
    return found if not row.fault and abs(found[1]) < LARGEST else (found[0], NO_CALL[1])


def read_set(path: Path, *, quiet: bool) -> Source:
    """Return the molecules of a table, which is read only if their statistics are not cached."""
    from molvae.data.tables.tables import open_table
    from molvae.evaluate.inputs import file_source

    def read() -> list[str]:
        return ["" if row.fault else row.smiles for row in open_table(path).rows]

    return file_source(path, read, column=name_column(path, quiet=quiet))


def name_column(path: Path, *, quiet: bool) -> str:
    """Return the column of SMILES of a table, and report it on stderr if it is not `smiles`.

    Raises:
        InputError: at once, if the file is no table.
    """
    from molvae.data.tables.columns import bare_name
    from molvae.data.tables.tables import open_table

    table = open_table(path)
    table.file.close()
    if bare_name(table.smiles_column) != "smiles":
        say(f"{table.name}: SMILES in column '{table.smiles_column}'.", quiet=quiet)
    return table.smiles_column


def name_columns(paths: Iterable[Path | None], *, quiet: bool) -> None:
    """Report the column of SMILES and the damaged rows of each file that is a table."""
    from molvae.data.tables.tables import open_table
    from molvae.files.store import find_kind

    for path in paths:
        if path is not None and find_kind(path) is None:
            name_column(path, quiet=quiet)
            damaged = sum(bool(row.fault) for row in open_table(path).rows)
            if damaged:
                say(f"{path}: {damaged:,} damaged rows are left out.", quiet=quiet)


def chemnet_device(name: str, suite: str, *, fcd: bool) -> str:
    """Resolve `--device` if ChemNet will run there; torch is slow to load."""
    if suite == "basic" or not fcd:
        return "cpu"
    from molvae.model.device import choose_device

    return choose_device(name)


def read_model(name: str, jobs: Jobs) -> TrainedOn | None:
    """Read the training index of a model; None if `name` is a table."""
    from molvae.files.store import find_kind, read_sha256

    path = Path(name)
    if path.is_file() and find_kind(path) is None:
        return None
    from molvae.checkpoint import find_model, read_header, read_training_index
    from molvae.chem.smiles import Standardization
    from molvae.evaluate.trained import trained_model
    from molvae.evaluate.training import IndexedMolecules

    path = find_model(name)
    header = read_header(path)
    try:
        data, normalizer = header["provenance"]["data"], header["normalizer"]
        form = Standardization(**{key: data[key] for key in Standardization._fields if key in data})
        scales = dict(zip(normalizer["names"], normalizer["scale"], strict=True))
    except (KeyError, TypeError, ValueError) as error:
        raise ArtifactError(f"{path}: it does not record how its training set was made.") from error
    molecules = IndexedMolecules(read_training_index(path), form, jobs)
    return TrainedOn(molecules, scales, trained_model(path.name, read_sha256(path), header))
