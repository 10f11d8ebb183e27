from collections.abc import Iterator

import pytest
from rdkit import Chem, rdBase
from rdkit.Chem import QED

from molvae.chem.fast.environments import environments
from molvae.chem.fast.screens import Screen
from molvae.chem.moses_filters import moses_patterns
from tests.drugs import DRUGS

MOLS = [Chem.MolFromSmiles(smiles) for _, smiles in DRUGS]


def possible(smarts: str, smiles: str) -> bool:
    read = environments(Chem.MolFromSmiles(smiles))
    assert read is not None
    return Screen([Chem.MolFromSmarts(smarts)]).possible(read) == [0]


def test_no_alert_that_a_drug_contains_is_ruled_out_and_few_others_are_left() -> None:
    screen, found, left = Screen(QED.StructuralAlerts), 0, 0
    for (name, _), mol in zip(DRUGS, MOLS, strict=True):
        read = environments(mol)
        assert read is not None
        there = {n for n, q in enumerate(QED.StructuralAlerts) if mol.HasSubstructMatch(q)}
        assert there <= set(screen.possible(read)), name
        found += len(there)
        left += len(screen.possible(read))
    assert found > 100
    assert left < 10 * found


@pytest.mark.parametrize(
    "pair",
    [
        *("C1OC1 CC1OC1", "C1CCC1 C1CC2CC1C2", "[$(C=O)]N CC(=O)NC", "[!$(C=O);C]N CNC(C)=O"),
        *("[$([N;+0;X3;v3]);!$(N[C,S]=O)] CNC", "C(F)(F)F CC(F)(F)F", "F.F.F.F FC(F)(F)CF"),
        *("C~N CC#N", "C-!@C CCC1CC1", "C-;@C C1CC1", "[r5] C1CCCC1", "[13C] [13CH3]O"),
        "[x2] C1CC1",  # which a kind of atom does not tell
        *("[C@H](C)(N)O C[C@H](N)O", "* C"),
    ],
)
def test_what_is_there_stays_possible(pair: str) -> None:
    smarts, smiles = pair.split()
    assert Chem.MolFromSmiles(smiles).HasSubstructMatch(Chem.MolFromSmarts(smarts))
    assert possible(smarts, smiles)


@pytest.mark.parametrize(
    "pair",
    [
        *("C1OC1 CC1COC1", "C1CCC1 C1CCCC1", "[$(S=O)]N CCN", "[$([#7]),$([#8]C)] CCS"),
        *("C(F)(F)F CC(F)F", "C=O CO", "C-!@C C1CC1", "C1CCCCC1 CCCCCC", "[13C] CO"),
    ],
)
def test_what_lacks_an_atom_a_bond_a_ring_or_a_neighbor_is_ruled_out(pair: str) -> None:
    assert not possible(*pair.split())


def made_of(query: Chem.Mol) -> Iterator[Chem.Mol]:
    """Yield molecules that contain a pattern, made of the pattern itself where that works."""
    with rdBase.BlockLogs():
        for text in (Chem.MolToSmiles(query), Chem.MolToSmiles(query).replace("*", "C")):
            for atoms in (text, text.replace("H]", "]"), f"{text}.c1ccc2ccccc2c1"):
                mol = Chem.MolFromSmiles(atoms)
                if mol is not None and mol.HasSubstructMatch(query):
                    yield mol


def test_molecules_made_of_a_pattern_keep_it_possible() -> None:
    queries = [*QED.StructuralAlerts, *moses_patterns().merged]
    screen, tripped = Screen(queries), set()
    for number, query in enumerate(queries):
        for mol in made_of(query):
            read = environments(mol)
            if read is not None:
                tripped.add(number)
                assert number in screen.possible(read), Chem.MolToSmarts(query)
    assert len(tripped) > 300, len(tripped)
