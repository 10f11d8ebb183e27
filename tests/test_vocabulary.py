import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from molvae.errors import ArtifactError
from molvae.vocabulary import BOS, EOS, PAD, SPECIAL, UNK, Vocabulary

symbols = st.text("CNOFBrl=#1+-@H", min_size=1, max_size=8).map(lambda text: f"[{text}]")
vocabularies = st.sets(symbols, min_size=1, max_size=20).map(lambda found: sorted(found))


@given(vocabularies.flatmap(lambda v: st.tuples(st.just(v), st.lists(st.sampled_from(v)))))
def test_symbols_become_ids_and_come_back(case: tuple[list[str], list[str]]) -> None:
    known, molecule = case
    vocabulary = Vocabulary(known)
    ids = vocabulary.encode(molecule)
    assert ids.dtype == np.int64
    assert all(len(SPECIAL) <= number < len(vocabulary) for number in ids)
    assert vocabulary.decode(ids) == molecule
    assert vocabulary.unknown(molecule) == []


@given(vocabularies)
def test_every_id_is_one_symbol(known: list[str]) -> None:
    vocabulary = Vocabulary(known)
    assert len(vocabulary) == len(SPECIAL) + len(known)
    assert vocabulary.decode(range(len(SPECIAL), len(vocabulary))) == known


def test_decoding_stops_at_the_end_and_skips_padding() -> None:
    vocabulary = Vocabulary(["[C]", "[N]"])
    assert vocabulary.decode([BOS, PAD, UNK, 5, 4, EOS, 4]) == ["[N]", "[C]"]


def test_unknown_symbols_are_reported_once_in_order() -> None:
    vocabulary = Vocabulary(["[C]"])
    assert vocabulary.unknown(["[O]", "[C]", "[N]", "[O]"]) == ["[O]", "[N]"]
    assert vocabulary.encode(["[O]", "[C]"]).tolist() == [UNK, 4]


def test_rare_symbols_are_left_out_and_counted() -> None:
    vocabulary, left_out = Vocabulary.from_counts({"[N]": 5, "[C]": 9, "[Br]": 4}, min_count=5)
    assert vocabulary.symbols == ("[C]", "[N]")
    assert left_out == {"[Br]": 4}


def test_vocabularies_are_equal_when_their_symbols_are() -> None:
    one, same, other = Vocabulary(["[C]", "[N]"]), Vocabulary(["[C]", "[N]"]), Vocabulary(["[C]"])
    assert one == same
    assert hash(one) == hash(same)
    assert one != other
    assert one != ("[C]", "[N]")


@pytest.mark.parametrize(
    "foreign",
    [
        ["[N]", "[C]"],
        ["[C]", "[C]"],
        ["C"],
        ["[]"],
        ["[C"],
        ["<pad>"],
        [""],
        [4],
        ["[" + "C" * 40 + "]"],
        ["[C\x1b]"],
        ["[C O]"],
        ["[[C]]"],
        ["[\N{CYRILLIC CAPITAL LETTER ES}]"],
        ["[C].[O]"],
    ],
)
def test_texts_that_are_no_symbols_or_out_of_order_are_refused(foreign: list[str]) -> None:
    with pytest.raises(ArtifactError, match="symbol"):
        Vocabulary(foreign)


def test_all_that_selfies_writes_are_symbols() -> None:
    symbols = [".", "[#Branch1]", "[-/Ring2]", "[/C@@H1]", "[13C]", "[=N+1]", "[C]"]
    assert Vocabulary(symbols).decode([4, 5, 2]) == symbols[:2]


def test_symbols_of_the_initial_model_are_never_too_rare() -> None:
    counts = {"[C]": 9, "[B]": 1, "[P]": 1}
    vocabulary, left_out = Vocabulary.from_counts(counts, min_count=2, known=("[P]", "[S]"))
    assert (vocabulary.symbols, left_out) == (("[C]", "[P]"), {"[B]": 1})
