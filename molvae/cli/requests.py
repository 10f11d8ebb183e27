"""The targets of a command, from `--target` or a table, and warnings about unusual ones."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from molvae.cli import options
from molvae.cli.terminal import say
from molvae.errors import InputError, UsageError

if TYPE_CHECKING:
    from molvae.data.tables.records import Row, Table
    from molvae.generator import MoleculeGenerator
    from molvae.normalizer import PropertyNormalizer
    from molvae.targets import Request, Wanted

PREFIX = "target_"  # of the columns of targets in a table of molecules
SHOWN_ODD = 3  # requests unlike the training set that are named
MARKED = " and the rows are marked ood"


def normalizer_of(model: str) -> "PropertyNormalizer":
    """Return the names and scales of a model's properties, without reading its weights."""
    from molvae.checkpoint import find_model, read_normalizer

    return read_normalizer(find_model(model))


def check_targets(model: str, targets: options.Ranges) -> None:
    """Check targets before the weights of a model are read.

    Raises:
        UsageError: for a property that the model does not know, or an impossible value.
    """
    from molvae.targets import Request

    if targets:
        Request.for_model(targets, normalizer_of(model))


def read_requests(
    normalizer: "PropertyNormalizer",
    targets: options.Ranges,
    targets_file: Path | None,
    number: int | None,
) -> tuple[list["Request"], int]:
    """Return the requests, and the number of molecules in all.

    Raises:
        UsageError: for targets from both places, or a cell that is no target.
    """
    from molvae.targets import Request

    if targets_file is None:
        return [Request.for_model(targets, normalizer)], number or 20
    if targets:
        raise UsageError("--target and --targets: give the targets in one place.")
    rows = list(_read_targets(normalizer, targets_file))
    return rows, (number or 1) * len(rows)


def _read_targets(normalizer: "PropertyNormalizer", path: Path) -> Iterator["Request"]:
    """Yield the request of each row of a table in any format.

    Raises:
        InputError: for no table, and for a row that every table refuses.
        UsageError: for a cell that is no target of the model.
    """
    from molvae.data.tables.columns import NO_MOLECULES
    from molvae.data.tables.tables import open_table
    from molvae.targets import Request

    table = open_table(path, smiles_column=NO_MOLECULES)
    asked = _target_columns(table)
    found = False
    for row in table.rows:
        found, where = True, f"{row.file}:{row.line}"
        if row.fault:
            hint = "; write the decimal point as a dot" if row.fault == "too many cells" else ""
            raise InputError(f"{where}: {row.fault}{hint}.")
        try:
            yield Request.for_model(_targets(normalizer, asked, row), normalizer)
        except UsageError as error:
            raise UsageError(f"{where}: {error}") from error
    if not found:
        raise InputError(f"{path}: no row of targets.")


def _target_columns(table: "Table") -> dict[int, str]:
    """Return the columns of targets, place -> name: those of `molvae generate`, or else all.

    Raises:
        InputError: for two columns of the same name.
    """
    from molvae.data.tables.records import find_column

    names = [name for name in table.columns if name]
    asked = [name for name in names if name.startswith(PREFIX)] or names
    return {find_column(table, name): name.removeprefix(PREFIX) for name in asked}


def _targets(
    normalizer: "PropertyNormalizer", asked: Mapping[int, str], row: "Row"
) -> dict[str, "Wanted"]:
    """Return the targets of a row; a cell of a class label may be a class without quotes."""
    from molvae.data.tables.cells import is_missing
    from molvae.targets import parse_range, spell

    targets: dict[str, Wanted] = {}
    for place, name in asked.items():
        cell = " ".join(row.cells[place].split())
        classes = normalizer.classes.get(spell(name, normalizer), ()) if cell else ()
        if classes and (cell in classes or not is_missing(cell)):
            targets[name] = cell
        elif not is_missing(cell):
            targets[name] = parse_range(name, cell)
    return targets


def warn_of_targets(request: "Request", *, quiet: bool, so: str = "") -> None:
    """Warn of targets outside the model's training range; `so` ends the sentence."""
    for name in request.unfamiliar:
        say(f"Warning: {request.outside(name)}{so}.", quiet=quiet)


def warn_of_requests(
    generator: "MoleculeGenerator", requests: Sequence["Request"], quiet: bool
) -> None:
    """Warn of targets outside the training range, and of combinations unlike the training set."""
    strange = {n: r.ranges[n] for r in requests for n in r.unfamiliar}
    warn_of_targets(generator.request(strange), quiet=quiet, so=MARKED)
    # For a single property outside its range, the first warning is enough.
    together = [request for request in requests if len(request.ranges) > 1 or not strange]
    _warn_of_combinations(generator, together, quiet)


def _warn_of_combinations(
    generator: "MoleculeGenerator", requests: Sequence["Request"], quiet: bool
) -> None:
    """Warn of combinations unlike the training set; report the frequency of a single request."""
    found = [(request, generator.feasibility(request)) for request in requests]
    odd = [(request, each) for request, each in found if each is not None and each.ood]
    for request, each in odd[:SHOWN_ODD]:
        nearest = ", ".join(f"{name}={value:.3g}" for name, value in each.nearest.items())
        say(
            f"Warning: {request}: no training molecule is similar; the nearest combination is"
            f" {nearest}, {each.distance:.1f} sd away. The rows are marked ood.",
            quiet=quiet,
        )
    if len(odd) > SHOWN_ODD:
        say(f"Warning: the same for {len(odd) - SHOWN_ODD:,} more requests.", quiet=quiet)
    if len(found) == 1 and not odd and found[0][1] is not None:
        say(
            f"{found[0][1].share:.1%} of the training molecules are within half an sd of the"
            " targets.",
            quiet=quiet,
        )
