"""Cores and their marks: what they are read as, and what is wrong with them."""

import pytest

from molvae.chem.cores import Core, open_core
from molvae.chem.smiles import Standardization
from molvae.errors import Rejected

FORM = Standardization()


@pytest.mark.parametrize(
    ("core", "marks"),
    [
        ("[*:1]c1ccc([*:2])nc1", {0: (1,), 3: (2,)}),
        ("[3*]N1CCN([7*])CC1", {0: (3,), 3: (7,)}),
        ("*c1ccc(*)nc1", {0: (1,), 3: (2,)}),
        ("[*:1]c1ccc([*:1])nc1", {0: (1,), 3: (2,)}),  # the same number twice: they are counted
        ("[*:2]C[*:1]", {0: (2, 1)}),
        ("Cn1cccc1", {}),
    ],
)
def test_marks_are_read_as_users_write_them(core: str, marks: dict[int, tuple[int, ...]]) -> None:
    assert open_core(Core(core, FORM)).marks == marks


def test_without_marks_every_atom_with_a_hydrogen_is_open() -> None:
    opened = open_core(Core("Cc1ccncc1F", FORM))
    assert opened.open == (0, 2, 3, 5)
    assert open_core(Core("CC(=O)[O-]", FORM)).open == (0,)  # the acid grows only at its methyl


@pytest.mark.parametrize(
    ("core", "words"),
    [
        ("[*:1]", "mark in the wrong place: atom 1 .* has 0 bonds"),
        ("C1*CCCC1", "mark in the wrong place: atom 2 .* has 2 bonds"),
        ("C=*", "mark in the wrong place: atom 2 .* not single"),
        ("**", "mark in the wrong place: atom 1 .* bonded to another mark"),
        ("c1ccccc1(", "not a molecule: a branch is opened at character 9"),
        ("[*:1]n1ccccc1", "not a molecule: Can't kekulize"),
        ("[*:1]c1(C)ccccc1", "not a molecule: Can't kekulize"),
        ("FC(F)(F)F", "no atom is free to grow"),
        ("[2H]C", "a hydrogen atom"),
        ("", "empty"),
        ("benzene", "not"),
    ],
)
def test_bad_core_is_refused_with_its_place(core: str, words: str) -> None:
    with pytest.raises(Rejected, match=words):
        open_core(Core(core, FORM))
