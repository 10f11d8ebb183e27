"""The atoms of a molecule and their neighbors as numbers, computed once for all functions.

RDKit's objects return one property of one atom at a time. Here a molecule is read in one pass: the
kind of each atom (element, charge, hydrogens, rings ...), and with the kinds of its neighbors and
the bonds to them its environment. Equal numbers mean equal atoms, in any molecule, so results for
an environment are remembered: ten thousand molecules have some ten thousand of them. `screens`
rules out patterns with them.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
from rdkit import Chem

_KINDS = 2**20  # more than there can be
_SPOKES = 2**32  # more than a bond and a neighbor packed into one number
_MAX_KNOWN = 300_000  # environments, a few hundred bytes each
_MAX_RINGS = 62  # that fit into the bits of a number
_MAX_MATCHES = 1000  # at which RDKit stops looking for more
_KEPT = "_molvaeEnvironments"  # sanitizing a changed molecule clears its computed properties


class Kind(NamedTuple):
    """The properties of one atom by itself that RDKit's queries use."""

    element: int  # atomic number
    aromatic: bool
    charge: int
    hydrogens: int  # all implicit
    degree: int  # bonds to other heavy atoms
    valence: int
    isotope: int  # mass number, 0 where none is given
    rings: int  # smallest rings that it belongs to
    smallest_ring: int  # atoms in the smallest of them, 0 without rings


class Environment(NamedTuple):
    """An atom and what is bonded to it."""

    kind: int
    spokes: tuple[tuple[int, int], ...]  # (kind of the bond, kind of the neighbor), sorted


class Known(NamedTuple):
    """The kinds of atoms and bonds met so far, numbered in order."""

    kinds: dict[tuple[int, ...], int]  # properties of an atom -> its number
    atoms: list[Chem.Atom]  # one of each kind
    bonds: dict[int, Chem.Bond]  # number of each kind of bond -> a bond of that kind
    numbers: dict[tuple[int, tuple[int, ...]], int]  # kind and packed spokes -> its number
    environments: list[Environment]


class Environments(NamedTuple):
    """A molecule of N atoms in numbers; the lists have N entries."""

    kinds: list[int]  # number of each atom's kind
    found: list[int]  # number of each atom's environment
    neighbors: list[list[tuple[int, int]]]  # (number of the bond's kind, other atom)
    rings: tuple[tuple[int, ...], ...]  # atoms of each ring


class _Last:
    """The molecule that was read last: several properties are computed in a row."""

    kept: tuple[Chem.Mol, Environments | None] | None = None


@cache
def known() -> Known:
    """Return the kinds seen by this process so far."""
    return Known({}, [], {}, {}, [])


@cache
def kind_of(number: int) -> Kind:
    """Return the kind of a number in `Environments.kinds`."""
    element, aromatic, *counts = list(known().kinds)[number]
    return Kind(element, bool(aromatic), *counts)


@cache
def bond_of(number: int) -> tuple[float, bool]:
    """Return the order of a kind of bond, and whether it is in a ring."""
    return number // 2 / 2, number % 2 == 1


def environment_of(number: int) -> Environment:
    """Return the environment of a number in `Environments.found`."""
    return known().environments[number]


def environments(mol: Chem.Mol) -> Environments | None:
    """Read a molecule.

    Args:
        mol: a sanitized molecule. It keeps the result until its computed properties are cleared,
            as with RDKit's own.

    Returns:
        None for a molecule with hydrogens as atoms or with bonds that have no order (dative, zero),
        or of more than 62 rings, and for one with a new environment when too many are known:
        use RDKit for these.
    """
    last = _Last.kept
    if last is not None and last[0] is mol and mol.HasProp(_KEPT):
        return last[1]
    found = _read(mol)
    mol.SetBoolProp(_KEPT, True, computed=True)
    _Last.kept = (mol, found)
    return found


def countable(mol: Chem.Mol) -> Environments | None:
    """Read a molecule in which RDKit counts the matches of a pattern to the end.

    Returns:
        None for a larger one too, whose count is where RDKit stops; see `environments`.
    """
    read = environments(mol)
    return None if read is None or len(read.kinds) > _MAX_MATCHES else read


def _read(mol: Chem.Mol) -> Environments | None:
    rings = mol.GetRingInfo().AtomRings()
    count = mol.GetNumAtoms()
    if count != mol.GetNumHeavyAtoms() or len(rings) > _MAX_RINGS:
        return None
    if mol.HasSubstructMatch(_dative()):
        return None
    kinds, memberships = _kinds(mol, rings)
    orders = Chem.GetAdjacencyMatrix(mol, useBO=True)  # (N, N) float64, the order of each bond
    begins, ends = orders.nonzero()  # each bond from both its atoms, sorted by the first
    if len(begins) != 2 * mol.GetNumBonds():
        return None
    shared = np.array(memberships, dtype=np.int64)
    cyclic = (shared[begins] & shared[ends]) != 0  # a bond between atoms of a ring is in a ring
    bonds = (orders[begins, ends] * 4).astype(np.int64) + cyclic  # as `bond_of` reads them
    numbers, others = bonds.tolist(), ends.tolist()
    for number in set(numbers) - known().bonds.keys():
        place = numbers.index(number)
        copy = Chem.Mol(mol)  # its owner may change the molecule
        known().bonds[number] = copy.GetBondBetweenAtoms(int(begins[place]), others[place])
    spokes = bonds * _KINDS + np.array(kinds, dtype=np.int64)[ends]
    spokes = np.sort(begins * _SPOKES + spokes) & (_SPOKES - 1)  # sorted for each atom
    around, neighbors = spokes.tolist(), list(zip(numbers, others, strict=True))
    last = np.searchsorted(begins, np.arange(count), side="right").tolist()
    places = list(zip([0, *last], last))  # noqa: B905 (the first is one longer)
    known_as = known().numbers
    found = []
    for kind, (first, end) in zip(kinds, places, strict=True):
        key = (kind, tuple(around[first:end]))
        number = known_as.get(key)
        if number is None and (number := _new_environment(key)) is None:
            return None
        found.append(number)
    return Environments(kinds, found, [neighbors[first:end] for first, end in places], rings)


def _kinds(mol: Chem.Mol, rings: tuple[tuple[int, ...], ...]) -> tuple[list[int], list[int]]:
    """Return the number of each atom's kind, and the rings that it belongs to, as bits."""
    memberships, smallest = [0] * mol.GetNumAtoms(), [0] * mol.GetNumAtoms()
    for number, ring in enumerate(sorted(rings, key=len, reverse=True)):
        bit, size = 1 << number, len(ring)
        for index in ring:
            memberships[index] |= bit
            smallest[index] = size
    numbers = known().kinds
    kinds = []
    for index, (members, size) in enumerate(zip(memberships, smallest, strict=True)):
        atom = mol.GetAtomWithIdx(index)  # twice as fast as iterating over them
        key = (
            atom.GetAtomicNum(),
            atom.GetIsAromatic(),
            atom.GetFormalCharge(),
            atom.GetTotalNumHs(),
            atom.GetDegree(),
            atom.GetTotalValence(),
            atom.GetIsotope(),
            members.bit_count(),
            size,
        )
        known_as = numbers.get(key)
        kinds.append(_new_atom(key, atom) if known_as is None else known_as)
    return kinds, memberships


def _new_atom(key: tuple[int, ...], atom: Chem.Atom) -> int:
    seen = known()
    # Of a copy, since its owner may change the molecule.
    seen.atoms.append(Chem.Mol(atom.GetOwningMol()).GetAtomWithIdx(atom.GetIdx()))
    return seen.kinds.setdefault(key, len(seen.kinds))


def _new_environment(key: tuple[int, tuple[int, ...]]) -> int | None:
    seen = known()
    if len(seen.environments) >= _MAX_KNOWN:
        return None
    kind, spokes = key
    seen.environments.append(Environment(kind, tuple(divmod(spoke, _KINDS) for spoke in spokes)))
    return seen.numbers.setdefault(key, len(seen.numbers))


@cache
def _dative() -> Chem.Mol:
    return Chem.MolFromSmarts("*->*")
