"""`molvae models`: the bundled models."""

from typing import Any

import click

from molvae.cli import options
from molvae.cli.terminal import print_json, print_table, say


@click.command()
@options.as_json
def command(as_json: bool) -> None:
    """List the bundled models; `molvae info NAME` shows one."""
    from molvae.checkpoint import bundled_models, read_header

    rows: list[dict[str, Any]] = []
    for name, path in bundled_models().items():
        header = read_header(path)
        provenance = header["provenance"]
        rows.append(
            {
                "name": name,
                "MiB": round(path.stat().st_size / 2**20, 1),
                "trained_on": provenance.get("title", ""),
                "molecules": provenance.get("training_molecules"),
                "properties": header["normalizer"]["names"],
            }
        )
    if as_json:
        print_json(rows)
        return
    if not rows:
        say("This installation has no bundled model; molvae train makes one.")
        return
    columns = ("name", "MiB", "trained_on", "molecules", "properties")
    print_table(
        ("name", "MiB", "trained on", "molecules", "properties"),
        ([*(row[c] for c in columns[:-1]), " ".join(row["properties"])] for row in rows),
    )
