"""Strings from the symbols of two molecules: crossed, and changed at a few places.

The decoder writes what is likely, so the molecules near an elite that has grown alike are soon used
up. Edits reach others: every string of SELFIES symbols is a molecule (Nigam 2021,
https://doi.org/10.1039/D1SC00231G). It is spelled again, so that nothing is left to repair.
"""

from collections.abc import Sequence

import numpy as np

from molvae.chem.selfies import decode_canonical, encode
from molvae.errors import Rejected

CROSSED = 0.5  # share of strings that end like another one
CHANGES = 3  # symbols that are changed at most; one in those that are crossed
WAYS = ((1, 1), (1, 0), (0, 1))  # symbols put in and taken out: replaced, inserted, dropped


def edited(
    one: Sequence[str], other: Sequence[str], alphabet: Sequence[str], random: np.random.Generator
) -> list[str]:
    """Return symbols that begin like one string and end like another, or are changed, or both."""
    if random.random() >= CROSSED:
        return changed(one, alphabet, int(random.integers(1, CHANGES + 1)), random)
    ends, begins = int(random.integers(1, len(one) + 1)), int(random.integers(len(other)))
    return changed([*one[:ends], *other[begins:]], alphabet, int(random.integers(2)), random)


def changed(
    symbols: Sequence[str], alphabet: Sequence[str], n: int, random: np.random.Generator
) -> list[str]:
    """Return symbols with `n` replaced, inserted or dropped; `alphabet` has the new ones."""
    result = list(symbols)
    for _ in range(n):
        way, place, chosen = random.integers([len(WAYS), len(result), len(alphabet)]).tolist()
        (inserted, dropped), new = WAYS[way], alphabet[chosen]
        result[place : place + dropped] = [new] * inserted
        result = result or [new]
    return result


def spelled_again(symbols: Sequence[str]) -> list[str]:
    """Return the symbols of the molecule that symbols decode to, none where it is none."""
    try:
        smiles = decode_canonical(symbols)
        return encode(smiles) if smiles else []
    except Rejected:
        return []
