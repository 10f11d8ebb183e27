import pytest
from rdkit import Chem

from molvae.chem.fast.environments import bond_of, environment_of, environments, kind_of


def test_an_atom_is_told_by_itself_and_by_its_neighbors() -> None:
    read = environments(Chem.MolFromSmiles("C[15NH2+]C1CC1"))
    assert read is not None
    nitrogen = kind_of(read.kinds[1])
    assert (nitrogen.element, nitrogen.charge, nitrogen.hydrogens) == (7, 1, 2)
    assert nitrogen.isotope == 15
    ring = kind_of(read.kinds[2])
    assert (ring.degree, ring.rings, ring.smallest_ring) == (3, 1, 3)
    kind, spokes = environment_of(read.found[2])
    assert kind == read.kinds[2]
    found = [(bond_of(bond), kind_of(other).element) for bond, other in spokes]
    assert sorted(found) == [((1.0, False), 7), ((1.0, True), 6), ((1.0, True), 6)]
    assert sorted(end for _, end in read.neighbors[2]) == [1, 3, 4]


def test_atoms_that_are_alike_are_so_in_any_molecule_and_order() -> None:
    first = environments(Chem.MolFromSmiles("OCC(=O)N"))
    second = environments(Chem.MolFromSmiles("NC(=O)CCO"))
    assert first is not None
    assert second is not None
    assert first.found[2] == second.found[1]
    assert first.found[1] != second.found[3]


def test_a_molecule_is_read_once_until_it_changes() -> None:
    mol = Chem.MolFromSmiles("CCO")
    first = environments(mol)
    assert environments(mol) is first
    mol.GetAtomWithIdx(2).SetAtomicNum(16)
    Chem.SanitizeMol(mol)
    second = environments(mol)
    assert second is not None
    assert kind_of(second.kinds[2]).element == 16


def test_hydrogen_atoms_and_dative_bonds_are_left_to_rdkit() -> None:
    assert environments(Chem.AddHs(Chem.MolFromSmiles("CCO"))) is None
    assert environments(Chem.MolFromSmiles("CN(C)(C)->B")) is None
    assert environments(Chem.MolFromSmiles("[2H]C")) is None


def test_what_is_known_does_not_grow_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    assert environments(Chem.MolFromSmiles("CCO")) is not None
    monkeypatch.setattr("molvae.chem.fast.environments._MAX_KNOWN", 0)
    assert environments(Chem.MolFromSmiles("CCO")) is not None
    assert environments(Chem.MolFromSmiles("[13CH3][15NH][18OH]")) is None
