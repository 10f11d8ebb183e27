"""Structural alerts and SMARTS patterns that refuse a molecule.

A filter takes a sanitized molecule and returns the name of the first alert that it matches, or
None. The catalogs are those inside RDKit; those of MOSES are in `moses_filters`. RDKit tries all
patterns of a catalog, which takes milliseconds for PAINS; here it tries only the patterns that
`chem.fast.screens` does not rule out.
"""

from collections.abc import Callable, Iterable
from functools import cache, partial

from rdkit import Chem, rdBase
from rdkit.Chem import FilterCatalog

from molvae.chem.moses_filters import mcf_alert, moses_alert
from molvae.chem.speed import Screen, read_environments
from molvae.errors import UsageError, did_you_mean

Filter = Callable[[Chem.Mol], str | None]

_START_OF_MOLECULE = bytes.fromhex("efbeadde")  # in RDKit's binary format
MAX_SMARTS_LENGTH = 1000  # characters; far above any published alert


def smarts_filter(pattern: str, *, wanted: bool) -> Filter:
    """Return a filter for a SMARTS pattern.

    Args:
        pattern: SMARTS.
        wanted: True refuses molecules without the pattern, False those with it.

    Returns:
        A filter that can be sent to worker processes.

    Raises:
        UsageError: when the pattern is not SMARTS.

    >>> smarts_filter("[OX2H]", wanted=False)(Chem.MolFromSmiles("CCO"))
    'has [OX2H]'
    """
    _query(pattern)  # a bad pattern fails here, not in the middle of the work
    return partial(_against_pattern, pattern, wanted)


def asks_for_stereo(pattern: str) -> bool:
    """Return whether a SMARTS pattern has marks of stereochemistry.

    Raises:
        UsageError: when the pattern is not SMARTS.

    >>> asks_for_stereo("N[C@@H](C)C(=O)O"), asks_for_stereo("C1@C@C@1")
    (True, False)
    """
    query = _query(pattern)
    centers = (atom.GetChiralTag() for atom in query.GetAtoms())
    bonds = (bond.GetBondDir() for bond in query.GetBonds())
    return any(tag != Chem.ChiralType.CHI_UNSPECIFIED for tag in centers) or any(
        direction != Chem.BondDir.NONE for direction in bonds
    )


def check_patterns(patterns: Iterable[str], *, stereo: bool) -> None:
    """Refuse patterns that no molecule of a model can have.

    Args:
        patterns: SMARTS.
        stereo: whether the model's molecules have marks of stereochemistry.

    Raises:
        UsageError: for a text that is not SMARTS, or marks that the molecules have not.
    """
    for pattern in patterns:
        if asks_for_stereo(pattern) and not stereo:
            raise UsageError(
                f"the pattern {pattern} asks for stereochemistry, and the model's molecules"
                " have none: leave its marks out (@, / and \\), or train on what `molvae"
                " prepare --stereo` wrote."
            )


def _against_pattern(pattern: str, wanted: bool, mol: Chem.Mol) -> str | None:
    found = mol.HasSubstructMatch(_query(pattern), useChirality=True)
    if found == wanted:
        return None
    return f"has {pattern}" if found else f"lacks {pattern}"


@cache
def _query(pattern: str) -> Chem.Mol:
    # RDKit reads the text after a space as a name and ignores it.
    text_is_sound = pattern.isascii() and pattern.isprintable() and " " not in pattern
    if not pattern or not text_is_sound or len(pattern) > MAX_SMARTS_LENGTH:
        raise UsageError(
            f"not SMARTS: {pattern[:80]!r}. A pattern is 1 to {MAX_SMARTS_LENGTH} printable ASCII "
            "characters without spaces."
        )
    with rdBase.BlockLogs():
        query = Chem.MolFromSmarts(pattern)
    if query is None:
        raise UsageError(f"not SMARTS: {pattern!r}. An example that works: '[NX3;H2]c1ccccc1'.")
    return query


def _first_alert(catalog: str, mol: Chem.Mol) -> str | None:
    read = read_environments(mol)
    if read is None:
        match = _catalog(catalog).GetFirstMatch(mol)
        return None if match is None else match.GetDescription()
    for number in _screen(catalog).possible(read):
        entry = _catalog(catalog).GetEntryWithIdx(number)
        if entry.HasFilterMatch(mol):
            return str(entry.GetDescription())
    return None


@cache
def _screen(name: str) -> Screen:
    catalog = _catalog(name)
    return Screen([_pattern(catalog.GetEntryWithIdx(n)) for n in range(catalog.GetNumEntries())])


def _pattern(entry: FilterCatalog.FilterCatalogEntry) -> Chem.Mol:
    """Return the pattern of an entry, which RDKit returns only as part of the entry's bytes."""
    text = bytes(entry.Serialize())
    pattern: Chem.Mol = Chem.Mol(text[text.index(_START_OF_MOLECULE) :])  # type: ignore[call-overload]
    return pattern


@cache
def _catalog(name: str) -> FilterCatalog.FilterCatalog:
    kinds = FilterCatalog.FilterCatalogParams.FilterCatalogs
    parameters = FilterCatalog.FilterCatalogParams()
    parameters.AddCatalog(getattr(kinds, name))
    return FilterCatalog.FilterCatalog(parameters)


FILTERS: dict[str, Filter] = {
    "PAINS": partial(_first_alert, "PAINS"),  # Baell & Holloway 2010, doi 10.1021/jm901137j
    "BRENK": partial(_first_alert, "BRENK"),  # Brenk 2008, doi 10.1002/cmdc.200700139
    "NIH": partial(_first_alert, "NIH"),  # Jadhav 2010, doi 10.1021/jm901070c
    "MCF": mcf_alert,  # Polykovskiy 2020, doi 10.3389/fphar.2020.565644
    "MOSES": moses_alert,  # MCF, PAINS and the other filters of MOSES
}


def resolve_filter(name: str) -> str:
    """Return the name of a filter as `FILTERS` has it, whatever the case.

    Raises:
        UsageError: for an unknown name, listing the known ones.
    """
    by_lower = {known.lower(): known for known in FILTERS}
    if name.lower() not in by_lower:
        raise UsageError(
            f"unknown filter '{name}'{did_you_mean(name, FILTERS) or '.'}"
            f" Known: {', '.join(FILTERS)}."
        )
    return by_lower[name.lower()]
