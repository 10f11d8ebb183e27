"""Counts of ring systems, ring sizes and SELFIES symbols in a set of molecules."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from sys import intern
from typing import Any, NamedTuple

from rdkit import Chem

from molvae.chem.rings import ring_sizes, ring_systems
from molvae.chem.selfies import encode
from molvae.chem.smiles import canonical_molecule, canonicalize, without_maps
from molvae.errors import Rejected
from molvae.evaluate.work import HERE, Work

VERSION = 1  # of what is counted; another number makes cached counts unfindable


class Used(NamedTuple):
    """Ring systems, ring sizes and symbols of one molecule."""

    systems: tuple[str, ...] = ()  # each once
    sizes: tuple[int, ...] = ()  # 8 stands for 8 or more
    symbols: tuple[str, ...] = ()  # of its SELFIES without stereo; empty if it cannot be encoded


@dataclass
class Usage:
    """Ring systems, ring sizes and symbols of a set of molecules."""

    molecules: int = 0
    systems: Counter[str] = field(default_factory=Counter)  # -> molecules that have it
    sizes: Counter[int] = field(default_factory=Counter)  # -> rings
    symbols: Counter[str] = field(default_factory=Counter)  # -> occurrences
    holders: Counter[str] = field(default_factory=Counter)  # symbol -> molecules that have it
    unwritten: int = 0  # molecules that cannot be encoded as SELFIES

    def add(self, used: Used) -> None:
        """Add one molecule."""
        self.molecules += 1
        self.systems.update(used.systems)
        self.sizes.update(used.sizes)
        self.symbols.update(used.symbols)
        self.holders.update(list(dict.fromkeys(used.symbols)))
        self.unwritten += not used.symbols


def used_by(mol: Chem.Mol, flat: str) -> Used:
    """Return the ring systems, ring sizes and symbols of a sanitized molecule.

    `flat` is its canonical SMILES without stereo, so that sets with and without stereo marks can
    be compared.
    """
    try:
        symbols = tuple(map(intern, encode(flat)))  # one object each, sent to others once
    except Rejected:
        symbols = ()
    systems = tuple(map(intern, dict.fromkeys(ring_systems(mol))))
    return Used(systems, tuple(ring_sizes(mol).elements()), symbols)


def usage_of(smiles: Sequence[str], work: Work = HERE) -> Usage:
    """Count ring systems, ring sizes and symbols of a training set, without invalid strings."""
    usage = Usage()
    stage = "Counting ring systems of the training set"
    for used in work.apply(stage, _used_by_all, smiles):
        if isinstance(used, Used):
            usage.add(used)
    return usage


def distance(one: Mapping[Any, int], other: Mapping[Any, int]) -> float | None:
    """Total variation distance of two sets of counts, each as shares of its sum.

    Returns:
        From 0, the same shares, to 1, nothing in common; None if either is empty.

    >>> distance({"a": 3, "b": 1}, {"a": 1, "b": 1})
    0.25
    """
    sums = sum(one.values()), sum(other.values())
    if not all(sums):
        return None
    names = {*one, *other}
    return 0.5 * math.fsum(abs(one.get(n, 0) / sums[0] - other.get(n, 0) / sums[1]) for n in names)


def _used_by_all(smiles: list[str]) -> list[Used | None]:
    found: list[Used | None] = []
    for text in smiles:
        try:
            canonical, mol = canonical_molecule(without_maps(text))
            found.append(used_by(mol, canonicalize(canonical, stereo=False)))
        except Rejected:
            found.append(None)
    return found
