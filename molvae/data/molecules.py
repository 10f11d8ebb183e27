"""SMILES or rows -> molecules as a model reads them, in worker processes and without torch."""

from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from functools import partial
from typing import NamedTuple

from molvae.chem.gate import ValidMolecule, validate
from molvae.chem.properties import measure
from molvae.chem.rings import ring_systems
from molvae.chem.similarity import fingerprints, murcko_scaffold
from molvae.chem.smiles import Standardization
from molvae.data.tables.records import Row
from molvae.errors import Rejected
from molvae.parallel.workers import Lost, map_chunks
from molvae.training_index import molecule_hash
from molvae.vocabulary import Vocabulary

CHUNK = 128  # rows handed to a worker at once: about 0.1 s of work
SECONDS = 60.0  # for a chunk, and so for a single row: ten thousand times what a drug needs


class PreparedMolecule(NamedTuple):
    """Canonical SMILES, SELFIES symbols, and the requested properties in their units."""

    smiles: str
    symbols: list[str]
    values: tuple[float, ...]


class Recipe(NamedTuple):
    """The work on every row.

    Attributes:
        standardization: how molecules are standardized.
        properties: names to compute, in `PROPERTIES`' spelling.
        max_symbols: longest SELFIES accepted.
        scaffolds: whether the split needs Murcko scaffolds.
        fingerprints: whether Morgan fingerprints are kept.
    """

    standardization: Standardization
    properties: tuple[str, ...]
    max_symbols: int
    scaffolds: bool
    fingerprints: bool


class Molecule(NamedTuple):
    """The molecule of a row of a dataset: what is kept of it in memory.

    Attributes:
        hash: 64-bit hash of the canonical SMILES.
        symbols: SELFIES symbols.
        values: the properties, in their units.
        scaffold: hash of the Murcko scaffold, 0 unless the split needs it.
        fingerprint: packed, empty unless they are kept.
        rings: its ring systems, each once.
    """

    hash: int
    symbols: list[str]
    values: tuple[float, ...]
    scaffold: int
    fingerprint: bytes
    rings: tuple[str, ...]


def standardize_and_measure(
    standardization: Standardization, properties: Sequence[str], texts: Sequence[str]
) -> list[PreparedMolecule | Rejected]:
    """Return each molecule, standardized and measured, or the reason why it cannot be used."""
    rows = [Row("", 0, text, "", ()) for text in texts]
    return _standardize_rows(standardization, properties, rows)


def known_to(
    vocabulary: Vocabulary, found: PreparedMolecule | Rejected
) -> PreparedMolecule | Rejected:
    """Return the molecule, or a rejection when the model lacks one of its symbols."""
    unknown = [] if isinstance(found, Rejected) else vocabulary.unknown(found.symbols)
    return Rejected("symbol unknown to the model", ", ".join(unknown)) if unknown else found


def standardize_rows(
    rows: Iterable[Row], standardization: Standardization, properties: Sequence[str], *, jobs: int
) -> Generator[tuple[Row, PreparedMolecule | Rejected], None, None]:
    """Standardize and measure the molecules of a table in worker processes.

    A molecule that crashes RDKit costs its own row only.

    Args:
        rows: of an open table.
        standardization: of the model's training set.
        properties: names of those to measure.
        jobs: worker processes; 0 works in this process.

    Yields:
        Each row, in order, with its molecule or the reason why there is none.
    """
    work = partial(_standardize_rows, standardization, tuple(properties))
    results = map_chunks(work, rows, jobs=jobs, chunk_size=CHUNK, timeout=SECONDS)
    with closing(results):
        for row, found in results:
            lost = isinstance(found, Lost)
            yield row, Rejected(found.reason, found.detail) if lost else found


def validate_row(row: Row, standardization: Standardization) -> ValidMolecule:
    """Return the molecule of a row, or raise `Rejected` with the reason why there is none."""
    row.check()
    return validate(row.smiles, standardization)


def _standardize_rows(
    standardization: Standardization, properties: Sequence[str], rows: Sequence[Row]
) -> list[PreparedMolecule | Rejected]:
    return [_measure(row, standardization, properties) for row in rows]


def _measure(
    row: Row, standardization: Standardization, properties: Sequence[str]
) -> PreparedMolecule | Rejected:
    try:
        smiles, mol, symbols = validate_row(row, standardization)
        return PreparedMolecule(smiles, symbols, tuple(measure(mol, properties).tolist()))
    except Rejected as rejected:
        return rejected


def prepare_rows(recipe: Recipe, rows: Sequence[Row]) -> list[Molecule | Rejected]:
    """Prepare a chunk of rows: the work that `workers.map_chunks` distributes."""
    return [_prepare(recipe, row) for row in rows]


def _prepare(recipe: Recipe, row: Row) -> Molecule | Rejected:
    try:
        smiles, mol, symbols = validate_row(row, recipe.standardization)
        if len(symbols) > recipe.max_symbols:
            raise Rejected("too many symbols", f"{len(symbols)}, at most {recipe.max_symbols}")
        values = measure(mol, recipe.properties)
        scaffold = _hash(murcko_scaffold(mol)) if recipe.scaffolds else 0
        fingerprint = fingerprints([mol]).tobytes() if recipe.fingerprints else b""
    except Rejected as rejected:
        return rejected
    rings = tuple(dict.fromkeys(ring_systems(mol)))
    measured = tuple(values.tolist())
    return Molecule(_hash(smiles), symbols, measured, scaffold, fingerprint, rings)


def _hash(text: str) -> int:
    return int(molecule_hash([text])[0])
