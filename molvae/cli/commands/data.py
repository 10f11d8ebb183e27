"""`molvae data`: public datasets of molecules, downloaded to the cache."""

from collections.abc import Callable
from typing import Any

import click

from molvae.cli import options
from molvae.cli.progress import Report, progress
from molvae.cli.terminal import print_json, print_table, say


@click.group(name="data", invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """List and download public datasets of molecules.

    molvae prepare $(molvae data get moses-train) -o moses.molvae
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


@command.command("list")
@options.as_json
def list_sets(as_json: bool) -> None:
    """List the public datasets: size, license, and whether they are in the cache."""
    from molvae.data.public_sets import SETS, cached, place

    rows: list[dict[str, Any]] = [
        {
            "name": file.name,
            "title": one.title,
            "rows": file.rows,
            "bytes": file.expected.size,
            "license": one.license,
            "doi": one.doi,
            "smiles_column": one.smiles_column,
            "checksum": file.expected.checksum,
            "address": file.address,
            "path": str(place(file)),
            "cached": cached(file) is not None,
        }
        for one in SETS
        for file in one.files
    ]
    if as_json:
        print_json(rows)
        return
    print_table(
        ("name", "rows", "MiB", "cached", "license", "what", "cite"),
        (
            (
                row["name"],
                f"{row['rows']:,}",
                f"{row['bytes'] / 2**20:.1f}",
                "yes" if row["cached"] else "no",
                row["license"],
                row["title"],
                f"doi {row['doi']}",
            )
            for row in rows
        ),
    )


@command.command("get")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option(
    "--from",
    "mirror",
    envvar="MOLVAE_MIRROR",
    default="",
    metavar="URL",
    help="Mirror: a folder of files named as in the cache; also MOLVAE_MIRROR.",
)
@options.as_json
@options.quiet
def get_sets(names: tuple[str, ...], mirror: str, as_json: bool, quiet: bool) -> None:
    """Download public datasets, verify them, and print their paths.

    NAME is a dataset or one of its files, as in molvae data list: moses, moses-train. Files in the
    cache are verified and not downloaded again; an incomplete download is continued.
    """
    from molvae.data.public_sets import get, named

    # A file that is named twice, by itself and in its set, is fetched and printed once.
    files = dict.fromkeys(file for name in names for file in named(name))
    done: list[dict[str, Any]] = []
    for file in files:
        total = _kibibytes(file.expected.size)
        with progress(file.name, total=total, unit="KiB", quiet=quiet) as report:
            path = get(
                file,
                mirror=mirror,
                progress=_in_kibibytes(report),
                notify=lambda line: say(line, quiet=quiet),
            )
        done.append({"name": file.name, "path": str(path), "checksum": file.expected.checksum})
        if not as_json:
            click.echo(path)
    if as_json:
        print_json(done)


def _in_kibibytes(report: Report) -> Callable[[int], None]:
    return lambda done: report(_kibibytes(done))


def _kibibytes(count: int) -> int:
    return -(-count // 1024)
