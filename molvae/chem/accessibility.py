"""Synthetic accessibility, RDKit's own: its script is no module of the package."""

import importlib.util
import math
from functools import cache
from pathlib import Path
from types import ModuleType

from rdkit import Chem, RDConfig

from molvae.errors import UsageError


def synthetic_accessibility(mol: Chem.Mol) -> float:
    """Return how hard a molecule is to make, 1 to 10; RDKit's sascorer.calculateScore.

    Ertl & Schuffenhauer 2009, https://doi.org/10.1186/1758-2946-1-8.

    Args:
        mol: a sanitized molecule.

    Returns:
        NaN for a molecule without atoms.

    >>> round(synthetic_accessibility(Chem.MolFromSmiles("CC(=O)Oc1ccccc1C(=O)O")), 3)
    1.58
    """
    score = _scorer().calculateScore(mol)
    return math.nan if score is None else float(score)


@cache
def _scorer() -> ModuleType:
    """Load the script that RDKit ships beside the package."""
    path = Path(RDConfig.RDContribDir) / "SA_Score" / "sascorer.py"
    specification = importlib.util.spec_from_file_location("molvae_sascorer", path)
    if specification is None or specification.loader is None or not path.is_file():
        raise UsageError(f"this RDKit lacks the SA score ({path}). pip install rdkit")
    scorer = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(scorer)
    return scorer
