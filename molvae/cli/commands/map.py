"""`molvae map`: a picture of molecules in latent space."""

import os
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from molvae.cli import options
from molvae.cli.layout import names_beside
from molvae.cli.outputs import TableOutput
from molvae.cli.progress import progress
from molvae.cli.tables import TableCommand, TableInput, table_input
from molvae.errors import InputError, Rejected, UsageError

if TYPE_CHECKING:
    from molvae.data.molecules import PreparedMolecule
    from molvae.data.tables.records import Row, Table

COLUMNS = ("ID", "SMILES", "PC1", "PC2", "model")  # of the table


@click.command(epilog="Try: molvae map compounds.csv -o map.png --color LogP")
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("model", default="druglike")
@options.output("Output picture: .png or .svg.", required=True)
@click.option(
    "-c",
    "--color",
    default=None,
    metavar="NAME",
    help="Color by a property (see `molvae properties`), or by a column of numbers in FILE.",
)
@click.option(
    "--table",
    "table_file",
    type=options.OUTPUT,
    default=None,
    help="Write the coordinates, PC1 and PC2, to this table.",
)
@table_input
@options.device
@options.force
@click.option("--json", "as_json", is_flag=True, help="Write the summary to stdout as JSON.")
@options.quiet
def command(
    file: Path,
    model: str,
    output: Path,
    color: str | None,
    table_file: Path | None,
    source: TableInput,
    device: str,
    force: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Plot the molecules in FILE in a model's latent space.

    The latent codes (posterior means) are projected on their first two principal components. Each
    axis shows its fraction of the variance. Needs the extra `report`.
    """
    from molvae.evaluate import latent_map
    from molvae.files.atomic import write_atomically

    format = _check(output)
    # Without a table to write, the coordinates go nowhere.
    place, kind = (table_file, "") if table_file else (Path(os.devnull), "csv")
    table = TableOutput(place, kind, force, as_json, quiet)
    run = TableCommand(file, model, device=device, source=source, output=table)
    colors = _Colors.of(color, run.table) if color else NO_COLORS
    dots: list[_Dot] = []
    with progress("Reading", unit="rows", quiet=quiet) as report:
        for batch in run.batches(_dots(run, colors)):
            dots += [dot for _, dot in batch]
            report(run.count)
    run.tell_rows()
    if not dots:
        raise InputError(f"{file}: no molecule that the model can read.")
    codes = run.generator.model.encode([dot.molecule.symbols for dot in dots]).mean
    projection = latent_map.project(codes.cpu().numpy())
    content = latent_map.draw(
        projection,
        [dot.value for dot in dots] if colors.name else None,
        label=colors.label,
        title=f"{len(dots):,} molecules of {run.table.name}, {run.title}",
        format=format,
    )
    write_atomically(output, content)
    own = [colors.name] if colors.name else []  # between the coordinates and the model
    rows = (
        [dot.id, dot.molecule.smiles, *place, *([dot.value] if own else []), run.title]
        for dot, place in zip(dots, projection.coordinates.tolist(), strict=True)
    )
    *before, last = names_beside(run.table.name, own, COLUMNS)
    written = table.write([*before, *own, last], rows, smiles=1)
    first, second = projection.shares
    summary = {
        "molecules": len(dots),
        "rejected": dict(run.rejects.counts),
        "variance": list(projection.shares),
        "color": colors.name or None,
        "model": run.title,
    }
    line = (
        f"{len(dots):,} molecules in {output}: {first:.1%} and {second:.1%} of the variance of"
        f" their codes; {len(run.rejects.rows):,} rows rejected"
    )
    table.finish(summary, [line], rows={"rows": written})


class _Colors(NamedTuple):
    """The colors of the molecules."""

    name: str  # of the property or column; "" for one color
    label: str  # the same with the property's unit
    measured: tuple[str, ...]  # the property, where it is measured
    place: int | None = None  # of the column, None where it is none

    @classmethod
    def of(cls, name: str, table: "Table") -> "_Colors":
        """Find a property, or else a column.

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

    def value(self, row: "Row", molecule: "PreparedMolecule") -> float:
        """Return the value of a molecule, NaN where it has none.

        Raises:
            Rejected: for a cell that is no number.
        """
        from molvae.data.tables.cells import number

        if self.measured:
            return molecule.values[0]
        cell = "" if self.place is None else row.cells[self.place]
        return number(cell, field=self.name)


NO_COLORS = _Colors("", "", ())


class _Dot(NamedTuple):
    """A molecule on the map: the ID of its row, the molecule, and the value of its color."""

    id: str
    molecule: "PreparedMolecule"
    value: float


def _dots(
    run: TableCommand, colors: _Colors
) -> Generator[tuple["Row", _Dot | Rejected], None, None]:
    """Yield each row with its dot, or the reason why it has none."""
    for row, found in run.molecules(colors.measured, known_only=True):
        try:
            if isinstance(found, Rejected):
                raise found
            yield row, _Dot(row.id or str(row.line), found, colors.value(row, found))
        except Rejected as rejected:
            yield row, rejected


def _check(picture: Path) -> str:
    """Check that the picture can be drawn, and return its format."""
    from molvae.evaluate import latent_map

    latent_map.check_extra()
    format = picture.suffix.lower().removeprefix(".")
    if format not in latent_map.FORMATS:
        known = " or ".join(f".{each}" for each in latent_map.FORMATS)
        raise UsageError(f"{picture}: a picture ends in {known}.")
    return format
