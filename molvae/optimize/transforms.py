"""Transforms of a score to 0..1, with the names and parameters of REINVENT 4.

Loeffler 2024, https://doi.org/10.1186/s13321-024-00812-5. NaN stays NaN.
"""

from collections.abc import Callable, Mapping
from functools import partial
from inspect import signature

import numpy as np
from scipy.special import expit

from molvae.errors import UsageError, did_you_mean

Transform = Callable[[np.ndarray], np.ndarray]  # scores (N,) -> desirabilities (N,), 0 to 1


def sigmoid(x: np.ndarray, low: float, high: float, k: float = 0.5) -> np.ndarray:
    """Rise from 0 to 1 between `low` and `high`; a larger `k` is steeper."""
    return _base_ten(10.0 * k, x - (low + high) / 2, high - low)


def reverse_sigmoid(x: np.ndarray, low: float, high: float, k: float = 0.5) -> np.ndarray:
    """Fall from 1 to 0 between `low` and `high`."""
    return 1.0 - sigmoid(x, low, high, k)


def double_sigmoid(
    x: np.ndarray,
    low: float,
    high: float,
    coef_div: float = 100.0,
    coef_si: float = 150.0,
    coef_se: float = 150.0,
) -> np.ndarray:
    """Rise to 1 at `low` and fall to 0 at `high`; the coefficients are the two slopes."""
    rising = _base_ten(coef_si, x - low, coef_div)
    falling = 1.0 - _base_ten(coef_se, x - high, coef_div)
    return np.where(x < (low + high) / 2, rising, falling)


def step(x: np.ndarray, low: float, high: float) -> np.ndarray:
    """Be 1 from `low` to `high`, and 0 elsewhere."""
    return _where((x >= low) & (x <= high), x)


def left_step(x: np.ndarray, low: float) -> np.ndarray:
    """Be 1 up to `low`, and 0 above."""
    return _where(x <= low, x)


def right_step(x: np.ndarray, high: float) -> np.ndarray:
    """Be 1 from `high`, and 0 below."""
    return _where(x >= high, x)


def near(x: np.ndarray, low: float, high: float, width: float) -> np.ndarray:
    """Be 1 from `low` to `high`, and fall as a Gaussian of this width outside.

    This one is not of REINVENT: it scores a target such as LogP=2..3.
    """
    missed = np.maximum(np.maximum(low - x, x - high), 0.0)
    return np.exp(-0.5 * (missed / width) ** 2)


TRANSFORMS: dict[str, Callable[..., np.ndarray]] = {
    each.__name__: each
    for each in (sigmoid, reverse_sigmoid, double_sigmoid, step, left_step, right_step, near)
}


def transform(name: str, parameters: Mapping[str, float]) -> Transform:
    """Return a transform by name, with its parameters.

    Raises:
        UsageError: for an unknown name, or parameters that are missing, unknown or no numbers.

    >>> transform("right_step", {"high": 8})(np.array([7.0, 9.0])).tolist()
    [0.0, 1.0]
    """
    if name not in TRANSFORMS:
        hint = did_you_mean(name, TRANSFORMS) or f" Known: {', '.join(TRANSFORMS)}."
        raise UsageError(f"unknown transform '{name:.80}'{hint}")
    function = TRANSFORMS[name]
    _, *known = signature(function).parameters.values()
    needed = {each.name for each in known if each.default is each.empty}
    if not needed <= parameters.keys() <= {each.name for each in known}:
        takes = ", ".join(map(str, known)).replace(": float", "")
        raise UsageError(f"transform {name} takes {takes}; given: {', '.join(parameters)}.")
    for key, value in parameters.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
            raise UsageError(f"transform {name}: {key} = {value!r:.40}: not a finite number.")
    return partial(function, **{key: float(value) for key, value in parameters.items()})


def describe_transform(chosen: Transform | None) -> str:
    """Return a transform as text: `sigmoid low=0.2 high=0.8`; "" for none."""
    if isinstance(chosen, partial):
        words = (f"{key}={value:g}" for key, value in chosen.keywords.items())
        return " ".join([chosen.func.__name__, *words])
    return str(getattr(chosen, "__name__", "") or "") if chosen else ""


def _base_ten(steepness: float, x: np.ndarray, width: float) -> np.ndarray:
    """Return 1 / (1 + 10^(-steepness x / width)); a step where the width is 0."""
    if width == 0.0:
        return _where(x > 0.0, x)
    risen: np.ndarray = expit(np.log(10.0) * steepness / width * x)
    return risen


def _where(met: np.ndarray, x: np.ndarray) -> np.ndarray:
    return np.where(np.isnan(x), np.nan, met.astype(float))
