"""Compare double bonds in fixed places with RDKit's aromatic bonds."""

from functools import lru_cache

from rdkit import Chem, rdBase
from rdkit.Chem import rdMolDescriptors

from molvae.chem.fast.kekule import ORGANIC, KekuleGraph

_AROMATIC = 1.5  # RDKit's number for such a bond


def is_resonance_form(graph: KekuleGraph, mol: Chem.Mol) -> bool:
    """Prove, without parsing or writing SMILES, that RDKit would read a graph as a molecule.

    Atom by atom and bond by bond, in order: element, charge, hydrogens and neighbors are the same;
    so are the bonds, except that an aromatic one may be single or double, at most one of them
    double at each atom, and no atom is left with an electron to pair. Then every aromatic atom has
    a double bond in both or in neither, the two are resonance forms of each other, and aromaticity
    and the canonical SMILES, which do not depend on where in a ring system the double bonds are
    drawn, are the same. Neither isotopes nor stereo marks are compared.

    Args:
        graph: for example what symbols derive.
        mol: sanitized, its atoms in the order of the graph's.

    Returns:
        True for the same molecule. False only says that this is no proof.
    """
    atoms, parents, orders, rings = graph
    size = len(atoms)
    if not size or mol.GetNumAtoms() != size or mol.GetNumBonds() != size - 1 + len(rings):
        return False
    ones = [*parents[1:], *(one for one, _ in rings)]
    others = [*range(1, size), *(other for _, other in rings)]
    drawn = [*orders[1:], *rings.values()]
    given = Chem.GetAdjacencyMatrix(mol, useBO=True)[ones, others].tolist()
    used, neighbors = [0] * size, [0] * size
    doubled: set[int] = set()
    for one, other, order, bond in zip(ones, others, drawn, given, strict=True):
        if bond == _AROMATIC:
            if order == 2:
                if one in doubled or other in doubled:
                    return False
                doubled |= {one, other}
            elif order != 1:
                return False
        elif bond != order:
            return False
        used[one] += order
        used[other] += order
        neighbors[one] += 1
        neighbors[other] += 1
    expected = list(map(_invariant, atoms, used, neighbors))
    return expected == list(rdMolDescriptors.GetConnectivityInvariants(mol, False))


@lru_cache(maxsize=4096)
def _invariant(name: str, bonds: int, neighbors: int) -> int | None:
    """RDKit's number for an atom's element, charge, hydrogens and neighbors; None when open.

    The atom is read from SMILES among place holders, so that its hydrogens are those that RDKit
    would give it.
    """
    atom = name if name in ORGANIC else f"[{name}]"
    left = bonds - neighbors
    around = ""
    for _ in range(neighbors):
        more = min(left, 2)
        around += f"({'-=#'[more]}*)"
        left -= more
    with rdBase.BlockLogs():
        mol = Chem.MolFromSmiles(f"{atom}{around}")
    if mol is None or mol.GetAtomWithIdx(0).GetNumRadicalElectrons():
        return None
    return int(rdMolDescriptors.GetConnectivityInvariants(mol, False)[0])
