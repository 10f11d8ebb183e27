import math

import pytest
from rdkit import Chem

from molvae.chem.accessibility import _scorer, synthetic_accessibility
from tests.drugs import DRUGS

ODD = (
    "C[S@](=O)CC CS(=O)CC CP(C)CC CP(CC)c1ccccc1 C[As](CC)CCC CN1CC1C C1CN2CCC1CC2 "
    "CC[N+](C)(CCC)CO "
    "CC1CCC(C)CC1 OC1CC(O)C1 CC(O)C(F)C(O)C CC(C)(F)F CC(F)C FC(Cl)Br C[C@H](O)CC CC=CC(O)C "
    "C[Si](CC)(F)Cl C12CC1C2 C1CCCCCCCCCC1 C1CC11CC1 [H][H] [2H]C(O)C [Na+].[Cl-] C O [13CH3]C(O)C "
    "CN(C)(C)->B"
).split()


@pytest.mark.parametrize("smiles", ODD)
def test_odd_molecules_have_the_value_of_rdkit(smiles: str) -> None:
    ours = synthetic_accessibility(Chem.MolFromSmiles(smiles))
    assert ours == _scorer().calculateScore(Chem.MolFromSmiles(smiles))


def test_drugs_have_the_values_of_rdkit() -> None:
    for _, smiles in DRUGS:
        theirs = _scorer().calculateScore(Chem.MolFromSmiles(smiles))
        assert synthetic_accessibility(Chem.MolFromSmiles(smiles)) == theirs, smiles


def test_a_molecule_without_atoms_has_no_score() -> None:
    assert math.isnan(synthetic_accessibility(Chem.MolFromSmiles("")))
