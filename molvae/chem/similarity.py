"""Morgan fingerprints, Tanimoto similarity and Murcko scaffolds.

Letters: N molecules, D bytes of a fingerprint (bits / 8).
"""

from collections.abc import Sequence
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
_BITS_OF = np.array([number.bit_count() for number in range(2**16)], dtype=np.uint8)


def fingerprint(
    mol: Chem.Mol, *, radius: int = RADIUS, bits: int = BITS
) -> DataStructs.ExplicitBitVect:
    """Compute the Morgan fingerprint of a molecule (Rogers & Hahn 2010, doi 10.1021/ci100050t).

    Args:
        mol: a sanitized molecule.
        radius: bonds around each atom; 2 is ECFP4.
        bits: length of the folded fingerprint.
    """
    vector: DataStructs.ExplicitBitVect = _generator(radius, bits).GetFingerprint(mol)
    return vector


def tanimoto(first: str, second: str, *, bits: int = BITS) -> float:
    """Return the Tanimoto similarity of two SMILES by Morgan fingerprints, 0 where one is empty.

    >>> tanimoto("CCO", "OCC"), tanimoto("CCO", "")
    (1.0, 0.0)
    """
    if not (first and second):
        return 0.0
    prints = [fingerprint(Chem.MolFromSmiles(each), bits=bits) for each in (first, second)]
    return float(DataStructs.TanimotoSimilarity(*prints))


def fingerprints(mols: Sequence[Chem.Mol], *, radius: int = RADIUS, bits: int = BITS) -> np.ndarray:
    """Compute the Morgan fingerprints of many molecules, packed eight bits to a byte.

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


def tanimoto_of_counts(shared: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Compute Tanimoto similarities from counts of shared and own bits; shapes broadcast.

    Returns:
        float32 from 0 to 1; 0 where neither has a bit, as in RDKit.
    """
    union = np.maximum(first + second - shared, 1)
    ratio: np.ndarray = shared.astype(np.float32, copy=False) / union.astype(np.float32, copy=False)
    return ratio


def bit_counts(packed: np.ndarray) -> np.ndarray:
    """Count the bits of each packed fingerprint, shape (N, D) with D even; int64, shape (N,)."""
    if hasattr(np, "bitwise_count"):  # since numpy 2.0
        each = np.bitwise_count(packed.view(np.uint64 if packed.shape[1] % 8 == 0 else np.uint16))
    else:
        each = _BITS_OF[packed.view(np.uint16)]
    counts: np.ndarray = each.sum(axis=1, dtype=np.int64)
    return counts


def mean_similarities(packed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute the mean similarity of each molecule to all of a set, itself included.

    Args:
        packed: fingerprints, shape (N, D), N > 0.

    Returns:
        The mean of T and the mean of T^2 for each molecule, both float64, shape (N,).
    """
    bits = np.unpackbits(packed, axis=1).astype(np.float32)  # in any order
    counts = bit_counts(packed).astype(np.float32)
    sums = np.zeros((2, len(packed)))
    for top in range(0, len(packed), _BLOCK):
        for left in range(top, len(packed), _BLOCK):  # the matrix is symmetric: half is enough
            rows, columns = slice(top, top + _BLOCK), slice(left, left + _BLOCK)
            shared = bits[rows] @ bits[columns].T
            similarity = tanimoto_of_counts(shared, counts[rows, None], counts[columns])
            for total in sums:
                total[rows] += similarity.sum(axis=1)
                if left > top:
                    total[columns] += similarity.sum(axis=0)
                np.square(similarity, out=similarity)
    return sums[0] / len(packed), sums[1] / len(packed)


def murcko_scaffold(mol: Chem.Mol) -> str:
    """Return the ring systems and the chains between them (Bemis & Murcko 1996).

    https://doi.org/10.1021/jm9602928

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
