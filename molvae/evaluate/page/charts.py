"""Charts of a report as SVG elements for a page.

matplotlib comes with the extra `report` and is loaded when a chart is drawn. Charts name their
colors as the page's style sheet does, so that the page can show them light or dark.
"""

import io
import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from molvae.chem.properties import PROPERTIES
from molvae.evaluate import trained
from molvae.evaluate.distributions import known
from molvae.evaluate.parsed import SHAPES
from molvae.evaluate.report import Evaluation

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Color in the page's style sheet -> its stand-in for matplotlib, which has no other use.
COLORS = {"ink": "#010101", "rule": "#020202", "generated": "#030303", "reference": "#040404"}
INK, RULE, GENERATED, REFERENCE = COLORS.values()
SIZE = (4.2, 2.6)  # inches
# Shares of the figure; matplotlib's own layout would double the time.
MARGINS = {"left": 0.15, "right": 0.97, "bottom": 0.18, "top": 0.96}
BINS = 30  # of a histogram; counts have a bin each
OUTER = 0.005  # share of the molecules beyond either end of a histogram
DOTS = 400  # molecules in a scatter plot
LEVELS = 10  # groups of requests whose realized values are averaged
STYLE: dict[str, Any] = {
    "svg.fonttype": "none",  # text stays text: it can be read aloud, searched and copied
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial"],
    "font.size": 9,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.alpha": 0.4,
    "grid.linewidth": 0.5,
    **dict.fromkeys(("text.color", "axes.labelcolor", "xtick.labelcolor", "ytick.labelcolor"), INK),
    **dict.fromkeys(("axes.edgecolor", "grid.color", "xtick.color", "ytick.color"), RULE),
}


class Chart(NamedTuple):
    """A drawing, and words for readers who do not see it."""

    svg: str
    says: str
    legend: dict[str, str]  # color in the style sheet -> meaning


def label(name: str) -> str:
    """Return the name of a property with its unit."""
    unit = PROPERTIES[name].unit
    return f"{name} ({unit})" if unit else name


def property_charts(evaluation: Evaluation) -> Iterator[Chart]:
    """Yield the histogram of each property, beside that of the reference if there is one."""
    reference = evaluation.sets.reference
    for name in evaluation.sets.generated.names:
        sets = {"generated": known(evaluation.sets.generated.measured(name))}
        if not sets["generated"].size:
            continue
        if reference is not None and name in reference.names:
            others = known(reference.measured(name))
            sets |= {"reference": others} if others.size else {}
        svg = _svg(f"distribution of {label(name)}", _histogram, sets, name)
        says = f"Histogram of {name}: {' and '.join(sets)} molecules."
        yield Chart(svg, says, {key: key for key in sets})


def control_charts(evaluation: Evaluation) -> Iterator[Chart]:
    """Yield for each requested property its calibration, or the histogram of its errors.

    A calibration needs two requested values; ranges have none.
    """
    report, sets, requests = evaluation
    for name, wanted in requests.items():
        realized = sets.generated.measured(name)
        met = wanted.asked & ~np.isnan(realized)
        points = met & wanted.points
        if np.unique(wanted.low[points]).size > 1:
            pair = wanted.low[points], realized[points]
            svg = _svg(f"calibration of {label(name)}", _calibration, *pair, name, report.seed)
            says = f"Realized {name} against requested {name}, with the line of perfect control."
            legend = {"generated": "molecules and their means", "ink": "as requested"}
            yield Chart(svg, says, legend)
        elif met.any():
            distances = wanted.error(realized)[met]
            svg = _svg(f"errors of {label(name)}", _errors, distances, name)
            says = f"Histogram of the distance of {name} to its target."
            yield Chart(svg, says, {"generated": "molecules", "ink": "as requested"})


def ring_charts(rings: Mapping[str, Mapping[str, float | None]]) -> Iterator[Chart]:
    """Yield the shares in the table `rings` of a report as bars, if any molecule is valid."""
    # heavy_atoms is a number of atoms, not a share
    rows = {title: rings[name] for name, title in SHAPES.items() if name != "heavy_atoms"}
    if any(row["generated"] is not None for row in rows.values()):
        compared = any(row.get("reference") is not None for row in rows.values())
        keys = ["generated", *["reference"] * compared]
        says = "Shares of molecules with odd rings, and the share of aromatic atoms, as bars."
        yield Chart(_svg("rings", _bars, rows, keys, left=0.36), says, {key: key for key in keys})


def training_charts(model: Mapping[str, Any] | None) -> Iterator[Chart]:
    """Yield the curves of a model's training log; see `trained_model`."""
    for name, (title, unit) in trained.CURVES.items():
        lines = trained.curve(model["log"], name) if model else {}
        if lines:
            says = f"Training curve: {title} by epoch, in training and in validation."
            legend = {"generated": f"{title}, training", "reference": "validation"}
            yield Chart(_svg(f"curves of {title}", _curves, lines, unit), says, legend)


def optimization_charts(curve: Mapping[str, list[float]] | None) -> Iterator[Chart]:
    """Yield the curve of an optimization; see `optimization.curve`."""
    if curve and curve["calls"]:
        says = "The best score, and the mean of the ten best, by the number of calls."
        legend = {"generated": "the best", "reference": "mean of the ten best"}
        yield Chart(_svg("scores by calls", _scores, curve), says, legend)


def _histogram(axes: "Axes", sets: Mapping[str, np.ndarray], name: str) -> None:
    integer = PROPERTIES[name].integer
    edges = _edges(*sets.values(), integer=integer)
    for key, values in sets.items():
        _stairs(axes, values, edges, color=COLORS[key], fill=key == "generated")
    axes.set(xlabel=label(name), ylabel="share of molecules", ylim=(0, None))
    axes.locator_params(axis="x", nbins=6, integer=integer)


def _calibration(
    axes: "Axes", requested: np.ndarray, realized: np.ndarray, name: str, seed: int
) -> None:
    """Draw realized against requested values: dots, their means, and perfect control."""
    rows = np.random.default_rng(seed).permutation(requested.size)[:DOTS]
    ends = [requested.min(), requested.max()]
    levels = np.unique(requested)
    groups = np.array_split(np.argsort(requested, kind="stable"), LEVELS)
    if levels.size <= LEVELS:
        groups = [np.flatnonzero(requested == value) for value in levels]
    means = [[part[group].mean() for group in groups] for part in (requested, realized)]
    axes.plot(ends, ends, color=INK, linewidth=1, linestyle="--")
    axes.scatter(requested[rows], realized[rows], s=7, color=GENERATED, alpha=0.25, linewidth=0)
    axes.plot(*means, color=GENERATED, linewidth=1.6, marker="o", markersize=4)
    axes.set(xlabel=f"{label(name)}, requested", ylabel="realized")


def _errors(axes: "Axes", distances: np.ndarray, name: str) -> None:
    """Draw the histogram of signed distances to the targets."""
    _stairs(axes, distances, _edges(distances, np.zeros(1)), color=GENERATED, fill=True)
    axes.axvline(0, color=INK, linewidth=1, linestyle="--")
    axes.set(xlabel=f"{label(name)}, distance to the target", ylabel="share of molecules")
    axes.set_ylim(0, None)
    axes.locator_params(axis="x", nbins=6)


def _bars(axes: "Axes", rows: Mapping[str, Mapping[str, float | None]], keys: list[str]) -> None:
    """Draw shares as bars, one color a key."""
    places, thick = np.arange(len(rows)), 0.8 / len(keys)
    for number, key in enumerate(keys):
        shares = [row.get(key) or 0.0 for row in rows.values()]
        bars = places + number * thick
        axes.barh(bars, shares, height=thick * 0.9, color=COLORS[key], alpha=0.75)
    axes.set_yticks(places + (len(keys) - 1) * thick / 2, list(rows))
    axes.set(xlabel="share", xlim=(0, None))
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")


def _curves(axes: "Axes", lines: Mapping[str, list[float]], unit: str) -> None:
    """Draw the columns training and validation against the column epoch."""
    for key, color in (("training", GENERATED), ("validation", REFERENCE)):
        axes.plot(lines["epoch"], lines[key], color=color, linewidth=1.6, marker="o", markersize=3)
    axes.set(xlabel="epoch", ylabel=unit)
    axes.locator_params(axis="x", nbins=8, integer=True)


def _scores(axes: "Axes", curve: Mapping[str, list[float]]) -> None:
    """Draw the best score, and the mean of the ten best, against the calls."""
    for key, color in (("best", GENERATED), ("mean of the ten best", REFERENCE)):
        axes.step(curve["calls"], curve[key], color=color, linewidth=1.6, where="post")
    axes.set(xlabel="calls", ylabel="score")
    axes.locator_params(axis="x", nbins=8, integer=True)


def _stairs(axes: "Axes", values: np.ndarray, edges: np.ndarray, *, color: str, fill: bool) -> None:
    share = np.histogram(values, edges)[0] / values.size
    if fill:
        axes.stairs(share, edges, fill=True, color=color, alpha=0.35)
    axes.stairs(share, edges, color=color, linewidth=1.4)


def _edges(*sets: np.ndarray, integer: bool = False) -> np.ndarray:
    """Return the edges of the bins that all sets share, shape (bins + 1,)."""
    # The ends are values that occur, so that a single set of equal ones keeps them.
    ends = [np.quantile(v, [OUTER, 1 - OUTER], method="closest_observation") for v in sets]
    low, high = min(end[0] for end in ends), max(end[1] for end in ends)
    if integer and high - low <= 2 * BINS:
        return np.arange(np.floor(low), np.ceil(high) + 2) - 0.5
    if not high > low:
        low, high = low - 0.5, high + 0.5
    return np.linspace(low, high, BINS + 1)


def _svg(name: str, draw: Callable[..., None], *data: Any, left: float = MARGINS["left"]) -> str:
    """Return the drawing of data as an `<svg>` element, whose ids occur in no other chart."""
    from matplotlib import style
    from matplotlib.figure import Figure

    with style.context(["default", {**STYLE, "svg.hashsalt": name}]):
        figure = Figure(figsize=SIZE)
        draw(figure.subplots(gridspec_kw={**MARGINS, "left": left}), *data)
        text = io.StringIO()
        unsaid = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(text, format="svg", transparent=True, metadata=unsaid)
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :].strip()
    box = re.search(r'viewBox="[^"]*"', svg)
    svg = re.sub(r"<svg[^>]*>", f"<svg {box.group() if box else ''}>", svg, count=1)
    unused = r"\s*<defs>\s*<style.*?</style>\s*</defs>|<metadata>.*?</metadata>"
    svg = re.sub(unused, "", svg, flags=re.DOTALL)
    prefix = re.sub(r"\W+", "-", name)
    svg = re.sub(r'\bid="', f'id="{prefix}-', svg)
    svg = svg.replace('xlink:href="#', f'href="#{prefix}-').replace("url(#", f"url(#{prefix}-")
    for color, stand_in in COLORS.items():
        svg = svg.replace(stand_in, f"var(--{color})")
    return svg
