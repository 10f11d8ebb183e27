import csv
import gzip
import random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import selfies
from hypothesis import given, settings
from hypothesis import strategies as st

from molvae.chem import selfies as module
from molvae.chem.constraints import constrained
from molvae.chem.fast.kekule import KekuleGraph, read_smiles
from molvae.chem.selfies import (
    constraints,
    constraints_hash,
    decode,
    decode_canonical,
    distribution_version,
    encode,
    encode_checked,
    is_consistent,
    symbol_is_allowed,
)
from molvae.chem.smiles import Standardization, canonicalize, parse, standardize
from molvae.errors import Rejected
from tests.drugs import DRUGS

ZINC = Path(__file__).parents[2] / "../shared/data/zinc/zinc250k.csv.gz"
TABLE = constraints()
STANDARD = {name: standardize(smiles)[0] for name, smiles in DRUGS}
WITH_STEREO = {name: standardize(smiles, Standardization(stereo=True))[0] for name, smiles in DRUGS}
SYMBOLS = sorted(
    {s for smiles in (*STANDARD.values(), *WITH_STEREO.values()) for s in encode(smiles)}
)


@pytest.mark.parametrize("spellings", [STANDARD, WITH_STEREO], ids=["flat", "stereo"])
def test_drugs_have_the_symbols_of_the_package_and_come_back(spellings: dict[str, str]) -> None:
    for name, smiles in spellings.items():
        expected = selfies.encoder(smiles)
        symbols = encode_checked(smiles)
        assert "".join(encode(smiles)) == "".join(symbols) == expected, name
        assert decode(symbols) == selfies.decoder(expected), name
        assert decode_canonical(symbols) == smiles, name
        assert all(symbol_is_allowed(symbol, TABLE) for symbol in symbols), name
        assert is_consistent(symbols), name
        assert is_consistent(symbols, canonical=True), name


def test_drugs_are_proved_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(*_: object) -> None:
        pytest.fail("the package was asked, which takes five times as long")

    monkeypatch.setattr(selfies, "encoder", asked)
    monkeypatch.setattr(selfies, "decoder", asked)
    for smiles in STANDARD.values():
        symbols = encode_checked(smiles)
        assert encode_checked(smiles, parse(smiles)) == symbols
        assert decode_canonical(symbols) == smiles
        assert is_consistent(symbols)


def other_molecule(graph: KekuleGraph) -> KekuleGraph:
    """The same molecule but for its last atom."""
    return graph._replace(atoms=[*graph.atoms[:-1], "P" if graph.atoms[-1] != "P" else "B"])


def another_bond(graph: KekuleGraph) -> KekuleGraph:
    return graph._replace(orders=[0, *(1 if order > 1 else order for order in graph.orders[1:])])


def without_a_ring(graph: KekuleGraph) -> KekuleGraph:
    return graph._replace(rings=dict(list(graph.rings.items())[1:]))


@pytest.mark.parametrize("slip", [other_molecule, another_bond, without_a_ring])
@pytest.mark.parametrize("where", ["read_smiles", "write_symbols", "read_symbols"])
def test_a_slip_of_the_quick_way_never_changes_a_molecule(
    slip: Callable[[KekuleGraph], KekuleGraph], where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    some = dict(list(STANDARD.items())[::4])
    expected = {name: encode_checked(smiles) for name, smiles in some.items()}
    right = getattr(module, where)
    if where == "write_symbols":
        monkeypatch.setattr(module, where, lambda graph: right(slip(graph)))
    else:
        monkeypatch.setattr(module, where, lambda given: (g := right(given)) and slip(g))
    caught = 0
    for name, smiles in some.items():
        graph = read_smiles(smiles)
        assert graph is not None
        assert encode_checked(smiles) == expected[name], name
        caught += slip(graph) != graph and module._encode_proved(smiles, parse(smiles)) is None
    assert caught > 60


@pytest.mark.parametrize(
    ("smiles", "plain"),
    [("C[C@H](O)F", "CC(O)F"), ("F/C=C/F", "FC=CF"), ("[13CH4]", "C"), ("C[13CH3]", "CC")],
)
def test_what_the_proof_does_not_look_at_is_compared_by_rdkit(
    smiles: str, plain: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = read_smiles(plain)
    monkeypatch.setattr(module, "read_smiles", lambda _: graph)
    assert canonicalize(smiles) == smiles
    assert encode_checked(smiles) == list(selfies.split_selfies(selfies.encoder(smiles)))


@pytest.mark.skipif(not ZINC.is_file(), reason="ZINC-250k is not on this machine")
def test_molecules_of_zinc_are_encoded_and_consistent() -> None:
    with gzip.open(ZINC, "rt", newline="") as lines:
        rows = random.Random(5).sample([row["smiles"] for row in csv.DictReader(lines)], 200)
    for row in rows:
        symbols = encode_checked(standardize(row)[0])
        assert is_consistent(symbols)
        assert is_consistent(symbols, canonical=True)


@given(st.lists(st.sampled_from(SYMBOLS), min_size=1, max_size=80))
@settings(max_examples=500, deadline=None)
def test_random_symbols_of_drugs_always_decode(symbols: list[str]) -> None:
    smiles = decode_canonical(symbols)
    assert smiles == "" or canonicalize(smiles) == smiles


@given(st.sampled_from(sorted(STANDARD.values())), st.integers(0, 200), st.sampled_from(SYMBOLS))
@settings(max_examples=300, deadline=None)
def test_a_consistent_string_decodes_to_a_molecule_that_says_the_same(
    smiles: str, position: int, symbol: str
) -> None:
    symbols = encode(smiles)
    symbols[position % len(symbols)] = symbol
    if is_consistent(symbols):
        assert encode(decode(symbols)) == symbols
    if is_consistent(symbols, canonical=True):
        assert encode(decode_canonical(symbols)) == symbols


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[Ring1]",
        "[F] [F] [C]",
        "[O] [#C]",
        "[C] [Ring1] [C]",
        "[C] [C] [=Branch1]",
        "[Ring4]",
        "xx",
    ],
)
def test_symbols_that_are_repaired_or_none_are_not_consistent(text: str) -> None:
    assert not is_consistent(text.split())
    assert not is_consistent(text.split(), canonical=True)


def test_another_order_of_atoms_is_consistent_but_not_canonical() -> None:
    assert is_consistent(encode("OCC"))
    assert not is_consistent(encode("OCC"), canonical=True)


def test_a_spelling_that_settles_late_is_canonical_all_the_same() -> None:
    smiles = "NC[C@H]1CC[C@@](C(=O)O)CC1"  # a radical: RDKit needs two passes from Kekule form
    assert canonicalize(smiles) == smiles
    assert is_consistent(encode(smiles), canonical=True)


def test_symbols_without_an_atom_decode_to_nothing() -> None:
    assert decode([]) == decode_canonical([]) == ""


@pytest.mark.parametrize("smiles", ["C11", "I:I", "*C", "C(", "CBr(C)C", "c1cccc1"])
def test_what_selfies_cannot_write_is_refused_in_one_line(smiles: str) -> None:
    with pytest.raises(Rejected) as refusal:
        encode(smiles)
    assert refusal.value.reason == "cannot be written as SELFIES"
    assert refusal.value.detail
    assert "\n" not in refusal.value.detail


@pytest.mark.parametrize("smiles", ["[GaH3]", "[Fe]", "C[Ge](C)(C)C", "[Br-]", "[NH2-2]", "[N+3]"])
def test_atoms_whose_number_of_bonds_is_unknown_are_refused(smiles: str) -> None:
    with pytest.raises(Rejected, match=r"^cannot be written as SELFIES"):
        encode_checked(smiles)


@pytest.mark.parametrize(
    "smiles",
    ["C[Si](C)(C)C", "C[SiH2]c1ccccc1", "C[Si]1(C)OCCO1", "[SiH4]", "C[Si](C)(C)[C@H](F)Cl"],
)
def test_silicon_has_four_bonds(smiles: str) -> None:
    smiles = canonicalize(smiles)
    assert decode_canonical(encode_checked(smiles)) == smiles
    fluoride = ["[Si]", *["[Branch1]", "[C]", "[F]"] * 3, "[F]", "[F]"]
    assert decode_canonical(fluoride) == "F[Si](F)(F)F"


def test_a_molecule_that_selfies_changes_is_refused_but_not_one_spelled_otherwise() -> None:
    with pytest.raises(Rejected, match=r"^SELFIES changes the molecule"):
        encode_checked("O:C")  # becomes formaldehyde
    assert encode_checked("OCC") == ["[O]", "[C]", "[C]"]


@pytest.mark.parametrize("text", ["[Ring4] [C]", "C", "[C", "[C] [N+10]", "[CH9]", "[Qq]"])
def test_symbols_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(Rejected):
        decode(["[C]", "[C]", *text.split()])


@pytest.mark.parametrize(
    "symbol",
    "[C] [=C] [#N] [C@@H1] [/C] [N+1] [=N-1] [13CH3] [Branch1] [#Branch3] [=Ring2] [-/Ring1] "
    "[\\\\Ring2] [H] [NH1] [B-1] .".split(),
)
def test_symbols_with_a_known_number_of_bonds_are_allowed(symbol: str) -> None:
    assert symbol_is_allowed(symbol, TABLE)


@pytest.mark.parametrize(
    "symbol",
    [
        *"[Br-1] [GaH3] [Ge] [SiH5] [Si+1] [Ring4] [Branch4] [N+10] [CH9] [CH5] [?] [nop]".split(),
        *("C", "", "[]", "[C", "[C]]", "[C][C]", "[c]", "[N+0]", "[epsilon]", "[C+2]"),
    ],
)
def test_other_symbols_are_not_allowed(symbol: str) -> None:
    assert not symbol_is_allowed(symbol, TABLE)


def test_the_table_of_the_process_is_neither_used_nor_changed() -> None:
    loose = selfies.get_preset_constraints("hypervalent")
    expected = decode(["[C]", "[Cl]", "[C]"])
    with suppress(ZeroDivisionError), constrained(loose):
        assert selfies.get_semantic_constraints() == loose
        assert decode(["[C]", "[Cl]", "[C]"]) == expected == "CCl"
        assert selfies.get_semantic_constraints() == loose
        raise ZeroDivisionError
    assert selfies.get_semantic_constraints() == selfies.get_preset_constraints("default")


def test_the_caller_cannot_change_the_table() -> None:
    constraints()["C"] = 2
    assert constraints() == TABLE == selfies.get_preset_constraints("default") | {"Si": 4}


def test_the_hash_names_the_table_of_the_supported_version_and_not_its_order() -> None:
    assert distribution_version().startswith("2.2.")
    assert constraints_hash(TABLE) == "63d82c2953842d2c"
    assert constraints_hash(TABLE) == constraints_hash(dict(reversed(TABLE.items())))
    assert constraints_hash(TABLE) != constraints_hash(TABLE | {"C": 3})
