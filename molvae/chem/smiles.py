"""From a string that claims to be SMILES to one molecule with one spelling.

RDKit reads some strings as another molecule without a word (two Cyrillic letters and an O become
water, `CC O` becomes ethane, `[C+999999]` becomes C+63) and very long chains end the process. So
the string is checked before RDKit sees it, and the molecule again afterwards. Every refusal is a
`Rejected` whose reason comes from this fixed set, so that refusals can be counted:

    empty · not SMILES characters · more than one record · too long · number out of range ·
    odd bracket atom · not a molecule · no heavy atom · too many heavy atoms · too many rings ·
    unknown atom · unsupported bond · no stable spelling
"""

import re
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

from rdkit import Chem, rdBase
from rdkit.Chem import rdMolDescriptors
from rdkit.Chem.MolStandardize import rdMolStandardize

from molvae.errors import Rejected

MAX_CHARGE = 9  # SELFIES writes a charge with one digit
MAX_RING_NUMBER = 99  # the largest that `%nn` can write (OpenSMILES 3.4)
MAX_PASSES = 8  # real molecules settle in two; a cycle has at most a few members
MAX_SPELLED = 1000  # heavy atoms; no cap on size is set as high
MAX_CANONICAL_LENGTH = 4000  # characters; a chain of 20,000 atoms overflows RDKit's stack

_NOT_SMILES = re.compile(r"[^A-Za-z0-9()\[\].=#$:/\\@+%*~<>-]")
_LINE_END = re.compile(r"[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_BRACKET = re.compile(r"\[([^\[\]]*)\]")
_BRACKET_ATOM = re.compile(
    r"(?P<isotope>\d*)"
    r"(?P<element>[A-Z][a-z]?|[a-z][a-z]?|\*)"
    r"(?:@@?|@(?:TH|AL)[12]|@SP[1-3]|@(?:TB|OH)\d{1,2})?"
    r"(?:H\d?)?"
    r"(?P<charge>\+\d+|-\d+|\++|-+)?"
    r"(?::(?P<map>\d+))?"
)
_RING_NUMBER = re.compile(r"%(?:\((\d*)\)?|(\d{0,2}))")
_CHARGED = re.compile(r"[+-]\d*(?::\d+)?\]")
_ATOM_MAP = re.compile(r":\d+\]")
_ISOTOPE = re.compile(r"\[\d")
_STEREO = re.compile(r"[@/\\]")
_ODD_BOND = re.compile(r"[~$:<>]")


class Standardization(NamedTuple):
    """What is done to a molecule before it is learned from, and the largest one taken.

    Attributes:
        stereo: keep tetrahedral and double-bond stereochemistry.
        largest_fragment: keep one fragment of a salt or mixture (see `_main_fragment`).
        uncharge: add or remove protons until the molecule is neutral where it can be.
        isotopes: keep isotope labels.
        max_length: characters of the string as given.
        max_heavy_atoms: heavy atoms, after the fragment is chosen.
        max_rings: rings of the smallest set of smallest rings.
    """

    stereo: bool = False
    largest_fragment: bool = True
    uncharge: bool = True
    isotopes: bool = False
    max_length: int = 400
    max_heavy_atoms: int = 150
    max_rings: int = 60


DEFAULT_STANDARDIZATION = Standardization()


def standardize(
    text: str, standardization: Standardization = DEFAULT_STANDARDIZATION
) -> tuple[str, Chem.Mol]:
    """Turn a string from anywhere into a molecule fit to learn from, with its one spelling.

    Text checks, parse, largest fragment, neutralization, isotopes, stereo and atom-map numbers as
    switched, size caps, then the whole again until the canonical SMILES no longer changes.

    Args:
        text: one field of a table or one line of a file.
        standardization: the switches and caps.

    Returns:
        The canonical SMILES and the molecule parsed from it.

    Raises:
        Rejected: with one of the reasons that the module lists.

    >>> standardize("OC(=O)c1ccccc1OC(C)=O")[0]
    'CC(=O)Oc1ccccc1C(=O)O'
    >>> standardize("C[NH+](C)C.[Cl-]")[0]
    'CN(C)C'
    """

    def rewrite(mol: Chem.Mol, smiles: str) -> str:
        return _rewrite(mol, smiles, standardization)

    with rdBase.BlockLogs():
        smiles, mol = _fixed_point(check_text(text, standardization.max_length), rewrite)
        if _STEREO.search(smiles) and not standardization.stereo:  # a member of a cycle
            raise Rejected("no stable spelling", f"stereo marks come back in {smiles}")
        return smiles, mol


def canonicalize(smiles: str, *, stereo: bool = True) -> str:
    """Write a molecule in RDKit's canonical spelling, brought to a fixed point.

    Nothing else is changed: salts, charges, isotopes and atom-map numbers stay.

    Args:
        smiles: a SMILES string, at most 4,000 characters.
        stereo: keep stereochemistry.

    Returns:
        Canonical SMILES.

    Raises:
        Rejected: when the string is no molecule.

    >>> canonicalize("C1=CC=CC=C1O")
    'Oc1ccccc1'
    """

    def rewrite(mol: Chem.Mol, spelling: str) -> str:
        if not stereo and _STEREO.search(spelling):
            Chem.RemoveStereochemistry(mol)
        return Chem.MolToSmiles(mol)

    with rdBase.BlockLogs():
        return _fixed_point(check_text(smiles, MAX_CANONICAL_LENGTH), rewrite)[0]


def check_text(text: str, max_length: int = 400) -> str:
    """Check what can be checked without RDKit, whose reading is not to be trusted on such input.

    One byte-order mark, one carriage return and outer white space are taken off first.

    Args:
        text: the string as found.
        max_length: characters.

    Returns:
        The string without its wrapping.

    Raises:
        Rejected: empty, not SMILES characters, more than one record, too long, number out of
            range, odd bracket atom.
    """
    stripped = text.removeprefix("\ufeff").strip(" \t\n").removesuffix("\r").strip(" \t")
    if not stripped:
        raise Rejected("empty", "no SMILES here")
    if len(stripped) > max_length:
        raise Rejected("too long", f"{len(stripped)} characters, at most {max_length} are read")
    if foreign := _NOT_SMILES.search(stripped):
        raise _foreign_character(stripped, foreign.start())
    if "[" in stripped:
        _check_brackets(stripped)
    if "%" in stripped:
        _check_ring_numbers(stripped)
    return stripped


def parse(smiles: str) -> Chem.Mol:
    """Read one SMILES string with RDKit.

    Args:
        smiles: a string that passed `check_text`.

    Returns:
        The sanitized molecule.

    Raises:
        Rejected: "not a molecule", with the cause in words and a position where there is one.
    """
    with rdBase.BlockLogs():
        mol = Chem.MolFromSmiles(smiles, _parser())
        if mol is None:
            raise Rejected("not a molecule", _why_not(smiles))
    return mol


@cache
def _parser(*, sanitize: bool = True) -> Chem.SmilesParserParams:
    """RDKit's parser without its extensions, which read a second field as a name."""
    parameters = Chem.SmilesParserParams()
    switches = {"allowCXSMILES": False, "parseName": False, "sanitize": sanitize}
    for switch, value in switches.items():
        setattr(parameters, switch, value)  # RDKit's type stubs take these for something else
    return parameters


def _foreign_character(text: str, position: int) -> Rejected:
    character = text[position]
    where = f"at character {position + 1}"
    if _LINE_END.match(character):
        return Rejected("more than one record", f"a line ends {where}")
    if character.isspace():
        return Rejected("more than one record", f"white space {where}")
    shown = character if character.isascii() and character.isprintable() else ascii(character)
    return Rejected("not SMILES characters", f"{shown} {where}")


def _check_brackets(text: str) -> None:
    for bracket in _BRACKET.finditer(text):
        where = f"{bracket.group()} at character {bracket.start() + 1}"
        atom = _BRACKET_ATOM.fullmatch(bracket.group(1))
        if atom is None:
            raise Rejected("odd bracket atom", where)
        isotope, charge, label = atom["isotope"], atom["charge"], atom["map"]
        if len(isotope) > 3:
            raise Rejected("number out of range", f"{where}: an isotope has at most 3 digits")
        if charge and _charge_size(charge) > MAX_CHARGE:
            raise Rejected("number out of range", f"{where}: a charge is at most {MAX_CHARGE}")
        if label and len(label) > 6:
            raise Rejected("number out of range", f"{where}: an atom map has at most 6 digits")


def _charge_size(charge: str) -> int:
    """Size of a charge written as `+2` or as `++`."""
    digits = charge.lstrip("+-")
    if len(digits) > 2:
        return MAX_CHARGE + 1  # too long to be worth converting
    return int(digits) if digits else len(charge)


def _check_ring_numbers(text: str) -> None:
    for ring in _RING_NUMBER.finditer(text):
        digits = ring.group(1) if ring.group(1) is not None else ring.group(2)
        where = f"{ring.group()} at character {ring.start() + 1}"
        if len(digits) == 0 or (ring.group(2) is not None and len(digits) < 2):
            raise Rejected("not a molecule", f"{where}: % is followed by two digits")
        if len(digits) > 4 or int(digits) > MAX_RING_NUMBER:
            detail = f"{where}: a ring number is at most {MAX_RING_NUMBER}"
            raise Rejected("number out of range", detail)


def _fixed_point(smiles: str, rewrite: Callable[[Chem.Mol, str], str]) -> tuple[str, Chem.Mol]:
    """Rewrite until the spelling stays; of spellings that alternate, take the smallest.

    RDKit's canonical SMILES of some molecules is read back as a molecule with another canonical
    SMILES. Without a fixed point the same molecule would be counted twice.
    """
    seen: list[str] = []
    for _ in range(MAX_PASSES):
        mol = parse(smiles)
        try:
            following = rewrite(mol, smiles)
        except (Chem.MolSanitizeException, RuntimeError, ValueError) as failure:
            # Parts are checked again when a molecule is split; bonds of any order fail there.
            raise Rejected("not a molecule", " ".join(str(failure).split())) from failure
        if following == smiles:
            return smiles, mol
        seen.append(smiles)
        if following in seen:
            smallest = min(seen[seen.index(following) :])
            return smallest, parse(smallest)
        smiles = following
    raise Rejected("no stable spelling", f"still changing after {MAX_PASSES} passes: {smiles}")


def _rewrite(mol: Chem.Mol, smiles: str, standardization: Standardization) -> str:
    """Apply the switches once. What the spelling shows to be absent is not looked for."""
    if "." in smiles and standardization.largest_fragment:
        mol = _main_fragment(mol)
    _check_size(mol, standardization)
    if _ATOM_MAP.search(smiles):
        for atom in mol.GetAtoms():
            atom.SetAtomMapNum(0)
    if not standardization.isotopes and _ISOTOPE.search(smiles):
        mol = _without_isotopes(mol)
    if standardization.uncharge and _CHARGED.search(smiles):
        mol = _uncharger().uncharge(mol)
    if not standardization.stereo and _STEREO.search(smiles):
        Chem.RemoveStereochemistry(mol)
    written = Chem.MolToSmiles(mol)
    _check_kinds(written)
    return written


@cache
def _uncharger() -> rdMolStandardize.Uncharger:
    return rdMolStandardize.Uncharger()


def _main_fragment(mol: Chem.Mol) -> Chem.Mol:
    """The fragment with carbon and the most heavy atoms, then the heavier, then by spelling.

    Carbon comes first so that a small drug wins over a big inorganic counter-ion.
    """

    def rank(fragment: Chem.Mol) -> tuple[bool, int, float]:
        carbon = any(atom.GetAtomicNum() == 6 for atom in fragment.GetAtoms())
        weight = rdMolDescriptors.CalcExactMolWt(fragment)
        return not carbon, -fragment.GetNumHeavyAtoms(), -round(weight, 6)

    fragments: tuple[Chem.Mol, ...] = Chem.GetMolFrags(mol, asMols=True)
    ranks = [rank(fragment) for fragment in fragments]
    best = min(ranks)
    tied = [fragment for fragment, its in zip(fragments, ranks, strict=True) if its == best]
    # Spelling is slow, and dangerous before the size is checked, so only where it decides.
    return tied[0] if len(tied) == 1 or -best[1] > MAX_SPELLED else min(tied, key=Chem.MolToSmiles)


def _without_isotopes(mol: Chem.Mol) -> Chem.Mol:
    for atom in mol.GetAtoms():
        atom.SetIsotope(0)
    plain: Chem.Mol = Chem.RemoveHs(mol)  # deuterium was an atom; as hydrogen it is implicit
    return plain


def _check_size(mol: Chem.Mol, standardization: Standardization) -> None:
    heavy_atoms = mol.GetNumHeavyAtoms()
    if heavy_atoms == 0:
        raise Rejected("no heavy atom", "nothing but hydrogen")
    if heavy_atoms > standardization.max_heavy_atoms:
        detail = f"{heavy_atoms}, at most {standardization.max_heavy_atoms} are taken"
        raise Rejected("too many heavy atoms", detail)
    rings = rdMolDescriptors.CalcNumRings(mol)
    if rings > standardization.max_rings:
        raise Rejected("too many rings", f"{rings}, at most {standardization.max_rings} are taken")


def _check_kinds(written: str) -> None:
    """Refuse atoms and bonds that SELFIES has no word for, by RDKit's own spelling of them.

    Looking at the spelling is exact, because RDKit writes single, double, triple and aromatic
    bonds between aromatic atoms without these characters, and far cheaper than visiting bonds.
    """
    if "*" in written:
        raise Rejected("unknown atom", f"a place holder (*) in {written}")
    if odd := _ODD_BOND.search(written):
        names = {"~": "of any order", "$": "quadruple", ":": "aromatic outside a ring"}
        kind = names.get(odd.group(), "dative")
        raise Rejected("unsupported bond", f"a bond that is {kind} in {written}")


def _why_not(smiles: str) -> str:
    """Say why RDKit does not read a string, in words, with the place where there is one."""
    mol = Chem.MolFromSmiles(smiles, _parser(sanitize=False))
    if mol is None:
        return _syntax_problem(smiles)
    problems = [problem.Message() for problem in Chem.DetectChemistryProblems(mol)]
    if not problems:
        return "RDKit does not accept its chemistry"
    return " ".join(problems[0].split())


def _syntax_problem(smiles: str) -> str:
    """Find the first bracket, branch or ring that does not close."""
    bracket = None
    branches: list[int] = []
    for position, character in enumerate(smiles, start=1):
        if character == "[":
            if bracket is not None:
                return f"a bracket inside a bracket at character {position}"
            bracket = position
        elif character == "]":
            if bracket is None:
                return f"a bracket is closed at character {position} and was not opened"
            bracket = None
        elif character == "(":
            branches.append(position)
        elif character == ")":
            if not branches:
                return f"a branch is closed at character {position} and was not opened"
            branches.pop()
    if bracket is not None:
        return f"a bracket is opened at character {bracket} and not closed"
    if branches:
        return f"a branch is opened at character {branches[-1]} and not closed"
    return _ring_problem(smiles) or "the string does not follow the grammar of SMILES"


def _ring_problem(smiles: str) -> str:
    """Find a ring number that is used once, or nothing."""
    bare = _BRACKET.sub(lambda bracket: "*" * len(bracket.group()), smiles)
    opened: dict[int, int] = {}
    for ring in re.finditer(r"%\((\d+)\)|%(\d\d)|(\d)", bare):
        number = int(ring.group(ring.lastindex or 0))
        if opened.pop(number, None) is None:
            opened[number] = ring.start() + 1
    if not opened:
        return ""
    number, position = min(opened.items(), key=lambda item: item[1])
    return f"ring {number} is opened at character {position} and not closed"
