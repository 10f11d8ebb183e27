"""The command line within this process, and the tables that it writes."""

import csv

from click.testing import CliRunner, Result

from molvae.cli.main import cli


def invoke(*words: object, input: str | bytes | None = None) -> Result:
    """Run a command: `invoke("generate", "-n", 3)`."""
    return CliRunner().invoke(cli, [*map(str, words)], input=input, prog_name="molvae")


def rows_of(text: str, delimiter: str = ",") -> list[dict[str, str]]:
    """Return the rows of a table."""
    return list(csv.DictReader(text.splitlines(), delimiter=delimiter))
