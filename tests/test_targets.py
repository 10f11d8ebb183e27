import math

import numpy as np
import pytest

from molvae.errors import UsageError
from molvae.normalizer import PropertyNormalizer
from molvae.targets import Range, as_ranges, choose_point, format_range, misses, unfamiliar

INF, NAN = math.inf, math.nan


def column(name: str) -> np.ndarray:
    random = np.random.default_rng(["LogP", "HBD"].index(name))
    return random.normal(2, 1, 5000) if name == "LogP" else random.poisson(1.2, 5000).astype(float)


NORMALIZER = PropertyNormalizer.fit(
    ("LogP", "HBD"), np.stack([column("LogP"), column("HBD")], axis=1)
)


def test_points_and_ranges_are_spelled_as_the_model_does() -> None:
    ranges = as_ranges({"hbd": (-INF, 2), "logp": 2.5}, NORMALIZER)
    assert list(ranges.items()) == [("LogP", (2.5, 2.5)), ("HBD", (-INF, 2.0))]


@pytest.mark.parametrize(
    ("targets", "words"),
    [
        ({"LogP": NAN}, "LogP = nan..nan: not a finite number"),
        ({"LogP": INF}, "not a finite number"),
        ({"LogP": (1.0, NAN)}, "not a finite number"),
        ({"LogP": (3.0, 1.0)}, "LogP = 3..1: an empty range"),
        ({"LogP": (INF, 1.0)}, "an empty range"),
        ({"LogP": 1.0, "logp": 2.0}, "LogP: given twice"),
        ({"logd": 1.0}, "unknown property 'logd'; did you mean 'LogP'?"),
    ],
)
def test_target_that_cannot_be_meant_is_refused(
    targets: dict[str, float | Range], words: str
) -> None:
    with pytest.raises(UsageError) as caught:
        as_ranges(targets, NORMALIZER)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("wanted", "text"),
    [((2.5, 2.5), "2.5"), ((0.8, 0.95), "0.8..0.95"), ((-INF, 400), "..400"), ((1, INF), "1..")],
)
def test_ranges_are_written_as_they_are_read(wanted: Range, text: str) -> None:
    assert format_range(wanted) == text


def test_what_the_model_never_saw_is_named() -> None:
    low, high = NORMALIZER.low[0], NORMALIZER.high[0]
    assert unfamiliar({"LogP": (high + 1, INF), "HBD": (1, 1)}, NORMALIZER) == ["LogP"]
    assert unfamiliar({"LogP": (-INF, low - 0.1)}, NORMALIZER) == ["LogP"]
    assert unfamiliar({"LogP": (high - 0.1, INF)}, NORMALIZER) == []
    assert unfamiliar({"LogP": (low, low)}, NORMALIZER) == []


def test_point_is_asked_for_as_it_is_and_the_rest_is_open() -> None:
    row = choose_point({"HBD": (3.0, 3.0)}, NORMALIZER, np.random.default_rng(0))
    np.testing.assert_array_equal(row, [NAN, 3.0])


@pytest.mark.parametrize("wanted", [(1.0, 3.0), (2.5, INF), (-INF, 0.5), (-INF, INF)])
def test_values_within_a_range_are_as_frequent_as_in_training(wanted: Range) -> None:
    random = np.random.default_rng(1)
    drawn = np.array([choose_point({"LogP": wanted}, NORMALIZER, random)[0] for _ in range(4000)])
    assert drawn.min() >= wanted[0]
    assert drawn.max() <= wanted[1]
    known = column("LogP")
    known = known[(known >= wanted[0]) & (known <= wanted[1])]
    for share in (0.1, 0.5, 0.9):
        assert np.quantile(drawn, share) == pytest.approx(np.quantile(known, share), abs=0.12)


@pytest.mark.parametrize("wanted", [(0.0, 2.0), (1.0, 2.0), (1.0, INF)])
def test_counts_at_both_ends_of_a_range_are_asked_for(wanted: Range) -> None:
    random = np.random.default_rng(1)
    drawn = np.array([choose_point({"HBD": wanted}, NORMALIZER, random)[1] for _ in range(4000)])
    known = column("HBD")
    known = known[(known >= wanted[0]) & (known <= wanted[1])]
    for count in np.unique(known[known <= 3]):
        expected = float((known == count).mean())
        assert float((np.abs(drawn - count) < 0.5).mean()) == pytest.approx(expected, abs=0.04)


def test_range_beyond_the_training_set_asks_for_its_nearest_end() -> None:
    random = np.random.default_rng(0)
    assert choose_point({"LogP": (20.0, 30.0)}, NORMALIZER, random)[0] == 20.0
    assert choose_point({"LogP": (-INF, -20.0)}, NORMALIZER, random)[0] == -20.0


def test_misses_are_distances_to_the_range() -> None:
    ranges = {"LogP": (1.0, 2.0), "HBD": (-INF, 2.0)}
    for values, expected in (
        ([1.5, 0.0], [0.0, 0.0]),
        ([0.25, 5.0], [0.75, 3.0]),
        ([4.0, 2.0], [2.0, 0.0]),
        ([NAN, 2.0], [NAN, 0.0]),
    ):
        np.testing.assert_allclose(misses(np.array(values), ranges, NORMALIZER), expected)
