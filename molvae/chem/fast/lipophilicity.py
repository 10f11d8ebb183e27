"""LogP equal to RDKit's to the last bit: the contribution of each atom is looked up.

RDKit tries 110 patterns (Wildman & Crippen 1999, https://doi.org/10.1021/ci990307l) on every atom.
They depend on an atom, its charge and hydrogens, and on its neighbors in the same way; those for
oxygen, and for the hydrogen on it, on the neighbors of these too. So RDKit's contribution of an
atom holds for all atoms with equal surroundings, and is computed once for each of them.
"""

from functools import cache, reduce
from itertools import repeat
from operator import add

from rdkit import Chem
from rdkit.Chem import rdMolDescriptors

from molvae.chem.fast.environments import (
    Environments,
    bond_of,
    environment_of,
    environments,
    kind_of,
)

_REMEMBERED = 100_000
_OXYGEN = 8
# What the patterns ask of an atom: element, aromatic, charge, hydrogens, bonds; and around it the
# order of each bond and the same of the other atom.
Asked = tuple[int, ...]
Around = tuple[Asked, tuple[tuple[float, Asked], ...]]
# The number of what is around an atom, of oxygen with those of its neighbors and the bonds to them.
Sight = int | tuple[int, tuple[tuple[float, int], ...]]
# Share of an atom, its hydrogens, the share of each of them.
Share = tuple[float, int, float]

_shares: dict[Sight, Share] = {}
_numbers: dict[Around, int] = {}


def log_p(mol: Chem.Mol) -> float:
    """Return the octanol-water partition coefficient, log10; RDKit's Crippen.MolLogP."""
    read = environments(mol)
    if read is None:
        return float(rdMolDescriptors.CalcCrippenDescriptors(mol)[0])
    sights = _sights(read)
    shares = [_shares.get(sight) for sight in sights]
    known = [share for share in shares if share is not None]
    if len(known) < len(shares):
        known = _contributions(mol, sights)
    total = 0.0
    for own, _, _ in known:  # summed in RDKit's order, hydrogens last
        total += own
    for _, hydrogens, each in known:
        total = reduce(add, repeat(each, hydrogens), total)
    return total


def _sights(read: Environments) -> list[Sight]:
    """Return the surroundings of each atom that the patterns depend on."""
    around = list(map(_around, read.found))
    sights: list[Sight] = list(around)
    for index, kind in enumerate(read.kinds):
        if _is_oxygen(kind):
            others = [(bond_of(bond)[0], around[end]) for bond, end in read.neighbors[index]]
            sights[index] = (around[index], tuple(sorted(others)))
    return sights


@cache
def _is_oxygen(kind: int) -> bool:
    return kind_of(kind).element == _OXYGEN


@cache
def _around(number: int) -> int:
    """Return the number of the surroundings of an atom."""
    environment = environment_of(number)
    neighbors = [(bond_of(bond)[0], _asked(other)) for bond, other in environment.spokes]
    return _numbers.setdefault((_asked(environment.kind), tuple(sorted(neighbors))), len(_numbers))


def _asked(number: int) -> Asked:
    kind = kind_of(number)
    return (kind.element, kind.aromatic, kind.charge, kind.hydrogens, kind.degree)


def _contributions(mol: Chem.Mol, sights: list[Sight]) -> list[Share]:
    """Return the share of each atom as RDKit computes it, and remember it."""
    whole = Chem.AddHs(mol)
    values = [share for share, _ in rdMolDescriptors._CalcCrippenContribs(whole)]
    if len(_shares) > _REMEMBERED:
        _shares.clear()
    found: list[Share] = []
    first = len(sights)  # the first hydrogen of each atom; they come in the order of the atoms
    for own, atom in zip(values[:first], mol.GetAtoms(), strict=True):
        count = atom.GetTotalNumHs()
        found.append((own, count, values[first] if count else 0.0))
        first += count
    _shares.update(zip(sights, found, strict=True))
    return found
