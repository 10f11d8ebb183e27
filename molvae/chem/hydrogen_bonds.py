"""Donors and acceptors of hydrogen bonds as RDKit counts them, read from atoms' environments.

RDKit's definitions (after Gobbi & Poppinger 1998) are a pattern for an atom each. Donors are N, O
and S with a hydrogen, neutral or ammonium; RDKit looks at nothing else. Acceptors are anions,
ethers, carbonyls and their like with sulfur; aromatic o, s, and n with nothing on it; a hydroxyl,
unless what it is bound to is acyl, as in an acid; and an aliphatic nitrogen of three bonds, unless
it is bound to something acyl outside rings, as in an amide. Acyl is what has a double bond to O, N,
P or S.
"""

from functools import cache, lru_cache
from typing import NamedTuple

from rdkit import Chem
from rdkit.Chem import rdMolDescriptors

from molvae.chem.fast.environments import bond_of, countable, environment_of, kind_of, read_spoke

_REMEMBERED = 50_000
_NITROGEN, _OXYGEN, _PHOSPHORUS, _SULFUR = 7, 8, 15, 16
_SINGLE, _DOUBLE = 1.0, 2.0


class Part(NamedTuple):
    """What an atom may be in RDKit's pattern of acceptors."""

    accepts: bool  # whatever it is bound to
    hydroxyl: bool
    amine: bool
    acyl: bool
    acyl_outside_rings: bool


def donors(mol: Chem.Mol) -> int:
    """Count the donors of hydrogen bonds; RDKit's CalcNumHBD.

    Args:
        mol: a sanitized molecule.

    >>> donors(Chem.MolFromSmiles("CC(=O)Oc1ccccc1C(=O)O"))
    1
    """
    read = countable(mol)
    if read is None:
        return int(rdMolDescriptors.CalcNumHBD(mol))
    return sum(map(_donates, read.kinds))


def acceptors(mol: Chem.Mol) -> int:
    """Count the acceptors of hydrogen bonds; RDKit's CalcNumHBA.

    Args:
        mol: a sanitized molecule.

    >>> acceptors(Chem.MolFromSmiles("CC(=O)Oc1ccccc1C(=O)O"))
    3
    """
    read = countable(mol)
    if read is None:
        return int(rdMolDescriptors.CalcNumHBA(mol))
    parts = list(map(_part, read.found))
    count = 0
    for part, neighbors in zip(parts, read.neighbors, strict=True):
        if part.accepts:
            count += 1
        elif part.hydroxyl or part.amine:
            bound = [parts[end] for bond, end in neighbors if bond_of(bond)[0] == _SINGLE]
            count += (part.hydroxyl and not all(other.acyl for other in bound)) or (
                part.amine and not any(other.acyl_outside_rings for other in bound)
            )
    return count


@cache
def _donates(number: int) -> bool:
    kind = kind_of(number)
    if kind.element == _NITROGEN and not kind.aromatic:
        return kind.hydrogens > 0 and (kind.valence == 3 or (kind.charge, kind.valence) == (1, 4))
    aromatic = kind.element == _NITROGEN
    return (
        kind.element in (_NITROGEN, _OXYGEN, _SULFUR)
        and kind.aromatic == aromatic
        and (kind.hydrogens, kind.charge) == (1, 0)
    )


@lru_cache(_REMEMBERED)
def _part(number: int) -> Part:
    environment = environment_of(number)
    kind = kind_of(environment.kind)
    oxygen_or_sulfur = kind.element in (_OXYGEN, _SULFUR)
    free = kind.degree == 2 and kind.hydrogens == 0
    divalent = oxygen_or_sulfur and not kind.aromatic and kind.valence == 2
    acyl_bonds = [
        cyclic
        for (order, cyclic), other in (
            (bond_of(bond), kind_of(other)) for bond, other in map(read_spoke, environment.spokes)
        )
        if order == _DOUBLE
        and not other.aromatic
        and other.element in (_NITROGEN, _OXYGEN, _PHOSPHORUS, _SULFUR)
    ]
    return Part(
        accepts=(divalent and kind.hydrogens == 0)
        or (oxygen_or_sulfur and not kind.aromatic and kind.charge == -1)
        or (
            kind.aromatic
            and kind.charge == 0
            and (oxygen_or_sulfur or (kind.element == _NITROGEN and free))
        ),
        hydroxyl=divalent and kind.hydrogens == 1,
        amine=kind.element == _NITROGEN and not kind.aromatic and kind.valence == 3,
        acyl=bool(acyl_bonds),
        acyl_outside_rings=not all(acyl_bonds),
    )
