from collections.abc import Iterable

import numpy as np
import pytest

from molvae.config import DataConfig
from molvae.data.splits import split_molecules, split_word
from molvae.dataset import TEST, TRAIN, VALIDATION
from molvae.errors import InputError
from molvae.training_index import molecule_hash

NAMES = [f"molecule {number}" for number in range(1000)]
FOURS = [f"scaffold {number // 4}" for number in range(1000)]


def split_of(
    names: list[str],
    scaffolds: Iterable[str] = (),
    *,
    shares: tuple[float, float] = (0.1, 0.2),
    seed: int = 0,
) -> np.ndarray:
    """Split at random, or by scaffold where there are scaffolds."""
    given = list(scaffolds)
    method = "scaffold" if given else "random"
    config = DataConfig(split=method, validation=shares[0], test=shares[1], seed=seed)
    hashes, none = molecule_hash(names), np.zeros(0, dtype=np.uint8)
    return split_molecules(config, hashes=hashes, scaffolds=molecule_hash(given), assigned=none)


def of_sizes(sizes: list[int]) -> list[str]:
    return [f"scaffold {place}" for place, size in enumerate(sizes) for _ in range(size)]


def test_random_shares_are_exact() -> None:
    split = split_of(NAMES)
    assert np.bincount(split).tolist() == [700, 100, 200]
    assert split.dtype == np.uint8


@pytest.mark.parametrize("scaffolds", [[], FOURS], ids=["random", "scaffold"])
def test_a_split_goes_by_the_molecule_and_not_by_its_row(scaffolds: list[str]) -> None:
    backwards = split_of(NAMES[::-1], scaffolds[::-1])
    assert np.array_equal(backwards[::-1], split_of(NAMES, scaffolds))


def test_another_seed_gives_another_random_split() -> None:
    one, other = (split_of(NAMES, seed=seed) for seed in (0, 1))
    assert 0.3 < np.mean(one != other) < 0.7  # 0.46 by chance


def test_random_holds_out_nobody_twice_when_all_are_few() -> None:
    assert np.bincount(split_of(NAMES[:4]), minlength=3).tolist() == [3, 0, 1]


def test_no_scaffold_stands_on_two_sides_and_frequent_ones_are_trained_on() -> None:
    scaffolds = ["benzene"] * 600 + FOURS[:400]
    split = split_of(NAMES, scaffolds)
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
    split = split_of(NAMES, of_sizes(sizes), shares=shares)
    assert np.bincount(split, minlength=3).tolist() == expected


@pytest.mark.parametrize("sizes", [[200], [100, 100], [50] * 4])
def test_a_split_by_scaffold_that_holds_none_out_is_refused(sizes: list[int]) -> None:
    with pytest.raises(InputError, match=r"200 molecules holds none out.* Take --split random"):
        split_of(NAMES, of_sizes(sizes), shares=(0.1, 0.1))


def test_a_seed_decides_among_scaffolds_of_one_size() -> None:
    one, again, other = (split_of(NAMES, FOURS, seed=seed) for seed in (0, 0, 1))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


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
    config, assigned = DataConfig(split="split_jtnn"), np.array([TRAIN, TEST], dtype=np.uint8)
    none = molecule_hash([])
    assert split_molecules(config, hashes=none, scaffolds=none, assigned=assigned) is assigned
