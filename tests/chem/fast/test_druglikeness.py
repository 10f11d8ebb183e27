"""QED against RDKit's, to the last bit."""

import pytest
from rdkit import Chem
from rdkit.Chem import QED

from molvae.chem.fast import druglikeness
from tests.chem.reference import druglike
from tests.drugs import DRUGS

# One for each way in which alerts are grouped, and what the grouping might get wrong.
ODD = (
    "CS(=O)(=O)OC FC(F)(F)CBr "  # sulfur, halogens
    "C[N+](C)(C)CC(=O)[O-] "  # charges that cancel
    "C#CCN N#CC(=O)OCC "  # a triple bond
    "[13CH3]O [2H]C([2H])([2H])O "  # isotopes
    "[H][H] [Na+].[Cl-] C1CC1[Se]C c1ccc2c(c1)[nH]c1ccccc12 O=[N+]([O-])c1ccc(Cl)cc1 "
    "CC1=CC(=O)C=CC1=O S1C=CSC1=S C[Si](C)(C)F O CC1=NCC(=O)N(C)c2ccccc21 "
    "c1ccc2c(c1)Nc1ccccc1S2 "  # rings that RDKit closes through atoms that are not aromatic
    "CN(C)(C)->B"  # a bond that has no order
).split()


def read(smiles: str) -> Chem.Mol:
    mol = Chem.MolFromSmiles(smiles)
    assert mol is not None
    return mol


@pytest.mark.parametrize("smiles", ODD)
def test_odd_molecules_have_the_value_of_rdkit(smiles: str) -> None:
    assert druglikeness.qed(read(smiles)) == QED.qed(read(smiles))


def test_drugs_and_druglike_molecules_have_the_values_of_rdkit() -> None:
    smiles = [*(smiles for _, smiles in DRUGS), *druglike(300)]
    ours = [druglikeness.qed(read(text)) for text in smiles]
    assert ours == [QED.qed(read(text)) for text in smiles]


def test_hydrogens_that_are_written_out_change_nothing() -> None:
    mol = Chem.AddHs(read("CC(=O)Oc1ccccc1C(=O)O"))
    assert druglikeness.qed(mol) == QED.qed(mol) == druglikeness.qed(Chem.RemoveHs(mol))


def test_what_rdkit_cannot_do_is_not_done_here_either() -> None:
    mol = Chem.MolFromSmiles("O=Cc1nc=2=ccccc2s1")
    if mol is None:
        pytest.skip("this RDKit does not read it")
    with pytest.raises(Exception) as theirs:  # noqa: PT011
        QED.qed(mol)
    with pytest.raises(type(theirs.value)):
        druglikeness.qed(mol)
