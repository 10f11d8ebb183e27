"""Generated molecules as a pandas table."""

from collections.abc import Iterable

import pandas as pd
from rdkit import Chem

from molvae.generation.results import Generated, columns_of


def to_frame(molecules: Iterable[Generated]) -> pd.DataFrame:
    """Return molecules as a table, one a row, with the columns of `Generated.row`.

    A column `target_NAME` holds numbers when all of its requests are points, else text such as
    `0.8..0.95` or a class. The last column, `mol`, holds RDKit molecules; with
    `rdkit.Chem.PandasTools.RenderImagesInAllDataFrames()` a notebook draws them.

    Args:
        molecules: from `MoleculeGenerator.generate`.
    """
    molecules = list(molecules)
    rows = [molecule.row() for molecule in molecules]
    frame = pd.DataFrame(rows, columns=columns_of(rows))
    asked = [item for molecule in molecules for item in molecule.targets.items()]
    text = {name for name, wanted in asked if isinstance(wanted, str) or wanted[0] != wanted[1]}
    for name in dict(asked).keys() - text:
        frame[f"target_{name}"] = frame[f"target_{name}"].astype(float)
    frame["mol"] = [Chem.MolFromSmiles(row["SMILES"]) for row in rows]
    return frame
