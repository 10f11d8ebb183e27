"""Pictures of molecules with their values, for notebooks."""

from collections.abc import Mapping, Sequence
from html import escape

from rdkit import Chem
from rdkit.Chem.Draw import rdMolDraw2D

SHOWN = 12  # molecules
COLUMNS = 4
SIZE = (220, 180)  # of a picture, pixels
LEGEND = {"legendFraction": 0.13, "legendFontSize": 15}
VALUES = 3  # of a molecule's properties, where nothing was asked


def legend(row: Mapping[str, object], properties: Sequence[str]) -> str:
    """Return the values below a picture: similarity, then what was asked, or else some properties.

    Args:
        row: a molecule as a row of a table.
        properties: names of the columns with its properties, measured or predicted.
    """
    near = [f"similarity {row['tanimoto']:.2f}"] if "tanimoto" in row else []
    asked = [name for name in properties if f"target_{name.removeprefix('predicted_')}" in row]
    shown = asked or list(properties)[: VALUES - len(near)]
    return ", ".join([*near, *(f"{name} {_short(row[name])}" for name in shown)])


def grid(smiles: Sequence[str], legends: Sequence[str], more: str) -> str:
    """Return the first molecules as a grid of pictures with their legends, in HTML.

    Args:
        smiles: the molecules.
        legends: of each.
        more: a line of text below.
    """
    mols = [Chem.MolFromSmiles(text) for text in smiles[:SHOWN]]
    if not mols:
        return f"<p>{escape(more)}</p>"
    columns = min(COLUMNS, len(mols))
    size = SIZE[0] * columns, SIZE[1] * -(-len(mols) // columns)
    drawer = rdMolDraw2D.MolDraw2DSVG(*size, *SIZE)
    for name, value in LEGEND.items():
        setattr(drawer.drawOptions(), name, value)  # RDKit's type stubs are wrong here
    drawer.DrawMolecules(mols, legends=list(legends[:SHOWN]))
    drawer.FinishDrawing()
    svg = drawer.GetDrawingText()
    return f"{svg[svg.index('<svg') :]}<p>{escape(more)}</p>"


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
