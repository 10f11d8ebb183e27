"""Checks of a SMILES string before RDKit parses it, since RDKit misreads some strings.

RDKit parses some strings as another molecule without a warning: two Cyrillic letters and an O
become water, `CC O` becomes ethane, `[C+999999]` becomes C+63.
"""

import re
from functools import lru_cache

from molvae.errors import Rejected

MAX_CHARGE = 9  # SELFIES writes a charge with one digit
MAX_RING_NUMBER = 99  # the largest that `%nn` can write (OpenSMILES 3.4)

BRACKET = re.compile(r"\[([^\[\]]*)\]")
_NOT_SMILES = re.compile(r"[^A-Za-z0-9()\[\].=#$:/\\@+%*~<>-]")
_LINE_END = re.compile(r"[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_BRACKET_ATOM = re.compile(
    r"(?P<isotope>\d*)"
    r"(?P<element>[A-Z][a-z]?|[a-z][a-z]?|\*)"
    r"(?:@@?|@(?:TH|AL)[12]|@SP[1-3]|@(?:TB|OH)\d{1,2})?"
    r"(?:H\d?)?"
    r"(?P<charge>\+\d+|-\d+|\++|-+)?"
    r"(?::(?P<map>\d+))?"
)
# SELFIES, whose symbols would be atoms without hydrogen in SMILES.
_SELFIES = re.compile(r"(?:\[[^\[\]]+\]\.?){2,}")
_SELFIES_SYMBOL = re.compile(r"\[(?:[=#/\\-].*|.*(?:Branch|Ring)[123]|nop)\]")
_BARE_ATOM = re.compile(r"\[(?:[BCNOFPSI]|Cl|Br)\]")
_RING_NUMBER = re.compile(r"%(?:\((\d*)\)?|(\d{0,2}))")


def check_text(text: str, max_length: int = 400) -> str:
    """Check the length, the characters, and the numbers in brackets and of rings.

    One byte-order mark, one carriage return and outer white space are removed first.

    Args:
        text: the string as found.
        max_length: characters.

    Returns:
        The string without its wrapping.

    Raises:
        Rejected: empty, not SMILES characters, more than one record, too long, number out of
            range, odd bracket atom, not a molecule.
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


def is_selfies(text: str) -> bool:
    """Return whether a text is SELFIES; as SMILES, `[C][C][O]` would have no hydrogen.

    >>> [is_selfies(text) for text in ("[C][=C]", "[C][C][O]", "[Na][Cl]", "[O]")]
    [True, True, False, False]
    """
    text = text.strip()
    if not (text.startswith("[") and _SELFIES.fullmatch(text)):
        return False
    symbols = [f"[{inside}]" for inside in BRACKET.findall(text)]
    return any(map(_SELFIES_SYMBOL.fullmatch, symbols)) or all(map(_BARE_ATOM.fullmatch, symbols))


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
    for inside in BRACKET.findall(text):
        if problem := _bracket_problem(inside):
            reason, detail = problem
            where = f"[{inside}] at character {text.index(f'[{inside}]') + 1}"
            raise Rejected(reason, f"{where}{detail}")


@lru_cache(maxsize=4096)
def _bracket_problem(inside: str) -> tuple[str, str] | None:
    """Return the reason and the detail of a fault in a bracket atom, None for a sound one."""
    atom = _BRACKET_ATOM.fullmatch(inside)
    if atom is None:
        return "odd bracket atom", ""
    isotope, charge, label = atom["isotope"], atom["charge"], atom["map"]
    if len(isotope) > 3:
        return "number out of range", ": an isotope has at most 3 digits"
    if charge and _charge_size(charge) > MAX_CHARGE:
        return "number out of range", f": a charge is at most {MAX_CHARGE}"
    if label and len(label) > 6:
        return "number out of range", ": an atom map has at most 6 digits"
    return None


def _charge_size(charge: str) -> int:
    """Return the size of a charge written as `+2` or as `++`."""
    digits = charge.lstrip("+-")
    if len(digits) > 2:
        return MAX_CHARGE + 1  # above the maximum, whatever it is
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
