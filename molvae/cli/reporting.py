"""The result of a benchmark or an evaluation, and the options for it."""

import os
import platform
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple, Protocol

import click

from molvae.cli import options
from molvae.cli.terminal import say
from molvae.errors import printable


class Result(Protocol):
    """The result of a benchmark."""

    def to_json(self) -> str:
        """Return everything as JSON text."""
        ...

    def table(self) -> list[str]:
        """Return the figures as lines of text."""
        ...


class Reporting(NamedTuple):
    """Where a benchmark or an evaluation runs and writes its result: the options of `reported`."""

    jobs: int | None  # worker processes; None for one on each core
    device: str  # where the networks run
    as_json: bool  # print JSON instead of a table
    output: Path | None  # file for the JSON; `-` or None writes to stdout only
    force: bool  # an existing file may be overwritten
    quiet: bool  # leave out the notes

    @property
    def processes(self) -> int:
        """The number of worker processes."""
        return self.jobs or os.cpu_count() or 1

    @property
    def target(self) -> Path | None:
        """The file for the JSON; None for stdout."""
        return None if str(self.output) == "-" else self.output

    def show(self, found: Result, *, notes: Iterable[str] = ()) -> None:
        """Write and print a result."""
        from molvae.files.atomic import write_atomically

        text = found.to_json()
        if self.target is not None:
            write_atomically(self.target, f"{text}\n".encode())
        printed = self.as_json or str(self.output) == "-"
        click.echo(text if printed else "\n".join(map(printable, found.table())))
        for note in notes:
            say(f"Note: {note}", quiet=self.quiet)


reported = options.packed(
    Reporting,
    "reporting",
    options.jobs,
    options.device,
    options.as_json,
    options.output("Write the result to this file, as JSON."),
    options.force,
    options.quiet,
)


def versions() -> dict[str, str]:
    """Return the versions of the packages that the figures depend on, and the machine."""
    from importlib.metadata import version

    made_with = {name: version(name) for name in ("molvae", "rdkit", "selfies", "torch", "numpy")}
    return {**made_with, "machine": f"{platform.machine()}, {os.cpu_count()} cores"}
