"""QED equal to RDKit's to the last bit, in a fraction of the time.

RDKit computes QED (Bickerton 2012, https://doi.org/10.1038/nchem.1243) on a copy without hydrogens,
which loses all computed properties; it tries 116 structural alerts one by one, and 11 patterns of
acceptors; and it counts rings in a copy from which atoms were deleted. Here the molecule is read
once (see `environments`): acceptors are kinds of atoms, rings are counted by their bonds, alerts
that cannot match are not tried (`screens`), LogP and rotatable bonds are looked up. Formulas,
patterns and parameters are RDKit's own.
"""

import math
from functools import cache, lru_cache

from rdkit import Chem
from rdkit.Chem import QED, rdMolDescriptors

from molvae.chem.fast.environments import (
    Environments,
    bond_of,
    countable,
    environment_of,
    environments,
    kind_of,
    known,
)
from molvae.chem.fast.lipophilicity import log_p
from molvae.chem.fast.rotatable import rotatable_bonds
from molvae.chem.fast.screens import Screen, asked

WEIGHTS = tuple(QED.WEIGHT_MEAN)
SHAPES = tuple(QED.adsParameters[name] for name in QED.QEDproperties._fields)
_REMEMBERED = 50_000  # environments
_DOUBLE = 2.0
_SINGLE = (1.0, 1.5)  # orders of the bonds that match where a pattern names none


def qed(mol: Chem.Mol, *parts: float) -> float:
    """Return the quantitative estimate of drug-likeness, mean weights, 0 to 1; RDKit's QED.qed.

    Args:
        mol: a sanitized molecule.
        parts: its molecular weight, LogP, donors of hydrogen bonds, TPSA and rotatable bonds, where
            these were computed before.

    Raises:
        ValueError: for a molecule whose aromatic rings cannot be written with double bonds.
    """
    read = countable(mol)
    if read is None or not read.kinds:
        return float(QED.qed(mol))  # type: ignore[no-untyped-call]
    if any(map(_may_lack_form, read.found)):
        Chem.Kekulize(Chem.Mol(mol))  # raises what RDKit would of its copy
    weight, partition, donors, surface, rotatable = parts or (
        rdMolDescriptors._CalcMolWt(mol),
        log_p(mol),
        rdMolDescriptors.CalcNumHBD(mol),
        rdMolDescriptors.CalcTPSA(mol),
        rotatable_bonds(mol),
    )
    acceptors, rings = _acceptors(mol, read), _aromatic_rings(read)
    values = (weight, partition, acceptors, donors, surface, rotatable, rings, alerts(mol))
    total = 0.0
    for value, shape, weight in zip(values, SHAPES, WEIGHTS, strict=True):
        total += weight * math.log(QED.ads(value, shape))  # type: ignore[no-untyped-call]
    return math.exp(total / sum(WEIGHTS))


def alerts(mol: Chem.Mol) -> int:
    """Count the structural alerts of QED that a molecule without hydrogens of its own contains."""
    read = environments(mol)
    patterns = QED.StructuralAlerts
    numbers = range(len(patterns)) if read is None else _screen().possible(read)
    return sum(mol.HasSubstructMatch(patterns[number]) for number in numbers)


def _acceptors(mol: Chem.Mol, read: Environments) -> int:
    """Count the matches of RDKit's patterns of acceptors, each of one atom."""
    count = 0
    unsure: set[int] = set()  # patterns that look at neighbors
    for kind in read.kinds:
        sure, possible = _acceptor(kind)
        count += sure
        unsure |= possible
    return count + sum(len(mol.GetSubstructMatches(QED.Acceptors[number])) for number in unsure)


@cache
def _acceptor(kind: int) -> tuple[int, frozenset[int]]:
    """Return how many patterns a kind of atom matches, and which it may match."""
    tests = [asked(pattern.GetAtomWithIdx(0)) for pattern in QED.Acceptors]
    found = [n for n, test in enumerate(tests) if test.may_be(known().atoms[kind])]
    unsure = frozenset(number for number in found if not tests[number].sure)
    return len(found) - len(unsure), unsure


def _aromatic_rings(read: Environments) -> int:
    """Count the rings that remain without the ring atoms that RDKit takes for aliphatic.

    Their number is bonds - atoms + parts, over the rest of the rings.
    """
    part = {index: index for index, found in enumerate(read.found) if _stays(found)}
    rings = 0
    for begin in part:
        for bond, end in read.neighbors[begin]:
            if begin < end and end in part and bond_of(bond)[1]:
                first, second = _root(part, begin), _root(part, end)
                rings += first == second  # a bond that joins no parts closes a ring
                part[first] = second
    return rings


@lru_cache(_REMEMBERED)
def _stays(number: int) -> bool:
    """Return whether an atom is in a ring and does not match RDKit's `[$([A;R][!a])]`."""
    environment = environment_of(number)
    kind = kind_of(environment.kind)
    return kind.rings > 0 and (
        kind.aromatic
        or all(
            kind_of(other).aromatic or bond_of(bond)[0] not in _SINGLE
            for bond, other in environment.spokes
        )
    )


def _root(part: dict[int, int], index: int) -> int:
    while part[index] != index:
        part[index] = index = part[part[index]]
    return index


@lru_cache(_REMEMBERED)
def _may_lack_form(number: int) -> bool:
    """Return whether an aromatic atom has a multiple bond of its own in a ring.

    Only rings with one of these can fail to be written with double bonds, once RDKit has read them.
    """
    environment = environment_of(number)
    bonds = [bond_of(bond) for bond, _ in environment.spokes]
    return kind_of(environment.kind).aromatic and any(
        cyclic and order >= _DOUBLE for order, cyclic in bonds
    )


@cache
def _screen() -> Screen:
    return Screen(QED.StructuralAlerts)
