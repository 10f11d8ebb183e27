"""Mol blocks, the records of SD files, read as SMILES.

A block (BIOVIA's CTfile formats, V2000 or V3000) can express more than SMILES can, and RDKit
silently ignores some of it: a polymer becomes one repeating unit, an abbreviation that was never
expanded becomes a carbon. Such blocks are refused (`chem.features`).
"""

import re
from functools import cache

from rdkit import Chem, rdBase

from molvae.chem.features import check_features
from molvae.errors import Rejected

END = "M  END"
MAX_BLOCK = 200_000  # characters: far more than the largest molecule taken has with all hydrogens
MAX_ATOMS = 1000  # without explicit hydrogens

_ATOM = re.compile(r"^(?:[-+.\d ]{31}|M  V30 \d+ )([A-Za-z#]+)(?= +-?\d)", re.MULTILINE)
_NO_ELEMENTS = frozenset("A AH D L LP M MH Mod Pol Q QH R R# T X XH".split())
_ABBREVIATION = re.compile(r"^G  [ \d]{3}[ \d]{2}\d\s*$", re.MULTILINE)  # RDKit skips the line


def is_block(text: str) -> bool:
    """Return whether a text is a mol block, and not SMILES."""
    return f"\n{END}" in text


def without_block(text: str) -> str:
    """Return SMILES unchanged, and "" for a mol block.

    For lists of rejected rows: a million blocks are gigabytes, and file and line name each.
    """
    return "" if is_block(text) else text


def smiles_from_block(block: str, *, stereo: bool = False) -> str:
    """Read one mol block with RDKit, in a process that may be lost: RDKit can end it.

    Args:
        block: V2000 or V3000, from its title line to `M  END`.
        stereo: as in `check_features`.

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
    if _ABBREVIATION.search(block):
        raise Rejected("unknown atom", "an abbreviation of atoms, a line that begins with G")
    with rdBase.BlockLogs():
        mol = Chem.MolFromMolBlock(block)
        if mol is None:
            raise Rejected("not a molecule", _why_not(block))
        check_features(mol, stereo=stereo)
        if mol.GetNumAtoms() > MAX_ATOMS:
            detail = f"{mol.GetNumAtoms()}, at most {MAX_ATOMS} are read from a mol block"
            raise Rejected("too many heavy atoms", detail)
        try:
            return Chem.MolToSmiles(mol)
        except (RuntimeError, ValueError) as failure:
            raise Rejected("not a molecule", " ".join(str(failure).split())) from failure


def _why_not(block: str) -> str:
    """Return why RDKit does not read a block."""
    lines = block.split("\n", 4)
    counts = lines[3] if len(lines) > 3 else ""
    if not re.match(r"[ \d]{5}\d", counts):
        return f"its counts line, the fourth, is {counts[:40]!a}"
    unknown = [symbol for symbol in _ATOM.findall(block) if symbol not in _symbols()]
    if unknown:
        return f"{unknown[0]!a} is no element"
    mol = Chem.MolFromMolBlock(block, sanitize=False)
    try:
        problems = () if mol is None else Chem.DetectChemistryProblems(mol)
    except RuntimeError:  # of molecules whose valences RDKit cannot even count
        problems = ()
    if problems:
        return " ".join(problems[0].Message().split())
    return (
        "the mol block does not follow its format, has fewer lines than it announces, or has parts"
        " that RDKit does not read"
    )


@cache
def _symbols() -> frozenset[str]:
    """Return the symbols that an atom of a block can have: elements, and names for several."""
    table = Chem.GetPeriodicTable()
    numbers = range(1, table.GetMaxAtomicNumber() + 1)
    return frozenset(map(table.GetElementSymbol, numbers)) | _NO_ELEMENTS
