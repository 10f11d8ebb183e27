"""The ring systems of a molecule and the sizes of its rings."""

from collections import Counter
from collections.abc import Collection
from functools import cache

from rdkit import Chem

from molvae.chem.speed import NumberedSystem, numbered_systems

LARGEST_SIZE = 8  # of a ring; larger ones are counted with it

MAX_KNOWN = 50_000  # ring systems as they are numbered, half a kilobyte each
_DOUBLE = Chem.MolFromSmarts("[R]=!@*")
_ALL = 100_000  # bonds; RDKit stops at 1,000 unless told otherwise


def ring_systems(mol: Chem.Mol) -> tuple[str, ...]:
    """Cut a molecule down to its ring systems, as in counts of the rings in drugs.

    Rings that share an atom (fused, bridged, spiro) are one system. An atom with a double bond to a
    ring belongs to it, since it determines the ring's shape and aromaticity; so two systems joined
    by a double bond are one. Every other substituent is replaced by hydrogen (Taylor 2014,
    doi 10.1021/jm4017625; as code, Walters 2022,
    https://practicalcheminformatics.blogspot.com/2022/12/identifying-ring-systems-in-molecules.html).

    Args:
        mol: a sanitized molecule.

    Returns:
        Canonical SMILES without stereo and isotopes, sorted; one that occurs twice is listed twice.

    >>> ring_systems(Chem.MolFromSmiles("Cn1cccc1C1CCC(=O)C12CC2"))
    ('O=C1CCCC12CC2', 'c1cc[nH]c1')
    """
    if mol.GetRingInfo().NumRings() == 0:
        return ()
    numbered = numbered_systems(mol)
    if numbered is None:
        return tuple(sorted(_written(mol, atoms) for atoms in _groups(mol)))
    return tuple(sorted(_remembered(mol, system) for system in numbered))


def rings_of(smiles: str) -> tuple[str, ...]:
    """Return the ring systems of a canonical SMILES, as `ring_systems`."""
    return ring_systems(Chem.MolFromSmiles(smiles))


def ring_sizes(mol: Chem.Mol) -> Counter[int]:
    """Count the rings of the smallest set of smallest rings by size, 8 standing for 8 or more.

    >>> sorted(ring_sizes(Chem.MolFromSmiles("C1CC1c1ccccc1")).items())
    [(3, 1), (6, 1)]
    """
    return Counter(min(len(ring), LARGEST_SIZE) for ring in mol.GetRingInfo().AtomRings())


def _remembered(mol: Chem.Mol, system: NumberedSystem) -> str:
    """Return the SMILES of a ring system, written anew where its key was not met before."""
    known = _known()
    if system.key not in known:
        if len(known) >= MAX_KNOWN:
            known.clear()
        known[system.key] = _written(mol, system.atoms)
    return known[system.key]


@cache
def _known() -> dict[tuple[int, ...], str]:
    return {}


def _groups(mol: Chem.Mol) -> list[set[int]]:
    """Return the atoms of each ring system: of its rings, and those with a double bond to one."""
    groups: list[set[int]] = []
    doubles = mol.GetSubstructMatches(_DOUBLE, maxMatches=_ALL)
    for part in (*mol.GetRingInfo().AtomRings(), *doubles):
        joined = set(part).union(*(group for group in groups if not group.isdisjoint(part)))
        groups = [group for group in groups if group.isdisjoint(part)] + [joined]
    return groups


def _written(mol: Chem.Mol, atoms: Collection[int]) -> str:
    """Return the SMILES of some atoms, with hydrogen in place of each bond to another atom."""
    system = Chem.RWMol(mol)
    system.BeginBatchEdit()
    for atom in mol.GetAtoms():
        if atom.GetIdx() in atoms:
            cut = sum(other.GetIdx() not in atoms for other in atom.GetNeighbors())
            _add_hydrogens(system.GetAtomWithIdx(atom.GetIdx()), cut)
        else:
            system.RemoveAtom(atom.GetIdx())
    system.CommitBatchEdit()
    system.UpdatePropertyCache(strict=False)
    return Chem.MolToSmiles(system, isomericSmiles=False)


def _add_hydrogens(atom: Chem.Atom, count: int) -> None:
    """Replace substituents by hydrogens where RDKit does not add them itself."""
    if atom.GetNoImplicit() or (atom.GetIsAromatic() and atom.GetAtomicNum() != 6):
        atom.SetNumExplicitHs(atom.GetNumExplicitHs() + count)
