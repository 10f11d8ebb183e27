import numpy as np
import pytest
from rdkit import Chem

from molvae.chem import neighbors as module
from molvae.chem.neighbors import nearest
from molvae.chem.similarity import fingerprints
from tests.chem.reference import similarity_matrix
from tests.drugs import DRUGS

PACKED = fingerprints([Chem.MolFromSmiles(smiles) for _, smiles in DRUGS])


def assert_largest(matrix: np.ndarray, similarity: np.ndarray, index: np.ndarray) -> None:
    """Compare what `nearest` returns with the whole matrix."""
    np.testing.assert_array_equal(similarity, matrix.max(axis=1))
    np.testing.assert_array_equal(index, matrix.argmax(axis=1))


@pytest.mark.parametrize("rows", [3, 1024])
@pytest.mark.parametrize("columns", [1, 40, 4096])
def test_the_nearest_is_the_largest_of_each_row(
    monkeypatch: pytest.MonkeyPatch, rows: int, columns: int
) -> None:
    monkeypatch.setattr(module, "_ROWS", rows)
    monkeypatch.setattr(module, "_COLUMNS", columns)
    sets = PACKED[:100], PACKED[100:]
    assert_largest(similarity_matrix(*sets), *nearest(*sets))


@pytest.mark.parametrize("bits", [1024, 4096])
def test_the_nearest_other_is_never_oneself(bits: int) -> None:
    packed = fingerprints([Chem.MolFromSmiles(smiles) for _, smiles in DRUGS[:120]], bits=bits)
    matrix = similarity_matrix(packed, packed)
    np.fill_diagonal(matrix, -1.0)
    assert_largest(matrix, *nearest(packed, packed, others=True))


def test_random_fingerprints_of_any_density_have_the_right_neighbor() -> None:
    rng = np.random.default_rng(3)
    for density in (0.002, 0.05, 0.5, 0.95):
        dense = rng.random((900, 1024)) < density * rng.random(1024)
        packed = np.packbits(dense, axis=1, bitorder="little")
        sets = packed[:300], packed[300:]
        assert_largest(similarity_matrix(*sets), *nearest(*sets))


def test_a_copy_is_found_at_similarity_one_and_the_first_of_several_is_named() -> None:
    twice = np.concatenate([PACKED, PACKED])
    similarity, index = nearest(PACKED, twice)
    np.testing.assert_array_equal(similarity, 1)
    assert (index < len(PACKED)).all()


def test_a_fingerprint_without_a_bit_is_near_to_nothing() -> None:
    empty = np.zeros((2, 128), dtype=np.uint8)
    similarity, index = nearest(empty, PACKED)
    assert similarity.tolist() == [0, 0]
    assert index.tolist() == [0, 0]
    assert nearest(empty[:0], PACKED)[0].shape == (0,)
