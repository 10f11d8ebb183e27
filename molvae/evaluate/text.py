"""A report as lines of text in aligned columns."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from molvae.evaluate.parsed import SHAPES

# Columns of each table: key in the report -> heading.
PROPERTY_COLUMNS = {
    "mean": "mean",
    "sd": "sd",
    "p5": "5 %",
    "median": "median",
    "p95": "95 %",
    "reference_mean": "ref. mean",
    "reference_sd": "ref. sd",
    "wasserstein": "Wasserstein",
    "shift": "shift/sd",
}
CONTROL_COLUMNS = {
    "asked": "asked",
    "measured": "measured",
    "mae": "MAE",
    "mae_sd": "MAE/sd",
    "bias": "bias",
    "hit_rate": "hit rate",
    "tolerance": "tolerance",
    "slope": "slope",
    "r2": "R2",
}
RING_COLUMNS = {
    "generated": "generated",
    "reference": "reference",
    "difference": "difference",
    "wasserstein": "Wasserstein",
}

Intervals = Mapping[str, tuple[float, float]]


def as_text(
    values: Mapping[str, Any],
    counts: Mapping[str, Any],
    versions: Mapping[str, str],
    *,
    units: Mapping[str, str],
    intervals: Intervals = MappingProxyType({}),
) -> list[str]:
    """Lay out a report; see `Report` for its parts. `units` has the unit of each property."""
    made_by = ", ".join(f"{name} {version}" for name, version in versions.items())
    lines = [
        f"{counts['generated']:,} molecules, {counts['valid']:,} valid,"
        f" {counts['distinct']:,} distinct ({made_by})"
    ]
    for title in ("invalid", "property_failed"):
        if counts.get(title):
            reasons = ", ".join(f"{reason} {n:,}" for reason, n in counts[title].items())
            lines.append(f"{title.replace('_', ' ')}: {reasons}")
    lines.append("")
    numbers = {name: number for name, number in values.items() if not isinstance(number, dict)}
    lines += aligned(
        [name, cell(number), *([_interval(intervals.get(name))] if intervals else [])]
        for name, number in numbers.items()
    )
    labels = {name: f"{name} ({unit})" if unit else name for name, unit in units.items()}
    for title, columns, names in (
        ("properties", PROPERTY_COLUMNS, labels),
        ("rings", RING_COLUMNS, SHAPES),
        ("control", CONTROL_COLUMNS, labels),
    ):
        table = values.get(title, {})
        cells = {row: {key: cell(n) for key, n in table[row].items()} for row in table}
        # A second table, since one with the intervals would be too wide.
        ends = {
            row: {key: _interval(intervals.get(f"{title}.{row}.{key}")) for key in columns}
            for row in table
        }
        lines += _tabulate(title, cells, columns=columns, names=names)
        lines += _tabulate(f"{title}, 95 %", ends, columns=columns, names=names)
    return lines


def _tabulate(
    title: str,
    table: Mapping[str, Mapping[str, str]],
    *,
    columns: Mapping[str, str],
    names: Mapping[str, str],
) -> list[str]:
    """Lay out a table of named rows below an empty line, without empty columns."""
    shown = [key for key in columns if any(row.get(key) for row in table.values())]
    if not shown:
        return []
    header = [title, *(columns[key] for key in shown)]
    rows = [
        [names.get(name, name), *(row.get(key, "") for key in shown)] for name, row in table.items()
    ]
    return ["", *aligned([header, *rows])]


def _interval(interval: tuple[float, float] | None) -> str:
    return "" if interval is None else f"({cell(interval[0])}, {cell(interval[1])})"


def aligned(rows: Iterable[Sequence[str]]) -> list[str]:
    """Pad cells to columns: the first to the left, numbers to the right."""
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip()
        for row in rows
    ]


def cell(number: float | None) -> str:
    """Write a number with four significant digits; a dash for None."""
    if number is None:
        return "-"
    if isinstance(number, int):
        return f"{number:,}"
    return f"{number:.4f}" if 0.1 <= abs(number) < 1 or number == 0 else f"{number:#.4g}"
