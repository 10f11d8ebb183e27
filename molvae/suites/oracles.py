"""The goals of GuacaMol and of PMO that RDKit alone can compute, as objectives.

Brown 2019, https://doi.org/10.1021/acs.jcim.8b00839, as in guacamol 0.5.5 (suite version 2), and
Gao 2022, https://arxiv.org/abs/2206.12411, as in PyTDC 1.1.15: where both have a goal they mean the
same. benchmarks/oracles compares each of them with those packages.
"""

import re
from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any

import numpy as np
from rdkit import Chem, DataStructs
from rdkit.Chem import rdFingerprintGenerator, rdMolDescriptors
from rdkit.Chem.GraphDescriptors import BertzCT
from rdkit.Chem.Pharm2D import Generate, Gobbi_Pharm2D

from molvae.chem.properties import PROPERTIES, measure
from molvae.errors import UsageError, did_you_mean
from molvae.optimize.objective import Objective

VERSION = "guacamol 0.5.5 (v2), PyTDC 1.1.15"
Part = Callable[[Chem.Mol], float]  # of one molecule, 0 to 1 or a descriptor's value
Shape = Callable[[float], float]  # a value -> 0 to 1

_FEATURES = rdFingerprintGenerator.GetMorganFeatureAtomInvGen()
_MORGAN = {
    "ECFP4": rdFingerprintGenerator.GetMorganGenerator(radius=2),
    "ECFP6": rdFingerprintGenerator.GetMorganGenerator(radius=3),
    "FCFP4": rdFingerprintGenerator.GetMorganGenerator(radius=2, atomInvariantsGenerator=_FEATURES),
    "AP": rdFingerprintGenerator.GetAtomPairGenerator(maxDistance=10),
}


def gaussian(mu: float, sigma: float) -> Shape:
    """Return a Gaussian with a peak of 1."""
    return lambda x: float(np.exp(-0.5 * ((x - mu) / sigma) ** 2))


def at_most(mu: float, sigma: float) -> Shape:
    """Return a Gaussian that is 1 below `mu`."""
    bell = gaussian(mu, sigma)
    return lambda x: bell(max(x, mu))


def at_least(mu: float, sigma: float) -> Shape:
    """Return a Gaussian that is 1 above `mu`."""
    bell = gaussian(mu, sigma)
    return lambda x: bell(min(x, mu))


def clipped(upper: float) -> Shape:
    """Return a line from 0 to 1 at `upper`, and 1 above."""
    return lambda x: min(x / upper, 1.0)


def shaped(part: Part, shape: Shape) -> Part:
    """Return a descriptor or similarity as a number from 0 to 1."""
    return lambda mol: shape(part(mol))


def mean(*parts: Part) -> Part:
    """Return the arithmetic mean of parts."""
    return lambda mol: float(np.mean([part(mol) for part in parts]))


def product(*parts: Part) -> Part:
    """Return the geometric mean of parts."""
    return lambda mol: float(np.prod([part(mol) for part in parts]) ** (1.0 / len(parts)))


def similar(name: str, kind: str, shape: Shape = float) -> Part:
    """Return the Tanimoto similarity of counts to one of `TARGETS`, by a kind of fingerprint."""
    target = _print(Chem.MolFromSmiles(TARGETS[name]), kind)
    return lambda mol: shape(float(DataStructs.TanimotoSimilarity(target, _print(mol, kind))))


def matches(pattern: str, *, wanted: bool = True) -> Part:
    """Return 1 where a SMARTS pattern is there, or with `wanted` false where it is not."""
    query = Chem.MolFromSmarts(pattern)
    return lambda mol: float(mol.HasSubstructMatch(query) == wanted)


def isomer(formula: str) -> Part:
    """Return how near a molecule is to a formula: each element, and all atoms together."""
    counts = {
        element: int(number or 1) for element, number in re.findall(r"([A-Z][a-z]*)(\d*)", formula)
    }

    def score(mol: Chem.Mol) -> float:
        symbols = [atom.GetSymbol() for atom in Chem.AddHs(mol).GetAtoms()]
        found = [gaussian(n, 1.0)(symbols.count(element)) for element, n in counts.items()]
        total = gaussian(sum(counts.values()), 2.0)(len(symbols))
        return float(np.prod([*found, total]) ** (1.0 / (len(found) + 1)))

    return score


def _print(mol: Chem.Mol, kind: str) -> Any:
    if kind == "PHCO":
        return Generate.Gen2DFingerprint(mol, Gobbi_Pharm2D.factory)  # type: ignore[no-untyped-call]
    return _MORGAN[kind].GetSparseCountFingerprint(mol)


def _qed(mol: Chem.Mol) -> float:
    return float(measure(mol, ["QED"])[0])


def _fluorines(mol: Chem.Mol) -> float:
    return float(sum(atom.GetSymbol() == "F" for atom in mol.GetAtoms()))


_log_p: Part = PROPERTIES["LogP"].function
_tpsa: Part = rdMolDescriptors.CalcTPSA
_bertz: Part = BertzCT
_aromatic: Part = rdMolDescriptors.CalcNumAromaticRings
_rings: Part = rdMolDescriptors.CalcNumRings

# The molecules that goals seek, are near to or take properties from.
TARGETS = {
    "albuterol": "CC(C)(C)NCC(O)c1ccc(O)c(CO)c1",
    "amlodipine": r"Clc1ccccc1C2C(=C(/N/C(=C2/C(=O)OCC)COCCN)C)\C(=O)OC",
    "aripiprazole": "Clc4cccc(N3CCN(CCCCOc2ccc1c(NC(=O)CC1)c2)CC3)c4Cl",
    "camphor": "CC1(C)C2CCC1(C)C(=O)C2",
    "celecoxib": "CC1=CC=C(C=C1)C1=CC(=NN1C1=CC=C(C=C1)S(N)(=O)=O)C(F)(F)F",
    "fexofenadine": "CC(C)(C(=O)O)c1ccc(cc1)C(O)CCCN2CCC(CC2)C(O)(c3ccccc3)c4ccccc4",
    "hop": "CCCOc1cc2ncnc(Nc3ccc4ncsc4c3)c2cc1S(=O)(=O)C(C)(C)C",
    "menthol": "CC(C)C1CCC(C)CC1O",
    "mestranol": "COc1ccc2[C@H]3CC[C@@]4(C)[C@@H](CC[C@@]4(O)C#C)[C@@H]3CCc2c1",
    "osimertinib": "COc1cc(N(C)CCN(C)C)c(NC(=O)C=C)cc1Nc2nccc(n2)c3cn(C)c4ccccc34",
    "perindopril": "O=C(OCC)C(NC(C(=O)N1C(C(=O)O)CC2CCCCC12)C)CCC",
    "ranolazine": "COc1ccccc1OCC(O)CN2CCN(CC(=O)Nc3c(C)cccc3C)CC2",
    "sildenafil": "CCCC1=NN(C2=C1N=C(NC2=O)C3=C(C=CC(=C3)S(=O)(=O)N4CCN(CC4)C)OCC)C",
    "sitagliptin": "Fc1cc(c(F)cc1F)CC(N)CC(=O)N3Cc2nnc(n2CC3)C(F)(F)F",
    "tadalafil": "O=C1N(CC(N2C1CC3=C(C2C4=CC5=C(OCO5)C=C4)NC6=C3C=CC=C6)=O)C",
    "thiothixene": "CN(C)S(=O)(=O)c1ccc2Sc3ccccc3C(=CCCN4CCN(C)CC4)c2c1",
    "troglitazone": "Cc1c(C)c2OC(C)(COc3ccc(CC4SC(=O)NC4=O)cc3)CCc2c(C)c1O",
    "zaleplon": "O=C(C)N(CC)C1=CC=CC(C2=CC=NC3=C(C=NN23)C#N)=C1",
}
_SCAFFOLD = "[#7]-c1n[c;h1]nc2[c;h1]c(-[#8])[c;h0][c;h1]c12"


def _like(part: Part, name: str, sigma: float) -> Part:
    """Return how near a descriptor is to that of one of `TARGETS`."""
    return shaped(part, gaussian(part(Chem.MolFromSmiles(TARGETS[name])), sigma))


def _osimertinib() -> Part:
    return product(
        similar("osimertinib", "FCFP4", clipped(0.8)),
        similar("osimertinib", "ECFP6", at_most(0.85, 0.1)),
        shaped(_tpsa, at_least(100, 10)),
        shaped(_log_p, at_most(1, 1)),
    )


def _fexofenadine() -> Part:
    return product(
        similar("fexofenadine", "AP", clipped(0.8)),
        shaped(_tpsa, at_least(90, 10)),
        shaped(_log_p, at_most(4, 1)),
    )


def _ranolazine() -> Part:
    return product(
        similar("ranolazine", "AP", clipped(0.7)),
        shaped(_log_p, at_least(7, 1)),
        shaped(_tpsa, at_least(95, 20)),
        shaped(_fluorines, gaussian(1, 1)),
    )


def _perindopril() -> Part:
    return product(similar("perindopril", "ECFP4"), shaped(_aromatic, gaussian(2, 0.5)))


def _amlodipine() -> Part:
    return product(similar("amlodipine", "ECFP4"), shaped(_rings, gaussian(3, 0.5)))


def _sitagliptin() -> Part:
    return product(
        similar("sitagliptin", "ECFP4", gaussian(0, 0.1)),
        _like(_log_p, "sitagliptin", 0.2),
        _like(_tpsa, "sitagliptin", 5),
        isomer("C16H15F6N5O"),
    )


def _zaleplon() -> Part:
    return product(similar("zaleplon", "ECFP4"), isomer("C19H17N3O2"))


def _valsartan() -> Part:
    return product(
        matches("CN(C=O)Cc1ccc(c2ccccc2)cc1"),
        _like(_log_p, "sitagliptin", 0.2),
        _like(_tpsa, "sitagliptin", 5),
        _like(_bertz, "sitagliptin", 30),
    )


def _deco_hop() -> Part:
    return mean(
        similar("hop", "PHCO", clipped(0.85)),
        matches("CS([#6])(=O)=O", wanted=False),
        matches("[#7]-c1ccc2ncsc2c1", wanted=False),
        matches(_SCAFFOLD),
    )


def _scaffold_hop() -> Part:
    kept = "[#6]-[#6]-[#6]-[#8]-[#6]~[#6]~[#6]~[#6]~[#6]-[#7]-c1ccc2ncsc2c1"
    return mean(
        similar("hop", "PHCO", clipped(0.75)), matches(kept), matches(_SCAFFOLD, wanted=False)
    )


def _medians(first: str, second: str, kind: str) -> Part:
    return product(similar(first, kind), similar(second, kind))


_MAKERS: dict[str, Callable[[], Part]] = {
    "albuterol_similarity": partial(similar, "albuterol", "FCFP4", clipped(0.75)),
    "amlodipine_mpo": _amlodipine,
    "aripiprazole_similarity": partial(similar, "aripiprazole", "ECFP4", clipped(0.75)),
    "celecoxib_rediscovery": partial(similar, "celecoxib", "ECFP4"),
    "deco_hop": _deco_hop,
    "fexofenadine_mpo": _fexofenadine,
    "isomers_c11h24": partial(isomer, "C11H24"),
    "isomers_c7h8n2o2": partial(isomer, "C7H8N2O2"),
    "isomers_c9h10n2o2pf2cl": partial(isomer, "C9H10N2O2PF2Cl"),
    "median1": partial(_medians, "menthol", "camphor", "ECFP4"),
    "median2": partial(_medians, "tadalafil", "sildenafil", "ECFP6"),
    "mestranol_similarity": partial(similar, "mestranol", "AP", clipped(0.75)),
    "osimertinib_mpo": _osimertinib,
    "perindopril_mpo": _perindopril,
    "qed": lambda: _qed,
    "ranolazine_mpo": _ranolazine,
    "scaffold_hop": _scaffold_hop,
    "sitagliptin_mpo": _sitagliptin,
    "thiothixene_rediscovery": partial(similar, "thiothixene", "ECFP4"),
    "troglitazone_rediscovery": partial(similar, "troglitazone", "ECFP4"),
    "valsartan_smarts": _valsartan,
    "zaleplon_mpo": _zaleplon,
}

# The goals of each suite; PMO has three more, of activities, that need models to be downloaded.
PMO = tuple(name for name in _MAKERS if name not in ("aripiprazole_similarity", "isomers_c11h24"))
GUACAMOL = tuple(name for name in _MAKERS if name not in ("isomers_c7h8n2o2", "qed"))
# Of PMO: PyTDC repaired the other four in 2022-08, after the published figures.
REPAIRED = ("isomers_c7h8n2o2", "isomers_c9h10n2o2pf2cl", "sitagliptin_mpo", "zaleplon_mpo")
COMPARABLE = tuple(name for name in PMO if name not in REPAIRED)


def oracle(name: str) -> Objective:
    """Return a goal as an objective; a string that is no molecule has the score 0, as there.

    Raises:
        UsageError: for an unknown name.
    """
    if name not in _MAKERS:
        hint = did_you_mean(name, _MAKERS) or f" Known: {', '.join(_MAKERS)}."
        raise UsageError(f"unknown goal '{name:.80}'{hint}")
    part = _part(name)

    def objective(smiles: Sequence[str]) -> np.ndarray:
        mols = map(Chem.MolFromSmiles, smiles)
        return np.array([0.0 if mol is None else part(mol) for mol in mols], dtype=float)

    objective.__name__ = name
    return objective


@cache
def _part(name: str) -> Part:
    return _MAKERS[name]()
