"""Charts of a report as SVG that stands within a page: its colors, and no file but the page.

matplotlib comes with the extra `report` and is loaded when a chart is drawn. Charts name their
colors by what they mean, so that a page can show them light or dark.
"""

import io
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Stand-ins that become variables of the page's style sheet; no chart has these colors otherwise.
COLORS = {
    "ink": "#010101",
    "rule": "#020202",
    "generated": "#030303",
    "reference": "#040404",
}
INK, RULE, GENERATED, REFERENCE = COLORS.values()
SIZE = (4.2, 2.6)  # inches
# Shares of the figure. A layout that matplotlib finds itself costs as much as all else together.
MARGINS = {"left": 0.15, "right": 0.97, "bottom": 0.18, "top": 0.96}
BINS = 30  # of a histogram; those of counts are the counts themselves
OUTER = 0.005  # share of the molecules at either end that would squeeze a histogram: not drawn
DOTS = 400  # molecules of a scatter plot: more would hide each other
LEVELS = 10  # groups of requests of which the realized values are averaged
STYLE: dict[str, Any] = {
    "svg.fonttype": "none",  # text stays text: it can be read aloud, searched and copied
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial"],
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": RULE,
    "axes.labelcolor": INK,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": RULE,
    "grid.alpha": 0.4,
    "grid.linewidth": 0.5,
    "xtick.color": RULE,
    "xtick.labelcolor": INK,
    "ytick.color": RULE,
    "ytick.labelcolor": INK,
}


class Points(NamedTuple):
    """What was asked and what came, of M molecules of which a single value was asked.

    Attributes:
        requested: shape (M,).
        realized: shape (M,).
    """

    requested: np.ndarray
    realized: np.ndarray


def distribution(
    values: np.ndarray, reference: np.ndarray, *, label: str, integer: bool = False
) -> str:
    """Draw the histogram of a property, and of a reference set over it.

    Args:
        values: of the molecules, shape (N,), one at least.
        reference: of others, shape (M,); none where M is 0.
        label: name and unit of the property.
        integer: values are counts.

    Returns:
        An `<svg>` element.
    """
    sets = [values, reference] if reference.size else [values]
    edges = _edges(sets, integer=integer)

    def draw(axes: "Axes") -> None:
        for numbers, color, fill in zip(sets, (GENERATED, REFERENCE), (True, False), strict=False):
            share = np.histogram(numbers, edges)[0] / numbers.size
            if fill:
                axes.stairs(share, edges, fill=True, color=color, alpha=0.35)
            axes.stairs(share, edges, color=color, linewidth=1.4)
        axes.set(xlabel=label, ylabel="share of molecules", ylim=(0, None))
        axes.locator_params(axis="x", nbins=6, integer=integer)

    return _svg(draw, name=f"distribution of {label}")


def calibration(points: Points, *, label: str, seed: int) -> str:
    """Draw realized against requested values: dots, their means, and the line of perfect control.

    Args:
        points: of all molecules; of more than 400 some are drawn with the seed.
        label: name and unit of the property.
        seed: of the molecules that are shown.
    """
    requested, realized = points
    rows = np.random.default_rng(seed).permutation(requested.size)[:DOTS]
    ends = [requested.min(), requested.max()]
    groups = np.array_split(np.argsort(requested, kind="stable"), LEVELS)
    if np.unique(requested).size <= LEVELS:
        groups = [np.flatnonzero(requested == value) for value in np.unique(requested)]
    groups = [group for group in groups if group.size]

    def draw(axes: "Axes") -> None:
        axes.plot(ends, ends, color=INK, linewidth=1, linestyle="--")
        axes.scatter(requested[rows], realized[rows], s=7, color=GENERATED, alpha=0.25, linewidth=0)
        axes.plot(
            [requested[group].mean() for group in groups],
            [realized[group].mean() for group in groups],
            color=GENERATED,
            linewidth=1.6,
            marker="o",
            markersize=4,
        )
        axes.set(xlabel=f"{label}, requested", ylabel="realized")

    return _svg(draw, name=f"calibration of {label}")


def errors(distances: np.ndarray, *, label: str) -> str:
    """Draw the histogram of signed distances to what was asked, shape (N,), one at least."""
    edges = _edges([distances, np.zeros(1)], integer=False)

    def draw(axes: "Axes") -> None:
        share = np.histogram(distances, edges)[0] / distances.size
        axes.stairs(share, edges, fill=True, color=GENERATED, alpha=0.35)
        axes.stairs(share, edges, color=GENERATED, linewidth=1.4)
        axes.axvline(0, color=INK, linewidth=1, linestyle="--")
        axes.set(xlabel=f"{label}, distance to the request", ylabel="share of molecules")
        axes.set_ylim(0, None)
        axes.locator_params(axis="x", nbins=6)

    return _svg(draw, name=f"errors of {label}")


def bars(rows: Mapping[str, Mapping[str, float | None]], *, compared: bool) -> str:
    """Draw shares as bars, and those of a reference beside them.

    Args:
        rows: name -> `generated`, and `reference` where there is one; None is not drawn.
        compared: there is a reference.
    """
    keys = {"generated": GENERATED} | ({"reference": REFERENCE} if compared else {})
    places, thick = np.arange(len(rows)), 0.8 / len(keys)

    def draw(axes: "Axes") -> None:
        for number, (key, color) in enumerate(keys.items()):
            shares = [row.get(key) or 0.0 for row in rows.values()]
            axes.barh(places + number * thick, shares, height=thick * 0.9, color=color, alpha=0.75)
        axes.set_yticks(places + (len(keys) - 1) * thick / 2, list(rows))
        axes.set(xlabel="share", xlim=(0, None))
        axes.invert_yaxis()
        axes.grid(visible=False, axis="y")

    return _svg(draw, name="rings", left=0.36)


def curves(
    epochs: Sequence[float], lines: Mapping[str, Sequence[float]], *, name: str, unit: str
) -> str:
    """Draw training curves.

    Args:
        epochs: shape (E,).
        lines: training first and then validation, by name, each of shape (E,).
        name: what is drawn.
        unit: its unit.
    """

    def draw(axes: "Axes") -> None:
        for values, color in zip(lines.values(), (GENERATED, REFERENCE), strict=False):
            axes.plot(epochs, values, color=color, linewidth=1.6, marker="o", markersize=3)
        axes.set(xlabel="epoch", ylabel=unit)
        axes.locator_params(axis="x", nbins=8, integer=True)

    return _svg(draw, name=f"curves of {name}")


def _edges(sets: Sequence[np.ndarray], *, integer: bool) -> np.ndarray:
    """Return the edges of the bins that all sets share, shape (bins + 1,)."""
    # The ends are values that occur, so that a single set of equal ones keeps them.
    ends = [np.quantile(v, [OUTER, 1 - OUTER], method="closest_observation") for v in sets]
    low, high = min(end[0] for end in ends), max(end[1] for end in ends)
    if integer and high - low <= 2 * BINS:
        return np.arange(np.floor(low), np.ceil(high) + 2) - 0.5
    if not high > low:
        low, high = low - 0.5, high + 0.5
    return np.linspace(low, high, BINS + 1)


def _svg(draw: Callable[["Axes"], None], *, name: str, left: float = MARGINS["left"]) -> str:
    """Draw with the same fonts, sizes and identifiers every time, whatever is configured."""
    from matplotlib import style
    from matplotlib.figure import Figure

    with style.context(["default", {**STYLE, "svg.hashsalt": name}]):
        figure = Figure(figsize=SIZE)
        draw(figure.subplots(gridspec_kw={**MARGINS, "left": left}))
        text = io.StringIO()
        unsaid = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(text, format="svg", transparent=True, metadata=unsaid)
    return _inline(text.getvalue(), name)


def _inline(svg: str, name: str) -> str:
    """Return the `<svg>` element of a file, fit to share a page with others like it."""
    svg = svg[svg.index("<svg") :].strip()
    box = re.search(r'viewBox="[^"]*"', svg)
    svg = re.sub(r"<svg[^>]*>", f"<svg {box.group() if box else ''}>", svg, count=1)
    svg = re.sub(r"\s*<defs>\s*<style.*?</style>\s*</defs>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    prefix = re.sub(r"\W+", "-", name)
    svg = re.sub(r'\bid="', f'id="{prefix}-', svg)
    svg = re.sub(r'xlink:href="#', f'href="#{prefix}-', svg).replace("url(#", f"url(#{prefix}-")
    for meaning, color in COLORS.items():
        svg = svg.replace(color, f"var(--{meaning})")
    return svg
