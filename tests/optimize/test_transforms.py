"""Transforms give REINVENT's values under REINVENT's names."""

import numpy as np
import pytest

from molvae.errors import UsageError
from molvae.optimize.transforms import TRANSFORMS, describe_transform, transform

LOW_HIGH = {"low": 2.0, "high": 4.0}
UP = 1.0 / (1.0 + 10.0**-2.5)  # a sigmoid of REINVENT at its end, for its k of 0.5


@pytest.mark.parametrize(
    ("name", "parameters", "x", "expected"),
    [
        ("sigmoid", LOW_HIGH, [2.0, 3.0, 4.0], [1.0 - UP, 0.5, UP]),
        ("sigmoid", {"low": 3.0, "high": 3.0}, [2.9, 3.0, 3.1], [0.0, 0.0, 1.0]),
        ("reverse_sigmoid", LOW_HIGH, [2.0, 3.0, 4.0], [UP, 0.5, 1.0 - UP]),
        # k_left = 150 / 100: 10^(1.5 x) rises by 1 beyond `low` to 1 / (1 + 10^-1.5).
        ("double_sigmoid", LOW_HIGH, [2.0, 2.9, 4.0], [0.5, 1 / (1 + 10**-1.35), 0.5]),
        ("step", LOW_HIGH, [1.9, 2.0, 4.0, 4.1], [0.0, 1.0, 1.0, 0.0]),
        ("left_step", {"low": 2.0}, [2.0, 2.1], [1.0, 0.0]),
        ("right_step", {"high": 4.0}, [3.9, 4.0], [0.0, 1.0]),
        ("near", {**LOW_HIGH, "width": 1.0}, [1.0, 3.0, 5.0], [np.exp(-0.5), 1.0, np.exp(-0.5)]),
    ],
)
def test_a_transform_has_the_values_of_its_definition(
    name: str, parameters: dict[str, float], x: list[float], expected: list[float]
) -> None:
    found = transform(name, parameters)
    np.testing.assert_allclose(found(np.array(x)), expected, atol=1e-12)
    assert np.isnan(found(np.array([np.nan]))).all()


def test_extreme_scores_do_not_overflow() -> None:
    with np.errstate(all="raise", under="ignore"):
        assert transform("sigmoid", LOW_HIGH)(np.array([-1e9, 1e9])).tolist() == [0.0, 1.0]


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("sigmiod", {}, "did you mean 'sigmoid'"),
        ("sigmoid", {"low": 1.0}, "takes low, high, k = 0.5; given: low"),
        ("left_step", {"low": 1.0, "high": 2.0}, "takes low; given: low, high"),
        ("right_step", {"high": float("nan")}, "high = nan: not a finite number"),
        ("right_step", {"high": True}, "high = True: not a finite number"),
    ],
)
def test_a_transform_that_cannot_be_is_refused(
    name: str, parameters: dict[str, float], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        transform(name, parameters)


def test_a_transform_says_what_it_is() -> None:
    assert describe_transform(transform("sigmoid", LOW_HIGH)) == "sigmoid low=2 high=4"
    assert describe_transform(None) == ""
    assert set(TRANSFORMS) >= {"sigmoid", "reverse_sigmoid", "double_sigmoid", "step"}
