"""Places where a second fragment is bonded to a new part: rings stay whole, and keep their size."""

import pytest
from rdkit import Chem

from molvae.chem.joints import ends, joined, joints
from molvae.chem.prefixes import rooted
from molvae.chem.selfies import decode_canonical, encode, is_consistent
from molvae.chem.smiles import canonicalize

FRAGMENTS = (
    "C1CC1",
    "O=C1CCCN1",
    "c1ccc2c(c1)cc[nH]2",
)  # each bonded by its first carbon ring atom


def linked(new: str, fragment: str) -> set[str]:
    """Return chloroform's rest with a new part, and a fragment at each place of it."""
    core = ["[Cl]", "[C]", "[Branch1]", "[C]", "[Cl]"]  # ClC(Cl), which the new part goes on behind
    symbols = [*core, *encode(new)]
    suffix = rooted(Chem.MolFromSmiles(fragment), 0 if fragment.startswith(("C", "c")) else 2)
    strings = [
        joined(symbols, joint, suffix)
        for end in ends(symbols, len(core))
        for joint in joints(symbols, len(core), end)
    ]
    return {str(decode_canonical(each)) for each in strings if is_consistent(each)}


@pytest.mark.parametrize("fragment", FRAGMENTS)
def test_benzene_is_joined_in_ortho_meta_and_para_and_never_cut(fragment: str) -> None:
    found = linked("c1ccccc1", fragment)
    rest = {"C1CC1": "C9CC9", "O=C1CCCN1": "C9CCNC9=O", "c1ccc2c(c1)cc[nH]2": "c9ccc8c(c9)cc[nH]8"}
    places = ("c1ccccc1{}", "c1cccc({})c1", "c1ccc({})cc1")
    assert found == {canonicalize(f"ClC(Cl){place.format(rest[fragment])}") for place in places}


@pytest.mark.parametrize(
    ("new", "wanted"),
    [
        ("CO", ["ClC(Cl)CC1CC1", "ClC(Cl)COC1CC1", "ClC(Cl)C(O)C1CC1"]),
        ("N1CCNCC1", ["ClC(Cl)N1CCN(C2CC2)CC1", "ClC(Cl)N1CCNCC1C1CC1", "ClC(Cl)N1CCNC(C2CC2)C1"]),
        ("c1ccco1", ["ClC(Cl)c1ccc(C2CC2)o1", "ClC(Cl)c1cc(C2CC2)co1", "ClC(Cl)c1occc1C1CC1"]),
    ],
)
def test_linkers_are_whole_parts_of_what_was_written(new: str, wanted: list[str]) -> None:
    assert linked(new, "C1CC1") == set(map(canonicalize, wanted))


def test_a_ring_around_many_atoms_of_a_fragment_needs_more_digits() -> None:
    fragment = rooted(Chem.MolFromSmiles("C" * 20), 0)
    symbols = ["[N]", *encode("c1ccccc1")]
    strings = [joined(symbols, each, fragment) for each in joints(symbols, 1, len(symbols))]
    found = {decode_canonical(each) for each in strings if is_consistent(each)}
    tail = "C" * 20
    places = (f"Nc1ccccc1{tail}", f"Nc1cccc({tail})c1", f"Nc1ccc({tail})cc1")
    assert found == set(map(canonicalize, places))


def test_a_ring_that_goes_through_the_first_symbols_is_left_out() -> None:
    symbols = ["[C]", "[C]", "[C]", "[N]", "[C]", "[C]", "[Ring1]", "[=Branch1]", "[O]"]
    assert ends(symbols, 3) == [4, 5, 6]
    assert ends(symbols, 0) == [8, 9]
