"""`molvae map`: a picture of where molecules lie in a model's latent space."""

import os
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from molvae.cli import generators, options
from molvae.cli.outputs import check_output, check_table, rounded, tell_names
from molvae.cli.progress import progress
from molvae.cli.rejects import Rejects, rejects_option, strict_option
from molvae.cli.terminal import describe_table, print_json, say
from molvae.errors import InputError, Rejected, UsageError

if TYPE_CHECKING:
    from molvae.data.molecules import PreparedMolecule
    from molvae.data.tables.records import Row, Table
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
    metavar="NAME",
    help="What colors the molecules: a property, which is measured (`molvae properties` lists"
    " them), or a column of numbers in FILE.",
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
    from molvae.data.tables.tables import open_table
    from molvae.evaluate import latent_map
    from molvae.files.atomic import write_atomically

    picture = Path(output)
    format = _check(picture, table_file, inputs=(file,), force=force)
    bad = Rejects(
        rejects,
        strict=strict,
        force=force,
        inputs=(file, picture, table_file),
        stdout_taken=as_json or table_file == Path("-"),
    )
    table = open_table(file, smiles_column=smiles_column or "", format=input_format)
    colors = _Colors.of(color, table) if color else NO_COLORS
    generator = generators.load(model, device)
    found = _look(generator, table, bad, colors=colors, jobs=jobs, quiet=quiet)
    bad.finish(quiet=quiet)
    count = len(found) + len(bad.rows)
    say(describe_table(table.name, count, table.smiles_column), quiet=quiet)
    if not found:
        raise InputError(f"{file}: no molecule that the model can read.")
    title = f"{generators.title(model)}-{generator.name}"
    projection = _project(generator, [dot.seen for dot in found])
    content = latent_map.draw(
        projection,
        [dot.value for dot in found] if colors.name else None,
        label=colors.label,
        title=f"{len(found):,} molecules of {table.name}, {title}",
        format=format,
    )
    write_atomically(picture, content)
    if table_file is not None:
        _write(table_file, found, projection, color=colors.name, title=title, quiet=quiet)
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
                "color": colors.name or None,
                "model": title,
            }
        )


class _Colors(NamedTuple):
    """What colors the molecules.

    Attributes:
        name: of the property or column; "" for one color.
        label: the same with the property's unit.
        measured: the property, where it is measured.
        place: of the column, None where it is none.
    """

    name: str
    label: str
    measured: tuple[str, ...]
    place: int | None = None

    @classmethod
    def of(cls, name: str, table: "Table") -> "_Colors":
        """Find what is meant: a property, or else a column.

        Raises:
            UsageError: when it is neither.
        """
        from molvae.chem.properties import resolve
        from molvae.data.tables.records import find_column

        try:
            wanted = resolve(name)
        except UsageError:
            if name.lower() not in map(str.lower, table.columns):
                raise
            place = find_column(table, name)
            return cls(table.columns[place], table.columns[place], (), place)
        return cls(wanted.name, str(wanted), (wanted.name,))

    def value(self, row: "Row", seen: "PreparedMolecule") -> float:
        """Return the value of a molecule, NaN where it has none.

        Raises:
            Rejected: for a cell that is no number.
        """
        from molvae.data.tables.cells import number

        if self.measured:
            return seen.values[0]
        cell = "" if self.place is None else row.cells[self.place]
        return number(cell, field=self.name)


NO_COLORS = _Colors("", "", ())


class _Dot(NamedTuple):
    """A molecule on the map: the ID of its row, what the model is shown of it, and its value."""

    id: str
    seen: "PreparedMolecule"
    value: float


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
    colors: _Colors,
    jobs: int | None,
    quiet: bool,
) -> list[_Dot]:
    """Read the molecules; those that cannot be used are rejected with their rows."""
    from molvae.data.molecules import known_to, standardize_rows

    found: list[_Dot] = []
    rows = standardize_rows(
        table.rows,
        generator.standardization,
        colors.measured,
        jobs=jobs or os.cpu_count() or 1,
    )
    with progress("Reading", unit="rows", quiet=quiet) as report, closing(rows):
        for row, seen in rows:
            dot = _dot(row, known_to(generator.vocabulary, seen), colors)
            if isinstance(dot, Rejected):
                bad.add(row, dot)
            else:
                found.append(dot)
            report(len(found) + len(bad.rows))
    return found


def _dot(row: "Row", known: "PreparedMolecule | Rejected", colors: _Colors) -> "_Dot | Rejected":
    if isinstance(known, Rejected):
        return known
    try:
        return _Dot(row.id or str(row.line), known, colors.value(row, known))
    except Rejected as rejected:
        return rejected


def _project(generator: "MoleculeGenerator", molecules: "list[PreparedMolecule]") -> "Projection":
    from molvae.evaluate.latent_map import project

    means = generator.model.encode([molecule.symbols for molecule in molecules]).mean
    return project(means.cpu().numpy())


def _write(
    path: Path,
    found: list[_Dot],
    projection: "Projection",
    *,
    color: str,
    title: str,
    quiet: bool,
) -> None:
    from molvae.data.tables.tables import output_format, write_table

    columns = ["ID", "SMILES", "PC1", "PC2", *([color] if color else []), "model"]
    tell_names(columns, output_format(path), quiet=quiet)
    rows = (
        [dot.id, dot.seen.smiles, *map(rounded, (*place, *([dot.value] if color else []))), title]
        for dot, place in zip(found, projection.coordinates.tolist(), strict=True)
    )
    write_table(path, columns, rows, smiles=1)
