"""The nine descriptors and the similarities that GuacaMol compares.

Brown 2019, https://doi.org/10.1021/acs.jcim.8b00839.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from rdkit import Chem, rdBase
from rdkit.Chem import GraphDescriptors, rdMolDescriptors

from molvae.chem.neighbors import nearest
from molvae.chem.properties import PROPERTIES
from molvae.chem.similarity import fingerprints
from molvae.chem.smiles import parse
from molvae.errors import Rejected
from molvae.evaluate.work import HERE, Work
from molvae.parallel.workers import Lost

BITS = 4096  # of a Morgan fingerprint of radius 2 (ECFP4)
_FAILURES = (RuntimeError, ValueError, ArithmeticError)  # of RDKit's calculators

CONTINUOUS: Mapping[str, Callable[[Chem.Mol], float]] = {
    "BertzCT": GraphDescriptors.BertzCT,
    "MolLogP": PROPERTIES["LogP"].function,
    "MolWt": PROPERTIES["MW"].function,
    "TPSA": PROPERTIES["TPSA"].function,
}
DISCRETE: Mapping[str, Callable[[Chem.Mol], float]] = {
    "NumHAcceptors": PROPERTIES["HBA"].function,
    "NumHDonors": PROPERTIES["HBD"].function,
    "NumRotatableBonds": PROPERTIES["RotB"].function,
    "NumAliphaticRings": rdMolDescriptors.CalcNumAliphaticRings,
    "NumAromaticRings": PROPERTIES["AromaticRings"].function,
}
DESCRIPTORS = (*CONTINUOUS, *DISCRETE)


class Described(NamedTuple):
    """Descriptors and similarities of a set of distinct molecules."""

    descriptors: np.ndarray  # as `DESCRIPTORS` lists them, shape (N, 9)
    similarity: np.ndarray  # largest Tanimoto similarity to another molecule, shape (N,)


def describe(
    smiles: Sequence[str], work: Work = HERE, *, stage: str = "Describing the molecules"
) -> Described:
    """Compute descriptors and similarities of N distinct canonical SMILES."""
    values: list[tuple[float, ...]] = []
    packed = bytearray()
    for row in work.apply(stage, _describe_all, smiles):
        if row is not None and not isinstance(row, Lost):
            values.append(row[0])
            packed += row[1]
    prints = np.frombuffer(packed, np.uint8).reshape(len(values), BITS // 8)
    alone = np.zeros(len(values), dtype=np.float32)  # a single molecule has no other
    similarity = nearest(prints, prints, others=True)[0] if len(values) > 1 else alone
    return Described(np.array(values).reshape(len(values), len(DESCRIPTORS)), similarity)


def _describe_all(smiles: list[str]) -> list[tuple[tuple[float, ...], bytes] | None]:
    return [_describe(text) for text in smiles]


def _describe(smiles: str) -> tuple[tuple[float, ...], bytes] | None:
    try:
        mol = parse(smiles)
    except Rejected:
        return None
    with rdBase.BlockLogs():
        functions = (*CONTINUOUS.values(), *DISCRETE.values())
        values = tuple(_value(function, mol) for function in functions)
    return values, fingerprints([mol], bits=BITS)[0].tobytes()


def _value(function: Callable[[Chem.Mol], float], mol: Chem.Mol) -> float:
    """Return a descriptor, 0 if it is not a number, as in GuacaMol."""
    try:
        value = float(function(mol))
    except _FAILURES:
        return 0.0
    return value if math.isfinite(value) else 0.0
