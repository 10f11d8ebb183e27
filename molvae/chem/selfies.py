"""SMILES to SELFIES symbols and back, and the test for samples that SELFIES repaired.

SELFIES (Krenn 2020, doi 10.1088/2632-2153/aba947) writes every molecule as symbols such that any
string of symbols is a molecule, by changing what does not fit. Two things follow. A string that
was changed does not encode to itself again (`is_consistent`). And every string is valid only if
the number of bonds of its atoms is known (`symbol_is_allowed`).

Nearly all molecules are encoded and decoded by `molvae.chem.speed`, which returns the same as the
selfies package in a fraction of its time; what it does not read goes to the package. Functions
here always work under `constraints()`, whatever the process has set, and leave its own setting as
they found it.
"""

import hashlib
import importlib.metadata
import json
import re
from collections.abc import Mapping, Sequence

import selfies
from rdkit import Chem, rdBase

from molvae.chem.constraints import bonds_by_atom, constrained
from molvae.chem.smiles import canonical_molecule, canonicalize, parse
from molvae.chem.speed import (
    is_resonance_form,
    read_smiles,
    read_symbols,
    write_smiles,
    write_symbols,
)
from molvae.errors import Rejected

# selfies raises errors of its own outside its grammar, and Python's for the rest:
# `C11` is an IndexError, `I:I` a KeyError, deep branches a RecursionError.
_FAILURES = (
    selfies.EncoderError,
    selfies.DecoderError,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    AssertionError,
    RecursionError,
)
_ATOM = re.compile(
    r"\[[=#/\\]?"  # bond to the atom before
    r"\d{0,3}"  # isotope
    r"(?P<element>[A-Z][a-z]?)"
    r"@{0,2}"
    r"(?:H(?P<hydrogens>\d))?"
    r"(?P<charge>[+-][1-9])?\]"
)
_BRANCH_OR_RING = re.compile(r"\[(?:[=#]?(?:Branch|Ring)|(?:-[/\\]|[/\\][-/\\])Ring)[123]\]")
_NOT_COMPARED = re.compile(r"[@/\\]|\[\d")  # stereo marks and isotopes, by a resonance form


def constraints() -> dict[str, int]:
    """Return the bonds that each atom may have, as a dict of its own: `bonds_by_atom`.

    The key "?" stands for any other atom in selfies; molvae refuses such atoms instead.
    """
    return dict(bonds_by_atom())


def constraints_hash(table: Mapping[str, int]) -> str:
    """Return a short name for a constraint table: the first 16 digits of its sha256."""
    text = json.dumps(dict(table), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:16]


def distribution_version() -> str:
    """Return the installed version of selfies; its own `__version__` is one release behind."""
    return importlib.metadata.version("selfies")


def encode(smiles: str) -> list[str]:
    """Encode a molecule as SELFIES symbols.

    Args:
        smiles: canonical SMILES; other spellings give other symbols, and selfies misreads some.

    Raises:
        Rejected: "cannot be written as SELFIES", with what selfies said.

    >>> encode("CC=O")
    ['[C]', '[C]', '[=O]']
    """
    graph = read_smiles(smiles)
    return _encode_by_package(smiles) if graph is None else write_symbols(graph)


def encode_checked(smiles: str, mol: Chem.Mol | None = None) -> list[str]:
    """Encode a molecule as SELFIES symbols and prove that they are this molecule.

    Args:
        smiles: canonical SMILES, as `standardize` returns it.
        mol: parsed from it by RDKit, where this was done before.

    Returns:
        Symbols that are all in the constraint table and decode to the same molecule.

    Raises:
        Rejected: "cannot be written as SELFIES" or "SELFIES changes the molecule".
    """
    symbols = _encode_proved(smiles, mol)
    return _encode_compared(smiles) if symbols is None else symbols


def _encode_proved(smiles: str, mol: Chem.Mol | None) -> list[str] | None:
    """Encode without the package, and compare the molecule of the symbols with RDKit's."""
    graph = None if _NOT_COMPARED.search(smiles) else read_smiles(smiles)
    if graph is None:
        return None
    symbols = write_symbols(graph)
    derived = read_symbols(symbols)
    mol = parse(smiles) if mol is None else mol
    return symbols if derived and is_resonance_form(derived, mol) else None


def _encode_compared(smiles: str) -> list[str]:
    """Encode and decode by the package, and compare canonical SMILES."""
    symbols = _encode_by_package(smiles)
    for symbol in symbols:
        if not symbol_is_allowed(symbol, bonds_by_atom()):
            detail = f"{symbol} is not an atom whose number of bonds is known"
            raise Rejected("cannot be written as SELFIES", detail)
    decoded = _canonical_once(_decode_by_package(symbols))
    if decoded != smiles and (not decoded or canonicalize(decoded) != canonicalize(smiles)):
        raise Rejected("SELFIES changes the molecule", f"{smiles} becomes {decoded or 'nothing'}")
    return symbols


def _encode_by_package(smiles: str) -> list[str]:
    with constrained(bonds_by_atom()):
        try:
            return list(selfies.split_selfies(selfies.encoder(smiles)))
        except _FAILURES as failure:
            detail = _in_one_line(failure)
            raise Rejected("cannot be written as SELFIES", detail) from failure


def decode(symbols: Sequence[str]) -> str:
    """Decode SELFIES symbols.

    Args:
        symbols: any symbols; with allowed ones (`symbol_is_allowed`) every sequence decodes.

    Returns:
        SMILES as selfies writes it: Kekule form, not canonical; "" when no atom is left.

    Raises:
        Rejected: "not SELFIES" when a symbol is none.

    >>> decode(["[C]", "[=C]", "[F]"])
    'C=CF'
    """
    graph = read_symbols(symbols)
    return _decode_by_package(symbols) if graph is None else write_smiles(graph)


def _decode_by_package(symbols: Sequence[str]) -> str:
    with constrained(bonds_by_atom()):
        try:
            smiles: str = selfies.decoder("".join(symbols))
        except _FAILURES as failure:
            raise Rejected("not SELFIES", _in_one_line(failure), field="selfies") from failure
    return smiles


def decode_canonical(symbols: Sequence[str]) -> str:
    """Decode SELFIES symbols to canonical SMILES, "" when no atom is left.

    Raises:
        Rejected: "not SELFIES", or "not a molecule" for atoms outside the constraint table.

    >>> decode_canonical(["[C]", "[C]", "[O]"])
    'CCO'
    """
    found = decode_molecule(symbols)
    return found[0] if found else ""


def decode_molecule(symbols: Sequence[str]) -> tuple[str, Chem.Mol] | None:
    """Decode to canonical SMILES and the molecule, as `decode_canonical`; None without an atom."""
    smiles = decode(symbols)
    return canonical_molecule(smiles) if smiles else None


def is_consistent(symbols: Sequence[str], *, canonical: bool = False) -> bool:
    """Return whether symbols encode the molecule that they decode to, without a repair.

    A model's mistake becomes a valid but smaller, less aromatic molecule, because decoding drops
    or demotes what does not fit (Skinnider 2024, doi 10.1038/s42256-024-00821-x). Encoding the
    result again reveals it. Encoded molecules always pass.

    Args:
        symbols: a sample, without padding.
        canonical: require the symbols of the canonical spelling; stricter, and only for a model
            that was trained on canonical SELFIES from the same RDKit.
    """
    given = list(symbols)
    graph = read_symbols(given)
    if graph is not None and not canonical:
        return bool(given) and write_symbols(graph) == given
    try:
        smiles = decode(given)
        if not smiles:
            return False
        if not canonical:
            return encode(smiles) == given
        once = _canonical_once(smiles)
        if encode(once) == given:
            return True
        # A few spellings settle only at the second pass; repaired symbols need no second check.
        return encode(smiles) == given and encode(canonicalize(once)) == given
    except Rejected:
        return False


def symbol_is_allowed(symbol: str, table: Mapping[str, int]) -> bool:
    """Return whether every string with this symbol is a molecule.

    True for branches, rings, the dot between fragments, and atoms whose element and charge are in
    the table with room for their hydrogens. selfies gives any other atom 8 bonds, and 26 % of
    random strings with such atoms are no molecules. Sizes such as `[Ring4]` and charges such as
    `[N+10]` are written by selfies but not read by it.

    Args:
        symbol: one SELFIES symbol.
        table: bonds by atom, as from `constraints`.
    """
    atom = _ATOM.fullmatch(symbol)
    if atom is None:
        return symbol == "." or _BRANCH_OR_RING.fullmatch(symbol) is not None
    key = atom["element"] + (atom["charge"] or "")  # as in the table: "N+1"
    return int(atom["hydrogens"] or 0) <= table.get(key, -1)


def _canonical_once(smiles: str) -> str:
    """Return canonical SMILES without the search for a fixed point."""
    if not smiles:
        return ""
    with rdBase.BlockLogs():
        return Chem.MolToSmiles(parse(smiles))


def _in_one_line(failure: BaseException) -> str:
    words = " ".join(str(failure).split())
    if isinstance(failure, selfies.EncoderError | selfies.DecoderError):
        return words
    return f"selfies stops with {type(failure).__name__}{f': {words}' if words else ''}"
