"""Molecules made of one or two that the command line names: interpolate, neighbors, sweep."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from molvae.cli import generators, options
from molvae.cli.outputs import check_table, rounded
from molvae.cli.terminal import print_json, say
from molvae.config import SERIES_NOISE, SERIES_TRIES
from molvae.errors import InputError, Rejected

if TYPE_CHECKING:
    from molvae.data.molecules import PreparedMolecule
    from molvae.generator import MoleculeGenerator


UNLIKE = 0.4  # Tanimoto similarity, by Morgan fingerprints of radius 2: below, little is shared


def listing(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that `Listing` takes, behind its own."""
    for decorate in reversed(
        (
            options.table_output,
            options.output_format(),
            options.device,
            options.force,
            options.json_summary(),
            options.quiet,
        )
    ):
        command = decorate(command)
    return command


def searching(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of `series.Search`: noise, tries and seed."""
    for decorate in (
        options.seed("Seed of the noise.", default=0),
        click.option(
            "--tries",
            type=click.IntRange(1),
            default=SERIES_TRIES,
            show_default=True,
            help="Molecules written for each row.",
        ),
        click.option(
            "--noise",
            type=click.FloatRange(0.0, 1.0),
            default=None,
            help="Share of noise in the code that is furthest from the molecule; 0 holds its own"
            f" code in all rows (default {f'{SERIES_NOISE:g}'.removeprefix('0')}, or the"
            " posterior's width for a decoder that was not taught noise).",
        ),
    ):
        command = decorate(command)
    return command


class Listing(NamedTuple):
    """One run of such a command: what `listing` asks for, and MODEL."""

    model: str
    output: str
    output_format: str
    device: str
    force: bool
    as_json: bool
    quiet: bool

    def load(self) -> "MoleculeGenerator":
        """Check where the table is to be written, and load the model."""
        check_table(Path(self.output), format=self.output_format, force=self.force)
        return generators.load(self.model, self.device)

    def title(self, generator: "MoleculeGenerator") -> str:
        """Return the name and short hash of the model, as the column `model` has it."""
        return f"{generators.title(self.model)}-{generator.name}"

    def write(
        self, rows: Sequence[dict[str, Any]], summary: dict[str, Any], lines: Iterable[str]
    ) -> None:
        """Write rows and summary where they were asked for.

        Args:
            rows: with the same columns each.
            summary: for `--json`.
            lines: the same in words.
        """
        from molvae.data.tables.cells import plain
        from molvae.data.tables.tables import write_table

        to_stdout = self.output == "-"
        if self.as_json:
            told = [{name: plain(row[name]) for name in row} for row in rows]
            print_json(summary | ({"rows": told} if to_stdout else {}))
        if not (self.as_json and to_stdout):
            columns = list(rows[0]) if rows else ["ID", "SMILES"]
            cells = ([rounded(value) for value in row.values()] for row in rows)
            write_table(Path(self.output), columns, cells, format=self.output_format)
        for line in lines:
            say(line, quiet=self.quiet)


def molecule(generator: "MoleculeGenerator", smiles: str, *, quiet: bool) -> "PreparedMolecule":
    """Read a molecule that the command line names, in the form that the model was trained on.

    Unless `quiet`, it is told what of the molecule is left out, how it is unlike the training set,
    and whether its code means another molecule to the model.

    Raises:
        InputError: for a string that is no molecule, or a symbol that the model does not know.
    """
    from molvae.data.molecules import known_to, standardize_and_measure
    from molvae.generation.decode import reconstruct
    from molvae.generation.neighbors import own_request

    (seen,) = standardize_and_measure(generator.standardization, generator.measured, [smiles])
    found = known_to(generator.vocabulary, seen)
    if isinstance(found, Rejected):
        hint = "; for a table: molvae augment" if Path(smiles).is_file() else ""
        raise InputError(f"'{smiles}': {found}{hint}") from found
    left_out = generator.standardization.left_out(smiles)
    if left_out:
        parts = " and ".join(left_out)
        say(f"{found.smiles}: read without {parts}, as the training set was.", quiet=quiet)
    own = own_request(generator.model, found)
    generators.warn_of_targets(own, quiet=quiet, of=f"{found.smiles}: ")
    (back,) = reconstruct(generator.model, [found])
    if back.tanimoto < UNLIKE:
        say(
            f"Warning: {found.smiles}: the model does not bring it back: what its code is written"
            f" as has a Tanimoto similarity of {back.tanimoto:.2f}, and what is written around the"
            " code need not be like it.",
            quiet=quiet,
        )
    return found
