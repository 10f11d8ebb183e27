"""The targets of a command, from `--target` or a table, and warnings about unusual ones."""

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from molvae.cli import options
from molvae.cli.terminal import say
from molvae.errors import InputError, UsageError

if TYPE_CHECKING:
    from molvae.generator import MoleculeGenerator
    from molvae.targets import Request, Wanted

PREFIX = "target_"  # of the columns of targets in a table of molecules
SHOWN_ODD = 3  # requests unlike the training set that are named
MARKED = " and the rows are marked ood"


def read_requests(
    generator: "MoleculeGenerator",
    targets: options.Ranges,
    targets_file: Path | None,
    number: int | None,
) -> tuple[list["Request"], int]:
    """Return the requests, and the number of molecules in all.

    Raises:
        UsageError: for targets from both places, or a cell that is no target.
    """
    if targets_file is None:
        return [generator.request(targets)], number or 20
    if targets:
        raise UsageError("--target and --targets: give the targets in one place.")
    rows = [generator.request(row) for row in _read_targets(targets_file)]
    return rows, (number or 1) * len(rows)


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


def warn_of_targets(request: "Request", *, quiet: bool, so: str = "", of: str = "") -> None:
    """Warn of targets outside the model's training range.

    Args:
        request: the targets.
        quiet: write nothing.
        so: the end of the sentence.
        of: the name of a molecule whose own properties they are.
    """
    from molvae.targets import format_range

    normalizer = request.normalizer
    for name in request.unfamiliar:
        column = normalizer.names.index(name)
        say(
            f"Warning: {of}{name}={format_range(request.ranges[name])} lies outside the model's"
            f" training range {normalizer.low[column]:.3g}..{normalizer.high[column]:.3g}; the"
            f" nearest value there is used{so}.",
            quiet=quiet,
        )


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
