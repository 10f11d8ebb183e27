"""Explain why a string does not follow the grammar of SMILES, with the position."""

import re

from molvae.chem.text import BRACKET

_CHARACTER = re.compile(r"character (\d+)")
_RING = re.compile(r"%\((\d+)\)|%(\d\d)|(\d)")


def syntax_problem(smiles: str) -> str:
    """Return which bracket, branch or ring does not close.

    Args:
        smiles: a string that RDKit's grammar refuses.

    Returns:
        One clause, with the position counted from 1 where there is one.

    >>> syntax_problem("CC(=O")
    'a branch is opened at character 3 and not closed'
    """
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


def located(smiles: str, problem: object) -> list[str]:
    r"""Return lines: a string, what is wrong with it, and a caret at the character that is named.

    >>> print(*located("CC(=O", "a branch is opened at character 3 and not closed"), sep="\n")
    'CC(=O': a branch is opened at character 3 and not closed
        CC(=O
          ^
    """
    told = f"'{smiles}': {problem}"
    place = _CHARACTER.search(str(problem))
    return [told, f"    {smiles}", f"    {'^':>{int(place[1])}}"] if place else [told]


def _ring_problem(smiles: str) -> str:
    """Return which ring number is used once, "" where none is."""
    bare = BRACKET.sub(lambda bracket: "*" * len(bracket.group()), smiles)
    opened: dict[int, int] = {}
    for ring in _RING.finditer(bare):
        number = int(ring.group(ring.lastindex or 0))
        if opened.pop(number, None) is None:
            opened[number] = ring.start() + 1
    if not opened:
        return ""
    number, position = min(opened.items(), key=lambda item: item[1])
    return f"ring {number} is opened at character {position} and not closed"
