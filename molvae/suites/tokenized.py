"""Real molecules in a model's tokens, from a dataset of `molvae prepare` or any table.

Letters: N molecules, P columns of the model's conditions.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from molvae.config import STANDARDIZATION
from molvae.data.molecules import CHUNK, SECONDS, standardize_and_measure
from molvae.data.tables.tables import open_table
from molvae.dataset import SPLIT_NAMES, MoleculeDataset
from molvae.errors import ArtifactError, InputError, Rejected, UsageError
from molvae.evaluate.parsed import parse_molecules
from molvae.evaluate.work import Work
from molvae.files import store
from molvae.generator import MoleculeGenerator
from molvae.parallel.workers import Lost


class TokenizedMolecules(NamedTuple):
    """Real molecules in a model's tokens."""

    dataset: MoleculeDataset  # N molecules in the model's tokens and columns, all in one split
    source: int  # rows of that split, or of the table, from which the N were chosen
    left_out: Mapping[str, int]  # not among the N since the model cannot encode them, by reason
    name: str  # of the file


def load_tokenized(
    path: Path, generator: MoleculeGenerator, *, split: str, limit: int, seed: int, work: Work
) -> TokenizedMolecules:
    """Load molecules, at most `limit`, chosen with the seed.

    The file is a dataset of `molvae prepare`, of which they are a split, or a table of SMILES.

    Raises:
        InputError: if no molecule is left.
        UsageError: for a dataset with another standardization than the model's.
    """
    if store.find_kind(path):
        known = _of_dataset(path, generator, split=split, limit=limit, seed=seed)
    else:
        known = _of_table(path, generator, split=split, limit=limit, seed=seed, work=work)
    if not known.dataset.size:
        reasons = ", ".join(f"{reason} ({n:,})" for reason, n in known.left_out.items())
        raise InputError(f"{path}: no molecule can be encoded: {reasons or 'it is empty'}")
    return known


def load_training_properties(
    path: Path, names: Sequence[str], *, limit: int, seed: int, work: Work
) -> tuple[np.ndarray, int]:
    """Return properties of a training set, and its number of molecules.

    They are the P properties of all molecules of a dataset, or of at most `limit` molecules of a
    table, chosen with the seed; in their units, shape (M, P).
    """
    if store.find_kind(path):
        dataset = MoleculeDataset.load(path)
        members = dataset.members("train")
        return _columns(dataset, names)[members], len(members)
    smiles, source = _read_smiles(path, limit=limit, seed=seed)
    parsed = parse_molecules(smiles, names, work, stage="Measuring the training set")
    return parsed.properties[parsed.valid], source


def _read_smiles(path: Path, *, limit: int, seed: int) -> tuple[list[str], int]:
    """Return the SMILES of a table, at most `limit`, and the number of its rows."""
    smiles = [row.smiles for row in open_table(path).rows if not row.fault]
    if len(smiles) <= limit:
        return smiles, len(smiles)
    rows = np.random.default_rng(seed).permutation(len(smiles))[:limit]
    return [smiles[row] for row in rows], len(smiles)


def _load(path: Path, generator: MoleculeGenerator) -> MoleculeDataset:
    dataset = MoleculeDataset.load(path)
    told = dataset.provenance.get("data")
    if not isinstance(told, Mapping):
        raise ArtifactError(f"{path}: damaged: it does not record how it was prepared.")
    for switch in STANDARDIZATION:
        wanted = getattr(generator.standardization, switch)
        if told.get(switch) != wanted:
            raise UsageError(
                f"{path}: prepared with {switch} = {told.get(switch)}, the model was trained with"
                f" {wanted}. Give the table that it was made from."
            )
    return dataset


def _columns(dataset: MoleculeDataset, names: Sequence[str]) -> np.ndarray:
    """Return P of a dataset's properties, shape (N, P), NaN for a property that it lacks."""
    theirs = {name.lower(): column for column, name in enumerate(dataset.normalizer.names)}
    unknown = np.full((dataset.size, 1), np.nan, dtype=np.float32)
    values = np.hstack([dataset.properties, unknown])
    return values[:, [theirs.get(name.lower(), -1) for name in names]]


def _of_dataset(
    path: Path, generator: MoleculeGenerator, *, split: str, limit: int, seed: int
) -> TokenizedMolecules:
    dataset = _load(path, generator)
    members = dataset.members(split)
    if not len(members):
        raise UsageError(f"{path}: no molecule is in its {split} split.")
    chosen = np.random.default_rng(seed).permutation(members)[:limit]
    values = _columns(dataset, generator.normalizer.names)
    symbols = [dataset.vocabulary.decode(dataset.molecule(row).tolist()) for row in chosen]
    return _known(symbols, values[chosen], generator, split, len(members), path.name, Counter())


def _of_table(
    path: Path, generator: MoleculeGenerator, *, split: str, limit: int, seed: int, work: Work
) -> TokenizedMolecules:
    smiles, source = _read_smiles(path, limit=limit, seed=seed)
    reader = partial(standardize_and_measure, generator.standardization, generator.measured)
    symbols, values, left_out = [], [], Counter[str]()
    stage = f"Reading {path.name}"
    for found in work.apply(stage, reader, smiles, chunk_size=CHUNK, timeout=SECONDS):
        if isinstance(found, Lost | Rejected):
            left_out[found.reason] += 1
            continue
        symbols.append(found.symbols)
        values.append(found.values)
    columns = np.full((len(values), len(generator.normalizer.names)), np.nan, dtype=np.float32)
    if values:
        places = [generator.normalizer.names.index(name) for name in generator.measured]
        columns[:, places] = values
    return _known(symbols, columns, generator, split, source, path.name, left_out)


def _known(
    symbols: Sequence[Sequence[str]],
    values: np.ndarray,
    generator: MoleculeGenerator,
    split: str,
    source: int,
    name: str,
    left_out: "Counter[str]",
) -> TokenizedMolecules:
    """Encode molecules in a model's tokens; count those with other symbols, and leave them out."""
    vocabulary = generator.vocabulary
    readable, ids = [], []
    for row, molecule in enumerate(symbols):
        if vocabulary.unknown(molecule):
            left_out["symbol unknown to the model"] += 1
            continue
        tokens = vocabulary.encode(molecule)
        if len(tokens) > generator.model.longest:
            left_out["longer than the model generates"] += 1
        else:
            readable.append(row)
            ids.append(tokens)
    dataset = MoleculeDataset(
        ids=np.concatenate(ids).astype(np.uint16) if ids else np.empty(0, np.uint16),
        offsets=np.cumsum([0, *map(len, ids)], dtype=np.int64),
        properties=values[readable],
        split=np.full(len(ids), SPLIT_NAMES.index(split), dtype=np.uint8),
        hashes=np.zeros(len(ids), dtype=np.uint64),
        vocabulary=vocabulary,
        normalizer=generator.normalizer,
        provenance={},
    )
    return TokenizedMolecules(dataset, source, dict(left_out), name)
