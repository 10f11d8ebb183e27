"""What keeps a molecule out of MOSES: medicinal chemistry filters, PAINS, odd atoms, large rings.

Polykovskiy 2020, https://doi.org/10.3389/fphar.2020.565644. Patterns are matched on the molecule
with its hydrogens, as there. A pattern is tried only where a fingerprint of the molecule holds
every bit of the pattern's own, which is all but a few of the 502 and changes no result.
"""

import csv
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rdkit import Chem, DataStructs, RDConfig

from molvae.errors import UsageError

MCF_FILE = Path(__file__).with_name("mcf.csv")  # says where it is from, and its licence
PAINS_FILE = Path(RDConfig.RDDataDir) / "Pains" / "wehi_pains.csv"  # part of RDKit
ELEMENTS = frozenset({"C", "N", "S", "O", "F", "Cl", "Br", "H"})
LARGE_RING = 8  # atoms; a ring this large is not taken
_SCREEN_BITS = 2048


class Patterns(NamedTuple):
    """Named SMARTS patterns, and what a molecule must have to contain one.

    Attributes:
        names: K of them.
        queries: the patterns.
        screens: pattern fingerprints, shape (K, bits / 64) uint64.
    """

    names: tuple[str, ...]
    queries: tuple[Chem.Mol, ...]
    screens: np.ndarray


def moses_alert(mol: Chem.Mol) -> str | None:
    """Name the first thing for which MOSES leaves a molecule out; None where there is nothing.

    >>> moses_alert(Chem.MolFromSmiles("CC(=O)[O-]"))
    'charged'
    >>> moses_alert(Chem.MolFromSmiles("CC(=O)Oc1ccccc1C(=O)O")) is None
    True
    """
    if any(len(ring) >= LARGE_RING for ring in mol.GetRingInfo().AtomRings()):
        return f"ring of {LARGE_RING} atoms or more"
    for atom in mol.GetAtoms():
        if atom.GetFormalCharge():
            return "charged"
        if atom.GetSymbol() not in ELEMENTS:
            return f"holds {atom.GetSymbol()}"
    return next(_found(moses_patterns(), mol), None)


def mcf_alert(mol: Chem.Mol) -> str | None:
    """Name the first medicinal chemistry filter of MOSES that a molecule fails.

    >>> mcf_alert(Chem.MolFromSmiles("C1CO1"))
    'MCF5'
    """
    return next(_found(mcf_patterns(), mol), None)


@cache
def mcf_patterns() -> Patterns:
    """Return the 22 medicinal chemistry filters of MOSES."""
    with MCF_FILE.open(encoding="ascii", newline="") as file:
        rows = csv.DictReader(line for line in file if not line.startswith("#"))
        return _patterns((row["names"], row["smarts"]) for row in rows)


@cache
def moses_patterns() -> Patterns:
    """Return the medicinal chemistry filters and the 480 PAINS patterns (doi 10.1021/jm901137j)."""
    mcf = mcf_patterns()
    try:
        with PAINS_FILE.open(encoding="ascii", newline="") as file:
            rows = [(f"PAINS {_bare(name)}", smarts) for smarts, name in csv.reader(file)]
    except OSError as error:
        raise UsageError(f"this RDKit lacks the PAINS patterns ({PAINS_FILE}).") from error
    pains = _patterns(rows)
    return Patterns(
        mcf.names + pains.names,
        mcf.queries + pains.queries,
        np.concatenate([mcf.screens, pains.screens]),
    )


def _bare(name: str) -> str:
    """Return `anil_di_alk_F(14)` of `<regId=anil_di_alk_F(14)>`."""
    return name.removeprefix("<regId=").removesuffix(">")


def _patterns(rows: Iterable[tuple[str, str]]) -> Patterns:
    names, smarts = zip(*rows, strict=True)
    queries = tuple(map(Chem.MolFromSmarts, smarts))
    screens = np.stack([_fingerprint(_without_hydrogens(query)) for query in queries])
    return Patterns(names, queries, screens)


def _found(patterns: Patterns, mol: Chem.Mol) -> Iterator[str]:
    """Yield the names of the patterns that a molecule contains."""
    missing = (patterns.screens & ~_fingerprint(mol)).any(axis=1)
    possible = np.flatnonzero(~missing)
    whole = Chem.AddHs(mol) if possible.size else mol
    for number in possible:
        if whole.HasSubstructMatch(patterns.queries[number]):
            yield patterns.names[number]


def _fingerprint(mol: Chem.Mol) -> np.ndarray:
    bits = DataStructs.BitVectToBinaryText(Chem.PatternFingerprint(mol, fpSize=_SCREEN_BITS))
    return np.frombuffer(bits, dtype=np.uint64)


def _without_hydrogens(query: Chem.Mol) -> Chem.Mol:
    """Return the part of a pattern that is found among heavy atoms.

    The fingerprint is taken of the molecule without its hydrogens, which is twice as fast.
    """
    part = Chem.RWMol(query)
    for atom in reversed(list(query.GetAtoms())):
        if atom.GetAtomicNum() == 1:
            part.RemoveAtom(atom.GetIdx())
    return part.GetMol()
