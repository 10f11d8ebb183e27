import csv
import gzip
import random
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rdkit import Chem

from molvae.chem import smiles as module
from molvae.chem.smiles import (
    DEFAULT_STANDARDIZATION,
    Standardization,
    canonical_molecule,
    canonicalize,
    parse,
    standard_spelling,
    standardize,
)
from molvae.chem.text import check_text
from molvae.errors import Rejected
from tests.drugs import DRUGS

SHARED = Path(__file__).parents[2] / "../shared/data"
HOSTILE = SHARED / "hostile"
ZINC = SHARED / "zinc/zinc250k.csv.gz"

# What stands in a file, by the reason that must be given. RDKit reads the first of most of these as
# another molecule, or ends the process.
REFUSED = {
    "not SMILES characters": (
        *("\u0421\u0421O", "CC\u200bO", "CC\x00O", "C\uff23O", "C\x1b[31mC", "C,C", "C|$;$|"),
        "[C,N]C",
    ),
    "more than one record": (
        *("CCO\nCCN", "CCO\rCCN", "CC O", "CC\tO", "version https://git-lfs.github.com/spec/v1"),
    ),
    "number out of range": (
        *("[C+999999]", "[1234C]", "[C++++++++++]", "[Fe+10]", "[CH3:99999999999]"),
        *("C%(100)CCC%(100)", "C%(999999999999)CC%(999999999999)"),
    ),
    "too long": ("C" * 20_000,),
    "empty": ("", " \t", "\ufeff"),
    "SELFIES, not SMILES": ("[C][C][O]", "[C][=C][Ring1]", "[C][Branch1][C][F][Cl]", "[C].[N]"),
    "odd bracket atom": ("[CH4294967297]", "[#6]", "[]"),
    "unsupported bond": ("O:C", "I:I", "C~C", "C$C", "C->[Fe]"),
    "unknown atom": ("*CC", "[*:1]CC"),
    "not a molecule": (
        *("C%1CCC%1", "C11", "xx", "NA", "nan", "<html>", "c1cccc1", "CC(C)(C)(C)C"),
        "O=C(O)CCCc1cc~c(N(CC[Na+].Cl)CCCl)cc1",
    ),
    "no heavy atom": ("[H][H]", "[H+]"),
    "too many heavy atoms": ("C" * 200,),
}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param(text, reason, id=repr(text[:24]))
        for reason, texts in REFUSED.items()
        for text in texts
    ],
)
def test_what_is_no_molecule_is_refused_with_its_reason(text: str, reason: str) -> None:
    with pytest.raises(Rejected) as refusal:
        standardize(text)
    assert refusal.value.reason == reason
    assert refusal.value.detail
    assert refusal.value.detail.isascii()


def test_a_chain_that_would_end_the_process_is_refused_before_rdkit_sees_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def seen(*_: object) -> None:
        pytest.fail("RDKit saw the string")

    monkeypatch.setattr(module, "_parse", seen)
    for function in (standardize, canonicalize):
        with pytest.raises(Rejected, match="too long"):
            function("C" * 20_000)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("CC(=O)Oc1ccccc1C(=O", "a branch is opened at character 17 and not closed"),
        ("CCO)C", "a branch is closed at character 4 and was not opened"),
        ("C1CCCC", "ring 1 is opened at character 2 and not closed"),
        ("C%12CCCC", "ring 12 is opened at character 2 and not closed"),
        ("CC[N", "a bracket is opened at character 3 and not closed"),
        ("CCN]", "a bracket is closed at character 4 and was not opened"),
        ("CC(C)(C)(C)C", "Explicit valence for atom # 1 C, 5"),
        ("c1cccc1", "Can't kekulize mol"),
        ("cc", "non-ring atom 0 marked aromatic"),
        ("CC=", "does not follow the grammar"),
    ],
)
def test_the_refusal_of_a_broken_string_says_where_it_breaks(text: str, words: str) -> None:
    with pytest.raises(Rejected, match="not a molecule") as refusal:
        standardize(text)
    assert words in refusal.value.detail


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *(("\ufeffCCO\r", "CCO"), (" CCO \r\n", "CCO"), ("  CCO\t", "CCO")),
        *(("N", "N"), ("NO", "NO"), ("[NH4+]", "N"), ("C-C", "CC")),
        *(("C%10CC%10", "C1CC1"), ("C%(11)CC%(11)", "C1CC1")),
        *(("[C@@H](O)(F)Cl", "OC(F)Cl"), ("F/C=C/F", "FC=CF")),
        *(("[13CH3][2H]", "C"), ("[CH3:7][OH:9]", "CO")),
        ("CC(=O)[O-].[Na+]", "CC(=O)O"),
        ("C[N+](C)(C)CC(=O)[O-]", "C[N+](C)(C)CC(=O)[O-]"),
        *(("C[NH+](C)C.[Cl-]", "CN(C)C"), ("CC(=O)O.CCCCCC", "CCCCCC")),
        *(("C[N+](=O)[O-]", "C[N+](=O)[O-]"), ("CN(=O)=O", "C[N+](=O)[O-]")),
        ("C.[I-].[I-].[I-]", "C"),
        *(("c1cc[cH-]c1", "C1=CCC=C1"), ("[CH-]1C=CC=C1", "C1=CCC=C1")),
        *(("c1ccc2[cH-]ccc2c1", "C1=Cc2ccccc2C1"), ("c1ccc[cH+]cc1", "C1=CC=CCC=C1")),
        ("c1cc[cH-][cH-]ccc1", "C1=CC=CCCC=C1"),  # cyclooctatetraene has two hydrogens less
        ("[Fe+2].c1cc[cH-]c1.c1cc[cH-]c1", "C1=CCC=C1"),
        ("c1ccc(P(c2ccccc2)c2cc[cH-]c2)cc1", "C1=CC(P(c2ccccc2)c2ccccc2)=CC1"),
        *(("c1c[n-]cn1", "c1c[nH]cn1"), ("[13cH-]1cccc1", "C1=CCC=C1")),
        ("CC[P-](F)(F)(F)(F)F", "CC[P-](F)(F)(F)(F)F"),  # one more bond is too many
    ],
)
def test_standardizing_gives_the_neutral_main_molecule(text: str, expected: str) -> None:
    assert standardize(text)[0] == expected


def test_each_switch_of_standardization_can_be_turned() -> None:
    plain = "C[C@H](O)C(=O)[O-].[Na+]"
    assert standardize(plain)[0] == "CC(O)C(=O)O"
    assert standardize(plain, Standardization(stereo=True))[0] == "C[C@H](O)C(=O)O"
    assert standardize(plain, Standardization(uncharge=False))[0] == "CC(O)C(=O)[O-]"
    whole = Standardization(largest_fragment=False, uncharge=False)
    assert standardize(plain, whole)[0] == "CC(O)C(=O)[O-].[Na+]"
    assert standardize("[13CH4]", Standardization(isotopes=True))[0] == "[13CH4]"


def test_of_two_equal_fragments_the_order_in_the_string_does_not_choose() -> None:
    assert standardize("CCCO.CCOC")[0] == standardize("CCOC.CCCO")[0]


def test_caps_are_those_that_are_asked_for() -> None:
    assert standardize("C" * 150)[0] == "C" * 150
    for cap, reason in [
        (Standardization(max_length=5), "too long"),
        (Standardization(max_heavy_atoms=5), "too many heavy atoms"),
        (Standardization(max_rings=0), "too many rings"),
    ]:
        with pytest.raises(Rejected, match=reason):
            standardize("C1CCCCC1", cap)


@pytest.mark.parametrize("stereo", [False, True])
def test_drugs_have_one_spelling_whatever_way_they_are_written(stereo: bool) -> None:
    switches = Standardization(stereo=stereo)
    random_numbers = random.Random(1)
    for name, smiles in DRUGS:
        expected, mol = standardize(smiles, switches)
        assert Chem.MolToSmiles(mol) == expected, name
        assert standardize(expected, switches)[0] == expected, name
        written = Chem.MolFromSmiles(expected)
        order = list(range(written.GetNumAtoms()))
        random_numbers.shuffle(order)
        shuffled = Chem.MolToSmiles(Chem.RenumberAtoms(written, order), canonical=False)
        assert standardize(shuffled, switches)[0] == expected, name


def test_drugs_lose_no_heavy_atom_and_no_stereo_mark_stays() -> None:
    for name, smiles in DRUGS:
        standard, mol = standardize(smiles)
        assert mol.GetNumHeavyAtoms() == Chem.MolFromSmiles(smiles).GetNumHeavyAtoms(), name
        assert not set(standard) & set("@/\\"), name


def test_of_spellings_that_alternate_the_smallest_is_taken_and_endless_ones_are_refused() -> None:
    turns = {"CCC": "CC", "CC": "CCO", "CCO": "CC"}
    smiles, mol = module._fixed_point("CCC", lambda _, written: turns[written])
    assert smiles == "CC"
    assert mol.GetNumAtoms() == 2
    with pytest.raises(Rejected, match="no stable spelling"):
        module._fixed_point("C", lambda _, written: written + "C")


def test_canonicalize_changes_the_spelling_only() -> None:
    assert canonicalize("OCC") == "CCO"
    assert canonicalize("[Na+].[O-]C(C)=O") == "CC(=O)[O-].[Na+]"
    assert canonicalize("C[C@@H](F)O") != canonicalize("C[C@H](F)O")
    assert canonicalize("C[C@@H](F)O", stereo=False) == "CC(O)F"
    assert canonicalize("C1=CC=CC=C1") == "c1ccccc1"
    with pytest.raises(Rejected, match="not a molecule"):
        canonicalize("C(")


@pytest.mark.parametrize(
    "switched",
    [
        *({}, {"stereo": True, "uncharge": False}, {"largest_fragment": False, "isotopes": True}),
        *({"max_length": 30}, {"max_heavy_atoms": 20}, {"max_rings": 2}),
    ],
)
def test_the_short_way_from_a_canonical_molecule_ends_where_the_long_one_does(
    switched: dict[str, int],
) -> None:
    switches = Standardization()._replace(**switched)
    odd = ("CC(=O)[O-].[Na+]", "[13CH4]", "[CH3:7]O", "C[NH3+]", "C~C", "*C", "[2H]O", "F/C=C/F")
    for smiles in (*odd, *(smiles for _, smiles in DRUGS[::5])):
        canonical, mol = canonical_molecule(smiles)
        assert Chem.MolToSmiles(mol) == canonical == canonicalize(smiles)
        try:
            found = standard_spelling(canonical, mol, switches), ""
        except Rejected as refusal:
            found = "", refusal.reason
        assert found == outcome(canonical, switches)


def test_check_text_takes_off_the_wrapping_only() -> None:
    assert check_text("\ufeff c1ccccc1 \r") == "c1ccccc1"
    with pytest.raises(Rejected, match="not SMILES characters"):
        check_text("\ufeff\ufeffCC")


def test_nothing_is_printed_about_a_refused_molecule(capfd: pytest.CaptureFixture[str]) -> None:
    for text in ("c1cccc1", "CC(", "C[NH3+].[Cl-]"):
        outcome(text)
    with pytest.raises(Rejected):
        parse("CC(C)(C)(C)C")
    assert capfd.readouterr() == ("", "")


def outcome(text: str, switches: Standardization = DEFAULT_STANDARDIZATION) -> tuple[str, str]:
    """Standard SMILES, or the reason of the refusal; anything else is a failure."""
    try:
        return standardize(text, switches)[0], ""
    except Rejected as refusal:
        return "", refusal.reason


@given(st.text(max_size=60))
@settings(max_examples=300, deadline=None)
def test_no_text_at_all_ends_otherwise_than_in_a_molecule_or_a_refusal(text: str) -> None:
    standard, reason = outcome(text)
    assert reason or standardize(standard)[0] == standard


@given(
    st.sampled_from([smiles for _, smiles in DRUGS]),
    st.lists(
        st.tuples(st.integers(0, 200), st.sampled_from("CNOSPcno()[]=#123%+-@H.:*~$/\\")),
        min_size=1,
        max_size=3,
    ),
)
@settings(max_examples=500, deadline=None)
def test_a_mutated_drug_is_a_molecule_with_one_spelling_or_a_refusal(
    smiles: str, changes: list[tuple[int, str]]
) -> None:
    for position, character in changes:
        position %= len(smiles)
        smiles = smiles[:position] + character + smiles[position + 1 :]
    standard, reason = outcome(smiles)
    assert reason or standardize(standard)[0] == standard


def sampled(path: Path, column: int, separator: str, count: int) -> list[str]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
        rows = list(csv.reader(lines, delimiter=separator, quoting=csv.QUOTE_NONE))[1:]
    return [row[column] for row in random.Random(7).sample(rows, count)]


@pytest.mark.skipif(not HOSTILE.is_dir(), reason="the hostile molecules are not on this machine")
def test_strings_known_to_be_no_molecules_are_all_refused() -> None:
    for text in sampled(HOSTILE / "invalid_smiles.tsv.gz", 1, "\t", 500):
        assert outcome(text)[1], text


@pytest.mark.skipif(not HOSTILE.is_dir(), reason="the hostile molecules are not on this machine")
@pytest.mark.parametrize(
    ("name", "column"), [("tricky_valid_smiles.tsv", 2), ("pubchem100k.smi", 0)]
)
def test_odd_molecules_are_quick_and_have_one_spelling(name: str, column: int) -> None:
    for text in sampled(HOSTILE / f"{name}.gz", column, "\t", 300):
        start = time.perf_counter()
        standard, reason = outcome(text)
        assert reason or standardize(standard)[0] == standard
        assert reason not in ("no stable spelling", "not SMILES characters")
        assert time.perf_counter() - start < 5  # seconds; one that hangs would hold a worker


@pytest.mark.skipif(not ZINC.is_file(), reason="ZINC-250k is not on this machine")
def test_every_molecule_of_zinc_is_taken() -> None:
    for text in sampled(ZINC, 0, ",", 300):
        standard, mol = standardize(text)
        assert Chem.MolToSmiles(mol) == standard
