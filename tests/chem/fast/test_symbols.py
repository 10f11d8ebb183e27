import random

import pytest
import selfies
from hypothesis import given, settings
from hypothesis import strategies as st

from molvae.chem.fast.kekule import read_smiles, write_smiles
from molvae.chem.fast.symbols import read_symbols, write_symbols
from molvae.chem.smiles import standardize
from tests.drugs import DRUGS

ENCODED = {
    name: list(selfies.split_selfies(selfies.encoder(standardize(smiles)[0])))
    for name, smiles in DRUGS
}
SYMBOLS = sorted({symbol for symbols in ENCODED.values() for symbol in symbols})
# Every kind of symbol there is, those included that a repaired string leans on.
ALL = sorted(
    {*SYMBOLS, *selfies.get_semantic_robust_alphabet()}
    | {"[CH4]", "[CH1-1]", "[=NH1+1]", "[#P]", "[=Ring3]", "[#Ring1]", "[#Branch3]", "[H]"}
)


def assert_same_as_the_package(symbols: list[str]) -> None:
    graph = read_symbols(symbols)
    assert graph is not None
    smiles = selfies.decoder("".join(symbols))
    assert write_smiles(graph) == smiles
    if smiles:
        assert "".join(write_symbols(graph)) == selfies.encoder(smiles)
        assert read_smiles(smiles) == graph


@pytest.mark.parametrize("symbols", ENCODED.values(), ids=ENCODED)
def test_a_drug_comes_back_from_its_symbols(symbols: list[str]) -> None:
    assert_same_as_the_package(symbols)
    graph = read_symbols(symbols)
    assert graph is not None
    assert write_symbols(graph) == symbols


@given(st.lists(st.sampled_from(ALL), max_size=80))
@settings(max_examples=1000, deadline=None)
def test_random_symbols_derive_what_the_package_derives(symbols: list[str]) -> None:
    assert_same_as_the_package(symbols)


def test_drugs_with_changed_symbols_derive_what_the_package_derives() -> None:
    numbers = random.Random(4)
    for symbols in ENCODED.values():
        changed = symbols.copy()
        for _ in range(numbers.randint(1, 4)):
            changed[numbers.randrange(len(changed))] = numbers.choice(ALL)
        assert_same_as_the_package(changed)
        assert_same_as_the_package(changed[: numbers.randrange(len(changed))])


@pytest.mark.parametrize(
    "text",
    [
        *("", "[Branch1]", "[Ring1] [Ring1]", "[C] [Ring1]", "[C] [C] [Ring2] [C]"),
        *("[C] [C] [=Branch3] [C]", "[C] [=Branch1] [Ring2] [=C] [Branch1] [P] [N] [O] [F]"),
        "[C] [C] [Ring1] [C] [Ring1] [C] [Ring1] [C]",
        "[C] [=C] [=C] [=Ring1] [Ring1] [#Ring1] [Ring1]",
        *("[CH4] [C]", "[C] [CH4] [C]", "[H] [H] [H]", "[C] " * 300, "[C] [Branch1] [C] " * 60),
        "[C] [#Branch3] [P] [P] [P] " * 60,
    ],
)
def test_symbols_at_the_edge_of_the_grammar(text: str) -> None:
    assert_same_as_the_package(text.split())


@pytest.mark.parametrize(
    "symbol",
    [
        *("[nop]", ".", "[epsilon]", "", "C", "[C", "[C][C]", "[Ring4]", "[Branch4]", "[c]", "[?]"),
        *("[Ge]", "[Br-1]", "[C+2]", "[CH5]", "[CH9]", "[CH0]", "[NH10]", "[13C]", "[013C]"),
        *("[C@]", "[C@@H1]", "[/C]", "[\\C]", "[-/Ring1]", "[\\/Ring2]", "[N+10]", "[N+0]"),
    ],
)
@pytest.mark.parametrize("place", ["read", "as a size", "behind the end"])
def test_a_symbol_outside_the_grammar_is_left_to_the_package(symbol: str, place: str) -> None:
    before = {"read": ["[C]"], "as a size": ["[C]", "[C]", "[Branch1]"], "behind the end": ["[F]"]}
    assert read_symbols([*before[place], "[F]" if place != "as a size" else "[C]"]) is not None
    extra = ["[F]"] if place == "behind the end" else []
    assert read_symbols([*before[place], *extra, symbol]) is None
