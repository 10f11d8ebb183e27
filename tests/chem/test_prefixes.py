"""Spellings that end at an open atom: what follows is bonded there, and the molecule stays."""

import pytest
from rdkit import Chem

from molvae.chem.prefixes import open_prefixes, rooted
from molvae.chem.selfies import decode_canonical, is_consistent
from molvae.chem.similarity import murcko_scaffold
from molvae.chem.smiles import canonicalize
from molvae.errors import Rejected
from tests.drugs import DRUGS

SCAFFOLDS = sorted({murcko_scaffold(Chem.MolFromSmiles(smiles)) for _, smiles in DRUGS[::6]} - {""})


def grown(mol: Chem.Mol, atom: int, element: int) -> str:
    """Return a molecule with another atom at an atom, by RDKit alone: in place of a hydrogen."""
    whole = Chem.AddHs(mol)
    hydrogen = next(a for a in whole.GetAtomWithIdx(atom).GetNeighbors() if a.GetAtomicNum() == 1)
    hydrogen.SetAtomicNum(element)
    return canonicalize(Chem.MolToSmiles(Chem.RemoveHs(whole)), stereo=False)


@pytest.mark.parametrize("scaffold", SCAFFOLDS)
def test_every_open_atom_of_a_drugs_scaffold_has_a_spelling_that_goes_on_there(
    scaffold: str,
) -> None:
    mol = Chem.MolFromSmiles(scaffold)
    Chem.RemoveStereochemistry(mol)
    free = [atom.GetIdx() for atom in mol.GetAtoms() if atom.GetTotalNumHs()]
    for atom in free[::3]:
        spelled = open_prefixes(mol, atom, most=6)
        assert len({tuple(each) for each in spelled}) == len(spelled) > 0
        for symbols in spelled:
            assert is_consistent([*symbols, "[F]"])
            assert decode_canonical([*symbols, "[F]"]) == grown(mol, atom, 9)


def test_canonical_spelling_of_toluene_comes_first() -> None:
    benzene = Chem.MolFromSmiles("c1ccccc1")
    first = open_prefixes(benzene, 0)[0]
    assert "".join(first) == "[C][=C][C][=C][C][=C][Ring1][=Branch1]"


def test_branches_of_the_open_atom_close_before_it_goes_on() -> None:
    gem = Chem.MolFromSmiles("FC(Cl)C")
    for symbols in open_prefixes(gem, 1):
        assert decode_canonical([*symbols, "[O]"]) == "CC(O)(F)Cl"


@pytest.mark.parametrize(("smiles", "atom"), [("c1cc[nH]c1", 3), ("C1CNCCN1", 2), ("N", 0)])
def test_nitrogen_gives_its_hydrogen(smiles: str, atom: int) -> None:
    mol = Chem.MolFromSmiles(smiles)
    for symbols in open_prefixes(mol, atom):
        assert decode_canonical([*symbols, "[C]"]) == grown(mol, atom, 6)


def test_atom_without_a_hydrogen_is_named() -> None:
    with pytest.raises(Rejected, match=r"no free hydrogen: atom 2 \(C\)"):
        open_prefixes(Chem.MolFromSmiles("CC(F)(F)F"), 1)


@pytest.mark.parametrize(
    ("smiles", "atom", "whole"),
    [("c1ccncc1", 0, "Oc1ccncc1"), ("CN", 1, "CNO"), ("O=C1CCCN1", 5, "O=C1CCCN1O")],
)
def test_rooted_symbols_are_bonded_by_their_first_atom(smiles: str, atom: int, whole: str) -> None:
    symbols = rooted(Chem.MolFromSmiles(smiles), atom)
    assert decode_canonical(["[O]", *symbols]) == whole
    assert is_consistent(["[O]", *symbols])
