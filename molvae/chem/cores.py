"""Cores: a part that molecules must contain, with marks at the atoms that may grow.

A mark is a place holder with one single bond: `[*:1]`, `[1*]` or `*`. A model sees a core flat and
neutral, and writes new parts at its open atoms; a molecule is put together from the core as it was
given, with its stereo marks and charges, and from these parts.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from rdkit import Chem, rdBase

from molvae.chem.smiles import (
    Standardization,
    check_text,
    neutralize,
    parse,
)
from molvae.errors import Rejected

MARK = "a mark such as [*:1] stands for one new part, with one single bond: [*:1]c1ccccc1"


class Core(NamedTuple):
    """A core as it was given; plain values, so that it can be sent to worker processes.

    Attributes:
        text: SMILES with marks.
        form: how the model's training set was standardized.
        anywhere: whether atoms without a mark may grow as well; always true without any mark.
    """

    text: str
    form: Standardization
    anywhere: bool = False


class OpenCore(NamedTuple):
    """A core, parsed.

    Attributes:
        flat: as the model sees it: no marks, no stereo, neutral, its atoms in the order of `own`.
        own: as it was given, its marks at the end.
        marks: the numbers of the marks at each marked atom, as `[*:N]` has them.
        open: the atoms that may grow, those with marks or else all with a free hydrogen.
        changed: what the model does not see, in words.
    """

    flat: Chem.Mol
    own: Chem.Mol
    marks: Mapping[int, tuple[int, ...]]
    open: tuple[int, ...]
    changed: tuple[str, ...]

    @property
    def fragments(self) -> int:
        """The number of fragments."""
        return len(Chem.GetMolFrags(self.flat))


@lru_cache(maxsize=1024)
def open_core(core: Core) -> OpenCore:
    """Parse a core and its marks.

    Raises:
        Rejected: for what is no molecule, a mark in the wrong place, or no atom that may grow.

    >>> open_core(Core("[*:1]c1ccncc1", Standardization())).open
    (0,)
    """
    mol = _parse_marked(check_text(core.text, core.form.max_length))
    holders = [atom for atom in mol.GetAtoms() if atom.GetAtomicNum() == 0]
    for atom in holders:
        _check_mark(atom)
    order = [atom.GetIdx() for atom in mol.GetAtoms() if atom.GetAtomicNum()]
    if any(mol.GetAtomWithIdx(atom).GetAtomicNum() == 1 for atom in order):
        raise Rejected("a hydrogen atom", "leave it out, or write it in brackets: [nH]")
    if not order:
        raise Rejected("no heavy atom", "nothing but marks")
    with rdBase.BlockLogs():
        own = Chem.RenumberAtoms(mol, [*order, *(atom.GetIdx() for atom in holders)])
        marks = _marks(own)
        flat, changed = _flat(own, len(order), core.form)
    able = [a.GetIdx() for a in flat.GetAtoms() if a.GetTotalNumHs()]
    given = [a.GetTotalNumHs() > 0 for a in own.GetAtoms()]
    free = tuple(marks) or tuple(atom for atom in able if given[atom])
    if not free:
        raise Rejected("no atom is free to grow", "each has all its bonds")
    return OpenCore(flat, own, marks, free, changed)


def _parse_marked(text: str) -> Chem.Mol:
    try:
        return parse(text)
    except Rejected as rejected:
        if "*" in text and "kekulize" in rejected.detail:
            hint = "; a mark takes the place of a hydrogen, and a marked atom may have none"
            raise Rejected(rejected.reason, f"{rejected.detail}{hint}") from rejected
        raise


def _check_mark(atom: Chem.Atom) -> None:
    """Refuse a mark that is not bonded to one atom by a single bond."""
    where = f"atom {atom.GetIdx() + 1} (*)"
    bonds = list(atom.GetBonds())
    if len(bonds) != 1:
        raise Rejected("a mark in the wrong place", f"{where} has {len(bonds)} bonds; {MARK}")
    if bonds[0].GetBondType() != Chem.BondType.SINGLE:
        raise Rejected(
            "a mark in the wrong place", f"{where} has a bond that is not single; {MARK}"
        )
    if bonds[0].GetOtherAtom(atom).GetAtomicNum() == 0:
        raise Rejected("a mark in the wrong place", f"{where} is bonded to another mark; {MARK}")


def _marks(own: Chem.Mol) -> dict[int, tuple[int, ...]]:
    """Return the numbers of the marks at each atom: as given where all differ, else counted."""
    holders = [atom for atom in own.GetAtoms() if atom.GetAtomicNum() == 0]
    numbers = [atom.GetAtomMapNum() or atom.GetIsotope() for atom in holders]
    if 0 in numbers or len(set(numbers)) < len(numbers):
        numbers = list(range(1, len(holders) + 1))
    found: dict[int, tuple[int, ...]] = {}
    for atom, number in zip(holders, numbers, strict=True):
        atom.SetIsotope(0)
        atom.SetAtomMapNum(number)
        place = atom.GetNeighbors()[0].GetIdx()
        found[place] = (*found.get(place, ()), number)
    return dict(sorted(found.items(), key=lambda each: each[1]))


def _flat(own: Chem.Mol, size: int, form: Standardization) -> tuple[Chem.Mol, tuple[str, ...]]:
    """Return a core as the model sees it, and what was left out."""
    mol = Chem.RWMol(own)
    for atom in mol.GetAtoms():
        atom.SetAtomMapNum(0)
        if atom.GetIdx() >= size:
            atom.SetIsotope(0)
            atom.SetAtomicNum(1)
    Chem.RemoveStereochemistry(mol)
    flat = Chem.RemoveHs(mol)
    isotopes = any(atom.GetIsotope() for atom in flat.GetAtoms())
    for atom in flat.GetAtoms():
        atom.SetIsotope(0)
    neutral = neutralize(flat, Chem.MolToSmiles(flat)) if form.uncharge else flat
    without_stereo = Chem.Mol(own)
    Chem.RemoveStereochemistry(without_stereo)
    left_out = {
        "stereo marks": Chem.MolToSmiles(own) != Chem.MolToSmiles(without_stereo),
        "isotope labels": isotopes,
        "charges": Chem.MolToSmiles(neutral) != Chem.MolToSmiles(flat),
    }
    return neutral, tuple(name for name, found in left_out.items() if found)
