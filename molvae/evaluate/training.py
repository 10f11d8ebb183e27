"""Training sets in which molecules can be looked up."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np

from molvae.chem.smiles import (
    DEFAULT_STANDARDIZATION,
    Standardization,
    canonicalize,
    may_have_parent,
    standardize,
    without_maps,
)
from molvae.errors import Rejected
from molvae.evaluate.parsed import without_stereo
from molvae.evaluate.work import HERE, Work
from molvae.parallel.workers import Jobs, Lost, map_chunks
from molvae.training_index import BloomFilter, molecule_hash


@runtime_checkable
class Training(Protocol):
    """A training set in which molecules can be looked up."""

    @property
    def error_rate(self) -> float:
        """The probability that a new molecule is taken for a known one."""

    def contains(self, molecules: Sequence[str]) -> np.ndarray:
        """Return whether each of N canonical SMILES is in the set; bool, shape (N,)."""


@dataclass(frozen=True, eq=False)
class KnownMolecules:
    """A training set held as hashes of canonical SMILES, and its number of invalid strings.

    A hash has 64 bits: with 1.5 million molecules, one new molecule in 10^13 is taken for a known
    one.
    """

    molecules: np.ndarray  # with stereo marks, uint64, sorted, each once
    flat: np.ndarray  # without; the same object if no molecule has any
    invalid: int = 0
    error_rate: ClassVar[float] = 0.0  # negligible

    @classmethod
    def of(cls, smiles: Sequence[str], work: Work = HERE) -> "KnownMolecules":
        """Canonicalize a training set, however it is written, and count the invalid strings."""
        molecules, flat = array("Q"), array("Q")
        invalid = 0
        for found in work.apply("Reading the training set", _hash_all, smiles):
            if isinstance(found, Lost) or found is None:
                invalid += 1
            else:
                molecules.append(found[0])
                flat.append(found[1])
        whole, without = (np.unique(np.array(part, np.uint64)) for part in (molecules, flat))
        return cls(whole, whole if np.array_equal(whole, without) else without, invalid)

    @property
    def has_stereo(self) -> bool:
        """Whether any molecule carries a stereo mark."""
        return self.flat is not self.molecules

    def contains(self, molecules: Sequence[str]) -> np.ndarray:
        """Return whether each of N canonical SMILES is in the set; bool, shape (N,)."""
        return np.isin(molecule_hash(molecules), self.molecules)

    def contains_without_stereo(self, molecules: Sequence[str]) -> np.ndarray:
        """Return the same for canonical SMILES without stereo, ignoring the set's own stereo."""
        return np.isin(molecule_hash(molecules), self.flat)


@dataclass(frozen=True)
class IndexedMolecules:
    """The training set of a model, as the index of canonical SMILES in its checkpoint.

    Molecules are standardized as in training before they are looked up, by `jobs` workers.
    """

    index: BloomFilter
    standardization: Standardization
    jobs: Jobs = 0

    @property
    def error_rate(self) -> float:
        """The probability that a new molecule is taken for a known one."""
        return self.index.error_rate

    def contains(self, molecules: Sequence[str]) -> np.ndarray:
        """Return whether each of N SMILES is in the set; bool, shape (N,).

        A molecule that the standardization refuses is not.
        """
        work = partial(_standardize_all, standardization=self.standardization)
        forms = [
            "" if isinstance(form, Lost) else form
            for _, form in map_chunks(work, molecules, jobs=self.jobs)
        ]
        known: np.ndarray = self.index.contains(molecule_hash(forms))
        known &= np.array([bool(form) for form in forms], dtype=bool)
        return known


def count_known_parents(molecules: Sequence[str], training: KnownMolecules, work: Work) -> int:
    """Count distinct novel molecules whose standard form is a molecule of the training set.

    These are salts, mixtures and ions of known molecules.
    """
    candidates = [smiles for smiles in dict.fromkeys(molecules) if may_have_parent(smiles)]
    new = ~training.contains(candidates) if candidates else ()
    novel = [smiles for smiles, is_new in zip(candidates, new, strict=True) if is_new]
    standard = partial(_standardize_all, standardization=DEFAULT_STANDARDIZATION)
    forms = work.apply("Standardizing salts and ions", standard, novel)
    known = [form for form in forms if form and not isinstance(form, Lost)]
    return int(training.contains_without_stereo(known).sum()) if known else 0


def _hash_all(smiles: list[str]) -> list[tuple[int, int] | None]:
    """Return the hashes of each molecule with and without stereo marks, None if invalid."""
    hashes: list[tuple[int, int] | None] = []
    for text in smiles:
        try:
            canonical = canonicalize(without_maps(text))
            with_stereo, flat = molecule_hash([canonical, without_stereo(canonical)])
            hashes.append((int(with_stereo), int(flat)))
        except Rejected:
            hashes.append(None)
    return hashes


def _standardize_all(smiles: list[str], standardization: Standardization) -> list[str]:
    """Return each molecule in a standard form, "" if it is refused."""
    forms = []
    for text in smiles:
        try:
            forms.append(standardize(text, standardization)[0])
        except Rejected:
            forms.append("")
    return forms
