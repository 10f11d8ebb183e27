"""The ring systems of a molecule and the sizes of its rings."""

from collections import Counter

from rdkit import Chem

LARGEST_SIZE = 8  # of a ring; larger ones are counted with it

_DOUBLE = Chem.MolFromSmarts("[R]=!@*")
_CUT = (Chem.MolFromSmarts("[R]!=!@*"), Chem.MolFromSmarts("[R0;$(*=[R])]~[R0]"))
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
    rings = mol.GetRingInfo().AtomRings()
    if not rings:
        return ()
    kept = {atom for ring in rings for atom in ring}
    for ends in mol.GetSubstructMatches(_DOUBLE, maxMatches=_ALL):
        kept.update(ends)
    cut = [ends for bond in _CUT for ends in mol.GetSubstructMatches(bond, maxMatches=_ALL)]
    systems = Chem.RWMol(mol)
    for one, other in cut:
        systems.RemoveBond(one, other)
        _add_hydrogen(systems.GetAtomWithIdx(one))
        _add_hydrogen(systems.GetAtomWithIdx(other))
    systems.BeginBatchEdit()
    for atom in range(mol.GetNumAtoms()):
        if atom not in kept:
            systems.RemoveAtom(atom)
    systems.CommitBatchEdit()
    systems.UpdatePropertyCache(strict=False)
    return tuple(sorted(Chem.MolToSmiles(systems, isomericSmiles=False).split(".")))


def ring_sizes(mol: Chem.Mol) -> Counter[int]:
    """Count the rings of the smallest set of smallest rings by size, 8 standing for 8 or more.

    >>> sorted(ring_sizes(Chem.MolFromSmiles("C1CC1c1ccccc1")).items())
    [(3, 1), (6, 1)]
    """
    return Counter(min(len(ring), LARGEST_SIZE) for ring in mol.GetRingInfo().AtomRings())


def _add_hydrogen(atom: Chem.Atom) -> None:
    """Replace a substituent by a hydrogen where RDKit does not add one itself."""
    if atom.GetNoImplicit() or (atom.GetIsAromatic() and atom.GetAtomicNum() != 6):
        atom.SetNumExplicitHs(atom.GetNumExplicitHs() + 1)
