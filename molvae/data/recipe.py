"""A row of a table -> an encoded molecule, or the reason why not. Runs in worker processes."""

from collections.abc import Sequence
from typing import NamedTuple

from molvae.chem import properties, similarity
from molvae.chem.smiles import Standardization
from molvae.data.molecules import validate_row
from molvae.data.tables.records import Row
from molvae.errors import Rejected
from molvae.training_index import molecule_hash


class Recipe(NamedTuple):
    """The work on every row.

    Attributes:
        standardization: how molecules are standardized.
        properties: names to compute, in `PROPERTIES`' spelling.
        max_symbols: longest SELFIES accepted.
        scaffolds: whether the split needs Murcko scaffolds.
    """

    standardization: Standardization
    properties: tuple[str, ...]
    max_symbols: int
    scaffolds: bool


class Molecule(NamedTuple):
    """The molecule of a row.

    Attributes:
        hash: 64-bit hash of the canonical SMILES.
        symbols: SELFIES symbols.
        values: the properties, in their units.
        scaffold: hash of the Murcko scaffold, 0 unless the split needs it.
    """

    hash: int
    symbols: list[str]
    values: tuple[float, ...]
    scaffold: int


def prepare_rows(recipe: Recipe, rows: Sequence[Row]) -> list[Molecule | Rejected]:
    """Prepare a chunk of rows: the work that `workers.map_chunks` distributes."""
    return [_prepare(recipe, row) for row in rows]


def _prepare(recipe: Recipe, row: Row) -> Molecule | Rejected:
    try:
        smiles, mol, symbols = validate_row(row, recipe.standardization)
        if len(symbols) > recipe.max_symbols:
            raise Rejected("too many symbols", f"{len(symbols)}, at most {recipe.max_symbols}")
        values = properties.measure(mol, recipe.properties)
        scaffold = _hash(similarity.murcko_scaffold(mol)) if recipe.scaffolds else 0
    except Rejected as rejected:
        return rejected
    return Molecule(_hash(smiles), symbols, tuple(values.tolist()), scaffold)


def _hash(text: str) -> int:
    return int(molecule_hash([text])[0])
