"""A model's account of its training: the header of a file that may come from anywhere."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

DEEPEST = 6  # levels of lists and objects
LONGEST = 300  # characters of a text
MOST = 10_000  # items of a list or an object: epochs are the most
# Losses in the log that become charts, of training and validation: name and unit.
CURVES = {
    "reconstruction": ("reconstruction", "nats per molecule"),
    "kl": ("KL divergence", "nats per molecule"),
    "property_error": ("property error", "standardized, squared"),
}
SAID = ("title", "licence", "training_molecules", "trained", "health", "measured", "versions")


def trained_model(name: str, sha256: str, header: Mapping[str, Any]) -> dict[str, Any]:
    """Return a model's account of its training as plain values for JSON.

    Missing or invalid parts of the header of its file are left out.
    """
    provenance = header.get("provenance")
    provenance = provenance if isinstance(provenance, dict) else {}
    said = {key: plain(provenance[key]) for key in SAID if key in provenance}
    _name_errors(said.get("health"), header)
    return {"name": name, "sha256": sha256, **said, "log": _log(provenance.get("log"))}


def plain(value: Any, *, depth: int = 0) -> Any:
    """Return a value without numbers that are not finite, cut to a readable size."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, bool | int) or value is None:
        return value
    if isinstance(value, dict | list) and depth >= DEEPEST:
        return "..."
    if isinstance(value, dict):
        items = list(value.items())[:MOST]
        return {str(key)[:LONGEST]: plain(item, depth=depth + 1) for key, item in items}
    if isinstance(value, list):
        return [plain(item, depth=depth + 1) for item in value[:MOST]]
    return str(value)[:LONGEST]


def curve(log: Sequence[Mapping[str, float]], name: str) -> dict[str, list[float]]:
    """Return the columns `epoch`, `training` and `validation` of a loss, empty without a log.

    An epoch in which any of them is missing is left out.
    """
    keys = {"epoch": "epoch", "training": name, "validation": f"validation_{name}"}
    rows = [row for row in log if all(key in row for key in keys.values())]
    return {title: [row[key] for row in rows] for title, key in keys.items()} if rows else {}


def _log(log: Any) -> list[dict[str, float]]:
    rows = [row for row in log[:MOST] if isinstance(row, dict)] if isinstance(log, list) else []
    numbers = [{key: v for key, v in row.items() if _is_number(v)} for row in rows]
    return [row for row in numbers if "epoch" in row]


def _is_number(value: Any) -> bool:
    usual = isinstance(value, int | float) and not isinstance(value, bool)
    return usual and abs(value) < 1e30  # a chart cannot show larger ones; NaN is not less


def _name_errors(health: Any, header: Mapping[str, Any]) -> None:
    """Label each error of the property head with its property."""
    normalizer = header.get("normalizer")
    names = normalizer.get("names") if isinstance(normalizer, dict) else None
    errors = health.get("property_mae") if isinstance(health, dict) else None
    if isinstance(names, list) and isinstance(errors, list) and len(names) == len(errors):
        health["property_mae"] = {str(n)[:LONGEST]: e for n, e in zip(names, errors, strict=True)}
