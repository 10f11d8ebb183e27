"""A map of a latent space: codes on their two principal components, colored by a property.

matplotlib comes with the extra `report` and is loaded when a picture is drawn.
"""

import io
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np

from molvae.errors import InputError, UsageError, printable

FORMATS = ("png", "svg")
SIZE = (7.0, 5.5)  # inches
DPI = 150  # of a PNG, and of the dots of an SVG with many
MANY = 5000  # dots: more are one image within the SVG, which a browser could not hold otherwise
AREA = 40_000.0  # points^2 that all dots together cover, as far as each stays within `DOT`
DOT = (3.0, 24.0)  # points^2
OUTER = 0.01  # share of the values at either end that share the end colors
PLAIN, UNKNOWN = "#2f6db5", "#b8b8b8"  # of dots without any values, and of missing values
STYLE: dict[str, Any] = {
    "svg.fonttype": "none",  # text stays text: it can be searched and copied
    "text.parse_math": False,  # a column may be named with dollar signs
    "svg.hashsalt": "molvae",  # the same codes, the same bytes
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial"],
    "font.size": 10,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.6,
}


class Projection(NamedTuple):
    """Codes projected on their two principal components."""

    coordinates: np.ndarray  # in latent units, shape (N, 2)
    shares: tuple[float, float]  # of the codes' variance, 0 to 1


def project(codes: np.ndarray) -> Projection:
    """Return codes (N, Z) on their principal components, by singular value decomposition.

    Raises:
        InputError: for fewer than 3 codes, or codes that are all the same.
    """
    if len(codes) < 3:
        raise InputError(f"a map of {len(codes)} molecules: at least 3 are needed.")
    centered = codes.astype(np.float64) - codes.mean(axis=0, dtype=np.float64)
    left, sizes, right = np.linalg.svd(centered, full_matrices=False)
    total = float(np.square(sizes).sum())
    if not total > 0.0:
        raise InputError("a map of molecules that all have the same code: they cannot be mapped.")
    # The sign of a component is arbitrary: its largest part points up, on any machine.
    signs = np.sign(right[np.arange(len(right)), np.abs(right).argmax(axis=1)])
    coordinates = (left * sizes * signs)[:, :2]
    shares = np.square(sizes)[:2] / total
    if coordinates.shape[1] < 2:  # of a latent space with one dimension
        coordinates, shares = np.pad(coordinates, ((0, 0), (0, 1))), np.pad(shares, (0, 1))
    return Projection(coordinates, (float(shares[0]), float(shares[1])))


def check_extra() -> None:
    """Check that a picture can be drawn, before the work.

    Raises:
        UsageError: naming the extra that is missing.
    """
    if find_spec("matplotlib") is None:
        raise UsageError("a picture needs an extra: pip install 'molvae[report]'")


def draw(
    projection: Projection,
    values: Sequence[float] | None = None,
    *,
    label: str = "",
    title: str,
    format: str,
) -> bytes:
    """Draw N codes as dots, colored by N values whose name and unit is `label`.

    The outermost 1 % of the values have the end colors, missing ones (NaN) are grey. The format
    is one of `FORMATS`.

    Raises:
        InputError: if no code has a value.
    """
    from matplotlib import colormaps, style
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure

    first, second = projection.coordinates.T
    colors: dict[str, Any] = {"c": PLAIN}
    if values is not None:
        known = np.array(values)[np.isfinite(values)]
        if not known.size:
            raise InputError(f"{label}: no molecule of the map has a value to be colored by.")
        norm = Normalize(*np.quantile(known, [OUTER, 1 - OUTER]))
        palette = colormaps["viridis"].with_extremes(bad=UNKNOWN)
        colors = {"c": values, "cmap": palette, "norm": norm, "plotnonfinite": True}
    content = io.BytesIO()
    with style.context(["default", STYLE]):
        figure = Figure(figsize=SIZE, layout="constrained")
        axes = figure.subplots()
        dots = axes.scatter(
            first,
            second,
            s=float(np.clip(AREA / len(first), *DOT)),
            alpha=0.8,
            linewidths=0,
            rasterized=len(first) > MANY,
            **colors,
        )
        for axis, name, share in zip("xy", ("1", "2"), projection.shares, strict=True):
            axes.set(**{f"{axis}label": f"principal component {name} ({share:.1%} of variance)"})
        axes.set_title(printable(title), fontsize=10)
        axes.set_aspect("equal", adjustable="datalim")  # distances are the same in all directions
        if values is not None:
            # Of colors alone: the dots' transparency has no place in the key to them.
            key = ScalarMappable(dots.norm, dots.cmap)
            figure.colorbar(key, ax=axes, label=printable(label), extend="both")
        unsaid = {"png": ("Software",), "svg": ("Creator", "Date", "Format", "Type")}[format]
        figure.savefig(content, format=format, dpi=DPI, metadata=dict.fromkeys(unsaid))
    return content.getvalue()
