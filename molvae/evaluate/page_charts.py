"""The charts of a page: which ones a report gives rise to, and words for those who see none."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from molvae.chem.properties import PROPERTIES
from molvae.evaluate import charts, trained
from molvae.evaluate.parsed import SHAPES
from molvae.evaluate.report import Examined


class Chart(NamedTuple):
    """A drawing with words for those who do not see it.

    Attributes:
        svg: the drawing.
        says: what it shows.
        legend: meaning of a color in the style sheet -> what is drawn in it.
    """

    svg: str
    says: str
    legend: dict[str, str]


def label(name: str) -> str:
    """Return the name of a property with its unit."""
    unit = PROPERTIES[name].unit
    return f"{name} ({unit})" if unit else name


def of_properties(examined: Examined) -> Iterator[Chart]:
    """Yield the histogram of each property, with that of the reference where there is one."""
    generated, reference = examined.sets.generated, examined.sets.reference
    for name in generated.names:
        values = _known(generated.measured(name))
        if not values.size:
            continue
        others = np.empty(0)
        if reference is not None and name in reference.names:
            others = _known(reference.measured(name))
        integer = PROPERTIES[name].integer
        drawn = charts.distribution(values, others, label=label(name), integer=integer)
        legend = _legend(compared=bool(others.size))
        says = f"Histogram of {name}: {' and '.join(legend.values())} molecules."
        yield Chart(drawn, says, legend)


def of_control(examined: Examined) -> Iterator[Chart]:
    """Yield the calibration of each property that was asked for, or how far off it is.

    A line through what was realized needs two requests that differ; ranges have none.
    """
    report, sets, requests = examined
    for name, wanted in requests.items():
        realized = sets.generated.measured(name)
        known = wanted.asked & ~np.isnan(realized)
        points = known & wanted.points
        if np.unique(wanted.low[points]).size > 1:
            pairs = charts.Points(wanted.low[points], realized[points])
            drawn = charts.calibration(pairs, label=label(name), seed=report.seed)
            says = f"Realized {name} against requested {name}, with the line of perfect control."
            yield Chart(
                drawn, says, {"generated": "molecules and their means", "ink": "as requested"}
            )
        elif known.any():
            drawn = charts.errors(wanted.error(realized)[known], label=label(name))
            says = f"Histogram of the distance of {name} to what was requested."
            yield Chart(drawn, says, {"generated": "molecules", "ink": "as requested"})


def of_rings(rings: Mapping[str, Mapping[str, float | None]]) -> list[Chart]:
    """Return the bars of the table `rings` of a report; none without a valid molecule."""
    shares = [name for name in SHAPES if name != "heavy_atoms"]  # which is a number of atoms
    rows = {SHAPES[name]: rings[name] for name in shares}
    if all(row["generated"] is None for row in rows.values()):
        return []
    compared = any(row.get("reference") is not None for row in rows.values())
    says = "Shares of molecules with odd rings, and the share of aromatic atoms, as bars."
    return [Chart(charts.bars(rows, compared=compared), says, _legend(compared=compared))]


def of_training(model: Mapping[str, Any] | None) -> Iterator[Chart]:
    """Yield the curves of a model's log, where it has one; see `trained_model`."""
    for name, (title, unit) in trained.CURVES.items():
        lines = trained.curve(model["log"], name) if model else {}
        if lines:
            epochs = lines.pop("epoch")
            says = f"Training curve: {title} by epoch, in training and in validation."
            legend = {"generated": f"{title}, training", "reference": "validation"}
            yield Chart(charts.curves(epochs, lines, name=title, unit=unit), says, legend)


def _legend(*, compared: bool) -> dict[str, str]:
    return {"generated": "generated"} | ({"reference": "reference"} if compared else {})


def _known(values: np.ndarray) -> np.ndarray:
    known: np.ndarray = values[~np.isnan(values)]
    return known
