import gzip
from pathlib import Path

import pytest
from rdkit import Chem

from molvae.chem import rings
from molvae.chem.rings import ring_sizes, ring_systems
from tests.drugs import DRUGS

SMILES = [smiles for _, smiles in DRUGS]
ZINC = Path(__file__).parents[2] / "../shared/data/zinc/zinc250k.csv.gz"


def systems(smiles: str) -> tuple[str, ...]:
    return ring_systems(Chem.MolFromSmiles(smiles))


@pytest.mark.parametrize(
    ("smiles", "expected"),
    [
        pytest.param("CCO", (), id="no ring"),
        pytest.param("CC(=O)Oc1ccccc1C(=O)O", ("c1ccccc1",), id="substituents go"),
        pytest.param("c1ccccc1-c1ccccc1", ("c1ccccc1", "c1ccccc1"), id="a bond is no fusion"),
        pytest.param("Cc1ccc2ccccc2c1", ("c1ccc2ccccc2c1",), id="fused"),
        pytest.param("CC1CC2CC1CC2", ("C1CC2CCC1C2",), id="bridged"),
        pytest.param("CN1CCC2(CC1)CC2", ("C1CC2(CCN1)CC2",), id="spiro"),
        pytest.param("CC1CCC(=O)CC1", ("O=C1CCCCC1",), id="ketones are another system"),
        pytest.param("CN1CCCS1(=O)=O", ("O=S1(=O)CCCN1",), id="sulfones too"),
        pytest.param("CC(C)=C1CCC1", ("C=C1CCC1",), id="of a side chain one atom"),
        pytest.param("C1CC1=C=CC", ("C=C1CC1",), id="of an allene one atom"),
        pytest.param("C1CC1=C1CCC1", ("C1CC(=C2CC2)C1",), id="joined by a double bond"),
        pytest.param("C1CC1=CC=C1CC1", ("C=C1CC1", "C=C1CC1"), id="not joined by two"),
        pytest.param("Cn1cccc1", ("c1cc[nH]c1",), id="hydrogen on an aromatic nitrogen"),
        pytest.param("C[n+]1ccccc1", ("c1cc[nH+]cc1",), id="hydrogen on a charged one"),
        pytest.param("C[N+]1(C)CCCC1", ("C1CC[NH2+]C1",), id="two hydrogens"),
        pytest.param("CC[N+](C)=C1C=CCC=C1", ("[NH2+]=C1C=CCC=C1",), id="hydrogens beyond"),
        pytest.param("[2H]c1ccccc1.[Na+].C1CC1", ("C1CC1", "c1ccccc1"), id="fragments, isotopes"),
        pytest.param("C[C@H]1C[C@@H]2CC[C@H]1C2", ("C1CC2CCC1C2",), id="stereo"),
    ],
)
def test_ring_systems_are_those_a_chemist_draws(smiles: str, expected: tuple[str, ...]) -> None:
    assert systems(smiles) == expected


def test_how_a_molecule_is_written_does_not_matter() -> None:
    for smiles in SMILES[::4]:
        mol = Chem.MolFromSmiles(smiles)
        expected = ring_systems(mol)
        assert systems(Chem.MolToSmiles(mol, kekuleSmiles=True)) == expected
        assert systems(Chem.MolToSmiles(mol, isomericSmiles=False)) == expected
        for other in Chem.MolToRandomSmilesVect(mol, 2, 7):
            assert systems(other) == expected


def test_a_ring_system_is_its_own_and_the_molecule_is_left_as_it_was() -> None:
    for smiles in SMILES[::4]:
        mol = Chem.MolFromSmiles(smiles)
        before = mol.ToBinary()
        for system in ring_systems(mol):
            assert systems(system) == (system,)
        assert mol.ToBinary() == before


def test_remembered_ring_systems_are_those_that_are_written_anew() -> None:
    odd = ("O=c1cc[nH]cc1", "C[n+]1ccccc1", "Cn1nnnc1C", "CS1(=O)=NCCC1", "C1C[Se]C1")
    for smiles in (*SMILES, *odd):
        mol = Chem.MolFromSmiles(smiles)
        written = sorted(rings._written(mol, atoms) for atoms in rings._groups(mol))
        assert list(ring_systems(mol)) == list(ring_systems(mol)) == written


@pytest.mark.skipif(not ZINC.exists(), reason="needs ZINC-250k")
def test_charged_molecules_have_ring_systems_that_are_molecules() -> None:
    with gzip.open(ZINC, "rt") as file:
        rows = [line.split(",")[0] for line, _ in zip(file, range(201), strict=False)][1:]
    found = {system for smiles in rows for system in systems(smiles)}
    assert any("+" in system for system in found)
    assert all(systems(system) == (system,) for system in found)


def test_rings_are_counted_by_size() -> None:
    assert ring_sizes(Chem.MolFromSmiles("C1CC1c1ccc2c(c1)CCN2")) == {3: 1, 5: 1, 6: 1}
    assert ring_sizes(Chem.MolFromSmiles("C1CCCCCCC1C1CCCCCCCCC1")) == {8: 2}
    assert not ring_sizes(Chem.MolFromSmiles("CCO"))
