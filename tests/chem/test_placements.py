"""Cores in molecules: found, told from new parts, and put back as they were given."""

import pytest
from rdkit import Chem

from molvae.chem.cores import Core, open_core
from molvae.chem.placements import lay, marked_as_in, place
from molvae.chem.smiles import Standardization, canonicalize
from molvae.errors import Rejected

FORM = Standardization()


def placed(core: str, smiles: str, *, anywhere: bool = False) -> tuple[str, str, dict[int, str]]:
    smiles = canonicalize(smiles)
    found = place(Core(core, FORM, anywhere), smiles, Chem.MolFromSmiles(smiles))
    assert Chem.MolToSmiles(found.mol) == found.smiles
    return found.smiles, found.decoration, dict(found.parts)


@pytest.mark.parametrize(
    ("core", "smiles", "decoration", "parts"),
    [
        ("[*:1]c1ccc(Cl)nc1", "CCOc1ccc(Cl)nc1", "[*:1]OCC", {1: "[*:1]OCC"}),
        ("*n1cccc1", "CCn1cccc1", "[*:1]CC", {1: "[*:1]CC"}),
        (
            "[3*]N1CCN([7*])CC1",
            "CCN1CCN(C(C)=O)CC1",
            "[*:3]CC.[*:7]C(C)=O",
            {3: "[*:3]CC", 7: "[*:7]C(C)=O"},
        ),
        ("[*:1]C([*:2])c1ccccc1", "FC(O)c1ccccc1", "[*:1]O.[*:2]F", {1: "[*:1]O", 2: "[*:2]F"}),
        ("c1ccncc1", "Cc1ccncc1OC", "[*:3]C.[*:2]OC", {}),  # numbers of the core's own atoms
        ("c1ccccc1", "c1ccc2[nH]ccc2c1", "[*:1]C=CN[*:2]", {}),
    ],
)
def test_new_parts_are_named_where_they_were_bonded(
    core: str, smiles: str, decoration: str, parts: dict[int, str]
) -> None:
    whole, found, by_mark = placed(core, smiles)
    assert whole == canonicalize(smiles)
    assert sorted(map(len, found.split("."))) == sorted(map(len, decoration.split(".")))
    if parts:
        assert (found, by_mark) == (decoration, parts)
    else:
        assert by_mark == {}


@pytest.mark.parametrize(
    ("core", "smiles", "reason"),
    [
        ("[*:1]c1ccc(Cl)nc1", "CCOc1ccccn1", "without the core"),
        ("[*:1]c1ccc(Cl)nc1", "Clc1ccccn1", "an open atom without a new part"),
        ("[*:1]c1ccc(Cl)nc1", "CCOc1ccc(Cl)nc1C", "core grown elsewhere"),
        ("[*:1]c1ccc(Cl)nc1", "Cc1ccnc(Cl)c1", "core grown elsewhere"),
        ("[*:1]C(=O)c1ccccc1", "O=C1CCc2ccccc21", "core grown elsewhere"),
        ("[*:1]CC1CCCCC1", "FC(O)C1CCCCC1", "core grown elsewhere"),  # two parts at one mark
        ("[*:1]CC1CCCCC1", "C=CC1CCCCC1", "core grown elsewhere"),  # a double bond is no mark
        ("[*:1]c1ccc([*:2])nc1", "Cc1ccccn1", "an open atom without a new part"),
        ("[*:1]N1CCN([*:2])CC1", "C1CN2CCN1CC2", "core grown elsewhere"),  # one part at two marks
        ("c1ccncc1", "c1ccncc1", "nothing but the core"),
    ],
)
def test_molecule_that_does_not_keep_the_core_is_refused(
    core: str, smiles: str, reason: str
) -> None:
    with pytest.raises(Rejected) as refused:
        placed(core, smiles)
    assert refused.value.reason == reason


def test_anywhere_lets_atoms_without_a_mark_grow() -> None:
    _, decoration, parts = placed("[*:1]c1ccc(Cl)nc1", "CCOc1ccc(Cl)nc1C", anywhere=True)
    assert (decoration, parts[1]) == ("[*:0]C.[*:1]OCC".replace("[*:0]", "*"), "[*:1]OCC")


@pytest.mark.parametrize(
    ("core", "smiles", "whole", "left_out"),
    [
        ("C[C@H]([*:1])N", "CCOC(C)N", "CCO[C@@H](C)N", "stereo marks"),
        ("C[C@@H]([*:1])N", "CCOC(C)N", "CCO[C@H](C)N", "stereo marks"),
        ("C[C@H](O)N", "CCNC(C)O", "CCN[C@H](C)O", "stereo marks"),
        ("C[C@@H](C[NH3+])F", "CC(F)CNC=O", "C[C@H](F)C[NH2+]C=O", "stereo marks, charges"),
        ("[*:1]CCC(=O)[O-]", "OCCC(=O)O", "O=C([O-])CCO", "charges"),
        ("[*:1]/C=C/C", "CC=CF", "C/C=C/F", "stereo marks"),
        ("c1cccc[13cH]1", "Oc1ccccc1", "Oc1cccc[13cH]1", "isotope labels"),
    ],
)
def test_the_core_is_put_back_as_it_was_given(
    core: str, smiles: str, whole: str, left_out: str
) -> None:
    assert ", ".join(open_core(Core(core, FORM)).changed) == left_out
    found = placed(core, smiles)[0]
    assert found == canonicalize(whole)


def test_a_core_lays_onto_a_molecule_with_some_of_its_marks_grown() -> None:
    core = Core("[*:1]c1ccc([*:2])nc1", FORM)
    half = Chem.MolFromSmiles("Cc1cccnc1")
    assert len(lay(core, half, {0: 1})) == 6
    with pytest.raises(Rejected, match="a new part"):
        lay(core, half, {0: 1, 3: 1})


@pytest.mark.parametrize(
    ("core", "smiles", "marked"),
    [
        ("O=CNc1ccccc1", "CC(=O)Nc1c(C)cccc1C", 3),
        ("c1ccncc1", "c1ccncc1", 0),  # nothing else on it
        ("c1ccncc1", "CCO", 0),  # not in it
        ("c1ccncc1", "c1ccc2ncccc2c1", 0),  # a ring on it
        ("C1CCCCC1", "O=C1CCCCC1", 0),  # a double bond on it
        ("C[C@H](N)O", "CCC(N)O", 1),
    ],
)
def test_core_gets_marks_where_a_molecule_has_other_parts(
    core: str, smiles: str, marked: int
) -> None:
    found = marked_as_in(Core(core, FORM), smiles, Chem.MolFromSmiles(smiles))
    assert sum(map(len, open_core(found).marks.values())) == marked
    if not marked:
        assert found.text == core
