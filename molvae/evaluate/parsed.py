"""A list of SMILES, each parsed once into the columns that the metrics need."""

from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from sys import intern
from typing import NamedTuple

import numpy as np
from rdkit import Chem

from molvae.chem.fragments import brics_fragments, ring_scaffold
from molvae.chem.moses_filters import moses_alert
from molvae.chem.properties import measure
from molvae.chem.similarity import BITS, fingerprints
from molvae.chem.smiles import canonical_molecule, canonicalize, without_maps
from molvae.errors import Rejected
from molvae.evaluate.usage import Usage, Used, used_by
from molvae.evaluate.work import HERE, Work
from molvae.parallel.workers import Lost

# Statistics of rings and atoms, with their names in tables. Shares are of molecules, except the
# share of aromatic atoms, which is of a molecule's heavy atoms.
SHAPES: dict[str, str] = {
    "ring_3": "with a ring of 3",
    "ring_4": "with a ring of 4",
    "ring_above_6": "with a ring above 6",
    "odd_rings": "with any of these",
    "aromatic_atoms": "aromatic atoms, share",
    "heavy_atoms": "heavy atoms",
}
# Heavy atoms of the largest molecule that is measured, as the largest that `prepare` may take. The
# cost of GuacaMol's descriptors grows with their third power: 0.4 s for 500 atoms.
MAX_HEAVY_ATOMS = 500
STEREO_MARKS = frozenset("@/\\")


class Pieces(NamedTuple):
    """The fragments and the scaffold of a molecule, and its first MOSES alert ("" for none)."""

    fragments: tuple[str, ...] = ()
    scaffold: str = ""
    alert: str = ""


class Molecule(NamedTuple):
    """One row of `Parsed`; only the reason of an invalid molecule.

    `mapped` tells whether atom-map numbers were left out.
    """

    reason: str = ""
    canonical: str = ""
    without_stereo: str = ""
    fingerprint: bytes = bytes(BITS // 8)
    properties: tuple[float, ...] = ()
    shape: tuple[float, ...] = (float("nan"),) * len(SHAPES)
    pieces: Pieces = Pieces()
    used: Used = Used()
    mapped: bool = False


class Structures(NamedTuple):
    """Fragments, scaffolds and alerts, counted over the valid molecules."""

    fragments: Counter[str]  # BRICS fragment -> occurrences
    scaffolds: Counter[str]  # Murcko scaffold of two rings or more -> molecules
    alerts: Counter[str]  # first reason for which MOSES leaves a molecule out -> molecules


@dataclass(frozen=True)
class Parsed:
    """N strings and the molecules that they are; invalid ones keep their place.

    Structures, alerts and usage are empty, False and None if not requested.
    """

    canonical: tuple[str, ...]  # canonical SMILES with stereo, "" if invalid
    flat: tuple[str, ...]  # the same without stereo
    reasons: tuple[str, ...]  # why a string is invalid, "" if it is valid
    names: tuple[str, ...]  # of the P properties that were measured
    properties: np.ndarray  # (N, P), units of `PROPERTIES`; NaN if invalid or a calculator failed
    fingerprints: np.ndarray  # Morgan, radius 2, 1024 bits, packed, zero if invalid, shape (N, 128)
    shapes: np.ndarray  # as `SHAPES` lists them, NaN if invalid, shape (N, S)
    structures: Structures
    alerted: np.ndarray  # whether MOSES would leave it out, shape (N,)
    usage: Usage | None
    system_counts: np.ndarray  # number of different ring systems of each, shape (N,)
    mapped: int  # valid strings whose atom-map numbers are left out
    system_numbers: np.ndarray  # these, string by string, as indices into `usage.systems`

    def __len__(self) -> int:
        """Return the number of strings, invalid ones included."""
        return len(self.canonical)

    @cached_property
    def valid(self) -> np.ndarray:
        """Whether a string is valid, shape (N,)."""
        return np.array([bool(smiles) for smiles in self.canonical], dtype=bool)

    @cached_property
    def molecules(self) -> list[str]:
        """Canonical SMILES of the valid ones, in order, duplicates included."""
        return [smiles for smiles in self.canonical if smiles]

    @cached_property
    def molecules_without_stereo(self) -> list[str]:
        """Canonical SMILES without stereo of the valid ones, in order."""
        return [smiles for smiles in self.flat if smiles]

    @property
    def has_stereo(self) -> bool:
        """Whether any molecule has a stereo mark."""
        return has_stereo(self.molecules)

    @property
    def invalid(self) -> dict[str, int]:
        """Reason -> number of invalid strings, the commonest first."""
        return dict(Counter(reason for reason in self.reasons if reason).most_common())

    def flat_of(self, molecules: Sequence[str]) -> list[str]:
        """Return molecules of this set, given as canonical SMILES, without their stereo marks."""
        flat = dict(zip(self.canonical, self.flat, strict=True))
        return [flat[smiles] for smiles in molecules]

    def measured(self, name: str) -> np.ndarray:
        """Return one property of each string, NaN if unknown, shape (N,)."""
        return np.asarray(self.properties[:, self.names.index(name)])


def parse_molecules(
    smiles: Sequence[str | None],
    names: Sequence[str],
    work: Work = HERE,
    *,
    stage: str = "Reading the molecules",
    structures: bool = False,
    usage: bool = False,
) -> Parsed:
    """Parse and measure a list of SMILES.

    Args:
        smiles: N strings; invalid ones are kept with their reason. None and NaN, which other
            programs write for a missing molecule, count as empty strings.
        names: properties to measure, as `PROPERTIES` spells them.
        work: workers and progress; in workers, a molecule that crashes its process is invalid.
        stage: name of the work in the progress.
        structures: find fragments, scaffolds and alerts too.
        usage: count ring systems and SELFIES symbols too.
    """
    columns = _Columns(len(names))
    parse = partial(_parse_all, names=tuple(names), structures=structures, usage=usage)
    for result in work.apply(stage, parse, smiles):
        columns.add(Molecule(result.reason) if isinstance(result, Lost) else result)
    return columns.as_parsed(tuple(names), usage=usage)


class _Columns:
    """The columns of the rows so far, in a few hundred bytes a row for millions of rows."""

    def __init__(self, properties: int) -> None:
        self.missing = (float("nan"),) * properties
        self.canonical: list[str] = []
        self.flat: list[str] = []
        self.reasons: list[str] = []
        self.properties, self.shapes = array("d"), array("d")
        self.fingerprints = bytearray()
        self.structures = Structures(Counter(), Counter(), Counter())
        self.alerted = bytearray()
        self.mapped = 0
        self.usage = Usage()
        self.numbers: dict[str, int] = {}
        self.system_counts, self.system_numbers = array("H"), array("i")

    def add(self, row: Molecule) -> None:
        self.canonical.append(row.canonical)
        self.flat.append(row.without_stereo)
        self.reasons.append(intern(row.reason))
        self.properties.extend(row.properties or self.missing)
        self.shapes.extend(row.shape)
        self.fingerprints += row.fingerprint
        self.structures.fragments.update(row.pieces.fragments)
        if row.pieces.scaffold:
            self.structures.scaffolds[row.pieces.scaffold] += 1
        if row.pieces.alert:
            self.structures.alerts[row.pieces.alert] += 1
        self.alerted.append(bool(row.pieces.alert))
        self.mapped += row.mapped
        self.system_counts.append(len(row.used.systems))
        for system in row.used.systems:
            self.system_numbers.append(self.numbers.setdefault(system, len(self.numbers)))
        if row.canonical:
            self.usage.add(row.used)

    def as_parsed(self, names: tuple[str, ...], *, usage: bool) -> Parsed:
        count = len(self.canonical)
        return Parsed(
            canonical=tuple(self.canonical),
            flat=tuple(self.flat),
            reasons=tuple(self.reasons),
            names=names,
            properties=np.array(self.properties).reshape(count, len(names)),
            fingerprints=np.frombuffer(self.fingerprints, np.uint8).reshape(count, BITS // 8),
            shapes=np.array(self.shapes).reshape(count, len(SHAPES)),
            structures=self.structures,
            alerted=np.frombuffer(self.alerted, bool),
            usage=self.usage if usage else None,
            mapped=self.mapped,
            system_counts=np.array(self.system_counts),
            system_numbers=np.array(self.system_numbers),
        )


def has_stereo(molecules: Sequence[str]) -> bool:
    """Return whether any of these SMILES has a stereo mark."""
    return any(not STEREO_MARKS.isdisjoint(smiles) for smiles in molecules)


def without_stereo(canonical: str) -> str:
    """Return the canonical SMILES of a molecule without its stereo marks."""
    return canonicalize(canonical, stereo=False) if has_stereo([canonical]) else canonical


def _parse_all(
    smiles: list[str | None], names: tuple[str, ...], structures: bool, usage: bool
) -> list[Molecule]:
    texts = (text if isinstance(text, str) else "" for text in smiles)
    return [_parse(text, names, structures=structures, usage=usage) for text in texts]


def _parse(text: str, names: tuple[str, ...], *, structures: bool, usage: bool) -> Molecule:
    bare = without_maps(text)
    try:
        canonical, mol = canonical_molecule(bare)
        if mol.GetNumHeavyAtoms() > MAX_HEAVY_ATOMS:
            raise Rejected(f"more than {MAX_HEAVY_ATOMS} heavy atoms")
        flat = without_stereo(canonical)
    except Rejected as rejected:
        return Molecule(rejected.reason)
    return Molecule(
        canonical=canonical,
        without_stereo=flat,
        fingerprint=fingerprints([mol])[0].tobytes(),
        properties=_values(mol, names),
        shape=_shape(mol),
        pieces=_pieces(mol) if structures else Pieces(),
        used=used_by(mol, flat) if usage else Used(),
        mapped=bare != text,
    )


def _values(mol: Chem.Mol, names: tuple[str, ...]) -> tuple[float, ...]:
    """Return properties, NaN for one whose calculator fails; the molecule stays valid."""
    try:
        return tuple(measure(mol, names).tolist())
    except Rejected:
        if len(names) == 1:
            return (float("nan"),)
        return tuple(value for name in names for value in _values(mol, (name,)))


def _pieces(mol: Chem.Mol) -> Pieces:
    return Pieces(tuple(brics_fragments(mol)), ring_scaffold(mol), moses_alert(mol) or "")


def _shape(mol: Chem.Mol) -> tuple[float, ...]:
    """Return the statistics of `SHAPES`, in their order."""
    sizes = {len(ring) for ring in mol.GetRingInfo().AtomRings()}
    rings = (3 in sizes, 4 in sizes, any(size > 6 for size in sizes))
    heavy = mol.GetNumHeavyAtoms()
    aromatic = sum(atom.GetIsAromatic() for atom in mol.GetAtoms())
    share = aromatic / heavy if heavy else 0.0
    return (*map(float, rings), float(any(rings)), share, float(heavy))
