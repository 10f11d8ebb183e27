"""Molecules to look at: which ones, and their drawings as SVG."""

import re
from typing import Any, NamedTuple

import numpy as np
from rdkit import Chem, rdBase
from rdkit.Chem.Draw import rdMolDraw2D

from molvae.chem.properties import PROPERTIES
from molvae.evaluate import control
from molvae.evaluate.parsed import Parsed
from molvae.targets import format_range

RANDOM, WORST = 24, 12  # molecules shown
MAX_ATOMS = 80  # heavy ones; of a larger molecule nothing can be made out at this size
SIZE = (220, 160)  # pixels
# Element -> what its color means in the page's style sheet; all others are ink.
ELEMENTS = {7: "nitrogen", 8: "oxygen", 16: "sulfur"} | dict.fromkeys((9, 17, 35, 53), "halogen")
# Stand-ins that RDKit draws with and that become variables of the style sheet: 8-bit grays.
GRAYS = {"ink": 1, "nitrogen": 2, "oxygen": 3, "sulfur": 4, "halogen": 5}


class Shown(NamedTuple):
    """A molecule on a page.

    Attributes:
        number: its place among the N molecules, from 1.
        smiles: canonical.
        requests: property -> `asked`, as a request is written, and `realized`.
    """

    number: int
    smiles: str
    requests: dict[str, dict[str, Any]]


def random_molecules(parsed: Parsed, *, seed: int) -> list[Shown]:
    """Draw distinct valid molecules with the seed, in the order in which they were generated."""
    distinct = _first_rows(parsed)
    chosen = np.random.default_rng(seed).permutation(len(distinct))[:RANDOM]
    rows = np.sort(distinct[chosen])
    return [Shown(int(row) + 1, parsed.canonical[row], {}) for row in rows]


def worst_controlled(
    parsed: Parsed, requests: dict[str, control.Requests], scores: dict[str, dict[str, float]]
) -> list[Shown]:
    """Return the distinct molecules that are furthest from what was asked of them.

    Args:
        parsed: the molecules.
        requests: property -> what was asked of each.
        scores: the table `control` of the report, whose tolerances make properties comparable.

    Returns:
        Those that miss something by more than the tolerance, the furthest first; the distance is
        the largest over the properties, in tolerances.
    """
    furthest = np.zeros(len(parsed))
    for name, wanted in requests.items():
        near = scores.get(name, {}).get("tolerance") or control.tolerance(name, None)
        distance = np.abs(wanted.error(parsed.measured(name))) / near
        furthest = np.fmax(furthest, distance)
    rows = _first_rows(parsed)
    rows = rows[furthest[rows] > 1]
    rows = rows[np.argsort(-furthest[rows], kind="stable")][:WORST]
    return [_with_requests(parsed, requests, int(row)) for row in rows]


def _first_rows(parsed: Parsed) -> np.ndarray:
    """Return the row of each distinct valid molecule, in order."""
    first: dict[str, int] = {}
    for row in np.flatnonzero(parsed.valid):
        first.setdefault(parsed.canonical[row], int(row))
    return np.array(list(first.values()), dtype=np.intp)


def _with_requests(parsed: Parsed, requests: dict[str, control.Requests], row: int) -> Shown:
    asked = {
        name: {
            "asked": format_range((float(wanted.low[row]), float(wanted.high[row]))),
            "realized": _number(name, float(parsed.measured(name)[row])),
        }
        for name, wanted in requests.items()
        if wanted.asked[row] and not np.isnan(parsed.measured(name)[row])
    }
    return Shown(row + 1, parsed.canonical[row], asked)


def _number(name: str, value: float) -> float:
    return int(value) if PROPERTIES[name].integer else value


def depict(smiles: str) -> str | None:
    """Draw a molecule as an `<svg>` element; None where it is too large to be made out."""
    with rdBase.BlockLogs():
        mol = Chem.MolFromSmiles(smiles)
        if mol is None or mol.GetNumHeavyAtoms() > MAX_ATOMS:
            return None
        drawer = rdMolDraw2D.MolDraw2DSVG(*SIZE)
        options: Any = drawer.drawOptions()  # RDKit's stubs have the types of other fields
        options.clearBackground = False
        grays = {element: GRAYS[meaning] / 255 for element, meaning in ELEMENTS.items()}
        grays[-1] = GRAYS["ink"] / 255  # of every other element
        options.setAtomPalette({element: (gray, gray, gray) for element, gray in grays.items()})
        options.setSymbolColour((grays[-1],) * 3)
        rdMolDraw2D.PrepareAndDrawMolecule(drawer, mol)
        drawer.FinishDrawing()
        svg: str = drawer.GetDrawingText()
    return _inline(svg)


def _inline(svg: str) -> str:
    """Return the `<svg>` element of a file without what a page has no use for."""
    svg = svg[svg.index("<svg") :].strip()
    svg = re.sub(r"<!--.*?-->\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<svg[^>]*>", f'<svg viewBox="0 0 {SIZE[0]} {SIZE[1]}">', svg, count=1)
    svg = re.sub(r"\s*class='[^']*'", "", svg)
    for meaning, gray in GRAYS.items():
        svg = svg.replace(f"#{gray:02X}{gray:02X}{gray:02X}", f"var(--{meaning})")
    return svg
