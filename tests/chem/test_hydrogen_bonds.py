import csv
from pathlib import Path

import pytest
from rdkit import Chem
from rdkit.Chem import rdMolDescriptors as descriptors

from molvae.chem.hydrogen_bonds import acceptors, donors
from tests.drugs import DRUGS

TABLE = Path(__file__).parents[2] / "datasets" / "druglike-10k.csv"
# Acids, esters, amides, lactams, anilines, azoles, ions, oxides, radicals, isotopes, no bonds.
ODD = (
    "CO CC(=O)O CC(=O)OC CC(=O)N CC(=O)N(C)C O=C1CCCN1 C1=NCCO1 CS CSC CC(=O)S CC(=S)NC C=NN CNO "
    "NC(=N)N CS(=O)(=O)N CP(=O)(O)O Nc1ccccc1 c1cc[nH]c1 Cn1cccc1 c1ccncc1 C[n+]1ccccc1 c1ccoc1 "
    "c1ccsc1 O=c1cc[nH]cc1 [O-][n+]1ccccc1 [O-]C=O [S-]C C[N+](C)(C)[O-] C[NH+](C)C [NH4+] [OH3+] "
    "[OH-] O N OO NN CN=[N+]=[N-] [O]C [NH]C OC=C OC(=C)O OS(=O)C SC=S c1cc[o+]cc1 C[S+](C)C "
    "CF C[O-] [2H]OC [H][H] [Na+].[Cl-] CN(C)(C)->B OB(O)C O[Si](C)(C)C O=C1C=CC(=O)N1 C1=CN=CN1 "
    "N=C=O NC=O OC1=NCCC1 CN=C1CCCN1C O=S1CCCN1"
).split()


@pytest.mark.parametrize("smiles", [*ODD, ""])
def test_odd_molecules_have_the_hydrogen_bonds_of_rdkit(smiles: str) -> None:
    mol = Chem.MolFromSmiles(smiles)
    assert donors(mol) == descriptors.CalcNumHBD(mol)
    assert acceptors(mol) == descriptors.CalcNumHBA(mol)


def test_drugs_and_druglike_molecules_have_the_hydrogen_bonds_of_rdkit() -> None:
    with TABLE.open(encoding="utf-8", newline="") as file:
        druglike = [row["SMILES"] for row, _ in zip(csv.DictReader(file), range(500), strict=False)]
    for smiles in (*(smiles for _, smiles in DRUGS), *druglike):
        mol = Chem.MolFromSmiles(smiles)
        assert donors(mol) == descriptors.CalcNumHBD(mol), smiles
        assert acceptors(mol) == descriptors.CalcNumHBA(mol), smiles
