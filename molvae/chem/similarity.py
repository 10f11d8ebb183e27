"""How alike molecules are: Morgan fingerprints, Tanimoto similarity, Murcko scaffolds.

Letters: N molecules, D bytes of a fingerprint (bits / 8).
"""

from collections.abc import Iterator, Sequence
from functools import cache

import numpy as np
from rdkit import Chem, DataStructs, rdBase
from rdkit.Chem import rdFingerprintGenerator
from rdkit.Chem.Scaffolds import MurckoScaffold

from molvae.errors import Rejected

RADIUS = 2  # bonds; with 1024 bits the fingerprint of MOSES's SNN and IntDiv
BITS = 1024
MAX_SCAFFOLD_ATOMS = 500  # the scaffold of a chain of 2,000 atoms takes 25 s
_BLOCK = 1024  # rows at a time: 1024 x 10,000 similarities are 40 MB


def fingerprint(
    mol: Chem.Mol, *, radius: int = RADIUS, bits: int = BITS
) -> DataStructs.ExplicitBitVect:
    """Morgan fingerprint of a molecule (Rogers & Hahn 2010, doi 10.1021/ci100050t).

    Args:
        mol: a sanitized molecule.
        radius: bonds around each atom; 2 is ECFP4.
        bits: length of the folded fingerprint.

    Returns:
        RDKit's bit vector.
    """
    vector: DataStructs.ExplicitBitVect = _generator(radius, bits).GetFingerprint(mol)
    return vector


def fingerprints(mols: Sequence[Chem.Mol], *, radius: int = RADIUS, bits: int = BITS) -> np.ndarray:
    """Morgan fingerprints of many molecules, packed eight bits to a byte.

    Args:
        mols: N sanitized molecules.
        radius: bonds around each atom.
        bits: length of the folded fingerprint, a multiple of 8.

    Returns:
        Shape (N, bits / 8), uint8, lowest bit first in each byte.
    """
    generator = _generator(radius, bits)
    packed = np.empty((len(mols), bits // 8), dtype=np.uint8)
    for row, mol in zip(packed, mols, strict=True):
        text = DataStructs.BitVectToBinaryText(generator.GetFingerprint(mol))
        row[:] = np.frombuffer(text, dtype=np.uint8)
    return packed


def tanimoto_matrix(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Tanimoto similarity of every pair.

    Args:
        first: packed fingerprints, shape (N1, D).
        second: packed fingerprints, shape (N2, D).

    Returns:
        Shape (N1, N2), float32 from 0 to 1; 0 where both have no bit, as RDKit has it.
    """
    matrix = np.empty((len(first), len(second)), dtype=np.float32)
    for start, block in _blocks(first, second):
        matrix[start : start + len(block)] = block
    return matrix


def nearest(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The most similar of `second` for each of `first`, without holding the whole matrix.

    Args:
        first: packed fingerprints, shape (N1, D).
        second: packed fingerprints, shape (N2, D), N2 > 0.

    Returns:
        Tanimoto similarity, shape (N1,) float32, and index into `second`, shape (N1,) int64; the
        first index where several are equally similar.
    """
    similarity = np.full(len(first), -1.0, dtype=np.float32)
    index = np.zeros(len(first), dtype=np.int64)
    for offset in range(0, len(second), 8 * _BLOCK):  # a reference may have a million rows
        for start, block in _blocks(first, second[offset : offset + 8 * _BLOCK]):
            rows = slice(start, start + len(block))
            best = block.argmax(axis=1)
            value = block[np.arange(len(block)), best]
            better = value > similarity[rows]
            index[rows] = np.where(better, best + offset, index[rows])
            similarity[rows] = np.maximum(value, similarity[rows])
    return similarity, index


def mean_similarity(first: np.ndarray, second: np.ndarray) -> float:
    """Mean Tanimoto similarity over all pairs, a molecule with itself included.

    Args:
        first: packed fingerprints, shape (N1, D), N1 > 0.
        second: packed fingerprints, shape (N2, D), N2 > 0.
    """
    total = sum(float(block.sum(dtype=np.float64)) for _, block in _blocks(first, second))
    return total / (len(first) * len(second))


def murcko_scaffold(mol: Chem.Mol) -> str:
    """Ring systems and the chains between them (Bemis & Murcko 1996, doi 10.1021/jm9602928).

    Args:
        mol: a sanitized molecule of at most 500 heavy atoms.

    Returns:
        Canonical SMILES; "" for a molecule without rings.

    Raises:
        Rejected: "too many heavy atoms".

    >>> murcko_scaffold(Chem.MolFromSmiles("CC(=O)Oc1ccccc1C(=O)O"))
    'c1ccccc1'
    """
    if mol.GetNumHeavyAtoms() > MAX_SCAFFOLD_ATOMS:
        detail = f"{mol.GetNumHeavyAtoms()}, a scaffold is taken of at most {MAX_SCAFFOLD_ATOMS}"
        raise Rejected("too many heavy atoms", detail)
    if mol.GetRingInfo().NumRings() == 0:
        return ""
    with rdBase.BlockLogs():
        return Chem.MolToSmiles(MurckoScaffold.GetScaffoldForMol(mol))  # type: ignore[no-untyped-call]


@cache
def _generator(radius: int, bits: int) -> rdFingerprintGenerator.FingerprintGenerator64:
    return rdFingerprintGenerator.GetMorganGenerator(radius=radius, fpSize=bits)


def _blocks(first: np.ndarray, second: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Tanimoto similarities of `_BLOCK` rows at a time, with the row they start at.

    Shared bits come from a matrix product: exact in float32, since counts stay far below 2^24.
    """
    columns = _unpack(second)  # (N2, bits)
    column_counts = columns.sum(axis=1)
    for start in range(0, len(first), _BLOCK):
        rows = _unpack(first[start : start + _BLOCK])  # (block, bits)
        shared = rows @ columns.T  # (block, N2)
        union = rows.sum(axis=1)[:, None] + column_counts - shared
        yield start, shared / np.maximum(union, 1.0)


def _unpack(packed: np.ndarray) -> np.ndarray:
    return np.unpackbits(packed, axis=1, bitorder="little").astype(np.float32)
