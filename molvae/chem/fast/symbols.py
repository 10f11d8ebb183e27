"""Encode a molecule as SELFIES symbols, and decode symbols to a molecule (Krenn 2020).

The grammar of selfies 2.2.0 (doi 10.1088/2632-2153/aba947) under its default constraint table, for
one fragment with neither stereo marks nor isotopes; anything else is not read (None), and is left
to the selfies package. Both give the same symbols and the same molecules.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from selfies.constants import INDEX_ALPHABET
from selfies.grammar_rules import get_selfies_from_index

from molvae.chem.fast.kekule import BOND, MAX_RINGS, ORDER, KekuleGraph, free_bonds

_DIGIT = {symbol: digit for digit, symbol in enumerate(INDEX_ALPHABET)}
_ATOM = re.compile(
    r"\[(?P<bond>[=#]?)"
    r"(?P<name>(?P<element>[A-Z][a-z]?)(?:H(?P<hydrogens>[1-9]))?(?P<charge>[+-][1-9])?)\]"
)
_JUMP = re.compile(r"\[(?P<bond>[=#]?)(?P<kind>Branch|Ring)(?P<digits>[123])\]")


def write_symbols(graph: KekuleGraph) -> list[str]:
    """Encode a molecule as SELFIES symbols.

    >>> write_symbols(KekuleGraph(["C", "C", "F"], [-1, 0, 1], [0, 2, 1], {}))
    ['[C]', '[=C]', '[F]']
    """
    atoms, parents, orders, _ = graph
    closures = _closures(graph) if graph.rings else {}
    behind = [""] * len(atoms)  # what follows each atom, the last branch first
    counts = [0] * len(atoms)  # and of how many symbols it is
    for here in range(len(atoms) - 1, -1, -1):
        bond = BOND[orders[here]]
        closure, closing = closures.get(here, ("", 0))
        text = f"[{bond}{atoms[here]}]{closure}{behind[here]}"
        count = 1 + closing + counts[here]
        if not here:
            return text.replace("][", "] [").split()
        parent = parents[here]
        if not counts[parent]:
            behind[parent], counts[parent] = text, count
            continue
        digits, size = _size(count - 1)
        behind[parent] = f"[{bond}Branch{digits}]{size}{text}{behind[parent]}"
        counts[parent] += 1 + digits + count
    return []


def _closures(graph: KekuleGraph) -> dict[int, tuple[str, int]]:
    """Return the ring symbols that are written behind each atom, and their number."""
    texts: dict[int, tuple[str, int]] = {}
    for (other, here), order in graph.rings.items():
        text, count = texts.get(here, ("", 0))
        digits, size = _size(here - other - 1)
        texts[here] = f"{text}[{BOND[order]}Ring{digits}]{size}", count + 1 + digits
    return texts


@lru_cache(maxsize=4096)
def _size(number: int) -> tuple[int, str]:
    """Return the symbols for a size, and their number."""
    symbols = get_selfies_from_index(number)
    return len(symbols), "".join(symbols)


class _Symbol(NamedTuple):
    """The meaning of a symbol."""

    name: str  # of the atom; "" for a branch or a ring
    order: int  # of its bond, 1 to 3
    number: int  # bonds that the atom may have, or symbols in the size of a branch or ring
    ring: bool = False


@lru_cache(maxsize=4096)
def _meaning(symbol: str) -> _Symbol | None:
    if match := _JUMP.fullmatch(symbol):
        order = ORDER[match["bond"]]
        return _Symbol("", order, int(match["digits"]), ring=match["kind"] == "Ring")
    if match := _ATOM.fullmatch(symbol):
        free = free_bonds(match["element"], match["charge"] or "", int(match["hydrogens"] or 0))
        if free is not None:
            return _Symbol(match["name"], ORDER[match["bond"]], free)
    return None


def read_symbols(symbols: Sequence[str]) -> KekuleGraph | None:
    """Decode symbols to a molecule; what does not fit is dropped or demoted.

    Args:
        symbols: any strings.

    Returns:
        The molecule, without an atom when no symbol is one, or None for what is left to the
        selfies package: symbols that are none, stereo marks, isotopes, dots, atoms that are not
        in the table.

    >>> read_symbols(["[C]", "[=F]", "[C]"]).atoms
    ['C', 'F']
    """
    meanings = [meaning for symbol in symbols if (meaning := _meaning(symbol))]
    if len(meanings) < len(symbols):
        return None
    graph = KekuleGraph([], [], [], {})
    atoms, parents, orders, _ = graph
    free: list[int] = []  # bonds that each atom may have
    rings: list[tuple[int, int, int]] = []
    branches: list[tuple[int, int, int]] = []  # where the chain around a branch goes on, and how
    at, end, left, last = 0, len(symbols), 0, -1  # left: bonds that the last atom still has
    while True:
        stop = min(end, len(symbols))
        while at < stop:
            name, order, number, ring = meanings[at]
            at += 1
            if name:
                order = min(order, left, number)
                if order or not atoms:
                    parents.append(last)
                    orders.append(order)
                    last = len(atoms)
                    atoms.append(name)
                    free.append(number)
                left = number - order
            elif ring and left:
                order = min(order, left)
                rings.append((max(0, last - 1 - _size_at(at, number, symbols)), last, order))
                at += number
                left -= order
            elif left > 1:
                order = min(order, left - 1)
                branches.append((end, left - order, last))
                end = at + number + _size_at(at, number, symbols) + 1
                stop = min(end, len(symbols))
                at += number
                left = order
            if atoms and not left:
                break
        if not branches:
            break
        at = max(at, end)
        end, left, last = branches.pop()
    _close_rings(graph, free, rings)
    return graph if len(graph.rings) <= MAX_RINGS else None


def _size_at(at: int, number: int, symbols: Sequence[str]) -> int:
    """Read the size behind a branch or a ring; missing symbols, and those of no digit, are 0."""
    size = 0
    for symbol in symbols[at : at + number]:
        size = 16 * size + _DIGIT.get(symbol, 0)
    return int(size * 16 ** max(0, at + number - len(symbols)))


def _close_rings(graph: KekuleGraph, free: list[int], rings: list[tuple[int, int, int]]) -> None:
    """Make the bonds of rings where both atoms have room; a second bond adds to the first."""
    used = graph.orders.copy()
    for parent, order in zip(graph.parents[1:], graph.orders[1:], strict=True):
        used[parent] += order
    for one, other, wanted in rings:
        order = min(wanted, free[one] - used[one], free[other] - used[other])
        if one == other or order <= 0:
            continue
        if graph.parents[other] == one:
            before = graph.orders[other]
            graph.orders[other] = after = min(before + order, 3)
        else:
            before = graph.rings.get((one, other), 0)
            graph.rings[one, other] = after = min(before + order, 3)
        used[one] += after - before
        used[other] += after - before
