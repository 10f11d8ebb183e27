"""The molecules that a page shows, and their drawings as SVG."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from rdkit import Chem, rdBase
from rdkit.Chem.Draw import rdMolDraw2D

from molvae.chem.properties import PROPERTIES
from molvae.evaluate.control import Requests, tolerance
from molvae.evaluate.parsed import Parsed
from molvae.targets import format_range

RANDOM, WORST = 12, 12  # molecules shown
VALUES = ("MW", "LogP", "TPSA", "QED", "SA")  # properties shown with each
MAX_ATOMS = 80  # heavy atoms; a larger molecule is illegible at this size
WIDTH, HEIGHT = 220, 160  # pixels
# Color in the page's style sheet -> elements. RDKit draws it as the gray of its place, from 1.
COLORS: dict[str, tuple[int, ...]] = {
    "ink": (-1,),  # all others
    "nitrogen": (7,),
    "oxygen": (8,),
    "sulfur": (16,),
    "halogen": (9, 17, 35, 53),
}


Shown = dict[str, Any]  # a molecule on a page; see `shown`


def random_molecules(parsed: Parsed, requests: Mapping[str, Requests], *, seed: int) -> list[Shown]:
    """Choose distinct valid molecules with the seed and keep their order."""
    distinct = _first_rows(parsed)
    chosen = np.random.default_rng(seed).permutation(len(distinct))[:RANDOM]
    return [shown(parsed, requests, row) for row in np.sort(distinct[chosen])]


def worst_controlled(
    parsed: Parsed, requests: Mapping[str, Requests], scores: Mapping[str, Mapping[str, float]]
) -> list[Shown]:
    """Return the distinct molecules that miss a target by most, and more than its tolerance.

    The distance of a molecule is the largest over the properties, in the tolerances that the table
    `control` of the report has.
    """
    furthest = np.zeros(len(parsed))
    for name, wanted in requests.items():
        near = scores.get(name, {}).get("tolerance") or tolerance(name, None)
        furthest = np.fmax(furthest, np.abs(wanted.error(parsed.measured(name))) / near)
    rows = _first_rows(parsed)
    rows = rows[furthest[rows] > 1]
    rows = rows[np.argsort(-furthest[rows], kind="stable")][:WORST]
    return [shown(parsed, requests, row) for row in rows]


def _first_rows(parsed: Parsed) -> np.ndarray:
    """Return the row of each distinct valid molecule, in order."""
    first: dict[str, int] = {}
    for row in np.flatnonzero(parsed.valid):
        first.setdefault(parsed.canonical[row], int(row))
    return np.array(list(first.values()), dtype=np.intp)


def shown(parsed: Parsed, requests: Mapping[str, Requests], row: int) -> Shown:
    """Return the number of a molecule, from 1, its canonical SMILES, its requests and values."""
    met = {}
    for name, wanted in requests.items():
        value = float(parsed.measured(name)[row])
        if wanted.asked[row] and not np.isnan(value):
            asked = format_range((float(wanted.low[row]), float(wanted.high[row])))
            met[name] = {"asked": asked, "realized": _number(name, value)}
    rest = {name: float(parsed.measured(name)[row]) for name in VALUES if name not in met}
    values = {name: _number(name, value) for name, value in rest.items() if not np.isnan(value)}
    number = int(row) + 1
    return {"number": number, "smiles": parsed.canonical[row], "requests": met, "values": values}


def _number(name: str, value: float) -> float:
    return int(value) if PROPERTIES[name].integer else value


def depict(smiles: str) -> str | None:
    """Draw a molecule as an `<svg>` element; None for a molecule that is too large."""
    grays = {color: place / 255 for place, color in enumerate(COLORS, start=1)}
    with rdBase.BlockLogs():
        mol = Chem.MolFromSmiles(smiles)
        if mol is None or mol.GetNumHeavyAtoms() > MAX_ATOMS:
            return None
        drawer = rdMolDraw2D.MolDraw2DSVG(WIDTH, HEIGHT)
        options: Any = drawer.drawOptions()  # RDKit's stubs have the types of other fields
        options.clearBackground = False
        options.setAtomPalette(
            {element: (grays[color],) * 3 for color in COLORS for element in COLORS[color]}
        )
        options.setSymbolColour((grays["ink"],) * 3)
        rdMolDraw2D.PrepareAndDrawMolecule(drawer, mol)
        drawer.FinishDrawing()
        svg: str = drawer.GetDrawingText()
    svg = re.sub(r"<!--.*?-->\s*|\s*class='[^']*'", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    svg = re.sub(r"<svg[^>]*>", f'<svg viewBox="0 0 {WIDTH} {HEIGHT}">', svg.strip(), count=1)
    for place, color in enumerate(COLORS, start=1):
        svg = svg.replace(f"#{place:02X}{place:02X}{place:02X}", f"var(--{color})")
    return svg
