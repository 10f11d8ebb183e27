"""What the spelling of a row says about why its label disagrees with that of an equal molecule."""

import math
import re

from molvae.chem.molblock import is_block
from molvae.training_index import molecule_hash

# What standardization removes, the mark of it in a SMILES, and the reason when rows differ in it.
MARKS = (
    (re.compile(r"[@/\\]"), "stereoisomers are one molecule without --stereo"),
    (re.compile(r"\."), "salts and mixtures are one molecule without --no-largest-fragment"),
    (re.compile(r"\[\d"), "isotopes are one molecule without --isotopes"),
    (re.compile(r"\[[^\]]*[+-]"), "charges are one molecule without --no-uncharge"),
)
BLOCK = 1 << len(MARKS)  # a mol block, whose marks are not read
TEXT_BITS = 56  # of the hash of a text, beside its marks
UNIT = "units differ by a factor of {:,}"
LOGARITHM = "one is the negative logarithm of the other"
REPEATED = "measured more than once"
NEAR = 0.02  # of a power of ten, between a value and itself in another unit


def spelling(text: str) -> int:
    """Return the marks of a SMILES and a hash of it, in 64 bits."""
    if is_block(text):
        return BLOCK << TEXT_BITS
    text = text.split(maxsplit=1)[0] if text.strip() else ""
    marks = sum(1 << place for place, (mark, _) in enumerate(MARKS) if mark.search(text))
    return marks << TEXT_BITS | int(molecule_hash([text])[0]) >> (64 - TEXT_BITS)


def likely_reason(first: int, second: int) -> str:
    """Return why two rows of one molecule may have different labels, by their spellings."""
    marks = (first | second) >> TEXT_BITS
    if first == second and marks != BLOCK:
        return REPEATED
    for place, (_, reason) in enumerate(MARKS):
        if marks >> place & 1:
            return reason
    return "" if marks & BLOCK else REPEATED


def unit_reason(first: float, second: float) -> str:
    """Return how two values may be one value in different units, "" where they are not.

    >>> unit_reason(25.0, 25_000.0), unit_reason(7.0, 100.0), unit_reason(5.0, 6.0)
    ('units differ by a factor of 1,000', 'one is the negative logarithm of the other', '')
    """
    low, high = sorted((first, second))
    if low <= 0.0:
        return ""
    for power in (3, 6, 9):
        if abs(math.log10(high / low) - power) < NEAR:
            return UNIT.format(10**power)
        if low > 1.0 and abs(power - math.log10(high) - low) < NEAR and high > 2.0 * low:
            return LOGARITHM
    return ""
