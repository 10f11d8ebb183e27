import pickle

import pytest
from rdkit import Chem

from molvae.chem import filters
from molvae.chem.filters import FILTERS, smarts_filter
from molvae.errors import UsageError
from tests.drugs import DRUGS

ETHANOL = Chem.MolFromSmiles("CCO")


@pytest.mark.parametrize(
    ("name", "smiles", "words"),
    [
        ("PAINS", "O=C1C=CC(=O)c2ccccc12", "quinone"),
        ("PAINS", "O=C1NC(=S)SC1=Cc1ccccc1", "rhod"),
        ("BRENK", "CC(=O)Cl", "acid_halide"),
        ("BRENK", "CCN=[N+]=[N-]", "azido"),
        ("NIH", "CC(=O)Cl", "halide"),
    ],
)
def test_a_notorious_group_is_named(name: str, smiles: str, words: str) -> None:
    alert = FILTERS[name](Chem.MolFromSmiles(smiles))
    assert alert is not None
    assert words in alert.lower()


@pytest.mark.parametrize("name", ["PAINS", "BRENK", "NIH"])
def test_the_alert_is_the_first_of_the_catalog(name: str) -> None:
    mols = [Chem.MolFromSmiles(smiles) for _, smiles in DRUGS[::3]]
    matches = [filters._catalog(name).GetFirstMatch(mol) for mol in mols]
    found = [match and match.GetDescription() for match in matches]
    assert [FILTERS[name](mol) for mol in mols] == found
    assert len(set(found)) > 2


@pytest.mark.parametrize("name", ["PAINS", "BRENK", "NIH"])
def test_the_pattern_of_an_entry_is_the_one_that_is_looked_for(name: str) -> None:
    catalog = filters._catalog(name)
    mols = [Chem.MolFromSmiles(smiles) for _, smiles in DRUGS[::8]]
    for number in range(catalog.GetNumEntries()):
        entry = catalog.GetEntryWithIdx(number)
        pattern = filters._pattern(entry)
        for mol in mols:
            assert entry.HasFilterMatch(mol) == mol.HasSubstructMatch(pattern)


def test_hydrogens_as_atoms_change_no_alert() -> None:
    mol = Chem.MolFromSmiles("CC(=O)Cl")
    assert FILTERS["BRENK"](Chem.AddHs(mol)) == FILTERS["BRENK"](mol) is not None


def test_most_drugs_pass_the_pan_assay_filter() -> None:
    alerts = [FILTERS["PAINS"](Chem.MolFromSmiles(smiles)) for _, smiles in DRUGS[:100]]
    assert sum(alert is not None for alert in alerts) < 10


def test_a_pattern_can_be_wanted_or_unwanted() -> None:
    assert smarts_filter("[OX2H]", wanted=True)(ETHANOL) is None
    assert smarts_filter("[OX2H]", wanted=False)(ETHANOL) == "has [OX2H]"
    assert smarts_filter("[#7]", wanted=True)(ETHANOL) == "lacks [#7]"
    assert smarts_filter("[#7]", wanted=False)(ETHANOL) is None


@pytest.mark.parametrize("pattern", ["", "[C@", "c1ccc", "C C", "\u0421", "C" * 1001, "C\n"])
def test_what_is_no_smarts_is_refused_at_once_and_shown(
    pattern: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UsageError, match="not SMARTS") as failure:
        smarts_filter(pattern, wanted=True)
    assert repr(pattern[:80]) in str(failure.value)
    assert capfd.readouterr() == ("", "")


def test_filters_pass_a_harmless_molecule_and_can_be_sent_to_worker_processes() -> None:
    assert [alert(ETHANOL) for alert in FILTERS.values()] == [None] * len(FILTERS)
    for unwanted in (*FILTERS.values(), smarts_filter("[#8]", wanted=False)):
        copy = pickle.loads(pickle.dumps(unwanted))
        assert copy(ETHANOL) == unwanted(ETHANOL)
