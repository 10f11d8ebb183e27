import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from molvae.checkpoint import find_model, read_header
from molvae.errors import ArtifactError, UsageError
from molvae.generation.feasibility import PropertySample
from molvae.normalizer import (
    LEVELS,
    MIN_CLASS_SCALE,
    PropertyNormalizer,
    are_few,
    class_key,
    find_outliers,
)
from molvae.targets import Request, is_hit

NAMES = ("MW", "LogP", "HBD")
NAN = float("nan")


def values(rows: int = 5000) -> np.ndarray:
    random = np.random.default_rng(0)
    columns = (random.gamma(9, 40, rows), random.normal(2, 1.5, rows), random.poisson(1.5, rows))
    return np.stack(columns, axis=1).astype(np.float32)


NORMALIZER = PropertyNormalizer.fit(NAMES, values())


def test_conditions_have_mean_zero_and_deviation_one() -> None:
    conditions = NORMALIZER.normalize(values())
    assert conditions.dtype == np.float32
    np.testing.assert_allclose(conditions.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(conditions.std(axis=0), 1, atol=1e-3)


def test_restoring_undoes_normalizing_within_the_range() -> None:
    inside = np.clip(values(), NORMALIZER.low, NORMALIZER.high)
    restored = NORMALIZER.restore(NORMALIZER.normalize(inside))
    np.testing.assert_allclose(restored, inside, rtol=1e-4, atol=1e-4)


def test_values_beyond_the_range_are_clipped_and_unspecified_ones_pass() -> None:
    row = np.array([[1e9, NAN, -np.inf]])
    conditions = NORMALIZER.normalize(row)
    assert np.isnan(conditions).tolist() == [[False, True, False]]
    restored = NORMALIZER.restore(conditions)
    assert restored[0, 0] == pytest.approx(NORMALIZER.high[0], rel=1e-5)
    assert restored[0, 2] == pytest.approx(NORMALIZER.low[2], abs=1e-5)
    assert np.isnan(restored[0, 1])


def test_outliers_and_missing_labels_do_not_move_the_scale() -> None:
    odd = values()
    odd[0] = 1e6
    odd[1:100, 1] = NAN
    fitted = PropertyNormalizer.fit(NAMES, odd)
    np.testing.assert_allclose(fitted.mean, NORMALIZER.mean, rtol=0.01)
    np.testing.assert_allclose(fitted.scale, NORMALIZER.scale, rtol=0.02)


IC50 = 10.0 ** (9.0 - np.random.default_rng(2).normal(6.4, 0.8, 300))  # nM
PIC50 = np.random.default_rng(3).normal(6.4, 0.8, 300)


@pytest.mark.parametrize("rows", [5, 30, 300])
def test_one_slip_of_the_pen_does_not_move_the_scale_of_a_small_table(rows: int) -> None:
    pic50 = PIC50[:rows]
    slip = np.append(pic50, 2_500_000.0)
    fitted = PropertyNormalizer.fit(("pIC50",), slip[:, None], labels={"pIC50"})
    assert fitted.scales["pIC50"] == pytest.approx(pic50.std(), rel=0.25)
    assert fitted.high[0] <= pic50.max()
    assert fitted.normalize(np.array([[2_500_000.0]])) < 5
    stored = PropertyNormalizer.from_dict(fitted.to_dict())
    assert stored.scales == fitted.scales


def test_values_are_judged_on_the_scale_of_the_bulk() -> None:
    raw = PropertyNormalizer.fit(("IC50",), IC50[:, None], labels={"IC50"})
    low, high = np.quantile(IC50, (0.25, 0.75))
    assert raw.scales["IC50"] == pytest.approx((high - low) / 1.349, rel=0.02)
    assert raw.scale[0] > 2 * raw.scales["IC50"]
    assert raw.high[0] > 0.8 * IC50.max(), "a tail is no slip: it stays in the range"
    asked = Request.for_model({"IC50": 5.0}, raw)
    tolerance = 0.5 * raw.scales["IC50"]
    assert is_hit(900.0, asked.ranges["IC50"], tolerance=0.5 * raw.scale[0])
    assert not is_hit(900.0, asked.ranges["IC50"], tolerance=tolerance)
    share = PropertySample(raw.normalize(IC50[:, None]), raw).judge(asked)
    assert share is not None
    assert share.share == pytest.approx((IC50 < 5.0 + tolerance).mean(), abs=0.01)
    assert asked.distance({"IC50": 5.0 + 2 * tolerance}) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("values", "far", "few"),
    [
        pytest.param(PIC50, 0, False, id="a normal distribution"),
        pytest.param(np.append(PIC50, 1e6), 1, True, id="a slip"),
        pytest.param(np.append(PIC50[:6], 1e6), 1, True, id="a slip in a small table"),
        pytest.param(np.random.default_rng(1).exponential(5, 300), 0, False, id="exponential"),
        pytest.param(np.random.default_rng(1).poisson(1.2, 300), 0, False, id="counts"),
        pytest.param(np.arange(100) < 3, 0, False, id="rare ones among zeros"),
        pytest.param(np.append(PIC50, PIC50[:60] * 100), 60, False, id="two units"),
        pytest.param(np.array([2.0]), 0, False, id="one value"),
    ],
)
def test_outliers_are_few_and_far_from_the_bulk(values: np.ndarray, far: int, few: bool) -> None:
    outliers = find_outliers(values.astype(float))
    assert (outliers.sum(), are_few(outliers)) == (far, few)


@pytest.mark.parametrize("name", ["druglike", "moses"])
def test_the_included_models_are_judged_on_their_standard_deviations(name: str) -> None:
    normalizer = PropertyNormalizer.from_dict(read_header(find_model(name))["normalizer"])
    assert list(normalizer.scales.values()) == normalizer.scale.tolist()


@pytest.mark.parametrize("column", [[3.0, 3.0, 3.0], [NAN, NAN, NAN], [NAN, 2.0, NAN]])
def test_property_that_never_varies_is_refused_by_name(column: list[float]) -> None:
    with pytest.raises(UsageError, match="'HBD' does not vary"):
        PropertyNormalizer.fit(("MW", "HBD"), np.array([[1.0, 2.0, 3.0], column]).T)


def test_property_that_hardly_varies_still_has_a_scale() -> None:
    column = np.zeros((5000, 1))
    column[0] = 1.0
    assert PropertyNormalizer.fit(("rare",), column).scale[0] > 0


@given(st.floats(0.001, 0.999))
def test_level_is_the_inverse_of_quantile(level: float) -> None:
    for name in ("MW", "LogP"):
        value = float(NORMALIZER.quantile(name, np.array(level)))
        assert NORMALIZER.level(name, value) == pytest.approx(level, abs=1e-9)


def test_levels_are_shares_of_the_training_split() -> None:
    column = values()[:, 0]
    for value in (200.0, 360.0, 700.0):
        share = float((column < value).mean())
        assert NORMALIZER.level("MW", value) == pytest.approx(share, abs=0.006)
    assert NORMALIZER.level("MW", -np.inf) == LEVELS[0]
    assert NORMALIZER.level("MW", np.inf) == LEVELS[-1]


def test_level_of_a_count_is_the_share_below_it() -> None:
    column = values()[:, 2]
    for count in (0, 1, 2, 3):
        share = max(float((column < count).mean()), LEVELS[0])
        assert NORMALIZER.level("HBD", count) == pytest.approx(share, abs=0.011)


def test_json_brings_it_back_exactly() -> None:
    again = PropertyNormalizer.from_dict(json.loads(json.dumps(NORMALIZER.to_dict())))
    assert again.names == NAMES
    for one, other in zip(again[1:], NORMALIZER[1:], strict=True):
        np.testing.assert_array_equal(one, other)


def test_without_properties_it_is_empty() -> None:
    none = PropertyNormalizer.fit((), np.empty((7, 0)))
    again = PropertyNormalizer.from_dict(json.loads(json.dumps(none.to_dict())))
    assert again.names == ()
    assert again.normalize(np.empty((7, 0))).shape == (7, 0)


@pytest.mark.parametrize(
    "damage",
    [
        {"scale": [1.0, 0.0, 1.0]},
        {"scale": [1.0, -1.0, 1.0]},
        {"scale": [1.0, NAN, 1.0]},
        {"scale": [1.0, float("inf"), 1.0]},
        {"mean": [0.0, NAN, 0.0]},
        {"mean": [0.0, 0.0]},
        {"mean": None},
        {"mean": ["a", "b", "c"]},
        {"mean": [10**400, 0.0, 0.0]},
        {"quantiles": [[0.0]] * 3},
        {"quantiles": [[0.0], [0.0, 1.0], [0.0]]},
        {"names": ["MW", "MW", "HBD"]},
        {"names": ["MW"]},
        {"names": 3},
    ],
)
def test_damaged_header_is_refused(damage: dict[str, object]) -> None:
    with pytest.raises(ArtifactError, match="normalizer inside is damaged"):
        PropertyNormalizer.from_dict({**NORMALIZER.to_dict(), **damage})


CLASSES = {"activity": ("CI", "CM", "CA")}
WITH_CLASSES = ("LogP", "activity=CI", "activity=CM", "activity=CA", "pIC50")


def with_classes(rows: int = 4000) -> np.ndarray:
    """A label of 1 molecule in 1,000 among them, and missing for the first 100."""
    random = np.random.default_rng(1)
    found = random.choice(3, rows, p=[0.949, 0.05, 0.001])
    found[-1] = 2  # at least one
    hot = (found[:, None] == np.arange(3)).astype(float)
    hot[:100] = NAN
    columns = (random.normal(2, 1.5, (rows, 1)), hot, random.normal(6, 1, (rows, 1)))
    return np.hstack(columns)


LABELLED = PropertyNormalizer.fit(WITH_CLASSES, with_classes(), classes=CLASSES)


def test_a_class_label_is_one_quantity_of_several_columns() -> None:
    assert LABELLED.quantities == ("LogP", "activity", "pIC50")
    assert LABELLED.groups == (0, 1, 1, 1, 2)
    assert LABELLED.columns("activity") == [1, 2, 3]
    assert NORMALIZER.quantities == NAMES
    assert NORMALIZER.groups == (0, 1, 2)


def test_even_a_rare_class_is_distinct_and_within_the_scale() -> None:
    conditions = LABELLED.normalize(with_classes())
    rare = conditions[100:, 3]
    assert np.unique(rare).size == 2  # the percentiles of the training set clip it away
    assert np.ptp(rare) == pytest.approx(1 / MIN_CLASS_SCALE)
    restored = LABELLED.restore(conditions)[:, 1:4]
    np.testing.assert_allclose(restored, with_classes()[:, 1:4], atol=1e-6)
    assert LABELLED.mean[1:4].sum() == pytest.approx(1.0)


def test_scales_are_by_quantity_and_a_class_label_has_that_of_even_odds() -> None:
    scales = LABELLED.scales
    assert list(scales) == ["LogP", "activity", "pIC50"]
    assert scales["pIC50"] == LABELLED.scale[4]
    assert scales["activity"] == 0.5


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Active", "aCTIVE", True),
        ("1", "1.0", True),
        ("1e1", "10", True),
        ("1_0", "10", False),
        ("nan", "NaN", True),
        ("0x1", "1", False),
        ("\u0661", "1", False),
        ("CI", "CM", False),
    ],
)
def test_classes_are_equal_whatever_their_case_and_the_form_of_a_number(
    one: str, other: str, same: bool
) -> None:
    assert (class_key(one) == class_key(other)) is same


def test_the_value_of_a_class_label_is_a_number_for_each_class() -> None:
    read = dict(zip(WITH_CLASSES, [2.0, 0.1, 0.2, 0.7, 6.0], strict=True))
    assert LABELLED.reading(read, "activity") == {"CI": 0.1, "CM": 0.2, "CA": 0.7}
    assert LABELLED.reading(read, "pIC50") == 6.0


def test_json_restores_classes_and_omits_them_where_there_are_none() -> None:
    again = PropertyNormalizer.from_dict(json.loads(json.dumps(LABELLED.to_dict())))
    assert (again.names, dict(again.classes)) == (WITH_CLASSES, CLASSES)
    assert again.groups == LABELLED.groups
    # A header of an older version, or without class labels, is what it always was.
    assert set(NORMALIZER.to_dict()) == {"names", "mean", "scale", "quantiles"}
    assert PropertyNormalizer.from_dict(NORMALIZER.to_dict()).classes == {}


@pytest.mark.parametrize(
    "classes",
    [
        7,
        "activity",
        {"activity": 3},
        {"activity": ["CI", "CM", "CX"]},
        {"activity": ["CI"]},
        {"activity": []},
        {"activity": ["CI", "CI", "CM", "CA"]},
        {"activity": ["CI", "ci", "CM", "CA"]},
        {"pIC50": ["CI", "CM"]},
        {"activity": [["CI"], "CM", "CA"]},
        {"activity": None},
    ],
)
def test_damaged_classes_are_refused(classes: object) -> None:
    with pytest.raises(ArtifactError, match="normalizer inside is damaged"):
        PropertyNormalizer.from_dict({**LABELLED.to_dict(), "classes": classes})
