"""Training sets that can only be asked one thing: is this molecule in there?"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol, runtime_checkable

import numpy as np

from molvae.bloom import BloomFilter, molecule_hash
from molvae.chem.smiles import Standardization, canonicalize, standardize
from molvae.errors import Rejected
from molvae.evaluate.parsed import Tick, without_stereo
from molvae.workers import Lost, map_chunks


@runtime_checkable
class Training(Protocol):
    """What novelty asks of a training set."""

    @property
    def error_rate(self) -> float:
        """The chance that a new molecule is taken for a known one."""

    def contains(self, molecules: Sequence[str]) -> np.ndarray:
        """Tell for each of N canonical SMILES whether it is in the set; bool, shape (N,)."""


@dataclass(frozen=True)
class KnownMolecules:
    """A training set held as canonical SMILES.

    Attributes:
        molecules: with stereo marks.
        flat: without; the same object when no molecule carries any.
        invalid: strings of the training set that were no molecule.
    """

    molecules: frozenset[str]
    flat: frozenset[str]
    invalid: int = 0

    @classmethod
    def of(
        cls, smiles: Iterable[str], *, jobs: int = 0, tick: Tick | None = None
    ) -> "KnownMolecules":
        """Canonicalize a training set, however it is written.

        Args:
            smiles: the molecules; what is none is left out and counted.
            jobs: worker processes; 0 works in this one.
            tick: called once for each molecule.
        """
        molecules: set[str] = set()
        flat: set[str] = set()
        invalid = 0
        for _, found in map_chunks(_canonical_all, smiles, jobs=jobs):
            if isinstance(found, Lost) or not found[0]:
                invalid += 1
            else:
                molecules.add(found[0])
                flat.add(found[1])
            if tick is not None:
                tick()
        whole = frozenset(molecules)
        return cls(whole, whole if flat == molecules else frozenset(flat), invalid)

    @property
    def error_rate(self) -> float:
        """Nothing is taken for something else."""
        return 0.0

    @property
    def has_stereo(self) -> bool:
        """Whether any molecule carries a stereo mark."""
        return self.flat is not self.molecules

    def contains(self, molecules: Sequence[str]) -> np.ndarray:
        """Tell for each of N canonical SMILES whether it is in the set; bool, shape (N,)."""
        return np.array([smiles in self.molecules for smiles in molecules], dtype=bool)

    def contains_without_stereo(self, molecules: Sequence[str]) -> np.ndarray:
        """Tell the same of canonical SMILES without stereo, the set's own left out of account."""
        return np.array([smiles in self.flat for smiles in molecules], dtype=bool)


@dataclass(frozen=True)
class IndexedMolecules:
    """The training set of a model, as the index that its checkpoint carries.

    Molecules are brought into the form that the model was trained on before they are looked up.

    Attributes:
        index: hashes of the standardized canonical SMILES.
        standardization: what was done to the training set.
        jobs: worker processes for looking up; 0 works in this one.
    """

    index: BloomFilter
    standardization: Standardization
    jobs: int = 0

    @property
    def error_rate(self) -> float:
        """The chance that a new molecule is taken for a known one."""
        return self.index.error_rate

    def contains(self, molecules: Sequence[str]) -> np.ndarray:
        """Tell for each of N SMILES whether it is in the set; bool, shape (N,).

        A molecule that the standardization refuses cannot have been trained on.
        """
        work = partial(_standard_all, standardization=self.standardization)
        forms = [
            "" if isinstance(form, Lost) else form
            for _, form in map_chunks(work, molecules, jobs=self.jobs)
        ]
        known: np.ndarray = self.index.contains(molecule_hash(forms))
        known &= np.array([bool(form) for form in forms], dtype=bool)
        return known


def _canonical_all(smiles: list[str]) -> list[tuple[str, str]]:
    return [_canonical(text) for text in smiles]


def _canonical(text: str) -> tuple[str, str]:
    """Return a molecule with and without stereo marks, empty for what is none."""
    try:
        canonical = canonicalize(text)
        return canonical, without_stereo(canonical)
    except Rejected:
        return "", ""


def _standard_all(smiles: list[str], standardization: Standardization) -> list[str]:
    return [_standard(text, standardization) for text in smiles]


def _standard(text: str, standardization: Standardization) -> str:
    try:
        return standardize(text, standardization)[0]
    except Rejected:
        return ""
