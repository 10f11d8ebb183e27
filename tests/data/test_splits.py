import numpy as np
import pytest

from molvae.data.splits import SPLITS, Candidates, column, split_word, splitter
from molvae.dataset import TEST, TRAIN, VALIDATION
from molvae.errors import InputError
from molvae.training_index import molecule_hash

NAMES = [f"molecule {number}" for number in range(1000)]


def candidates(
    names: list[str],
    *,
    scaffolds: list[str] | None = None,
    shares: tuple[float, float] = (0.1, 0.2),
    seed: int = 0,
) -> Candidates:
    return Candidates(
        hashes=molecule_hash(names),
        scaffolds=molecule_hash(scaffolds or []),
        assigned=np.zeros(0, dtype=np.uint8),
        validation=shares[0],
        test=shares[1],
        seed=seed,
    )


def test_random_shares_are_exact() -> None:
    split = SPLITS["random"](candidates(NAMES))
    assert np.bincount(split).tolist() == [700, 100, 200]
    assert split.dtype == np.uint8


def test_random_goes_by_the_molecule_and_not_by_its_row() -> None:
    split = SPLITS["random"](candidates(NAMES))
    backwards = SPLITS["random"](candidates(NAMES[::-1]))
    assert np.array_equal(backwards[::-1], split)


def test_another_seed_gives_another_random_split() -> None:
    one, other = (SPLITS["random"](candidates(NAMES, seed=seed)) for seed in (0, 1))
    assert 0.3 < np.mean(one != other) < 0.7  # 0.46 by chance


def test_random_holds_out_nobody_twice_when_all_are_few() -> None:
    assert np.bincount(SPLITS["random"](candidates(NAMES[:4])), minlength=3).tolist() == [3, 0, 1]


def test_no_scaffold_stands_on_two_sides_and_frequent_ones_are_trained_on() -> None:
    scaffolds = ["benzene"] * 600 + [f"rare {number // 4}" for number in range(400)]
    split = SPLITS["scaffold"](candidates(NAMES, scaffolds=scaffolds))
    for scaffold in set(scaffolds):
        members = [split[place] for place, name in enumerate(scaffolds) if name == scaffold]
        assert len(set(members)) == 1
    assert set(split[:600]) == {TRAIN}
    assert np.bincount(split).tolist() == [700, 100, 200]


@pytest.mark.parametrize(
    ("sizes", "shares", "expected"),
    [
        ([190, *[1] * 10], (0.1, 0.1), [190, 5, 5]),  # one scaffold dominates
        ([190, *[1] * 10], (0.1, 0.2), [190, 3, 7]),
        ([90, 90, *[2] * 10], (0.1, 0.1), [180, 10, 10]),  # two do
        ([190, 10], (0.1, 0.1), [190, 0, 10]),
        ([195, 5], (0.1, 0.0), [195, 5, 0]),  # nothing is asked for test
        ([199, 1], (0.1, 0.1), [199, 0, 1]),
        ([120, *[1] * 80], (0.1, 0.1), [160, 20, 20]),  # none is too large
        ([30] * 10, (0.1, 0.1), [240, 30, 30]),
        ([60, 60, 30, 30, 20], (0.1, 0.0), [180, 20, 0]),
        ([200], (0.0, 0.0), [200, 0, 0]),  # nothing is to be held out
    ],
)
def test_a_scaffold_too_frequent_to_be_held_out_is_trained_on(
    sizes: list[int], shares: tuple[float, float], expected: list[int]
) -> None:
    scaffolds = [f"scaffold {place}" for place, size in enumerate(sizes) for _ in range(size)]
    split = SPLITS["scaffold"](candidates(NAMES, scaffolds=scaffolds, shares=shares))
    assert np.bincount(split, minlength=3).tolist() == expected


@pytest.mark.parametrize("sizes", [[200], [100, 100], [50] * 4])
def test_a_split_by_scaffold_that_holds_none_out_is_refused(sizes: list[int]) -> None:
    scaffolds = [f"scaffold {place}" for place, size in enumerate(sizes) for _ in range(size)]
    with pytest.raises(InputError, match=r"200 molecules holds none out.* Take --split random"):
        SPLITS["scaffold"](candidates(NAMES, scaffolds=scaffolds, shares=(0.1, 0.1)))


def test_a_seed_decides_among_scaffolds_of_one_size() -> None:
    scaffolds = [f"scaffold {number // 4}" for number in range(1000)]
    one, again, other = (
        SPLITS["scaffold"](candidates(NAMES, scaffolds=scaffolds, seed=seed)) for seed in (0, 0, 1)
    )
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


def test_scaffolds_go_by_their_name_and_not_by_their_row() -> None:
    scaffolds = [f"scaffold {number // 4}" for number in range(1000)]
    split = SPLITS["scaffold"](candidates(NAMES, scaffolds=scaffolds))
    backwards = SPLITS["scaffold"](candidates(NAMES[::-1], scaffolds=scaffolds[::-1]))
    assert np.array_equal(backwards[::-1], split)


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        ("train", TRAIN),
        (" Training ", TRAIN),
        ("valid", VALIDATION),
        ("VAL", VALIDATION),
        ("validation", VALIDATION),
        ("test", TEST),
    ],
)
def test_a_column_may_say_it_in_several_ways(cell: str, code: int) -> None:
    assert split_word(cell, where="a.csv:2") == code


@pytest.mark.parametrize("cell", ["", "holdout", "1"])
def test_any_other_word_is_named_with_its_row(cell: str) -> None:
    with pytest.raises(InputError, match=rf"a\.csv:2: '{cell}' names no split: one of train,"):
        split_word(cell, where="a.csv:2")


def test_any_name_that_is_no_method_is_a_column() -> None:
    assert splitter("split_jtnn") is column
    assert splitter("scaffold") is SPLITS["scaffold"]
