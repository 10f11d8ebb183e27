"""Features that mol blocks and CXSMILES have and SMILES has not.

RDKit reads most of them and drops them when it writes SMILES: a polymer becomes one repeating unit,
a fragment with an open end a molecule. Those that change the molecule are refused here. Data,
values, coordinates, highlights and flags of queries and reactions change nothing.
"""

import re

from rdkit import Chem

from molvae.errors import Rejected

_POLYMERS = frozenset({"SRU", "MON", "MER", "COP", "CRO", "GRA", "MOD", "ANY"})  # Sgroup types
_PLAIN_LABEL = re.compile(r"(?:H\d*)?([A-Z][a-z]?)(?:H\d*)?\d*[+-]?|\d*")
_ONE_ATOM = {"Me": "C"}  # abbreviations of an atom with its hydrogens
_LABELS = ("molFileAlias", "atomLabel")
_SEVERAL = "stands for several, as in a query"
_ENHANCED = (Chem.StereoGroupType.STEREO_AND, Chem.StereoGroupType.STEREO_OR)


def check_features(mol: Chem.Mol, *, stereo: bool) -> None:
    """Refuse features that change a molecule and that SMILES cannot express.

    Args:
        mol: as RDKit reads it.
        stereo: whether its stereo is kept, so that racemates and unknown enantiomers are refused.

    Raises:
        Rejected: unknown atom, unsupported bond, not a molecule.
    """
    for atom in mol.GetAtoms():
        _check_atom(atom)
    for bond in mol.GetBonds():
        if bond.HasQuery():
            raise Rejected("unsupported bond", f"a bond that {_SEVERAL}")
        if bond.HasProp("_MolFileBondEndPts"):
            raise Rejected("unsupported bond", "a bond to one of several atoms, or to all of them")
    if mol.HasProp("_molLinkNodes"):
        raise Rejected("not a molecule", "an atom that repeats, a link node")
    for group in Chem.GetMolSubstanceGroups(mol):
        _check_group(mol, group)
    if stereo and any(group.GetGroupType() in _ENHANCED for group in mol.GetStereoGroups()):
        raise Rejected("not a molecule", "a mixture of stereoisomers, or an unknown one of them")


def _check_atom(atom: Chem.Atom) -> None:
    where = f"atom {atom.GetIdx() + 1}"
    if atom.HasQuery():
        raise Rejected("unknown atom", f"{where} {_SEVERAL}")
    if atom.HasProp("molAttchpt"):
        raise Rejected("unknown atom", f"{where} is an attachment point")
    for key in _LABELS:
        if atom.HasProp(key):
            _check_label(atom, atom.GetProp(key).strip())


def _check_label(atom: Chem.Atom, label: str) -> None:
    """Refuse a label that does not name its atom, such as Boc or R1."""
    plain = _PLAIN_LABEL.fullmatch(label)
    if plain is None or _ONE_ATOM.get(label, plain[1]) not in (None, atom.GetSymbol()):
        where = f"atom {atom.GetIdx() + 1}"
        raise Rejected("unknown atom", f"{where} is an abbreviation or an R group: {label[:40]!a}")


def _check_group(mol: Chem.Mol, group: Chem.SubstanceGroup) -> None:
    """Refuse polymers, and groups that stand for atoms that are not there."""
    kind, atoms = group.GetProp("TYPE"), list(group.GetAtoms())
    if kind in _POLYMERS:
        raise Rejected("not a molecule", "repeating units in brackets: a polymer")
    if kind == "SUP" and len(atoms) == 1 and group.HasProp("LABEL"):
        _check_label(mol.GetAtomWithIdx(atoms[0]), group.GetProp("LABEL"))
    if kind == "MUL" and group.HasProp("MULT"):
        times, one = group.GetProp("MULT"), len(group.GetParentAtoms())
        if times != str(len(atoms) // max(1, one)):
            raise Rejected("not a molecule", f"a group repeated {times:.9} times, not written out")
