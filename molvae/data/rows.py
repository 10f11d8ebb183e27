"""One row of a table -> one encoded molecule, or the reason why not. Runs in worker processes."""

from collections.abc import Sequence
from typing import NamedTuple

from molvae.chem import properties, similarity
from molvae.chem.gate import Admitted, admit_all
from molvae.chem.smiles import Standardization
from molvae.data.labels import Label
from molvae.errors import Rejected
from molvae.training_index import molecule_hash


class Item(NamedTuple):
    """What a worker is handed of a row, and where the row stands.

    Attributes:
        source: number of the file, from 0.
        line: physical line in it, from 1.
        smiles: the cell as it stands.
        labels: cells of the label columns.
        split: what the split column says, 0 to 2; 0 without such a column.
        fault: why the whole row cannot be used, "" when it can.
    """

    source: int
    line: int
    smiles: str
    labels: tuple[str, ...]
    split: int
    fault: str


class Recipe(NamedTuple):
    """What is done to every row.

    Attributes:
        standardization: how molecules are brought to one form.
        properties: names to compute, in `PROPERTIES`' spelling.
        labels: the label columns, and how they are read.
        max_symbols: longest SELFIES accepted.
        scaffolds: whether the split needs Murcko scaffolds.
    """

    standardization: Standardization
    properties: tuple[str, ...]
    labels: tuple[Label, ...]
    max_symbols: int
    scaffolds: bool


class Molecule(NamedTuple):
    """A row that became a molecule.

    Attributes:
        hash: 64-bit hash of the canonical SMILES.
        selfies: symbols end to end.
        values: properties, then labels as `Label.read` returns them.
        scaffold: hash of the Murcko scaffold, 0 unless asked for.
    """

    hash: int
    selfies: str
    values: tuple[float, ...]
    scaffold: int


def prepare_rows(recipe: Recipe, items: Sequence[Item]) -> list[Molecule | Rejected]:
    """Prepare a chunk of rows; the work that `workers.map_chunks` fans out."""
    texts = ["" if item.fault else item.smiles for item in items]
    found = admit_all(texts, recipe.standardization)
    return [_prepare_row(recipe, item, each) for item, each in zip(items, found, strict=True)]


def _prepare_row(recipe: Recipe, item: Item, found: Admitted | Rejected) -> Molecule | Rejected:
    try:
        if item.fault:
            raise Rejected(item.fault, field="")
        labels = [label.read(cell) for label, cell in zip(recipe.labels, item.labels, strict=True)]
        if isinstance(found, Rejected):
            return found
        smiles, mol, symbols = found
        if len(symbols) > recipe.max_symbols:
            raise Rejected("too many symbols", f"{len(symbols)}, at most {recipe.max_symbols}")
        values = properties.measure(mol, recipe.properties)
        scaffold = _hash(similarity.murcko_scaffold(mol)) if recipe.scaffolds else 0
    except Rejected as rejected:
        return rejected
    return Molecule(_hash(smiles), "".join(symbols), (*values.tolist(), *labels), scaffold)


def _hash(text: str) -> int:
    return int(molecule_hash([text])[0])
