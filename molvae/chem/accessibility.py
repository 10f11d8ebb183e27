"""Synthetic accessibility as RDKit has it, without looking for stereo where there is none.

RDKit's script (Ertl & Schuffenhauer 2009, https://doi.org/10.1186/1758-2946-1-8) adds up scores of
the circular fragments of a molecule and penalties for its size, rings and stereocenters. To list
these it assigns stereo to all of the molecule, which takes as long as all the rest. Here that is
done only where some atom could be one: an atom that is flat, that holds two hydrogens, or two ends
that are the same cannot. Scores of fragments and the formula are RDKit's own.
"""

import importlib.util
import math
from functools import cache, lru_cache
from pathlib import Path
from types import ModuleType

from rdkit import Chem, RDConfig
from rdkit.Chem import rdFingerprintGenerator, rdMolDescriptors

from molvae.chem.fast.environments import (
    Environments,
    environment_of,
    environments,
    kind_of,
    read_spoke,
)
from molvae.errors import UsageError

_UNKNOWN = -4.0  # score of a fragment that is in no molecule that scores were made of
_MACROCYCLE = 8  # atoms; larger rings are penalized
_LOW, _HIGH = -4.0, 2.5  # of the raw score
_REMEMBERED = 50_000
_CARBON, _NITROGEN, _PHOSPHORUS, _ARSENIC = 6, 7, 15, 33


def synthetic_accessibility(mol: Chem.Mol) -> float:
    """Score how hard a molecule is to make, 1 to 10; RDKit's sascorer.calculateScore.

    Args:
        mol: a sanitized molecule.

    Returns:
        NaN for a molecule without atoms.

    >>> round(synthetic_accessibility(Chem.MolFromSmiles("CC(=O)Oc1ccccc1C(=O)O")), 3)
    1.58
    """
    read = environments(mol)
    if read is None or not read.kinds or not Chem.GetUseLegacyStereoPerception():
        score = _scorer().calculateScore(mol)
        return math.nan if score is None else float(score)
    counts: dict[int, int] = _generator().GetSparseCountFingerprint(mol).GetNonzeroElements()
    scores, total = _scores(), 0.0
    for fragment, count in counts.items():
        total += scores.get(fragment, _UNKNOWN) * count
    raw = total / sum(counts.values()) - _penalties(mol, read)
    atoms = len(read.kinds)
    if atoms > len(counts):  # symmetric: easier
        raw += math.log(atoms / len(counts)) * 0.5
    return _scaled(raw)


def _penalties(mol: Chem.Mol, read: Environments) -> float:
    atoms = len(read.kinds)
    counts = (
        _stereocenters(mol, read),
        rdMolDescriptors.CalcNumSpiroAtoms(mol),
        rdMolDescriptors.CalcNumBridgeheadAtoms(mol),
        any(len(ring) > _MACROCYCLE for ring in read.rings),
    )
    size = float(atoms**1.005) - atoms
    return size + sum(math.log10(count + 1) for count in counts)


def _scaled(raw: float) -> float:
    """Turn a raw score into one from 1 to 10, with its upper end smoothed."""
    score = 11.0 - (raw - _LOW + 1) / (_HIGH - _LOW) * 9.0
    if score > 8.0:
        score = 8.0 + math.log(score + 1.0 - 9.0)
    return min(max(score, 1.0), 10.0)


def _stereocenters(mol: Chem.Mol, read: Environments) -> int:
    """Count stereocenters, assigned or not; RDKit's FindMolChiralCenters with includeUnassigned."""
    possible = [index for index, number in enumerate(read.found) if _may_be_center(number)]
    if not possible:
        return 0
    atoms = [mol.GetAtomWithIdx(index) for index in possible]
    for atom in atoms:
        atom.ClearProp("_ChiralityPossible")
    Chem.AssignStereochemistry(mol, cleanIt=True, force=True, flagPossibleStereoCenters=True)
    return sum(atom.HasProp("_CIPCode") or atom.HasProp("_ChiralityPossible") for atom in atoms)


@lru_cache(_REMEMBERED)
def _may_be_center(number: int) -> bool:
    """Whether RDKit may find a stereocenter; where it is not sure that it cannot, it may."""
    environment = environment_of(number)
    kind = kind_of(environment.kind)
    bonds = kind.degree + kind.hydrogens
    if kind.element not in (_PHOSPHORUS, _ARSENIC) and kind.degree < 3:
        return False
    if kind.element == _CARBON and (bonds != 4 or kind.aromatic):
        return False
    if kind.element == _NITROGEN and bonds == 3 and kind.smallest_ring != 3 and kind.rings < 2:
        return False
    ends = [spoke for spoke in environment.spokes if kind_of(read_spoke(spoke)[1]).degree == 1]
    return len(ends) == len(set(ends))


@cache
def _generator() -> rdFingerprintGenerator.FingerprintGenerator64:
    return rdFingerprintGenerator.GetMorganGenerator(radius=2)


@cache
def _scores() -> dict[int, float]:
    scorer = _scorer()
    scorer.readFragmentScores()
    scores: dict[int, float] = scorer._fscores
    return scores


@cache
def _scorer() -> ModuleType:
    """RDKit ships the score as a script beside the package."""
    path = Path(RDConfig.RDContribDir) / "SA_Score" / "sascorer.py"
    specification = importlib.util.spec_from_file_location("molvae_sascorer", path)
    if specification is None or specification.loader is None or not path.is_file():
        raise UsageError(f"this RDKit lacks the SA score ({path}). pip install rdkit")
    scorer = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(scorer)
    return scorer
