"""From an untrusted SMILES string to one molecule with one spelling.

The string is checked before RDKit sees it (`molvae.chem.text`), and the molecule again afterwards.
Every refusal is a `Rejected` with one of the reasons that `molvae.chem.gate` lists.
"""

import re
from collections.abc import Callable
from functools import cache, partial
from typing import NamedTuple

from rdkit import Chem, rdBase
from rdkit.Chem import rdMolDescriptors
from rdkit.Chem.MolStandardize import rdMolStandardize

from molvae.chem.cxsmiles import is_extended, smiles_from_extended, without_extension
from molvae.chem.molblock import is_block, smiles_from_block
from molvae.chem.syntax import syntax_problem
from molvae.chem.text import check_text as check_text
from molvae.chem.text import is_selfies
from molvae.errors import Rejected

MAX_PASSES = 8  # real molecules settle in two; a cycle has at most a few members
MAX_SPELLED = 1000  # heavy atoms; no cap on size is set as high
MAX_CANONICAL_LENGTH = 4000  # characters; a chain of 20,000 atoms overflows RDKit's stack

_CHARGED = re.compile(r"[+-]\d*(?::\d+)?\]")
_ATOM_MAP = re.compile(r":\d+\]")
_ISOTOPE = re.compile(r"\[\d")
_STEREO = re.compile(r"[@/\\]")
_SWITCHED = re.compile(r"[.@/\\]|\[\d|[+-]\d*(?::\d+)?\]|:\d+\]")  # what a switch could change
_RARE_ION = re.compile(r"\[\d*(?![NnO])[^\]]*[+-]")  # not of nitrogen or oxygen
_ODD_BOND = re.compile(r"[~$:<>]")


class Standardization(NamedTuple):
    """How a molecule is standardized before training, and the largest one accepted."""

    stereo: bool = False  # keep tetrahedral and double-bond stereochemistry
    largest_fragment: bool = True  # keep one fragment of a salt or mixture (see `_main_fragment`)
    uncharge: bool = True  # add or remove protons until the molecule is neutral where it can be
    isotopes: bool = False  # keep isotope labels
    max_length: int = 400  # characters of the string as given
    max_heavy_atoms: int = 150  # after the fragment is chosen
    max_rings: int = 60  # of the smallest set of smallest rings

    def left_out(self, text: str) -> list[str]:
        """Return the features of a molecule, given as SMILES, that this form drops.

        >>> Standardization().left_out("C[C@H](N)C(=O)O.Cl")
        ['stereo marks', 'smaller fragments']
        """
        if is_block(text):  # its coordinates contain none of these marks
            return []
        text = without_extension(text)
        there = {
            "stereo marks": not self.stereo and _STEREO.search(text),
            "smaller fragments": self.largest_fragment and "." in text,
            "isotope labels": not self.isotopes and _ISOTOPE.search(text),
        }
        return [name for name, found in there.items() if found]


DEFAULT_STANDARDIZATION = Standardization()


def standardize(
    text: str, standardization: Standardization = DEFAULT_STANDARDIZATION
) -> tuple[str, Chem.Mol]:
    """Standardize an untrusted string into a molecule for training, with its one spelling.

    Text checks, parse, largest fragment, neutralization, isotopes, stereo and atom-map numbers as
    switched, size caps, then the whole again until the canonical SMILES no longer changes.

    Args:
        text: one field of a table or one line of a file: SMILES, CXSMILES or a mol block.
        standardization: the switches and caps.

    Returns:
        The canonical SMILES and the molecule parsed from it.

    Raises:
        Rejected: with one of the reasons that `molvae.chem.gate` lists.

    >>> standardize("OC(=O)c1ccccc1OC(C)=O")[0]
    'CC(=O)Oc1ccccc1C(=O)O'
    >>> standardize("C[NH+](C)C.[Cl-]")[0]
    'CN(C)C'
    """
    if is_selfies(text):  # a decoder may write such SMILES, but nobody else does
        raise Rejected("SELFIES, not SMILES", "selfies.decoder(text) makes SMILES of it")
    rewrite = partial(_rewrite, standardization)
    with rdBase.BlockLogs():
        smiles, mol = _fixed_point(
            as_smiles(text, standardization.max_length, stereo=standardization.stereo), rewrite
        )
    if not standardization.stereo and _STEREO.search(smiles):  # a member of a cycle
        raise Rejected("no stable spelling", f"stereo marks come back in {smiles}")
    return smiles, mol


def standard_spelling(
    smiles: str, mol: Chem.Mol, standardization: Standardization = DEFAULT_STANDARDIZATION
) -> str:
    """Return what `standardize` returns for a canonical molecule, in most cases without calling it.

    Args:
        smiles: as `canonical_molecule` returns it.
        mol: likewise.
        standardization: the switches and caps.

    Raises:
        Rejected: as `standardize` raises it.

    >>> standard_spelling(*canonical_molecule("CC(=O)[O-]"))
    'CC(=O)O'
    """
    if _SWITCHED.search(smiles):
        return standardize(smiles, standardization)[0]
    check_text(smiles, standardization.max_length)
    _check_size(mol, standardization)
    _check_kinds(smiles)
    return smiles


def without_maps(text: str) -> str:
    """Return SMILES without atom-map numbers, which number atoms and change no molecule.

    >>> without_maps("[CH3:1][OH:2]")
    '[CH3][OH]'
    """
    return _ATOM_MAP.sub("]", text)


def may_have_parent(canonical: str) -> bool:
    """Return whether `standardize` could leave out a fragment or a charge of a molecule."""
    return "." in canonical or _CHARGED.search(canonical) is not None


def canonicalize(smiles: str, *, stereo: bool = True) -> str:
    """Write a molecule in RDKit's canonical spelling, brought to a fixed point.

    Nothing else is changed: salts, charges, isotopes and atom-map numbers stay.

    Args:
        smiles: SMILES of at most 4,000 characters, CXSMILES or a mol block.
        stereo: keep stereochemistry.

    Raises:
        Rejected: when the string is no molecule.

    >>> canonicalize("C1=CC=CC=C1O")
    'Oc1ccccc1'
    """
    return canonical_molecule(smiles, stereo=stereo)[0]


def canonical_molecule(smiles: str, *, stereo: bool = True) -> tuple[str, Chem.Mol]:
    """Return a molecule's spelling as `canonicalize` does, and the molecule parsed from it."""

    def rewrite(mol: Chem.Mol, spelling: str) -> str:
        if not stereo and _STEREO.search(spelling):
            Chem.RemoveStereochemistry(mol)
        return Chem.MolToSmiles(mol)

    with rdBase.BlockLogs():
        return _fixed_point(as_smiles(smiles), rewrite)


def as_smiles(text: str, max_length: int = MAX_CANONICAL_LENGTH, *, stereo: bool = False) -> str:
    """Return a molecule as SMILES that RDKit may parse, whatever stands in its cell.

    Args:
        text: SMILES, CXSMILES or a mol block.
        max_length: characters of the SMILES.
        stereo: as in `features.check_features`.

    Raises:
        Rejected: as `check_text`, `smiles_from_extended` and `smiles_from_block` raise it.

    >>> as_smiles("C[C@H](N)O |&1:1|")
    'C[C@H](N)O'
    """
    if is_block(text):
        text = smiles_from_block(text, stereo=stereo)
    elif is_extended(text):
        return smiles_from_extended(text, max_length, stereo=stereo)
    return check_text(text, max_length)


def parse(smiles: str) -> Chem.Mol:
    """Parse one SMILES string with RDKit.

    Args:
        smiles: a string as `as_smiles` or `check_text` returns it.

    Raises:
        Rejected: "not a molecule", with the cause in words and a position where there is one.
    """
    with rdBase.BlockLogs():
        return _parse(smiles)


def _parse(smiles: str) -> Chem.Mol:
    """Parse as `parse` does, where RDKit's log is off already: switching it off takes time."""
    mol = Chem.MolFromSmiles(smiles, _parser())
    if mol is None:
        raise Rejected("not a molecule", _why_not(smiles))
    return mol


@cache
def _parser(*, sanitize: bool = True) -> Chem.SmilesParserParams:
    """Return RDKit's parser without its extensions, which read a second field as a name."""
    parameters = Chem.SmilesParserParams()
    switches = {"allowCXSMILES": False, "parseName": False, "sanitize": sanitize}
    for switch, value in switches.items():
        setattr(parameters, switch, value)  # RDKit's type stubs are wrong here
    return parameters


def _fixed_point(smiles: str, rewrite: Callable[[Chem.Mol, str], str]) -> tuple[str, Chem.Mol]:
    """Rewrite until the spelling stays; of spellings that alternate, take the smallest.

    RDKit's canonical SMILES of some molecules is read back as a molecule with another canonical
    SMILES. Without a fixed point the same molecule would be counted twice.
    """
    seen: list[str] = []
    for _ in range(MAX_PASSES):
        mol = _parse(smiles)
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
            return smallest, _parse(smallest)
        smiles = following
    raise Rejected("no stable spelling", f"still changing after {MAX_PASSES} passes: {smiles}")


def _rewrite(standardization: Standardization, mol: Chem.Mol, smiles: str) -> str:
    """Apply the switches once; those that cannot change this spelling are skipped."""
    if "." in smiles and standardization.largest_fragment:
        mol = _main_fragment(mol)
    _check_size(mol, standardization)
    if _ATOM_MAP.search(smiles):
        for atom in mol.GetAtoms():
            atom.SetAtomMapNum(0)
    if not standardization.isotopes and _ISOTOPE.search(smiles):
        mol = _without_isotopes(mol)
    if standardization.uncharge and _CHARGED.search(smiles):
        mol = neutralize(mol, smiles)
    if not standardization.stereo and _STEREO.search(smiles):
        Chem.RemoveStereochemistry(mol)
    written = Chem.MolToSmiles(mol)
    _check_kinds(written)
    return written


def neutralize(mol: Chem.Mol, smiles: str) -> Chem.Mol:
    """Return the molecule with protons added or removed until it is neutral, where it can be.

    A ring with a charged carbon may be aromatic only because of the charge, as cyclopentadienide,
    so its bonds become single and double before, and the molecule is sanitized again. Where that
    fails, as for the phosphorus of an ion like [PF6-], the charge stays.
    """
    if not _RARE_ION.search(smiles):
        return _uncharger().uncharge(mol)
    kekule = Chem.Mol(mol)
    Chem.Kekulize(kekule, clearAromaticFlags=True)
    neutral = _uncharger().uncharge(kekule)
    return mol if Chem.SanitizeMol(neutral, catchErrors=True) else neutral


@cache
def _uncharger() -> rdMolStandardize.Uncharger:
    return rdMolStandardize.Uncharger()


def _main_fragment(mol: Chem.Mol) -> Chem.Mol:
    """Return the fragment with carbon and the most heavy atoms, then the heavier, then by spelling.

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
    # Writing SMILES is slow, and dangerous before the size is checked, so only to break a tie.
    return tied[0] if len(tied) == 1 or -best[1] > MAX_SPELLED else min(tied, key=Chem.MolToSmiles)


def _without_isotopes(mol: Chem.Mol) -> Chem.Mol:
    for atom in mol.GetAtoms():
        atom.SetIsotope(0)
    plain: Chem.Mol = Chem.RemoveHs(mol)  # deuterium was an atom; as hydrogen it is implicit
    return plain


def _check_size(mol: Chem.Mol, standardization: Standardization) -> None:
    heavy_atoms = mol.GetNumHeavyAtoms()
    if heavy_atoms == 0:
        raise Rejected("no heavy atom", "nothing but hydrogen and place holders")
    if heavy_atoms > standardization.max_heavy_atoms:
        detail = f"{heavy_atoms}, at most {standardization.max_heavy_atoms} are taken"
        raise Rejected("too many heavy atoms", detail)
    rings = rdMolDescriptors.CalcNumRings(mol)
    if rings > standardization.max_rings:
        raise Rejected("too many rings", f"{rings}, at most {standardization.max_rings} are taken")


def _check_kinds(written: str) -> None:
    """Refuse atoms and bonds that SELFIES has no symbol for, by RDKit's own spelling of them.

    Checking the spelling is exact, because RDKit writes single, double, triple and aromatic
    bonds between aromatic atoms without these characters, and far cheaper than visiting bonds.
    """
    if "*" in written:
        raise Rejected("unknown atom", f"a place holder (*) in {written}")
    if odd := _ODD_BOND.search(written):
        names = {"~": "of any order", "$": "quadruple", ":": "aromatic outside a ring"}
        kind = names.get(odd.group(), "dative")
        raise Rejected("unsupported bond", f"a bond that is {kind} in {written}")


def _why_not(smiles: str) -> str:
    """Return why RDKit does not parse a string, with the position where there is one."""
    mol = Chem.MolFromSmiles(smiles, _parser(sanitize=False))
    if mol is None:
        return syntax_problem(smiles)
    problems = [problem.Message() for problem in Chem.DetectChemistryProblems(mol)]
    if not problems:
        return "RDKit does not accept its chemistry"
    return " ".join(problems[0].split())
