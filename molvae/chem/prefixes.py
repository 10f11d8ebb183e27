"""Spellings of a molecule as SELFIES symbols that end at one of its atoms, which is left open.

SELFIES closes its rings and branches as it goes, so symbols that end at an open atom are a prefix:
whatever a model writes behind them is bonded to that atom, and the molecule stays as it was.
"""

import re
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from rdkit import Chem

from molvae.chem.selfies import encode
from molvae.errors import Rejected

PATHS = 2  # from each atom to the open one: the longest, which leave the fewest branches
BRANCH = 3  # atoms: a branch less is worth as much as a start that is as much nearer to the first
MOST_STEPS = 20_000  # of the search for paths; only cages have more

_ATOM = re.compile(r"\[[^\]]*\]|Br|Cl|[BCNOPSFIbcnops]")
_BONDS = {
    Chem.BondType.SINGLE: "",
    Chem.BondType.DOUBLE: "=",
    Chem.BondType.TRIPLE: "#",
    Chem.BondType.AROMATIC: "",
}


class _Skeleton(NamedTuple):
    """A molecule as it is needed to write SMILES of one's own: atoms in the canonical order."""

    atoms: list[str]  # as SMILES spells each
    bonds: list[dict[int, str]]  # by atom: its neighbors, and how the bond to each is written


def open_prefixes(mol: Chem.Mol, atom: int, *, most: int | None = None) -> list[list[str]]:
    """Return spellings of a molecule behind which a bond to one of its atoms follows.

    From every atom, the longest paths to the open one become the main chain, and all else becomes
    branches and rings: few of these spellings are canonical, but what a model prefers is among
    them.

    Args:
        mol: a sanitized molecule of one fragment.
        atom: the open atom, which has a hydrogen to give.
        most: spellings wanted; None: all. Those nearest to the canonical one come first: with few
            branches, and a first atom that canonical SMILES has near its start.

    Raises:
        Rejected: "cannot be written as SELFIES".

    >>> open_prefixes(Chem.MolFromSmiles("CN"), 1)
    [['[C]', '[N]'], ['[N]', '[Branch1]', '[C]', '[C]']]
    """
    skeleton, last = _read(_with_carbon(mol, atom))
    found: dict[tuple[str, ...], None] = {}
    for path in sorted(_paths(skeleton, last), key=partial(_oddness, skeleton)):
        if len(found) == most:
            break
        found[tuple(encode(_write(skeleton, path))[:-1])] = None
    return [list(symbols) for symbols in found]


def rooted(mol: Chem.Mol, atom: int) -> list[str]:
    """Return the symbols of a molecule from one of its atoms on, with a bond before that atom.

    >>> rooted(Chem.MolFromSmiles("CN"), 1)
    ['[N]', '[C]']
    """
    grown = _with_carbon(mol, atom)
    text = Chem.MolToSmiles(grown, rootedAtAtom=mol.GetNumAtoms())
    return encode(text)[1:]


def _with_carbon(mol: Chem.Mol, atom: int) -> Chem.Mol:
    """Return a molecule with a methyl group at an atom, its last one: what an open atom looks like.

    Raises:
        Rejected: "no free hydrogen".
    """
    grown = Chem.RWMol(mol)
    place = grown.GetAtomWithIdx(atom)
    if place.GetTotalNumHs() == 0:
        raise Rejected("no free hydrogen", f"atom {atom + 1} ({place.GetSymbol()})")
    if place.GetNumExplicitHs():
        place.SetNumExplicitHs(place.GetNumExplicitHs() - 1)
    grown.AddBond(atom, grown.AddAtom(Chem.Atom(6)), Chem.BondType.SINGLE)
    Chem.SanitizeMol(grown)
    return grown


def _read(mol: Chem.Mol) -> tuple[_Skeleton, int]:
    """Return a molecule's skeleton, and the place of its last atom in it."""
    smiles = Chem.MolToSmiles(mol, isomericSmiles=False)
    order = list(mol.GetPropsAsDict(True, True)["_smilesAtomOutputOrder"])
    place = {atom: number for number, atom in enumerate(order)}
    bonds: list[dict[int, str]] = [{} for _ in order]
    for bond in mol.GetBonds():
        one, other = bond.GetBeginAtom(), bond.GetEndAtom()
        text = _BONDS[bond.GetBondType()]
        if not text and not bond.GetIsAromatic() and one.GetIsAromatic() and other.GetIsAromatic():
            text = "-"
        first, second = place[one.GetIdx()], place[other.GetIdx()]
        bonds[first][second] = bonds[second][first] = text
    return _Skeleton(_ATOM.findall(smiles), bonds), place[mol.GetNumAtoms() - 1]


def _paths(skeleton: _Skeleton, last: int) -> list[list[int]]:
    """Return the longest simple paths from each other atom to the last one."""
    found: dict[int, list[list[int]]] = {}
    stack, steps = [[last]], 0
    while stack and steps < MOST_STEPS:
        path = stack.pop()
        steps += 1
        found.setdefault(path[-1], []).append(path)
        stack += [[*path, atom] for atom in sorted(skeleton.bonds[path[-1]]) if atom not in path]
    del found[last]
    kept = [sorted(each, key=lambda path: (-len(path), path))[:PATHS] for each in found.values()]
    return [path[::-1] for each in kept for path in each]


def _oddness(skeleton: _Skeleton, path: Sequence[int]) -> tuple[int, Sequence[int]]:
    """Return how far a spelling is from canonical ones; the path itself breaks ties."""
    branches = sum(len(below) - 1 for below in _children(skeleton, path).values())
    return BRANCH * branches + path[0], path


def _write(skeleton: _Skeleton, path: Sequence[int]) -> str:
    """Return SMILES whose main chain is a path; the other atoms become branches of its first."""
    children = _children(skeleton, path)
    parents = {child: atom for atom, below in children.items() for child in below}
    opened: dict[frozenset[int], str] = {}
    texts: list[str] = []
    stack: list[int | str] = [path[0]]
    while stack:
        atom = stack.pop()
        if isinstance(atom, str):
            texts.append(atom)
            continue
        bonds, parent = skeleton.bonds[atom], parents.get(atom, -1)
        texts += [bonds.get(parent, ""), skeleton.atoms[atom]]
        for other in sorted(bonds.keys() - {parent} - set(children.get(atom, ()))):
            number = opened.get(frozenset((atom, other)), "")
            if number:
                texts += [bonds[other], number]
            else:
                number = str(len(opened) + 1) if len(opened) < 9 else f"%{len(opened) + 1}"
                opened[frozenset((atom, other))] = number
                texts.append(number)
        below = children.get(atom, [])
        stack += below[-1:]
        for child in reversed(below[:-1]):
            stack += [")", child, "("]
    return "".join(texts)


def _children(skeleton: _Skeleton, path: Sequence[int]) -> dict[int, list[int]]:
    """Return the tree of a spelling: by atom, those written behind it, the main chain last."""
    children: dict[int, list[int]] = {}
    visited = set(path)

    def branch(atom: int) -> None:
        for other in sorted(skeleton.bonds[atom]):
            if other not in visited:
                visited.add(other)
                children.setdefault(atom, []).append(other)
                branch(other)

    for atom, following in zip(path, [*path[1:], -1], strict=True):
        branch(atom)
        if following >= 0:
            children.setdefault(atom, []).append(following)
    return children
