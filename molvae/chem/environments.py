"""What each atom of a molecule is and what is bonded to it, read once for all that ask.

RDKit's objects answer one question of one atom at a time. Here a molecule is read in one pass, as
numbers: the kind of each atom (element, charge, hydrogens, rings ...), and with the kinds of its
neighbors and the bonds to them its environment. Equal numbers mean equal atoms, in any molecule, so
what was found out of an environment once need not be found out again: there are some thousands of
them in a million molecules. `screens` rules out patterns with them.
"""

from functools import cache
from typing import NamedTuple

from rdkit import Chem

# An environment: the kind of an atom, and what `spoke` made of each neighbor, sorted.
Environment = tuple[int, tuple[int, ...]]
_KINDS = 2**20  # more than there can be
_KEPT = "_molvaeEnvironments"  # sanitizing a changed molecule clears its computed properties


class Kind(NamedTuple):
    """What is told of one atom by itself, as RDKit's queries ask it.

    Attributes:
        element: atomic number.
        aromatic: whether it is.
        charge: formal charge.
        hydrogens: on it, all implicit.
        degree: bonds to other heavy atoms.
        valence: total valence.
        isotope: mass number, 0 where none is given.
        rings: smallest rings that it belongs to.
        smallest_ring: atoms in the smallest of them, 0 without rings.
    """

    element: int
    aromatic: bool
    charge: int
    hydrogens: int
    degree: int
    valence: int
    isotope: int
    rings: int
    smallest_ring: int


class Known(NamedTuple):
    """Kinds of atoms and bonds that were seen, numbered in the order in which they came.

    Attributes:
        kinds: what is told of an atom -> its number.
        atoms: an atom of each kind.
        bond_kinds: order, whether in a ring -> the number of that kind of bond.
        bonds: a bond of each kind.
    """

    kinds: dict[tuple[int, ...], int]
    atoms: list[Chem.Atom]
    bond_kinds: dict[tuple[float, bool], int]
    bonds: list[Chem.Bond]


class Environments(NamedTuple):
    """A molecule of N atoms in numbers.

    Attributes:
        kinds: number of each atom's kind, N of them.
        found: environment of each atom, N of them.
        neighbors: of each atom its bonds as (number of the bond's kind, other atom), N lists.
        rings: atoms of each ring.
    """

    kinds: list[int]
    found: list[Environment]
    neighbors: list[list[tuple[int, int]]]
    rings: tuple[tuple[int, ...], ...]


class _Last:
    """The molecule that was read last, since one is asked for several things in a row."""

    kept: tuple[Chem.Mol, Environments | None] | None = None


@cache
def known() -> Known:
    """Return the kinds seen by this process so far."""
    return Known({}, [], {}, [])


@cache
def kind_of(number: int) -> Kind:
    """Return what a number in `Environments.kinds` stands for."""
    element, aromatic, *counts = list(known().kinds)[number]
    return Kind(element, bool(aromatic), *counts)


@cache
def bond_of(number: int) -> tuple[float, bool]:
    """Return the order of a kind of bond, and whether it is in a ring."""
    return list(known().bond_kinds)[number]


def spoke(bond: int, kind: int) -> int:
    """Return one number for a neighbor of some kind over a bond of some kind."""
    return bond * _KINDS + kind


def read_spoke(number: int) -> tuple[int, int]:
    """Return the kinds of bond and neighbor of which `spoke` made a number."""
    return divmod(number, _KINDS)


def environments(mol: Chem.Mol) -> Environments | None:
    """Read a molecule.

    Args:
        mol: a sanitized molecule. It remembers what was read until its computed properties are
            cleared, as with RDKit's own.

    Returns:
        None for a molecule with hydrogens as atoms or with bonds that have no order (dative, zero):
        for these ask RDKit.
    """
    last = _Last.kept
    if last is not None and last[0] is mol and mol.HasProp(_KEPT):
        return last[1]
    found = _read(mol)
    mol.SetBoolProp(_KEPT, True, computed=True)
    _Last.kept = (mol, found)
    return found


def _read(mol: Chem.Mol) -> Environments | None:
    count = mol.GetNumAtoms()
    if count != mol.GetNumHeavyAtoms() or mol.HasSubstructMatch(_dative()):
        return None
    rings = mol.GetRingInfo().AtomRings()
    kinds = _kinds(mol, rings)
    orders = Chem.GetAdjacencyMatrix(mol, useBO=True)  # (N, N) float64, the order of each bond
    begins, ends = orders.nonzero()
    if len(begins) != 2 * mol.GetNumBonds():
        return None
    cyclic = {pair for ring in rings for pair in zip(ring, ring[1:] + ring[:1], strict=True)}
    numbers = known().bond_kinds
    neighbors: list[list[tuple[int, int]]] = [[] for _ in kinds]
    spokes: list[list[int]] = [[] for _ in kinds]
    for begin, end, order in zip(
        begins.tolist(), ends.tolist(), orders[begins, ends].tolist(), strict=True
    ):
        if begin > end:  # the other end of one that was seen
            continue
        key = (order, (begin, end) in cyclic or (end, begin) in cyclic)
        number = numbers.get(key)
        if number is None:
            number = _new_bond(key, mol, begin, end)
        neighbors[begin].append((number, end))
        neighbors[end].append((number, begin))
        base = number * _KINDS
        spokes[begin].append(base + kinds[end])
        spokes[end].append(base + kinds[begin])
    found = [(kind, tuple(sorted(around))) for kind, around in zip(kinds, spokes, strict=True)]
    return Environments(kinds, found, neighbors, rings)


def _kinds(mol: Chem.Mol, rings: tuple[tuple[int, ...], ...]) -> list[int]:
    count = mol.GetNumAtoms()
    memberships, smallest = [0] * count, [0] * count
    for ring in rings:
        size = len(ring)
        for index in ring:
            memberships[index] += 1
            if not 0 < smallest[index] <= size:
                smallest[index] = size
    numbers = known().kinds
    kinds = []
    for index in range(count):
        atom = mol.GetAtomWithIdx(index)  # twice as fast as iterating over them
        key = (
            atom.GetAtomicNum(),
            atom.GetIsAromatic(),
            atom.GetFormalCharge(),
            atom.GetTotalNumHs(),
            atom.GetDegree(),
            atom.GetTotalValence(),
            atom.GetIsotope(),
            memberships[index],
            smallest[index],
        )
        number = numbers.get(key)
        kinds.append(_new_atom(key, atom) if number is None else number)
    return kinds


def _new_atom(key: tuple[int, ...], atom: Chem.Atom) -> int:
    seen = known()
    # Of a copy, since its owner may change the molecule.
    seen.atoms.append(Chem.Mol(atom.GetOwningMol()).GetAtomWithIdx(atom.GetIdx()))
    return seen.kinds.setdefault(key, len(seen.kinds))


def _new_bond(key: tuple[float, bool], mol: Chem.Mol, begin: int, end: int) -> int:
    seen = known()
    seen.bonds.append(Chem.Mol(mol).GetBondBetweenAtoms(begin, end))
    return seen.bond_kinds.setdefault(key, len(seen.bond_kinds))


@cache
def _dative() -> Chem.Mol:
    return Chem.MolFromSmarts("*->*")
