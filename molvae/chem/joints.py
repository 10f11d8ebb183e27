"""Places in the symbols of a new part where another fragment can be bonded to it.

A fragment follows behind the last symbol, or is a branch of an atom of the ring that ends there:
linkers such as 1,4-phenylene and piperazine have both their bonds in the middle of a ring.
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from selfies.grammar_rules import get_index_from_selfies, get_selfies_from_index

_JUMP = re.compile(r"\[[=#]?(?:Branch|Ring)([123])\]")


class Joint(NamedTuple):
    """A place for a fragment.

    Attributes:
        place: the fragment's first symbol stands here.
        end: the symbols from here on are left out.
    """

    place: int
    end: int


class _Ring(NamedTuple):
    """A ring in a string of symbols."""

    atoms: list[int]  # the places of its symbols, of the first atom to the one that closes it
    closes: int  # the place of its ring symbol
    end: int  # and what comes behind that


def ends(symbols: Sequence[str], begin: int) -> list[int]:
    """Return where a string can end, so that what stands behind its first symbols joins fragments.

    No ring is cut open, and none that goes through the first symbols is kept.

    >>> ends(["[N]", "[C]", "[C]", "[C]", "[Ring1]", "[Ring1]", "[F]"], 1)
    [6, 7]
    """
    rings = _rings(symbols)
    return [
        end
        for end in range(begin + 1, len(symbols) + 1)
        if not any(_spoils(ring, begin, end) for ring in rings)
    ]


def joints(symbols: Sequence[str], begin: int, end: int) -> list[Joint]:
    """Return where a fragment can be bonded to what stands from one symbol to another.

    Some of the atoms have no bond to give: whether `joined` symbols are consistent tells.

    >>> joints(["[C]", "[C]", "[O]"], 1, 3)
    [Joint(place=2, end=3), Joint(place=3, end=3)]
    """
    atoms = _places(symbols[:end])
    return [Joint(at + 1, end) for at in atoms if begin <= at < end - 1] + [Joint(end, end)]


def joined(symbols: Sequence[str], joint: Joint, fragment: Sequence[str]) -> list[str]:
    """Return symbols with a fragment at a joint.

    >>> "".join(joined(["[N]", "[C]", "[C]"], Joint(2, 3), ["[F]"]))
    '[N][C][Branch1][C][F][C]'
    """
    before, behind = symbols[: joint.place], list(symbols[joint.place : joint.end])
    if not behind:
        return [*before, *fragment]
    new = len(_places(fragment))
    for ring in reversed(_rings(symbols[: joint.end])):
        if ring.atoms[0] < joint.place <= ring.closes:  # it goes around the fragment's atoms
            kind, size = symbols[ring.closes], len(ring.atoms) - 2 + new
            digits = get_selfies_from_index(size)
            piece = slice(ring.closes - joint.place, ring.end - joint.place)
            behind[piece] = [f"{kind[:-2]}{len(digits)}]", *digits]
    size = get_selfies_from_index(len(fragment) - 1)
    return [*before, f"[Branch{len(size)}]", *size, *fragment, *behind]


def _spoils(ring: _Ring, begin: int, end: int) -> bool:
    """Return whether a ring is cut by the end, or goes through the first symbols and is kept."""
    if ring.atoms[0] < begin:
        return begin <= ring.closes < end
    return ring.atoms[0] < end < ring.end


def _rings(symbols: Sequence[str]) -> list[_Ring]:
    """Return the rings of symbols, each of which closes at the atom before its ring symbol."""
    return [
        _Ring(atoms[-size - 2 :], at, end)
        for at, end, size, atoms in _jumps(symbols)
        if "Ring" in symbols[at] and atoms
    ]


def _places(symbols: Sequence[str]) -> list[int]:
    """Return the places of atoms among symbols."""
    jumps = (range(at, end) for at, end, _, _ in _jumps(symbols))
    return sorted(set(range(len(symbols))).difference(*jumps))


def _jumps(symbols: Sequence[str]) -> Iterator[tuple[int, int, int, list[int]]]:
    """Yield the place, the end and the size of each branch and ring, and the atoms before it."""
    atoms: list[int] = []
    at = 0
    while at < len(symbols):
        jump = _JUMP.fullmatch(symbols[at])
        if jump is None:
            atoms.append(at)
            at += 1
            continue
        end = at + 1 + int(jump[1])
        yield at, end, get_index_from_selfies(*symbols[at + 1 : end]), list(atoms)
        at = end
