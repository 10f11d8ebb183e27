"""Mol blocks, the records of SD files, read as SMILES.

A block (BIOVIA's CTfile formats, V2000 or V3000) can express more than SMILES can, and RDKit
silently ignores some of it: a polymer becomes one repeating unit, an abbreviation that was never
expanded becomes a carbon. Such blocks are refused, with one of the reasons in `chem.gate`.
"""

import re

from rdkit import Chem, rdBase

from molvae.errors import Rejected

END = "M  END"
MAX_BLOCK = 200_000  # characters: far more than the largest molecule taken has with all hydrogens
MAX_ATOMS = 1000  # without explicit hydrogens

_POLYMERS = frozenset({"SRU", "MON", "MER", "COP", "CRO", "GRF", "MOD", "ANY"})  # Sgroup types
_PLAIN_LABEL = re.compile(r"(?:H\d*)?([A-Z][a-z]?)(?:H\d*)?\d*[+-]?|\d*")


def is_block(text: str) -> bool:
    """Return whether a text is a mol block, and not SMILES."""
    return END in text


def without_block(text: str) -> str:
    """Return SMILES unchanged, and "" for a mol block.

    For lists of rejected rows: a million blocks are gigabytes, and file and line name each.
    """
    return "" if is_block(text) else text


def as_smiles(text: str) -> str:
    """Return the SMILES of a mol block as `smiles_from_block` does; any other text as it is."""
    return smiles_from_block(text) if is_block(text) else text


def smiles_from_block(block: str) -> str:
    """Read one mol block with RDKit, in a process that may be lost: RDKit can end it.

    Args:
        block: V2000 or V3000, from its title line to `M  END`.

    Returns:
        RDKit's SMILES with stereo, isotopes and charges, not yet checked or standardized; ""
        for a block without atoms.

    Raises:
        Rejected: not a molecule, more than one record, too long, unknown atom, unsupported bond,
            too many heavy atoms.
    """
    if len(block) > MAX_BLOCK:
        raise Rejected("too long", f"a mol block of {len(block):,} characters, at most {MAX_BLOCK}")
    # Only titles and labels have other letters, and RDKit raises an error on half of one.
    block = block.encode("ascii", errors="replace").decode("ascii")
    block = block.replace("\r\n", "\n").replace("\r", "\n")
    if block.count(f"\n{END}") > 1:
        raise Rejected("more than one record", "two mol blocks in one")
    with rdBase.BlockLogs():
        mol = Chem.MolFromMolBlock(block)
        if mol is None:
            raise Rejected("not a molecule", _why_not(block))
        _check_meaning(mol)
        if mol.GetNumAtoms() > MAX_ATOMS:
            detail = f"{mol.GetNumAtoms()}, at most {MAX_ATOMS} are read from a mol block"
            raise Rejected("too many heavy atoms", detail)
        try:
            return Chem.MolToSmiles(mol)
        except (RuntimeError, ValueError) as failure:
            raise Rejected("not a molecule", " ".join(str(failure).split())) from failure


def _check_meaning(mol: Chem.Mol) -> None:
    """Refuse features that SMILES cannot express and RDKit would drop."""
    for atom in mol.GetAtoms():
        where = f"atom {atom.GetIdx() + 1}"
        if atom.HasQuery():
            raise Rejected("unknown atom", f"{where} stands for several, as in a query")
        if atom.HasProp("molFileAlias"):
            label = atom.GetProp("molFileAlias").strip()
            plain = _PLAIN_LABEL.fullmatch(label)
            if plain is None or plain[1] not in (None, atom.GetSymbol()):
                raise Rejected("unknown atom", f"{where} is an abbreviation: {label[:40]!a}")
    if any(bond.HasQuery() for bond in mol.GetBonds()):
        raise Rejected("unsupported bond", "a bond that stands for several, as in a query")
    groups = {group.GetProp("TYPE") for group in Chem.GetMolSubstanceGroups(mol)}
    if groups & _POLYMERS or mol.HasProp("_molLinkNodes"):
        raise Rejected("not a molecule", "repeating units in brackets: a polymer")


def _why_not(block: str) -> str:
    """Return why RDKit does not read a block."""
    lines = block.split("\n", 4)
    counts = lines[3] if len(lines) > 3 else ""
    if not re.match(r"[ \d]{5}\d", counts):
        return f"its counts line, the fourth, is {counts[:40]!a}"
    mol = Chem.MolFromMolBlock(block, sanitize=False)
    try:
        problems = () if mol is None else Chem.DetectChemistryProblems(mol)
    except RuntimeError:  # of molecules whose valences RDKit cannot even count
        problems = ()
    if problems:
        return " ".join(problems[0].Message().split())
    return "the mol block does not follow its format, or has fewer lines than it announces"
