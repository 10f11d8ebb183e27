"""Values for JSON, which has no NaN and no infinity."""

import math
from collections.abc import Mapping
from typing import Any


def plain(value: Any) -> Any:
    """Return a value, at any depth, with None for each number that JSON cannot hold.

    >>> plain({"mean": float("nan"), "ends": (0, float("inf"))})
    {'mean': None, 'ends': [0, None]}
    """
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
