"""A molecule as a SMILES string spells it, with its double bonds in their places: read and written.

SELFIES has no aromatic atoms, so the selfies package parses the string itself and assigns double
bonds to the aromatic ones, which takes more time than RDKit. Here the same is done in one pass
over the string for the molecules that make up nearly all of any data set: one fragment, neither
stereo marks nor isotopes, atoms of the constraint table, aromatic atoms whose valence says by
itself whether they take a double bond. Whatever else comes is not read (None), and is left to the
selfies package. Which of several ways to place the double bonds is taken is the choice of selfies
2.2.0, whose matching is used, so that both give the same symbols.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from selfies.utils.matching_utils import find_perfect_matching

from molvae.chem.constraints import bonds_by_atom

MAX_RINGS = 99  # selfies cannot read the ring numbers it writes beyond

BOND = ("", "", "=", "#")  # how a bond is written, by its order
ORDER = {"": 1, "-": 1, "=": 2, "#": 3}
ORGANIC = frozenset({"B", "C", "N", "O", "P", "S", "F", "Cl", "Br", "I"})  # need no bracket

_RING = r"[-=#]?(?:[1-9]|%[1-9]\d)"
_ATOM = r"Br|Cl|[BCNOPSFIcnos]|\[(?:[A-Z][a-z]?|n)(?:H\d?)?(?:[+-]\d?)?\]"
_STEP = rf"(\)\(|[()])?([-=#])?({_ATOM})((?:{_RING})*)"  # from the atom before to this one
_STEPS = re.compile(_STEP)
_CLOSURES = re.compile(r"([-=#]?)([1-9]|%[1-9]\d)")
# Ring numbers come straight after their atom and the last branch has no parentheses: so both
# RDKit and selfies write, and so the order of symbols can be read off the string.
_SIMPLE = re.compile(rf"(?:{_ATOM})(?:{_RING})*(?:(?:\)\(|[()])?[-=#]?(?:{_ATOM})(?:{_RING})*)*")
_INSIDE = re.compile(r"(?P<element>[A-Z][a-z]?)(?:H(?P<hydrogens>\d?))?(?P<charge>[+-][1-9]?)?")
# Aromatic atoms as they are spelled: their names without aromaticity, and whether they take one
# of the double bonds, by the number of bonds when all aromatic ones count as single. Here the
# valence leaves no choice; other atoms are not read.
_AROMATIC: Mapping[str, tuple[str, Mapping[int, bool]]] = {
    "c": ("C", {2: True, 3: True, 4: False}),
    "n": ("N", {2: True, 3: False}),
    "o": ("O", {2: False}),
    "s": ("S", {2: False}),
    "[nH]": ("NH1", {2: False}),
    "[n+]": ("N+1", {3: True}),
    "[nH+]": ("NH1+1", {2: True}),
    "[n-]": ("N-1", {2: False}),
}


class KekuleGraph(NamedTuple):
    """One fragment, its atoms in the order of the string."""

    atoms: list[str]  # each as SELFIES writes it without its bond: "C", "NH1", "O-1"
    parents: list[int]  # the atom that each is bonded to among those before it; -1 for the first
    orders: list[int]  # of those bonds, 1 to 3; 0 for the first atom
    # Orders of the other bonds by their two atoms, the earlier one first, in the order in which
    # they are written at the later ones.
    rings: dict[tuple[int, int], int]


def free_bonds(element: str, charge: str, hydrogens: int) -> int | None:
    """Return how many bonds to other atoms an atom may have; None outside the table."""
    bonds = bonds_by_atom().get(element + charge)
    return None if bonds is None or bonds < hydrogens else bonds - hydrogens


def read_smiles(smiles: str) -> KekuleGraph | None:
    """Parse a SMILES string as selfies does.

    Args:
        smiles: any string; made for canonical SMILES.

    Returns:
        The molecule, or None for what is left to the selfies package: whatever it would refuse,
        and more.

    >>> read_smiles("C=CF")
    KekuleGraph(atoms=['C', 'C', 'F'], parents=[-1, 0, 1], orders=[0, 2, 1], rings={})
    """
    if _SIMPLE.fullmatch(smiles) is None:
        return None
    graph = KekuleGraph([], [], [], {})
    atoms, parents, orders, rings = graph
    spelled: list[_Spelled] = []
    delocalized: list[tuple[int, int]] = []  # aromatic bonds, in the order in which they appear
    forks: list[int] = []  # atoms whose branches are open
    opened: dict[str, tuple[int, str]] = {}
    last = -1
    for turn, bond, text, closures in _STEPS.findall(smiles):
        if turn:
            if turn[0] == ")":
                if not forks:
                    return None
                last = forks.pop()
            if turn[-1] == "(":
                forks.append(last)
        atom = _spelled(text)
        if atom is None:
            return None
        here = len(atoms)
        if atom.aromatic and not bond and here and spelled[last].aromatic:
            delocalized.append((last, here))
        spelled.append(atom)
        atoms.append(atom.name)
        parents.append(last)
        orders.append(ORDER[bond])
        last = here
        for mark, number in _CLOSURES.findall(closures) if closures else ():
            if number not in opened:
                opened[number] = here, mark
                continue
            other, mark_there = opened.pop(number)
            ends = other, here
            if ends in rings or other in (here, parents[here]):
                return None
            if mark and mark_there and mark != mark_there:
                return None
            if atom.aromatic and not mark + mark_there and spelled[other].aromatic:
                delocalized.append(ends)
            rings[ends] = ORDER[mark or mark_there]
    orders[0] = 0
    if forks or opened or len(rings) > MAX_RINGS:
        return None
    return graph if _place_double_bonds(graph, spelled, delocalized) else None


class _Spelled(NamedTuple):
    """One spelling of an atom: its name, its bonds, and its entry in `_AROMATIC`."""

    name: str
    free: int
    aromatic: Mapping[int, bool] | None


@lru_cache(maxsize=4096)
def _spelled(text: str) -> _Spelled | None:
    name, aromatic = _AROMATIC.get(text, (text.strip("[]"), None))
    match = _INSIDE.fullmatch(name)
    if match is None:
        return None
    hydrogens = 0 if match["hydrogens"] is None else int(match["hydrogens"] or 1)
    charge = match["charge"] or ""
    charge += "1" if charge in ("+", "-") else ""
    free = free_bonds(match["element"], charge, hydrogens)
    if free is None:
        return None
    name = f"{match['element']}{f'H{hydrogens}' if hydrogens else ''}{charge}"
    if text[0] == "[" and name in ORGANIC:  # without hydrogens, `[C]`: SELFIES says so, and rarely
        return None
    return _Spelled(name, free, aromatic)


def _place_double_bonds(
    graph: KekuleGraph, spelled: list[_Spelled], delocalized: list[tuple[int, int]]
) -> bool:
    """Assign double bonds to the aromatic atoms; return whether no atom has too many bonds."""
    _, parents, orders, rings = graph
    used = orders.copy()
    for parent, order in zip(parents[1:], orders[1:], strict=True):
        used[parent] += order
    for (one, other), order in rings.items():
        used[one] += order
        used[other] += order
    aromatic = [here for here, atom in enumerate(spelled) if atom.aromatic is not None]
    if aromatic:
        needy = _needy(aromatic, spelled, used)
        if needy is None:
            return False
        neighbors: list[list[int]] = [[] for _ in needy]
        for one, other in delocalized:
            if one in needy and other in needy:
                neighbors[needy[one]].append(needy[other])
                neighbors[needy[other]].append(needy[one])
        mates = find_perfect_matching(neighbors)
        if mates is None:
            return False
        atoms = list(needy)
        for one, other in ((atoms[k], atoms[mate]) for k, mate in enumerate(mates) if k < mate):
            if parents[other] == one:
                orders[other] = 2
            else:
                rings[one, other] = 2
            used[one] += 1
            used[other] += 1
    return all(bonds <= atom.free for bonds, atom in zip(used, spelled, strict=True))


def _needy(aromatic: list[int], spelled: list[_Spelled], used: list[int]) -> dict[int, int] | None:
    """Number the atoms that take a double bond; None when one's valence does not say."""
    needy: dict[int, int] = {}
    for here in aromatic:
        takes = (spelled[here].aromatic or {}).get(used[here])
        if takes is None:
            return None
        if takes:
            needy[here] = len(needy)
    return needy


def write_smiles(graph: KekuleGraph) -> str:
    """Write a molecule in the spelling of selfies: its order of atoms, rings numbered as they open.

    >>> write_smiles(read_smiles("c1ccccc1"))
    'C1=CC=CC=C1'
    """
    atoms, parents, orders, rings = graph
    closures = _closures(graph) if rings else {}
    behind = [""] * len(atoms)  # what follows each atom, the last branch first
    for here in range(len(atoms) - 1, -1, -1):
        name = atoms[here] if atoms[here] in ORGANIC else f"[{atoms[here]}]"
        text = f"{BOND[orders[here]]}{name}{closures.get(here, '')}{behind[here]}"
        if not here:
            return text
        parent = parents[here]
        behind[parent] = f"({text}){behind[parent]}" if behind[parent] else text
    return ""


def _closures(graph: KekuleGraph) -> dict[int, str]:
    """Return the ring numbers that are written behind each atom, with their bonds."""
    at: dict[int, list[tuple[int, int]]] = {}
    for ends in graph.rings:
        for end in ends:
            at.setdefault(end, []).append(ends)
    numbers: dict[tuple[int, int], int] = {}
    texts = {}
    for here in sorted(at):
        texts[here] = ""
        for ends in at[here]:
            number = numbers.setdefault(ends, len(numbers) + 1)
            texts[here] += f"{BOND[graph.rings[ends]]}{'%' if number > 9 else ''}{number}"
    return texts
