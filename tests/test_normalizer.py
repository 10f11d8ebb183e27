import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from molvae.errors import ArtifactError, UsageError
from molvae.normalizer import LEVELS, PropertyNormalizer

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


def test_names_are_found_in_any_case_and_unknown_ones_are_answered() -> None:
    assert NORMALIZER.resolve("logp") == "LogP"
    with pytest.raises(UsageError) as caught:
        NORMALIZER.resolve("logd")
    assert str(caught.value) == (
        "unknown property 'logd'; did you mean 'LogP'? This model knows MW, LogP, HBD."
    )


def test_vector_leaves_unnamed_properties_unspecified() -> None:
    row = NORMALIZER.vector({"hbd": 2, "MW": 300.0})
    np.testing.assert_array_equal(row, [300.0, NAN, 2.0])
    for value in (NAN, float("inf")):
        with pytest.raises(UsageError, match="not a finite number"):
            NORMALIZER.vector({"MW": value})


def test_json_brings_it_back_exactly() -> None:
    again = PropertyNormalizer.from_dict(json.loads(json.dumps(NORMALIZER.to_dict())))
    assert again.names == NAMES
    for one, other in zip(again[1:], NORMALIZER[1:], strict=True):
        np.testing.assert_array_equal(one, other)


def test_nothing_to_condition_on_is_kept_as_nothing() -> None:
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
