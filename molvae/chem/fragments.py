"""Fragments of molecules as MOSES counts them: BRICS fragments and scaffolds of several rings.

Polykovskiy 2020, https://doi.org/10.3389/fphar.2020.565644.
"""

from rdkit import Chem, rdBase
from rdkit.Chem.rdmolops import FragmentOnBRICSBonds

from molvae.chem.similarity import murcko_scaffold
from molvae.errors import Rejected

MIN_RINGS = 2  # MOSES does not count scaffolds of one ring


def brics_fragments(mol: Chem.Mol) -> list[str]:
    """Cut every bond that a retrosynthesis would (Degen 2008, doi 10.1002/cmdc.200800178).

    Args:
        mol: a sanitized molecule.

    Returns:
        SMILES of the pieces, with numbered dummies where they were joined; a piece that occurs
        twice is listed twice.

    >>> brics_fragments(Chem.MolFromSmiles("CCNC(=O)C"))
    ['[1*]C(C)=O', '[4*]CC', '[5*]N[5*]']
    """
    with rdBase.BlockLogs():
        return str(Chem.MolToSmiles(FragmentOnBRICSBonds(mol))).split(".")


def ring_scaffold(mol: Chem.Mol) -> str:
    """Return the Murcko scaffold of a molecule, "" where it has fewer than two rings.

    >>> ring_scaffold(Chem.MolFromSmiles("CC(=O)Oc1ccccc1C(=O)O"))
    ''
    >>> ring_scaffold(Chem.MolFromSmiles("CCc1ccccc1C1CC1"))
    'c1ccc(C2CC2)cc1'
    """
    if mol.GetRingInfo().NumRings() < MIN_RINGS:  # a scaffold has the rings of its molecule
        return ""
    try:
        return murcko_scaffold(mol)
    except Rejected:  # too large for its scaffold to be looked for
        return ""
