import pickle

import numpy as np
import pytest
from rdkit import Chem

from molvae.chem.candidates import (
    REPAIRED,
    Candidate,
    Checks,
    decode_and_check,
    decode_and_check_all,
)
from molvae.chem.properties import PROPERTIES, measure
from molvae.chem.selfies import encode
from molvae.chem.smiles import Standardization, canonicalize
from tests.drugs import DRUGS

NOTHING_ASKED = Checks(())
SMILES = [canonicalize(smiles, stereo=False) for _, smiles in DRUGS[:40]]


def look_at(smiles: str, **checks: tuple[str, ...]) -> Candidate:
    return decode_and_check(encode(canonicalize(smiles)), NOTHING_ASKED._replace(**checks))


@pytest.mark.parametrize("smiles", SMILES)
def test_a_drug_is_taken_at_its_word(smiles: str) -> None:
    candidate = look_at(smiles, properties=("LogP", "QED"))
    assert candidate.smiles == smiles
    assert candidate.consistent
    assert candidate.refusal == ""
    assert candidate.values == tuple(measure(Chem.MolFromSmiles(smiles), ("LogP", "QED")))


def test_a_draw_that_selfies_repairs_is_a_molecule_and_not_consistent() -> None:
    # Fluorine has one bond: the second carbon is dropped without a word.
    candidate = decode_and_check(["[C]", "[F]", "[C]"], NOTHING_ASKED)
    assert (candidate.smiles, candidate.consistent, candidate.refusal) == ("CF", False, "")


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        *(("", "no atom"), ("[Branch1]", "no atom"), ("[Ring1] [Ring1]", "no atom")),
        ("[C] [nonsense]", "not SELFIES"),
    ],
)
def test_a_draw_without_an_atom_or_of_no_selfies_is_refused(text: str, refusal: str) -> None:
    expected = Candidate("", consistent=False, refusal=refusal)
    assert decode_and_check(text.split(), NOTHING_ASKED) == expected


def test_a_molecule_is_looked_up_as_the_training_set_spells_it() -> None:
    acetate = ["[C]", "[C]", "[=Branch1]", "[C]", "[=O]", "[O-1]"]
    candidate = decode_and_check(acetate, NOTHING_ASKED)
    assert (candidate.smiles, candidate.identity) == ("CC(=O)[O-]", "CC(=O)O")
    as_charged = NOTHING_ASKED._replace(standardization=Standardization(uncharge=False))
    assert decode_and_check(acetate, as_charged).identity == "CC(=O)[O-]"


def test_a_property_that_fails_refuses_the_molecule_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(mol: Chem.Mol) -> float:
        raise ValueError("no")

    monkeypatch.setitem(PROPERTIES, "QED", PROPERTIES["QED"]._replace(function=fail))
    checks = Checks(("MW", "QED"))
    methanol = ["[C]", "[O]"]
    assert decode_and_check(methanol, checks).refusal == "property failed"
    (weight,) = decode_and_check(methanol, Checks(("MW",))).values
    assert weight == pytest.approx(32.04, abs=0.01)


CATECHOL, NITROBENZENE, ASPIRIN = "Oc1ccccc1O", "O=[N+]([O-])c1ccccc1", "CC(=O)Oc1ccccc1C(=O)O"


@pytest.mark.parametrize(
    ("smiles", "checks", "refusal"),
    [
        (CATECHOL, {"filters": ("PAINS",)}, "filter PAINS"),  # catechol_A(92)
        (ASPIRIN, {"filters": ("PAINS",)}, ""),
        (NITROBENZENE, {"filters": ("PAINS", "BRENK")}, "filter BRENK"),
        (ASPIRIN, {"smarts": ("[CX3](=O)[OX2H]",)}, ""),
        (CATECHOL, {"smarts": ("[OX2H]", "[#7]")}, "without [#7]"),
        (ASPIRIN, {"not_smarts": ("[#7]", "[CX3](=O)[OX2H]")}, "with [CX3](=O)[OX2H]"),
        (CATECHOL, {"not_smarts": ("[#7]",)}, ""),
    ],
)
def test_what_speaks_against_a_molecule_is_named(
    smiles: str, checks: dict[str, tuple[str, ...]], refusal: str
) -> None:
    candidate = look_at(smiles, **checks)
    assert candidate.refusal == refusal
    assert candidate.smiles == canonicalize(smiles)


def test_a_refused_molecule_is_measured_all_the_same() -> None:
    (weight,) = look_at(CATECHOL, properties=("MW",), filters=("PAINS",)).values
    assert weight == pytest.approx(110.11, abs=0.01)


def test_what_was_repaired_is_refused_before_it_is_measured_where_that_is_asked() -> None:
    repaired = ["[C]", "[F]", "[C]"]  # fluorine has no bond left for the second carbon
    checks = Checks(("MW",), consistent_only=True)
    assert decode_and_check(repaired, checks) == Candidate("CF", False, refusal=REPAIRED)
    assert decode_and_check(repaired, Checks(("MW",))).values == pytest.approx([34.03], abs=0.01)
    assert decode_and_check(["[C]", "[F]"], checks).values == pytest.approx([34.03], abs=0.01)


def test_ring_systems_are_named_where_they_are_asked_for() -> None:
    biphenyl = encode("CC1CC1c1ccccc1-c1ccccc1")
    assert decode_and_check(biphenyl, Checks((), rings=True)).rings == (
        *("C1CC1", "c1ccccc1", "c1ccccc1"),
    )
    assert decode_and_check(biphenyl, Checks(())).rings == ()


def test_work_and_result_cross_a_process_border() -> None:
    work = [(encode(smiles), Checks(("MW",), ("PAINS",), ("[#6]",), ("[U]",))) for smiles in SMILES]
    found = decode_and_check_all(pickle.loads(pickle.dumps(work)))
    assert pickle.loads(pickle.dumps(found)) == found
    assert [candidate.smiles for candidate in found] == SMILES
    assert all(isinstance(value, float) for candidate in found for value in candidate.values)
    assert not any(isinstance(value, np.floating) for c in found for value in c.values)
