"""The command line within this process, and the tables that it writes."""

import csv
from collections.abc import Iterable
from pathlib import Path

from click.testing import CliRunner, Result

from molvae.cli.main import cli


def invoke(*words: object, input: str | bytes | None = None, code: int | None = 0) -> Result:
    """Run a command, and check its exit code, None for any: `invoke("generate", "-n", 3)`."""
    done = CliRunner().invoke(cli, [*map(str, words)], input=input, prog_name="molvae")
    assert code in (None, done.exit_code), done.stderr or done.exception
    return done


def rows_of(text: str, delimiter: str = ",") -> list[dict[str, str]]:
    """Return the rows of a table."""
    return list(csv.DictReader(text.splitlines(), delimiter=delimiter))


def write_rows(path: Path, rows: Iterable[Iterable[object]]) -> None:
    """Write a .csv table."""
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
