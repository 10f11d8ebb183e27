import gzip
from pathlib import Path

import numpy as np
import pytest
from rdkit import Chem

from molvae.chem.filters import FILTERS
from molvae.chem.moses_filters import _found, mcf_alert, mcf_patterns, moses_alert, moses_patterns
from tests.drugs import DRUGS

MOLS = [Chem.MolFromSmiles(smiles) for _, smiles in DRUGS]


def found_by_rdkit(mol: Chem.Mol) -> list[str]:
    """Return the patterns that a molecule with its hydrogens contains."""
    whole, patterns = Chem.AddHs(mol), moses_patterns()
    pairs = zip(patterns.names, patterns.queries, strict=True)
    return [name for name, query in pairs if whole.HasSubstructMatch(query)]


@pytest.mark.parametrize(
    ("smiles", "reason"),
    [
        ("C1CCCCCCC1", "ring of 8 atoms or more"),
        ("CC(=O)[O-]", "charged"),
        ("C[Si](C)C", "holds Si"),
        ("IC1CC1", "holds I"),
        ("CC=O", "MCF7"),
        ("CCCBr", "MCF4"),  # whose two hydrogens are atoms of the pattern
        ("O=C1C=CC(=O)c2ccccc12", "PAINS quinone_A(370)"),
    ],
)
def test_what_keeps_a_molecule_out_of_moses_is_named(smiles: str, reason: str) -> None:
    assert moses_alert(Chem.MolFromSmiles(smiles)) == reason


@pytest.mark.parametrize("smiles", ["CCO", "CC(=O)Oc1ccccc1C(=O)O", "C1CCCCCC1", "Clc1ccccc1Br"])
def test_a_molecule_with_nothing_against_it_passes(smiles: str) -> None:
    assert moses_alert(Chem.MolFromSmiles(smiles)) is None


def test_there_are_502_patterns_and_22_of_them_are_medicinal_chemistry() -> None:
    assert len(moses_patterns().names) == len(set(moses_patterns().names)) == 502
    assert mcf_patterns().names == tuple(f"MCF{number}" for number in range(1, 23))
    assert None not in moses_patterns().queries


def test_no_pattern_that_is_there_is_ruled_out() -> None:
    for name, mol in zip(DRUGS, MOLS, strict=True):
        if any(len(ring) >= 8 for ring in mol.GetRingInfo().AtomRings()) or any(
            atom.GetFormalCharge() or atom.GetSymbol() not in {"C", "N", "S", "O", "F", "Cl", "Br"}
            for atom in mol.GetAtoms()
        ):
            continue
        assert moses_alert(mol) == next(iter(found_by_rdkit(mol)), None), name


def test_patterns_without_hydrogens_find_what_those_with_hydrogens_find() -> None:
    patterns = moses_patterns()
    assert sum(patterns.exact) == 498  # the others could take a hydrogen for another atom
    molecules = (
        "CCCBr CC=O C1CN1 C=CC(C)=O [N-]=[N+]=NC CC1=CC=C(C)O1 C=CC1=CC=C(C)O1 C1=CC=CO1 "
        "Clc1ccccn1 Clc1nccs1 Cc1ccoc1 CN(C)c1ccc(C=C)cc1 c1ccc(Nc2ccccc2)cc1 NNc1ccccc1 "
        "CC1=CC=CS1 CC(C)=NNC=O [2H]C(=O)C OO CSSC CNN Oc1ccccc1O O=C1C=CC(=O)C=C1"
    )
    for smiles in molecules.split():
        mol = Chem.MolFromSmiles(smiles)
        assert list(_found(patterns, mol)) == found_by_rdkit(mol), smiles


def test_the_pan_assay_patterns_are_those_of_the_catalog() -> None:
    assert sum("PAINS" in name for name in moses_patterns().names) == 480
    for mol in MOLS[:80]:
        found = any("PAINS" in name for name in found_by_rdkit(mol))
        assert (FILTERS["PAINS"](mol) is not None) == found


def test_nothing_in_the_moses_training_set_fails_its_filters() -> None:
    path = Path(__file__).parents[2].parent / "shared" / "data" / "moses" / "train.csv.gz"
    if not path.exists():
        pytest.skip(f"no {path}: the MOSES training set is not redistributed")
    with gzip.open(path, "rt") as file:
        smiles = [line.split(",")[0].strip() for line, _ in zip(file, range(2001), strict=False)]
    alerts = [moses_alert(Chem.MolFromSmiles(text)) for text in smiles[1:]]
    assert np.mean([alert is None for alert in alerts]) > 0.998


def test_mcf_is_a_filter_of_its_own() -> None:
    assert mcf_alert(Chem.MolFromSmiles("C1CO1")) == "MCF5"
    assert mcf_alert(Chem.MolFromSmiles("CC(=O)[O-]")) is None
    assert FILTERS["MCF"](Chem.MolFromSmiles("C=CC#N")) == "MCF1"
