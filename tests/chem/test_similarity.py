import random

import numpy as np
import pytest
from rdkit import Chem, DataStructs
from rdkit.Chem.Scaffolds import MurckoScaffold

from molvae.chem import similarity as module
from molvae.chem.similarity import (
    bit_counts,
    fingerprint,
    fingerprints,
    mean_similarities,
    murcko_scaffold,
)
from molvae.errors import Rejected
from tests.chem.reference import similarity_matrix
from tests.drugs import DRUGS

MOLS = [Chem.MolFromSmiles(smiles) for _, smiles in DRUGS]
PACKED = fingerprints(MOLS)


def test_packed_fingerprints_hold_the_bits_of_rdkit() -> None:
    assert PACKED.shape == (len(MOLS), 128)
    bits = np.unpackbits(PACKED, axis=1, bitorder="little")
    for mol, row, count in zip(MOLS, bits, bit_counts(PACKED), strict=True):
        assert list(fingerprint(mol).GetOnBits()) == np.flatnonzero(row).tolist()
        assert fingerprint(mol).GetNumOnBits() == count


def test_radius_and_length_can_be_chosen() -> None:
    longer = fingerprints(MOLS[:5], radius=3, bits=2048)
    assert longer.shape == (5, 256)
    assert np.unpackbits(longer).sum() > np.unpackbits(PACKED[:5]).sum()


def test_similarities_are_those_of_rdkit() -> None:
    matrix = similarity_matrix(PACKED, PACKED[:150])
    assert matrix.shape == (len(MOLS), 150)
    assert matrix.dtype == np.float32
    vectors = [fingerprint(mol) for mol in MOLS]
    for row, vector in zip(matrix, vectors, strict=True):
        theirs = DataStructs.BulkTanimotoSimilarity(vector, vectors[:150])
        np.testing.assert_allclose(row, theirs, rtol=1e-6)
    np.testing.assert_array_equal(matrix[:150], matrix[:150].T)
    np.testing.assert_array_equal(np.diag(matrix), 1)
    empty = np.zeros((1, 128), dtype=np.uint8)
    assert similarity_matrix(empty, empty) == 0
    assert DataStructs.TanimotoSimilarity(*[DataStructs.ExplicitBitVect(8)] * 2) == 0


@pytest.mark.parametrize("block", [7, 1024])
def test_the_mean_similarities_are_those_of_the_matrix(
    monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr(module, "_BLOCK", block)
    matrix = similarity_matrix(PACKED, PACKED).astype(np.float64)
    mean, of_squares = mean_similarities(PACKED)
    np.testing.assert_allclose(mean, matrix.mean(axis=1), rtol=1e-5)
    np.testing.assert_allclose(of_squares, (matrix**2).mean(axis=1), rtol=1e-5)


def test_scaffolds_are_those_of_rdkit() -> None:
    for name, smiles in DRUGS:
        mol = Chem.MolFromSmiles(smiles)
        theirs = Chem.MolToSmiles(MurckoScaffold.GetScaffoldForMol(mol))
        assert murcko_scaffold(mol) == theirs, name


def test_a_scaffold_does_not_depend_on_the_order_of_atoms() -> None:
    random_numbers = random.Random(2)
    for mol in MOLS[:50]:
        order = list(range(mol.GetNumAtoms()))
        random_numbers.shuffle(order)
        assert murcko_scaffold(Chem.RenumberAtoms(mol, order)) == murcko_scaffold(mol)


def test_no_rings_have_no_scaffold_and_one_that_would_take_long_is_refused() -> None:
    assert murcko_scaffold(Chem.MolFromSmiles("CCO")) == ""
    with pytest.raises(Rejected, match="too many heavy atoms"):
        murcko_scaffold(Chem.MolFromSmiles("C" * 2000))
