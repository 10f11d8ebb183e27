"""Rotatable bonds as RDKit counts them, from the environments of atoms.

RDKit's strict definition is one long pattern: a single bond outside rings between two atoms with
other bonds, neither of them in a triple bond nor the middle of CX3 or C(CH3)3, that is not the C-N
of an amide or its like (C-O of an ester, C-S, with =O, =N or =S at the carbon): a bond is one
where at least one end is no part of such a group.
"""

from functools import lru_cache
from typing import NamedTuple

from rdkit import Chem
from rdkit.Chem import rdMolDescriptors

from molvae.chem.fast.environments import bond_of, countable, environment_of, kind_of

_REMEMBERED = 50_000
_CARBON, _NITROGEN, _OXYGEN, _FLUORINE, _SULFUR, _CHLORINE, _BROMINE = 6, 7, 8, 9, 16, 17, 35


class Part(NamedTuple):
    """The roles that an atom may have at the end of a bond."""

    turns: bool
    acyl: bool  # C(=O), C(=N) or C(=S) with two more bonds
    hetero: bool  # what makes an amide or an ester with it


def rotatable_bonds(mol: Chem.Mol) -> int:
    """Count rotatable bonds; RDKit's CalcNumRotatableBonds, strict."""
    read = countable(mol)
    if read is None:
        return int(rdMolDescriptors.CalcNumRotatableBonds(mol))
    parts = list(map(_part, read.found))
    bonds = [
        (begin, end)
        for begin, neighbors in enumerate(read.neighbors)
        for bond, end in neighbors
        if _turns(bond)
    ]
    stiff = {
        atom
        for begin, end in bonds
        if parts[begin].acyl and parts[end].hetero
        for atom in (begin, end)
    }
    return sum(
        begin < end
        and parts[begin].turns
        and parts[end].turns
        and not (begin in stiff and end in stiff)
        for begin, end in bonds
    )


@lru_cache
def _turns(bond: int) -> bool:
    return bond_of(bond) == (1.0, False)


@lru_cache(_REMEMBERED)
def _part(number: int) -> Part:
    environment = environment_of(number)
    kind = kind_of(environment.kind)
    around = [(bond_of(bond)[0], kind_of(other)) for bond, other in environment.spokes]
    aliphatic_carbon = kind.element == _CARBON and not kind.aromatic
    tops = [
        [n.element for order, n in around if order == 1.0].count(halogen)
        for halogen in (_FLUORINE, _CHLORINE, _BROMINE)
    ]
    methyls = sum(
        order == 1.0 and n.element == _CARBON and not n.aromatic and n.hydrogens == 3
        for order, n in around
    )
    top = aliphatic_carbon and max(*tops, methyls) >= 3
    double = any(
        order == 2.0 and n.element in (_NITROGEN, _OXYGEN, _SULFUR) and not n.aromatic
        for order, n in around
    )
    return Part(
        turns=kind.degree != 1 and not top and all(order != 3.0 for order, _ in around),
        acyl=aliphatic_carbon and kind.degree == 3 and double,
        hetero=kind.element == _NITROGEN
        or (kind.element == _OXYGEN and not kind.aromatic)
        or (kind.element == _SULFUR and not kind.aromatic and kind.degree != 1),
    )
