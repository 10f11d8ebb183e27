import math
import re

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import Crippen, Descriptors, Lipinski

from molvae.chem import properties as module
from molvae.chem.properties import PROPERTIES, Property, measure, resolve
from molvae.errors import Rejected, UsageError
from tests.drugs import DRUGS, WEIGHTS

ASPIRIN = Chem.MolFromSmiles("CC(=O)Oc1ccccc1C(=O)O")
NAMES = "MW LogP TPSA QED SA HBD HBA RotB Rings AromaticRings Fsp3 HeavyAtoms".split()
SAME_IN_RDKIT = {
    "MW": Descriptors.MolWt,
    "LogP": Crippen.MolLogP,
    "TPSA": Descriptors.TPSA,
    "QED": Descriptors.qed,
    "SA": module._scorer().calculateScore,
    "HBD": Lipinski.NumHDonors,
    "HBA": Lipinski.NumHAcceptors,
    "RotB": Descriptors.NumRotatableBonds,
    "Rings": Descriptors.RingCount,
    "AromaticRings": Descriptors.NumAromaticRings,
    "Fsp3": Descriptors.FractionCSP3,
    "HeavyAtoms": Descriptors.HeavyAtomCount,
}


def test_values_are_those_of_rdkit_to_the_last_bit() -> None:
    for name, smiles in DRUGS[:60]:
        mol = Chem.MolFromSmiles(smiles)
        ours = measure(mol, list(SAME_IN_RDKIT))
        theirs = [function(mol) for function in SAME_IN_RDKIT.values()]
        assert ours.tolist() == theirs, name


def test_weights_of_drugs_are_those_in_the_literature() -> None:
    for name, smiles in DRUGS:
        (weight,) = measure(Chem.MolFromSmiles(smiles), ["MW"])
        assert weight == pytest.approx(WEIGHTS[name], abs=0.06), name


def test_values_of_aspirin_are_the_published_ones() -> None:
    values = dict(zip(NAMES, measure(ASPIRIN, NAMES), strict=True))
    assert values["TPSA"] == pytest.approx(63.60, abs=0.01)
    assert values["QED"] == pytest.approx(0.55, abs=0.005)
    assert values["SA"] == pytest.approx(1.58, abs=0.01)
    assert values["HeavyAtoms"] == 13
    assert (values["HBD"], values["Rings"], values["AromaticRings"]) == (1, 1, 1)
    assert values["Fsp3"] == pytest.approx(1 / 9)


def test_values_of_drugs_stay_in_the_range_of_the_definition() -> None:
    for name, smiles in DRUGS:
        values = measure(Chem.MolFromSmiles(smiles), NAMES)
        assert values.shape == (len(NAMES),)
        assert values.dtype == np.float64
        for known, value in zip(PROPERTIES.values(), values, strict=True):
            assert known.low <= value <= known.high, (name, known.name)
            assert not known.integer or value == round(value), (name, known.name)


def test_every_property_says_what_it_is_and_where_it_comes_from() -> None:
    assert list(PROPERTIES) == NAMES
    for name, known in PROPERTIES.items():
        assert known.name == name
        assert known.definition
        assert known.source
        assert known.low < known.high
    words = [w.lower() for known in PROPERTIES.values() for w in (known.name, *known.aliases)]
    assert len(words) == len(set(words))
    assert str(PROPERTIES["TPSA"]) == "TPSA (A^2)"
    assert str(PROPERTIES["LogP"]) == "LogP"


@pytest.mark.parametrize(
    ("word", "name"),
    [
        *(("logp", "LogP"), ("MolLogP", "LogP"), ("molwt", "MW"), ("NumHDonors", "HBD")),
        *(("NUMROTATABLEBONDS", "RotB"), ("RingCount", "Rings"), ("fractioncsp3", "Fsp3")),
        *(("sascore", "SA"), (" QED ", "QED"), ("HeavyAtomCount", "HeavyAtoms")),
    ],
)
def test_names_are_found_whatever_the_case_and_by_the_names_of_rdkit(word: str, name: str) -> None:
    assert resolve(word) is PROPERTIES[name]
    assert measure(ASPIRIN, [word]) == measure(ASPIRIN, [name])


def test_an_unknown_name_lists_the_known_ones_with_units_and_the_nearest() -> None:
    with pytest.raises(UsageError, match=re.escape("did you mean 'LogP'?")) as failure:
        resolve("logd")
    assert "TPSA (A^2)" in str(failure.value)
    assert "MW (Da)" in str(failure.value)


def test_a_calculator_that_raises_is_named_and_the_others_go_on() -> None:
    mol = Chem.MolFromSmiles("O=Cc1nc=2=ccccc2s1")
    assert np.isfinite(measure(mol, ["LogP", "MW"])).all()
    with pytest.raises(Rejected) as refusal:
        measure(mol, ["LogP", "QED"])
    assert (refusal.value.reason, refusal.value.field) == ("property failed", "QED")


def test_molecule_without_atoms_has_no_accessibility() -> None:
    with pytest.raises(Rejected, match="SA is nan"):
        measure(Chem.MolFromSmiles(""), ["SA"])


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_value_that_is_not_finite_is_refused(
    monkeypatch: pytest.MonkeyPatch, value: float
) -> None:
    odd = Property("Odd", "", "a test", lambda mol: value, "none")
    monkeypatch.setitem(module.PROPERTIES, "Odd", odd)
    with pytest.raises(Rejected) as refusal:
        measure(ASPIRIN, ["Odd"])
    assert refusal.value.field == "Odd"
