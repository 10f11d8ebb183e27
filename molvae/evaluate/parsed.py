"""A list of SMILES, each parsed once: what every metric needs to know of it, as columns."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import NamedTuple

import numpy as np
from rdkit import Chem

from molvae.chem.properties import measure
from molvae.chem.similarity import BITS, fingerprints
from molvae.chem.smiles import canonicalize, parse
from molvae.errors import Rejected
from molvae.workers import Lost, map_chunks

# What is counted of each molecule's shape, with its name in tables. Shares are of molecules,
# except that of aromatic atoms, which is of a molecule's heavy atoms.
SHAPES: dict[str, str] = {
    "ring_3": "with a ring of 3",
    "ring_4": "with a ring of 4",
    "ring_above_6": "with a ring above 6",
    "odd_rings": "with any of these",
    "aromatic_atoms": "aromatic atoms, share",
    "heavy_atoms": "heavy atoms",
}
STEREO_MARKS = frozenset("@/\\")

Tick = Callable[[], object]  # called once for each molecule that is done


class Molecule(NamedTuple):
    """One row of `Parsed`; of an invalid molecule only the reason."""

    reason: str = ""
    canonical: str = ""
    without_stereo: str = ""
    fingerprint: bytes = b""
    properties: tuple[float, ...] = ()
    shape: tuple[float, ...] = ()


@dataclass(frozen=True)
class Parsed:
    """N strings that claim to be molecules, and what they are; invalid ones keep their place.

    Attributes:
        canonical: canonical SMILES with stereo, "" where invalid; N of them.
        flat: the same without stereo.
        reasons: why a string is no molecule, "" where it is one; N of them.
        names: the P properties that were measured.
        properties: in the units of `PROPERTIES`, NaN where invalid or where the calculator
            failed, shape (N, P).
        fingerprints: Morgan, radius 2, 1024 bits, packed, zero where invalid, shape (N, 128).
        shapes: as `SHAPES` lists them, NaN where invalid, shape (N, S).
    """

    canonical: tuple[str, ...]
    flat: tuple[str, ...]
    reasons: tuple[str, ...]
    names: tuple[str, ...]
    properties: np.ndarray
    fingerprints: np.ndarray
    shapes: np.ndarray

    def __len__(self) -> int:
        """Return the number of strings, invalid ones included."""
        return len(self.canonical)

    @cached_property
    def valid(self) -> np.ndarray:
        """Whether a string is a molecule, shape (N,)."""
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
        """Whether any molecule carries a stereo mark."""
        return has_stereo(self.molecules)

    @property
    def invalid(self) -> dict[str, int]:
        """Reason -> number of strings that are no molecule for it, the commonest first."""
        return dict(Counter(reason for reason in self.reasons if reason).most_common())

    def measured(self, name: str) -> np.ndarray:
        """Return one property of each string, NaN where there is none, shape (N,)."""
        values: np.ndarray = self.properties[:, self.names.index(name)]
        return values


def parse_molecules(
    smiles: Iterable[str | None],
    names: Sequence[str],
    *,
    jobs: int = 0,
    tick: Tick | None = None,
) -> Parsed:
    """Parse and measure a list of SMILES.

    Args:
        smiles: N strings; whatever is no molecule is kept with its reason. None and NaN, with
            which other programs say that nothing came out, are empty ones.
        names: properties to measure, as `PROPERTIES` spells them.
        jobs: worker processes; 0 works in this one, with the same result for any molecule that
            does not take its process down.
        tick: called once for each molecule.
    """
    rows: list[Molecule] = []
    for _, result in map_chunks(partial(_look_at_all, names=tuple(names)), smiles, jobs=jobs):
        rows.append(Molecule(result.reason) if isinstance(result, Lost) else result)
        if tick is not None:
            tick()
    nothing = Molecule(
        fingerprint=bytes(BITS // 8),
        properties=(np.nan,) * len(names),
        shape=(np.nan,) * len(SHAPES),
    )
    full = [nothing if row.reason else row for row in rows]
    packed = np.frombuffer(b"".join(row.fingerprint for row in full), dtype=np.uint8)
    return Parsed(
        canonical=tuple(row.canonical for row in rows),
        flat=tuple(row.without_stereo for row in rows),
        reasons=tuple(row.reason for row in rows),
        names=tuple(names),
        properties=np.array([row.properties for row in full]).reshape(len(rows), len(names)),
        fingerprints=packed.reshape(len(rows), BITS // 8),
        shapes=np.array([row.shape for row in full]).reshape(len(rows), len(SHAPES)),
    )


def has_stereo(molecules: Sequence[str]) -> bool:
    """Whether any of these SMILES carries a stereo mark."""
    return any(not STEREO_MARKS.isdisjoint(smiles) for smiles in molecules)


def without_stereo(canonical: str) -> str:
    """Return the canonical SMILES of a molecule without its stereo marks."""
    return canonicalize(canonical, stereo=False) if has_stereo([canonical]) else canonical


def _look_at_all(smiles: list[str | None], names: tuple[str, ...]) -> list[Molecule]:
    return [_look_at(text if isinstance(text, str) else "", names) for text in smiles]


def _look_at(text: str, names: tuple[str, ...]) -> Molecule:
    try:
        canonical = canonicalize(text)
        flat = without_stereo(canonical)
        mol = parse(canonical)
    except Rejected as rejected:
        return Molecule(rejected.reason)
    return Molecule(
        canonical=canonical,
        without_stereo=flat,
        fingerprint=fingerprints([mol])[0].tobytes(),
        properties=tuple(_value(mol, name) for name in names),
        shape=_shape(mol),
    )


def _value(mol: Chem.Mol, name: str) -> float:
    """Return one property, NaN where its calculator fails: the molecule is one all the same."""
    try:
        return float(measure(mol, [name])[0])
    except Rejected:
        return float("nan")


def _shape(mol: Chem.Mol) -> tuple[float, ...]:
    """Return the statistics of `SHAPES`, in their order."""
    sizes = {len(ring) for ring in mol.GetRingInfo().AtomRings()}
    rings = (3 in sizes, 4 in sizes, any(size > 6 for size in sizes))
    heavy = mol.GetNumHeavyAtoms()
    aromatic = sum(atom.GetIsAromatic() for atom in mol.GetAtoms())
    share = aromatic / heavy if heavy else 0.0
    return (*map(float, rings), float(any(rings)), share, float(heavy))
