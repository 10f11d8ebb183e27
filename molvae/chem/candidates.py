"""Sampled SELFIES symbols -> a molecule, its properties, and what it is refused for."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from rdkit import Chem, rdBase

from molvae.chem.cores import Core
from molvae.chem.filters import FILTERS, smarts_filter
from molvae.chem.placements import place
from molvae.chem.properties import measure
from molvae.chem.rings import ring_systems
from molvae.chem.selfies import decode_molecule, is_consistent
from molvae.chem.smiles import DEFAULT_STANDARDIZATION, Standardization, standard_spelling
from molvae.errors import Rejected

REPAIRED = "repaired by SELFIES"


class Checks(NamedTuple):
    """What is checked; plain values, so that they can be sent to worker processes."""

    properties: tuple[str, ...]  # names to measure
    filters: tuple[str, ...] = ()  # structural alerts that must not be found
    smarts: tuple[str, ...] = ()  # patterns that must be found
    not_smarts: tuple[str, ...] = ()  # patterns that must not be found
    standardization: Standardization = DEFAULT_STANDARDIZATION  # of the training set
    rings: bool = False  # name the ring systems of what is not refused
    consistent_only: bool = False  # refuse symbols that SELFIES repairs, before they are measured
    core: Core | None = None  # which must be found; it is put back as it was given


class Candidate(NamedTuple):
    """One sample."""

    smiles: str  # canonical; "" when the symbols decode to no molecule
    # The symbols encode this molecule and were not repaired (Skinnider 2024,
    # https://doi.org/10.1038/s42256-024-00821-x).
    consistent: bool
    values: tuple[float, ...] = ()  # the properties asked for, in their units
    refusal: str = ""  # why it is no molecule, or the filter that refuses it; "" if accepted
    identity: str = ""  # its SMILES as the training set spells it, for novelty
    rings: tuple[str, ...] = ()  # its ring systems, where asked for
    decoration: str = ""  # the new parts on the core, see `placements.Placement`
    parts: tuple[tuple[int, str], ...] = ()  # and at which mark each stands


def decode_and_check(symbols: Sequence[str], checks: Checks) -> Candidate:
    """Decode, measure and filter one sample; what is wrong with it becomes its `refusal`."""
    consistent = is_consistent(symbols)
    try:
        found = decode_molecule(symbols)
    except Rejected as rejected:
        return Candidate("", False, refusal=rejected.reason)
    if found is None:
        return Candidate("", False, refusal="no atom")
    smiles, mol = found
    if checks.consistent_only and not consistent:
        return Candidate(smiles, False, refusal=REPAIRED)
    kept: dict[str, Any] = {}
    try:
        identity = standard_spelling(smiles, mol, checks.standardization)
        if checks.core is not None:
            smiles, mol, decoration, parts = place(checks.core, smiles, mol)
            kept = {"decoration": decoration, "parts": tuple(parts.items())}
        values = tuple(float(value) for value in measure(mol, checks.properties))
    except Rejected as rejected:
        return Candidate(smiles, consistent, refusal=rejected.reason)
    refusal = _alert(mol, checks)
    rings = ring_systems(mol) if checks.rings and not refusal else ()
    return Candidate(smiles, consistent, values, refusal, identity, rings, **kept)


def decode_and_check_all(batch: Sequence[tuple[Sequence[str], Checks]]) -> list[Candidate]:
    """Decode and check several samples, in order: the unit of work of a worker process."""
    return [decode_and_check(symbols, checks) for symbols, checks in batch]


def _alert(mol: Chem.Mol, checks: Checks) -> str:
    alerts = {f"filter {name}": FILTERS[name] for name in checks.filters}
    alerts |= {f"without {text}": smarts_filter(text, wanted=True) for text in checks.smarts}
    alerts |= {f"with {text}": smarts_filter(text, wanted=False) for text in checks.not_smarts}
    with rdBase.BlockLogs():
        return next((name for name, alert in alerts.items() if alert(mol) is not None), "")
