"""`molvae map`: a picture of where molecules lie in a model's latent space."""

import os
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from molvae.cli import generators, options
from molvae.cli.outputs import check_output, check_table, rounded
from molvae.cli.progress import progress
from molvae.cli.rejects import Rejects, rejects_option, strict_option
from molvae.cli.terminal import describe_table, print_json, say
from molvae.errors import InputError, Rejected, UsageError

if TYPE_CHECKING:
    from molvae.data.molecules import Seen
    from molvae.data.records import Table
    from molvae.evaluate.latent_map import Projection
    from molvae.generator import MoleculeGenerator


@click.command(epilog="Try: molvae map compounds.csv -o map.png --color LogP")
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("model", default="druglike")
@options.output("Picture to write: .png or .svg.", required=True)
@click.option(
    "-c",
    "--color",
    default=None,
    metavar="PROPERTY",
    help="Measured property that colors the molecules; `molvae properties` lists them.",
)
@click.option(
    "--table",
    "table_file",
    type=click.Path(path_type=Path),
    default=None,
    help="Write the coordinates to this table as well, in the columns PC1 and PC2.",
)
@options.input_format()
@options.smiles_column
@rejects_option
@strict_option
@options.jobs
@options.device
@options.force
@click.option("--json", "as_json", is_flag=True, help="Write the summary to stdout as JSON.")
@options.quiet
def command(
    file: Path,
    model: str,
    output: str,
    color: str | None,
    table_file: Path | None,
    input_format: str,
    smiles_column: str | None,
    rejects: Path | None,
    strict: bool,
    jobs: int | None,
    device: str,
    force: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Draw a picture of the molecules in FILE in a model's latent space.

    Their codes (posterior means) are projected on the two directions in which they differ most,
    their principal components; each axis tells how much of the variance it shows. Needs the extra
    `report`.
    """
    from molvae.chem.properties import PROPERTIES, resolve
    from molvae.data.tables import open_table
    from molvae.evaluate import latent_map
    from molvae.store import write_atomically

    picture = Path(output)
    format = _check(picture, table_file, inputs=(file,), force=force)
    name = resolve(color).name if color else ""
    bad = Rejects(
        rejects,
        strict=strict,
        force=force,
        inputs=(file, picture, table_file),
        stdout_taken=as_json or table_file == Path("-"),
    )
    generator = generators.load(model, device)
    table = open_table(file, smiles_column=smiles_column or "", format=input_format)
    found = _look(generator, table, bad, color=name, jobs=jobs, quiet=quiet)
    bad.finish(quiet=quiet)
    count = len(found) + len(bad.rows)
    say(describe_table(table.name, count, table.smiles_column), quiet=quiet)
    if not found:
        raise InputError(f"{file}: no molecule that the model can read.")
    title = f"{generators.title(model)}-{generator.name}"
    projection = _project(generator, [dot.seen for dot in found])
    content = latent_map.draw(
        projection,
        _values(found) if name else None,
        label=str(PROPERTIES[name]) if name else "",
        title=f"{len(found):,} molecules of {table.name}, {title}",
        format=format,
    )
    write_atomically(picture, content)
    if table_file is not None:
        _write(table_file, found, projection, color=name, title=title)
    first, second = projection.shares
    say(
        f"{len(found):,} molecules in {picture}: {first:.1%} and {second:.1%} of the variance of"
        f" their codes; {len(bad.rows):,} rows rejected",
        quiet=quiet,
    )
    if as_json:
        print_json(
            {
                "molecules": len(found),
                "rejected": dict(bad.counts),
                "variance": list(projection.shares),
                "color": name or None,
                "model": title,
            }
        )


class _Dot(NamedTuple):
    """A molecule on the map: the ID of its row, and what the model is shown of it."""

    id: str
    seen: "Seen"


def _check(picture: Path, table: Path | None, *, inputs: tuple[Path, ...], force: bool) -> str:
    """Check what is to be written, and return the format of the picture."""
    from molvae.evaluate import latent_map

    latent_map.check_extra()
    format = picture.suffix.lower().removeprefix(".")
    if format not in latent_map.FORMATS:
        known = " or ".join(f".{each}" for each in latent_map.FORMATS)
        raise UsageError(f"{picture}: a picture ends in {known}.")
    check_output(picture, force=force, inputs=inputs)
    if table is not None:
        check_table(table, force=force, inputs=(*inputs, picture))
    return format


def _look(
    generator: "MoleculeGenerator",
    table: "Table",
    bad: Rejects,
    *,
    color: str,
    jobs: int | None,
    quiet: bool,
) -> list[_Dot]:
    """Read the molecules; those that cannot be used are rejected with their rows."""
    from molvae.data.molecules import known_to, look_at_rows

    found: list[_Dot] = []
    rows = look_at_rows(
        table.rows,
        generator.standardization,
        (color,) if color else (),
        jobs=jobs or os.cpu_count() or 1,
    )
    with progress("Reading", unit="rows", quiet=quiet) as report, closing(rows):
        for row, seen in rows:
            known = known_to(generator.vocabulary, seen)
            if isinstance(known, Rejected):
                bad.add(row, known)
            else:
                found.append(_Dot(row.id or str(row.line), known))
            report(len(found) + len(bad.rows))
    return found


def _project(generator: "MoleculeGenerator", molecules: "list[Seen]") -> "Projection":
    from molvae.codes import read
    from molvae.evaluate.latent_map import project

    means = read(generator.checkpoint, [molecule.symbols for molecule in molecules]).mean
    return project(means.cpu().numpy())


def _values(found: list[_Dot]) -> Any:
    import numpy as np

    return np.array([dot.seen.values[0] for dot in found])


def _write(
    path: Path, found: list[_Dot], projection: "Projection", *, color: str, title: str
) -> None:
    from molvae.data.tables import write_table

    columns = ["ID", "SMILES", "PC1", "PC2", *([color] if color else []), "model"]
    rows = (
        [dot.id, dot.seen.smiles, *map(rounded, (*place, *dot.seen.values)), title]
        for dot, place in zip(found, projection.coordinates.tolist(), strict=True)
    )
    write_table(path, columns, rows)
