import math
from typing import Any

import numpy as np
import pytest

from molvae.errors import UsageError
from molvae.normalizer import PropertyNormalizer, quoted
from molvae.targets import (
    Range,
    Request,
    Targets,
    Wanted,
    alternatives,
    format_range,
    is_hit,
    likeliest,
    miss,
)

INF, NAN = math.inf, math.nan


def column(name: str) -> np.ndarray:
    random = np.random.default_rng(["LogP", "HBD"].index(name))
    return random.normal(2, 1, 5000) if name == "LogP" else random.poisson(1.2, 5000).astype(float)


NORMALIZER = PropertyNormalizer.fit(
    ("LogP", "HBD"), np.stack([column("LogP"), column("HBD")], axis=1)
)


def request(targets: Targets, normalizer: PropertyNormalizer = NORMALIZER) -> Request:
    return Request.for_model(targets, normalizer)


def test_points_and_ranges_are_spelled_as_the_model_does() -> None:
    ranges = request({"hbd": (-INF, 2), "logp": 2.5}).ranges
    assert list(ranges.items()) == [("LogP", (2.5, 2.5)), ("HBD", (-INF, 2.0))]


@pytest.mark.parametrize(
    ("targets", "words"),
    [
        ({"LogP": NAN}, "LogP = nan: not a finite number"),
        ({"LogP": INF}, "not a finite number"),
        ({"LogP": (1.0, NAN)}, "not a finite number"),
        ({"LogP": (3.0, 1.0)}, "LogP = 3..1: an empty range"),
        ({"LogP": (INF, 1.0)}, "an empty range"),
        ({"LogP": 1.0, "logp": 2.0}, "LogP: given twice"),
        (
            {"LogP": None},
            "LogP = None: not a finite number: give a number, or a range such as",
        ),
        ({"LogP": (None, None)}, "give a number, or a range"),
        ({"LogP": [1.0, 2.0, 3.0]}, "give a number, or a range"),
        ({"LogP": {"low": 1}}, "give a number, or a range"),
        ({"logd": 1.0}, "unknown property 'logd'; did you mean 'LogP'?"),
    ],
)
def test_target_that_cannot_be_meant_is_refused(
    targets: dict[str, float | Range], words: str
) -> None:
    with pytest.raises(UsageError) as caught:
        request(targets)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("wanted", "text"),
    [((2.5, 2.5), "2.5"), ((0.8, 0.95), "0.8..0.95"), ((-INF, 400), "..400"), ((1, INF), "1..")],
)
def test_ranges_are_written_as_they_are_read(wanted: Range, text: str) -> None:
    assert format_range(wanted) == text


def test_an_open_end_is_infinite_or_none() -> None:
    asked = request({"LogP": (None, 3.0), "HBD": (1, None)}).ranges
    assert asked == {"LogP": (-INF, 3.0), "HBD": (1.0, INF)}


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (np.float32(2.5), (2.5, 2.5)),
        (np.int64(2), (2.0, 2.0)),
        ([1, 3], (1.0, 3.0)),
        ([None, 3], (-INF, 3.0)),
        (np.array([1.0, 3.0]), (1.0, 3.0)),
    ],
)
def test_numbers_of_numpy_and_lists_are_targets_too(given: Any, meant: Range) -> None:
    assert request({"LogP": given}).ranges == {"LogP": meant}
    assert [type(end) for end in request({"LogP": given}).ranges["LogP"]] == [float, float]


def test_what_the_model_never_saw_is_named() -> None:
    low, high = NORMALIZER.low[0], NORMALIZER.high[0]
    assert request({"LogP": (high + 1, INF), "HBD": (1, 1)}).unfamiliar == ["LogP"]
    assert request({"LogP": (-INF, low - 0.1)}).unfamiliar == ["LogP"]
    assert request({"LogP": (high - 0.1, INF)}).unfamiliar == []
    assert request({"LogP": (low, low)}).unfamiliar == []


def test_point_is_asked_for_as_it_is_and_the_rest_is_open() -> None:
    row = request({"HBD": (3.0, 3.0)}).point(np.random.default_rng(0))
    np.testing.assert_array_equal(row, [NAN, 3.0])


@pytest.mark.parametrize("wanted", [(1.0, 3.0), (2.5, INF), (-INF, 0.5), (-INF, INF)])
def test_values_within_a_range_are_as_frequent_as_in_training(wanted: Range) -> None:
    random = np.random.default_rng(1)
    drawn = np.array([request({"LogP": wanted}).point(random)[0] for _ in range(4000)])
    assert drawn.min() >= wanted[0]
    assert drawn.max() <= wanted[1]
    known = column("LogP")
    known = known[(known >= wanted[0]) & (known <= wanted[1])]
    for share in (0.1, 0.5, 0.9):
        assert np.quantile(drawn, share) == pytest.approx(np.quantile(known, share), abs=0.12)


@pytest.mark.parametrize("wanted", [(0.0, 2.0), (1.0, 2.0), (1.0, INF)])
def test_counts_at_both_ends_of_a_range_are_asked_for(wanted: Range) -> None:
    random = np.random.default_rng(1)
    drawn = np.array([request({"HBD": wanted}).point(random)[1] for _ in range(4000)])
    known = column("HBD")
    known = known[(known >= wanted[0]) & (known <= wanted[1])]
    for count in np.unique(known[known <= 3]):
        expected = float((known == count).mean())
        assert float((np.abs(drawn - count) < 0.5).mean()) == pytest.approx(expected, abs=0.04)


def test_range_beyond_the_training_set_asks_for_its_nearest_end() -> None:
    random = np.random.default_rng(0)
    assert request({"LogP": (20.0, 30.0)}).point(random)[0] == 20.0
    assert request({"LogP": (-INF, -20.0)}).point(random)[0] == -20.0


def test_misses_are_distances_to_the_range() -> None:
    for wanted, got, expected in (
        ((1.0, 2.0), 1.5, 0.0),
        ((1.0, 2.0), 0.25, 0.75),
        ((1.0, 2.0), 4.0, 2.0),
        ((-INF, 2.0), 5.0, 3.0),
        ((-INF, 2.0), 2.0, 0.0),
        ((3.0, 3.0), 2.5, 0.5),
    ):
        assert miss(got, wanted) == expected
    assert math.isnan(miss(NAN, (1.0, 2.0)))


def test_a_point_has_a_tolerance_and_a_range_has_none() -> None:
    assert is_hit(2.5, (3.0, 3.0), tolerance=0.5)
    assert not is_hit(2.4, (3.0, 3.0), tolerance=0.5)
    assert is_hit(2.0, (1.0, 2.0), tolerance=0.5)
    assert not is_hit(2.1, (1.0, 2.0), tolerance=0.5)
    assert not is_hit(NAN, (1.0, 2.0), tolerance=0.5)


# Half of the molecules are inactive, three in ten are active, one in ten is `a|b`, and one in ten
# has no class.
CLASSES = ("0", "active", "a|b", "inactive")
SHARES = (0.1, 0.3, 0.1, 0.5)
_POSITIONS = np.random.default_rng(3).choice(4, 5000, p=SHARES)
_HOT = np.where(np.arange(5000)[:, None] < 500, NAN, _POSITIONS[:, None] == np.arange(4))
LABELLED = PropertyNormalizer.fit(
    ("LogP", *(f"assay={word}" for word in CLASSES)),
    np.hstack([column("LogP")[:, None], _HOT]),
    classes={"assay": CLASSES},
)


@pytest.mark.parametrize(
    ("wanted", "spelled"),
    [
        ("Active", "active"),
        ("inactive | ACTIVE", "active|inactive"),
        ("active|active", "active"),
        ("A|B", '"a|b"'),
        ('"a|b"|0', '0|"a|b"'),
        ("A|B ", '"a|b"'),
        (0, "0"),
        (0.0, "0"),
        ((0.0, 0.0), "0"),
        ("0.0|active", "0|active"),
    ],
)
def test_classes_are_spelled_and_ordered_as_the_model_does(
    wanted: float | Range | str, spelled: str
) -> None:
    assert request({"Assay": wanted, "logp": 1.0}, LABELLED).ranges == {
        "LogP": (1.0, 1.0),
        "assay": spelled,
    }
    assert list(request({"Assay": wanted, "logp": 1.0}, LABELLED).ranges) == [
        "LogP",
        "assay",
    ]


@pytest.mark.parametrize(
    ("targets", "words"),
    [
        ({"assay": "actve"}, "assay = actve: no such class; did you mean 'active'?"),
        ({"assay": "active|7"}, 'assay = 7: no such class. Its classes are 0, active, "a|b"'),
        ({"assay": 7}, "assay = 7: no such class."),
        ({"assay": (0.0, 1.0)}, 'assay = 0..1: a range; assay has the classes 0, active, "a|b"'),
        ({"assay": NAN}, "not a finite number"),
        ({"assay": INF}, "not a finite number"),
        ({"assay": ""}, "no such class"),
        ({"assay": "active", "ASSAY": "0"}, "assay: given twice"),
        ({"LogP": "high"}, "target LogP = high: not a number, and LogP has no classes"),
        ({"assay=active": 1.0}, "unknown property 'assay=active'. A class with an equals sign"),
    ],
)
def test_class_that_cannot_be_meant_is_refused(
    targets: dict[str, float | Range | str], words: str
) -> None:
    with pytest.raises(UsageError) as caught:
        request(targets, LABELLED)
    assert words in str(caught.value)


ODD = (
    "<=1 uM",
    "1..10 uM",
    "10-20",
    "a|b",
    "a | b",
    "x=y|z..",
    "=",
    "|",
    "..",
    '5" bore',
    '"',
    '"a"',
)
ODD += ("nan", "inf", "1,5", "1_0", "5", "active", "two words", "'", "#N/A", '"a"|"b"')


@pytest.mark.parametrize("word", ODD)
def test_every_class_can_be_asked_for_as_it_is_written(word: str) -> None:
    names = [f"dose={each}" for each in ODD]
    hot = np.arange(len(ODD)) == np.arange(200)[:, None] % len(ODD)
    normalizer = PropertyNormalizer.fit(names, hot.astype(float), classes={"dose": ODD})
    for words in ([word], [word, "active"]):
        typed = f"dose={'|'.join(map(quoted, words))}"
        asked = request(Request.parse([typed]), normalizer)
        assert request(Request.parse([str(asked)]), normalizer) == asked
        assert sorted(alternatives(str(asked.ranges["dose"]), ODD)) == sorted({*words})
    assert request({"dose": word}, normalizer) == request({"dose": quoted(word)}, normalizer)


def test_a_class_needs_quotes_only_where_it_would_mean_something_else() -> None:
    plain = ["10-20", "5", "active", "two words", "'", "#N/A"]
    assert [word for word in ODD if quoted(word) == word] == plain


def test_a_class_is_written_as_it_is_read_and_never_unfamiliar() -> None:
    assert format_range("active|inactive") == "active|inactive"
    assert request({"LogP": (99.0, 99.0), "assay": "0"}, LABELLED).unfamiliar == ["LogP"]


def test_a_class_is_asked_for_in_all_of_its_columns() -> None:
    row = request({"assay": "a|b"}, LABELLED).point(np.random.default_rng(0))
    np.testing.assert_array_equal(row, [NAN, 0, 0, 1, 0])
    # Within reach of the model: no class is clipped away.
    again = LABELLED.restore(LABELLED.normalize(row[None]))[0, 1:]
    np.testing.assert_allclose(again, row[1:], atol=1e-6)


def test_of_several_classes_each_is_as_frequent_as_in_training() -> None:
    random = np.random.default_rng(1)
    rows = [request({"assay": "active|inactive"}, LABELLED).point(random) for _ in range(4000)]
    drawn = np.array(rows)[:, 1:]
    assert (drawn.sum(axis=1) == 1.0).all()
    np.testing.assert_allclose(drawn.mean(axis=0), [0, 0.375, 0, 0.625], atol=0.02)


def test_a_class_label_beside_them_leaves_the_choice_of_numbers_alone() -> None:
    wanted: dict[str, Wanted] = {"LogP": (1.0, 3.0)}
    one = request(wanted).point(np.random.default_rng(5))
    other = request(wanted, LABELLED).point(np.random.default_rng(5))
    asked = request({**wanted, "assay": "0"}, LABELLED).point(np.random.default_rng(5))
    assert one[0] == other[0] == asked[0]


def test_a_class_is_missed_by_what_does_not_speak_for_it() -> None:
    read = {"0": -0.1, "active": 0.5, "a|b": 0.3, "inactive": 0.25}
    assert miss(read, "active") == pytest.approx(0.5)
    assert miss(read, "active|inactive") == pytest.approx(0.25)
    assert miss(read, "a|b") == pytest.approx(0.7)
    assert miss({**read, "active": 1.2}, "active") == 0.0
    assert math.isnan(miss(0.5, "active"))
    assert likeliest(read) == "active"


def test_a_class_is_hit_when_none_is_likelier() -> None:
    read = {"0": 0.0, "active": 0.4, "a|b": 0.35, "inactive": 0.25}
    assert is_hit(read, "active", tolerance=0.0)
    assert is_hit(read, "active|inactive", tolerance=0.0)
    assert not is_hit(read, "a|b", tolerance=9.0)
    assert not is_hit(read, "0|inactive", tolerance=9.0)
