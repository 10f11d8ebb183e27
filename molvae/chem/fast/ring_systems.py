"""Ring systems as numbers, so that the SMILES of one is written once and then remembered."""

from collections.abc import Collection
from functools import cache
from typing import NamedTuple

from molvae.chem.fast.environments import Environments, kind_of

_EXOCYCLIC = 8  # the number of a double bond outside of rings, see `environments.bond_of`
_MOST = 1024  # more than the atoms of a molecule
# The usual valences of neutral atoms, whose hydrogens RDKit knows from the bonds alone.
_USUAL = {(6, 4), (7, 3), (8, 2)}


class NumberedSystem(NamedTuple):
    """One ring system of a molecule.

    Attributes:
        key: equal keys mean equal systems; one system has several, by the order of its atoms.
        atoms: those of its rings, and those with a double bond to one.
    """

    key: tuple[int, ...]
    atoms: Collection[int]


def numbered_systems(mol: Environments) -> list[NumberedSystem]:
    """Return the ring systems of a molecule."""
    return [NumberedSystem(_key(mol, sorted(atoms)), atoms) for atoms in _groups(mol)]


def _groups(mol: Environments) -> list[set[int]]:
    """Return the atoms of each ring system."""
    groups: list[set[int]] = []
    for ring in mol.rings:
        doubled = {o for atom in ring for bond, o in mol.neighbors[atom] if bond == _EXOCYCLIC}
        joined, apart = doubled.union(ring), []
        for group in groups:
            if joined.isdisjoint(group):
                apart.append(group)
            else:
                joined |= group
        groups = [*apart, joined]
    return groups


def _key(mol: Environments, atoms: list[int]) -> tuple[int, ...]:
    places = {atom: place for place, atom in enumerate(atoms)}
    key = []
    for atom in atoms:
        key.append(_bare(mol.kinds[atom]))
        for bond, other in mol.neighbors[atom]:
            if other > atom and other in places:
                key.append(-(bond * _MOST + places[other]) - 1)
    return tuple(key)


@cache
def _bare(number: int) -> int:
    """Return one number for all kinds of atoms that are alike when their system is cut out."""
    kind = kind_of(number)
    plain = kind.charge == 0 and (kind.element, kind.valence) in _USUAL
    bare = (kind.element, kind.aromatic, kind.aromatic and kind.degree + kind.hydrogens)
    alike = bare if plain else kind
    return _numbers().setdefault(alike, len(_numbers()))


@cache
def _numbers() -> dict[tuple[int, ...], int]:
    return {}
