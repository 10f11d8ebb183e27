"""What a model remembers of its training set: an index of its molecules, and its ring systems.

The index tells whether the set contains a molecule, in 2.4 bytes a molecule.

It is a Bloom filter (Bloom 1970, https://doi.org/10.1145/362686.362692): a molecule of the
training set is always recognized; a new one is taken for a known one at the stated rate. Positions
come from two halves of a hash (Kirsch & Mitzenmacher 2008, https://doi.org/10.1002/rsa.20208).
"""

import hashlib
import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np


def molecule_hash(smiles: Iterable[str]) -> np.ndarray:
    """Return a 64-bit hash of each canonical SMILES, uint64, shape (N,)."""
    digests = b"".join(hashlib.blake2b(s.encode(), digest_size=8).digest() for s in smiles)
    return np.frombuffer(digests, dtype="<u8").astype(np.uint64)


class BloomFilter(NamedTuple):
    """A set of 64-bit hashes that supports only tests of membership.

    Attributes:
        bits: the table, uint8, 8 positions a byte.
        hashes: positions set for each member.
    """

    bits: np.ndarray
    hashes: int

    @classmethod
    def of(cls, members: np.ndarray, *, error_rate: float = 1e-4) -> "BloomFilter":
        """Build the filter of `members`, uint64 hashes, shape (N,)."""
        count = max(len(members), 1)
        size = math.ceil(-count * math.log(error_rate) / math.log(2) ** 2 / 8) * 8
        hashes = max(1, round(size / count * math.log(2)))
        return cls(np.zeros(size // 8, dtype=np.uint8), hashes).with_members(members)

    def with_members(self, more: np.ndarray) -> "BloomFilter":
        """Return a filter of the same size with these members (N,) added, and more errors."""
        table = np.unpackbits(self.bits).astype(bool)
        for positions in _positions(more, self.hashes, len(table)):
            table[positions] = True
        return BloomFilter(np.packbits(table), self.hashes)

    def contains(self, candidates: np.ndarray) -> np.ndarray:
        """Return whether each hash (N,) is a member; false positives occur at the error rate."""
        found = np.ones(len(candidates), dtype=bool)
        for positions in _positions(candidates, self.hashes, self.bits.size * 8):
            found &= (self.bits[positions >> 3] >> (7 - (positions & 7)).astype(np.uint8)) & 1 == 1
        return found

    @property
    def error_rate(self) -> float:
        """The chance that a new molecule is taken for a member, from the bits that are set."""
        share = float(np.unpackbits(self.bits).mean())
        return share**self.hashes


def _positions(values: np.ndarray, hashes: int, size: int) -> Iterable[np.ndarray]:
    low = values & np.uint64(0xFFFFFFFF)
    high = (values >> np.uint64(32)) | np.uint64(1)  # odd, so that steps visit distinct positions
    for step in range(hashes):
        yield ((low + np.uint64(step) * high) % np.uint64(size)).astype(np.int64)


class RingSystems(NamedTuple):
    """The ring systems of a training set that are no curiosities.

    Attributes:
        systems: canonical SMILES as `chem.rings` writes them, sorted.
        least: the number of training molecules that each is in, at least.
    """

    systems: tuple[str, ...]
    least: int

    def to_array(self) -> np.ndarray:
        """Return the systems as lines of text, uint8."""
        return np.frombuffer("\n".join(self.systems).encode("ascii"), dtype=np.uint8)

    def to_dict(self) -> dict[str, int]:
        """Return the rest as plain values for a JSON header."""
        return {"least": self.least, "systems": len(self.systems)}

    @classmethod
    def of(cls, array: np.ndarray, header: Mapping[str, Any]) -> "RingSystems":
        """Rebuild from `to_array` and `to_dict`.

        Raises:
            KeyError, TypeError, ValueError: for other values, which may come from anywhere.
        """
        systems = tuple(array.tobytes().decode("ascii").split("\n")) if array.size else ()
        sound = all(text.isprintable() and text.strip() == text != "" for text in systems)
        if not sound or systems != tuple(sorted(set(systems))):
            raise ValueError("no sorted list of ring systems")
        if (len(systems), int(header["least"])) != (header["systems"], header["least"]):
            raise ValueError(f"{header!r:.80} does not describe {len(systems)} ring systems")
        return cls(systems, int(header["least"]))

    def joined(self, other: "RingSystems") -> "RingSystems":
        """Return the systems of both training sets."""
        systems = tuple(sorted({*self.systems, *other.systems}))
        return RingSystems(systems, min(self.least, other.least))
