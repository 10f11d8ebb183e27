"""`molvae properties`: the properties that targets can name."""

import math

import click

from molvae.cli import options
from molvae.cli.terminal import print_json, print_table


@click.command()
@options.as_json
def command(as_json: bool) -> None:
    """List the properties that targets can name: unit, definition, range, source.

    A model has some of these, and the labels of its training set: see `molvae info MODEL`.
    """
    from molvae.chem.properties import PROPERTIES

    if as_json:
        print_json(
            [
                {
                    "key": known.name,
                    "aliases": list(known.aliases),
                    "unit": known.unit,
                    "definition": known.definition,
                    "low": known.low,
                    "high": known.high,
                    "source": known.source,
                }
                for known in PROPERTIES.values()
            ]
        )
        return
    print_table(
        ("key", "unit", "definition", "range", "source"),
        [
            (known.name, known.unit, known.definition, _range(known.low, known.high), known.source)
            for known in PROPERTIES.values()
        ],
    )


def _range(low: float, high: float) -> str:
    """Return a range as `--target` reads it: `0..1`, `0..`."""
    start, end = ("" if math.isinf(value) else f"{value:g}" for value in (low, high))
    return f"{start}..{end}" if start or end else "any"
