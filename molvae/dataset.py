"""Molecules as numbers, ready to train on; no chemistry from here on."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from molvae.arguments import as_path
from molvae.errors import ArtifactError, UsageError
from molvae.files import store
from molvae.normalizer import PropertyNormalizer
from molvae.training_index import RingSystems
from molvae.vocabulary import SPECIAL, Vocabulary

FORMAT = 2  # since which fingerprints and ring systems may be in it
TRAIN, VALIDATION, TEST = range(3)
RINGS = "rings.systems"  # the one array that may be lacking
SPLIT_NAMES = ("train", "validation", "test")
FINGERPRINTS = "training.fingerprints"  # an array that may be lacking
FINGERPRINT_BYTES = 128


class MoleculeDataset(NamedTuple):
    """N distinct molecules: symbols, properties and split, with what is needed to read them.

    Attributes:
        ids: symbol ids of all molecules end to end, without BOS and EOS, uint16.
        offsets: molecule i is `ids[offsets[i]:offsets[i + 1]]`, int64, shape (N + 1,).
        properties: values in their units, NaN where a label is missing, float32, shape (N, P).
        split: 0 train, 1 validation, 2 test, uint8, shape (N,).
        hashes: 64-bit hash of each canonical SMILES, uint64, shape (N,).
        vocabulary: the symbols behind the ids.
        normalizer: names and scale of the properties, fitted on the training split.
        provenance: where the rows came from and what was done: data configuration, sources with
            sha256, tally, versions, SELFIES constraints.
        training_fingerprints: Morgan fingerprints of the molecules of the training split, packed,
            uint8, shape (M, 128); None where there are too many or they are not wanted.
        rings: the ring systems of the training split that are not rare; None in a dataset of
            format 1.
    """

    ids: np.ndarray
    offsets: np.ndarray
    properties: np.ndarray
    split: np.ndarray
    hashes: np.ndarray
    vocabulary: Vocabulary
    normalizer: PropertyNormalizer
    provenance: Mapping[str, Any]
    training_fingerprints: np.ndarray | None = None
    rings: RingSystems | None = None

    @property
    def size(self) -> int:
        """The number of molecules."""
        return len(self.offsets) - 1

    @property
    def lengths(self) -> np.ndarray:
        """Symbols of each molecule, int64, shape (N,)."""
        return np.diff(self.offsets)

    @property
    def fingerprint(self) -> str:
        """The sha256 of all that is trained on: molecules, properties, split, vocabulary."""
        header = {"symbols": self.vocabulary.symbols, "properties": self.normalizer.names}
        return store.digest({name: getattr(self, name) for name in _TYPES}, header)

    def molecule(self, index: int) -> np.ndarray:
        """Return the symbol ids of one molecule, shape (T,)."""
        return self.ids[self.offsets[index] : self.offsets[index + 1]]

    def with_vocabulary(self, vocabulary: Vocabulary) -> "MoleculeDataset":
        """Return the same molecules in the ids of another vocabulary, which has all the symbols."""
        table = np.arange(len(self.vocabulary), dtype=np.uint16)
        table[len(SPECIAL) :] = vocabulary.encode(self.vocabulary.symbols)
        return self._replace(ids=table[self.ids], vocabulary=vocabulary)

    def members(self, name: str) -> np.ndarray:
        """Return the indices of the molecules in split `name`, int64.

        Raises:
            UsageError: for a name other than train, validation, test.
        """
        if name not in SPLIT_NAMES:
            raise UsageError(f"unknown split '{name}': one of {', '.join(SPLIT_NAMES)}.")
        return np.flatnonzero(self.split == SPLIT_NAMES.index(name))

    def lacks(self) -> str:
        """Return why no model can be trained on the dataset, with what helps; "" when one can."""
        counts = [len(self.members(name)) for name in SPLIT_NAMES[:2]]
        if all(counts):
            return ""
        split = self.provenance.get("data", {}).get("split", "random")
        share = math.ceil(100 / self.size) / 100  # of one molecule
        helps = f"Prepare it with --validation {max(share, 0.05):g}"
        if self.size == 1:
            helps = "Prepare it from more molecules"
        elif split == "scaffold":
            helps += " --split random"
        elif split != "random":
            helps = f"Name both splits in the column '{split}' of the table"
        return (
            f"the dataset has {counts[0]:,} training and {counts[1]:,} validation molecules, and"
            f" training needs both. {helps}."
        )

    def save(self, path: str | Path) -> str:
        """Write the dataset to one file, atomically; return its sha256."""
        arrays = {name: getattr(self, name) for name in _TYPES}
        header = {
            "symbols": list(self.vocabulary.symbols),
            "normalizer": self.normalizer.to_dict(),
            "provenance": dict(self.provenance),
        }
        if self.training_fingerprints is not None:
            arrays[FINGERPRINTS] = self.training_fingerprints
        if self.rings is not None:
            arrays[RINGS], header["rings"] = self.rings.to_array(), self.rings.to_dict()
        return store.write(as_path("path", path), arrays, header, kind="dataset", format=FORMAT)

    @classmethod
    def load(cls, path: str | Path) -> "MoleculeDataset":
        """Read a dataset that `save` wrote.

        Raises:
            ArtifactError: when the file is damaged, foreign, or written by a newer molvae.
        """
        path = as_path("path", path)
        stored = store.look(path, kind="dataset", format=FORMAT)
        try:
            vocabulary = Vocabulary(stored.header["symbols"])
            normalizer = PropertyNormalizer.from_dict(stored.header["normalizer"])
            provenance = dict(stored.header["provenance"])
        except (AttributeError, KeyError, TypeError, ValueError, ArtifactError) as error:
            raise ArtifactError(f"{path}: damaged: {error!s:.300}") from error
        _check_layout(stored, len(normalizer.names))
        arrays = store.load(stored)
        rings = read_rings(stored, arrays)
        dataset = cls(
            **{name: arrays[name] for name in _TYPES},
            vocabulary=vocabulary,
            normalizer=normalizer,
            provenance=provenance,
            training_fingerprints=arrays.get(FINGERPRINTS),
            rings=rings,
        )
        _check_values(dataset, path)
        return dataset


_TYPES = {"ids": "U16", "offsets": "I64", "properties": "F32", "split": "U8", "hashes": "U64"}


def check_fingerprints(stored: store.Stored) -> None:
    """Check how a file declares fingerprints of training molecules, if it holds any.

    Raises:
        ArtifactError: when they have another type or shape.
    """
    kind, shape = stored.layout.get(FINGERPRINTS, ("U8", (1, FINGERPRINT_BYTES)))
    if kind != "U8" or len(shape) != 2 or not shape[0] or shape[1] != FINGERPRINT_BYTES:
        raise ArtifactError(
            f"{stored.path}: damaged: its fingerprints have shape {shape}, type {kind:.20}."
        )


def read_rings(stored: store.Stored, arrays: Mapping[str, np.ndarray]) -> RingSystems | None:
    """Return the ring systems that a file carries, None where it carries none.

    Raises:
        ArtifactError: when they are damaged.
    """
    if RINGS not in arrays:
        return None
    try:
        if stored.layout[RINGS][0] != "U8":
            raise TypeError("no text")
        return RingSystems.of(arrays[RINGS], stored.header["rings"])
    except (KeyError, TypeError, ValueError) as error:
        raise ArtifactError(f"{stored.path}: damaged: its ring systems: {error!s:.200}") from error


def _check_layout(stored: store.Stored, width: int) -> None:
    """Check which arrays a file declares, before they take memory; `width` properties each."""
    if odd := sorted((stored.layout.keys() - {FINGERPRINTS, RINGS}) ^ _TYPES.keys()):
        raise ArtifactError(
            f"{stored.path}: damaged: missing or unexpected arrays: {', '.join(odd[:5]):.300}."
        )
    check_fingerprints(stored)
    _, at = stored.layout["offsets"]
    count = at[0] - 1 if at else 0
    ids = stored.layout["ids"][1][:1]  # any number of them
    shapes = {
        "ids": ids or (0,),
        "offsets": (count + 1,),
        "properties": (count, width),
        "split": (count,),
        "hashes": (count,),
    }
    for name, kind in _TYPES.items():
        if stored.layout[name] != (kind, shapes[name]) or count < 1:
            found, shape = stored.layout[name]
            raise ArtifactError(
                f"{stored.path}: damaged: {name} has shape {shape}, type {found:.20};"
                f" {shapes[name]} of {kind} is expected of {count} molecules."
            )


def _check_values(dataset: MoleculeDataset, path: Path) -> None:
    ids, offsets = dataset.ids, dataset.offsets
    within = 0 <= int(offsets.min()) and int(offsets.max()) <= len(ids)  # no difference overflows
    ends = within and offsets[0] == 0 and offsets[-1] == len(ids)
    whole = ends and bool(np.all(dataset.lengths > 0))
    known = whole and len(SPECIAL) <= int(ids.min()) <= int(ids.max()) < len(dataset.vocabulary)
    for good, what in (
        (whole, "offsets do not tell where each molecule begins"),
        (known, "ids are not all of symbols"),
        (not np.isinf(dataset.properties).any(), "properties are not all finite or missing"),
        (int(dataset.split.max()) < len(SPLIT_NAMES), "split has other numbers than 0, 1, 2"),
    ):
        if not good:
            raise ArtifactError(f"{path}: damaged: its {what}.")
