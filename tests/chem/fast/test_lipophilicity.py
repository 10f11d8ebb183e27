import pytest
from rdkit import Chem
from rdkit.Chem import Crippen
from rdkit.Chem import rdMolDescriptors as descriptors

from molvae.chem.fast.lipophilicity import log_p
from molvae.chem.fast.rotatable import rotatable_bonds
from tests.chem.reference import druglike
from tests.drugs import DRUGS

SMILES = [*(smiles for _, smiles in DRUGS), *druglike(500)]

# Oxygen and the hydrogens on it are told by the neighbors of their neighbors.
OXYGEN = (
    "CO OO CC(=O)O OC(=N)C Oc1ccccc1 NO O=CC O=Cc1ccccc1 O=C(C)c1ccccc1 O=C(O)N O=C=O O=S(C)C "
    "[O-]C(C)=O [O-][N+](=O)C [OH3+] O C1OC1 O=c1cc[nH]cc1 COS OB(O)C CO[Si](C)C [O-]Cl"
).split()


@pytest.mark.parametrize("smiles", [*OXYGEN, "[H][H]", "[2H]OC", "CN(C)(C)->B", "[Na+].[Cl-]", ""])
def test_odd_molecules_have_the_value_of_rdkit(smiles: str) -> None:
    assert log_p(Chem.MolFromSmiles(smiles)) == Crippen.MolLogP(Chem.MolFromSmiles(smiles))


def test_values_are_those_of_rdkit_to_the_last_bit_learned_or_looked_up() -> None:
    theirs = [Crippen.MolLogP(Chem.MolFromSmiles(text)) for text in SMILES]
    for _ in range(2):
        assert [log_p(Chem.MolFromSmiles(text)) for text in SMILES] == theirs


@pytest.mark.parametrize(
    "smiles",
    "CCCC CC(=O)NC CC(=O)OC CC(=S)SC CC(=O)S CC(=N)NC CC(=[NH+]C)NC CC#CC CCC(F)(F)F CCC(C)(C)C "
    "CCC(Cl)(Cl)Cl c1ccccc1-c1ccccc1 CNC(=O)NC CNC(=O)C(=O)NC C1CCC1C1CC1 CCC(C)(C)CC [2H]CCC "
    "CC(=O)n1cccc1 COC(=O)OC CCOC(=O)NC(=O)CC CC(=O)C(=O)C O=Cc1ccccc1 CSC(=O)CC".split(),
)
def test_bonds_rotate_where_rdkit_says_so(smiles: str) -> None:
    mol = Chem.MolFromSmiles(smiles)
    assert rotatable_bonds(mol) == descriptors.CalcNumRotatableBonds(mol)


def test_drugs_and_druglike_molecules_have_the_rotatable_bonds_of_rdkit() -> None:
    for smiles in SMILES:
        mol = Chem.MolFromSmiles(smiles)
        assert rotatable_bonds(mol) == descriptors.CalcNumRotatableBonds(mol), smiles
