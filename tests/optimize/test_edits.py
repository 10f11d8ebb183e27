"""Edits make other molecules of two, spelled so that nothing is left to repair."""

import numpy as np

from molvae.chem.selfies import decode_canonical, encode, is_consistent
from molvae.optimize.edits import changed, edited, spelled_again
from tests.drugs import DRUGS

STRINGS = [encode(smiles) for _, smiles in DRUGS[:20]]
ALPHABET = [symbol for string in STRINGS for symbol in string]


def test_edits_of_two_drugs_are_mostly_other_molecules_without_a_repair() -> None:
    random = np.random.default_rng(1)
    pairs = [(one, other) for one in STRINGS for other in STRINGS if one is not other]
    found = [spelled_again(edited(one, other, ALPHABET, random)) for one, other in pairs]
    assert all(is_consistent(each) for each in found if each)
    parents = set(map(decode_canonical, STRINGS))
    new = {decode_canonical(each) for each in found if each} - parents
    assert len(new) > 0.8 * len(pairs)


def test_a_change_replaces_inserts_or_drops_one_symbol_and_leaves_the_others() -> None:
    random = np.random.default_rng(1)
    ethanol = ["[C]", "[C]", "[O]"]
    found = {tuple(changed(ethanol, ["[F]"], 1, random)) for _ in range(100)}
    assert {len(each) for each in found} == {2, 3, 4}
    assert {each.count("[F]") for each in found} == {0, 1}


def test_no_change_leaves_a_string_and_the_last_symbol_is_never_lost() -> None:
    random = np.random.default_rng(1)
    assert changed(["[C]", "[O]"], ["[F]"], 0, random) == ["[C]", "[O]"]
    assert all(changed(["[C]"], ["[F]"], 3, random) for _ in range(100))


def test_symbols_of_no_atom_are_no_molecule() -> None:
    assert spelled_again(["[Branch1]"]) == []
