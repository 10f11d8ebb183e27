"""The output of a benchmark, and its options."""

import os
import platform
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import click

from molvae.cli import options
from molvae.cli.outputs import check_output
from molvae.cli.terminal import printable, say


class Result(Protocol):
    """The result of a benchmark."""

    def to_json(self) -> str:
        """Return everything as JSON text."""
        ...

    def table(self) -> list[str]:
        """Return the figures as lines of text."""
        ...


def reported(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that all benchmarks have."""
    for decorate in reversed(
        (
            options.jobs,
            options.device,
            options.as_json,
            options.output("Write the result to this file, as JSON."),
            options.force,
            options.quiet,
        )
    ):
        command = decorate(command)
    return command


class Reporting(NamedTuple):
    """The output of a result.

    Attributes:
        target: file for the JSON; None writes to stdout only.
        as_json: print JSON instead of a table.
        quiet: leave out the notes.
    """

    target: Path | None
    as_json: bool
    quiet: bool

    @classmethod
    def to(
        cls,
        output: str | None,
        *,
        as_json: bool,
        force: bool,
        quiet: bool,
        inputs: Iterable[Path | None] = (),
    ) -> "Reporting":
        """Check before the work that the result can be written.

        Raises:
            UsageError: if it cannot.
        """
        target = None if output in (None, "-") else Path(str(output))
        if target is not None:
            check_output(target, force=force, inputs=inputs)
        return cls(target, as_json or output == "-", quiet)

    def show(self, found: Result, *, notes: Iterable[str] = ()) -> None:
        """Write and print a result."""
        from molvae.files.atomic import write_atomically

        text = found.to_json()
        if self.target is not None:
            write_atomically(self.target, f"{text}\n".encode())
        click.echo(text if self.as_json else printable("\n".join(found.table())))
        for note in notes:
            say(f"Note: {note}", quiet=self.quiet)


def versions() -> dict[str, str]:
    """Return the versions of the packages that the figures depend on, and the machine."""
    from importlib.metadata import version

    made_with = {name: version(name) for name in ("molvae", "rdkit", "selfies", "torch", "numpy")}
    return {**made_with, "machine": f"{platform.machine()}, {os.cpu_count()} cores"}


def given(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that the user gave."""
    return {name: value for name, value in settings.items() if value is not None and value != ()}
