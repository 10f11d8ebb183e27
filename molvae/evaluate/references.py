"""Cached statistics of sets that many evaluations compare with.

Parsing 176,000 test molecules takes minutes and ChemNet half an hour; a file of their statistics
loads in a second. Its name follows from the molecules and from everything else that the numbers
depend on (RDKit, fcd, these definitions), and its sha256 is checked.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import rdkit

from molvae.chem.selfies import distribution_version
from molvae.config import DEFAULT_PROPERTIES
from molvae.errors import ArtifactError
from molvae.evaluate.fcd import Moments, activations, fcd_version, join, moments_of
from molvae.evaluate.inputs import DEFINITIONS, FORMAT, Source, cache_key
from molvae.evaluate.memorization import fingerprints_of
from molvae.evaluate.parsed import Parsed, parse_molecules
from molvae.evaluate.training import KnownMolecules
from molvae.evaluate.usage import VERSION as USAGE_VERSION
from molvae.evaluate.usage import Usage, usage_of
from molvae.evaluate.work import Work
from molvae.files import store
from molvae.files.cache import cache_folder

SAVE_EVERY = 32  # batches of ChemNet, half a minute on one core


Content = tuple[dict[str, np.ndarray], dict[str, Any]]  # arrays by name, and a header for JSON


class Reference(NamedTuple):
    """A test set of M molecules, as in `Parsed`, without its invalid strings, which are counted.

    `chemnet` has the moments of ChemNet's activations, if requested.
    """

    canonical: Sequence[str]
    names: tuple[str, ...]
    properties: np.ndarray  # shape (M, P) float64
    shapes: np.ndarray  # shape (M, S) float32
    fingerprints: np.ndarray  # shape (M, 128)
    fragments: Mapping[str, int]
    scaffolds: Mapping[str, int]
    invalid: int
    chemnet: Moments | None = None

    def measured(self, name: str) -> np.ndarray:
        """Return one property of each molecule, NaN if unknown, shape (M,)."""
        return np.asarray(self.properties[:, self.names.index(name)])


def load_reference(
    molecules: Source, work: Work, *, title: str, chemnet: bool = False
) -> Reference:
    """Load the statistics of a test set, which the progress calls `title`, or compute them.

    Moments of ChemNet's activations need the extra `fcd`.
    """

    def read() -> Content:
        names, stage = DEFAULT_PROPERTIES, f"Reading {title}"
        return _pack(parse_molecules(molecules.read(), names, work, stage=stage, structures=True))

    statistics = _unpack(
        *load_or_compute("statistics", molecules, *DEFAULT_PROPERTIES, compute=read)
    )
    if not chemnet or not statistics.canonical:
        return statistics
    return statistics._replace(
        chemnet=load_or_compute_moments(molecules.sha256, statistics.canonical, work, title=title)
    )


def load_training_set(molecules: Source, work: Work) -> KnownMolecules:
    """Load a training set in which molecules can be looked up, or compute it."""

    def read() -> Content:
        known = KnownMolecules.of(molecules.read(), work)
        flat = {"flat": known.flat} if known.has_stereo else {}
        header = {"stereo": known.has_stereo, "invalid": known.invalid}
        return {"molecules": known.molecules, **flat}, header

    arrays, header = load_or_compute("training", molecules, compute=read)
    flat = arrays["flat" if header["stereo"] else "molecules"]
    return KnownMolecules(arrays["molecules"], flat, header["invalid"])


def load_training_usage(molecules: Source, work: Work) -> Usage:
    """Load the ring systems and symbols of a training set, or count them."""
    arrays, header = load_or_compute(
        "usage",
        molecules,
        f"{USAGE_VERSION}",
        f"selfies {distribution_version()}",
        compute=lambda: _pack_usage(usage_of(molecules.read(), work)),
    )
    symbols = _unpack_counts(arrays, "symbol")
    return Usage(
        header["molecules"],
        _unpack_counts(arrays, "system"),
        Counter(dict(arrays["sizes"].tolist())),
        symbols,
        Counter(dict(zip(symbols, arrays["holders"].tolist(), strict=True))),
        header["unwritten"],
    )


def load_training_fingerprints(molecules: Source, work: Work) -> np.ndarray:
    """Load the fingerprints of a training set, shape (M, 128), or compute them."""
    arrays, _ = load_or_compute(
        "fingerprints",
        molecules,
        compute=lambda: ({"fingerprints": fingerprints_of(molecules.read(), work)}, {}),
    )
    return arrays["fingerprints"]


def _pack_usage(usage: Usage) -> Content:
    arrays = {
        **_pack_counts("system", usage.systems),
        "sizes": np.array(sorted(usage.sizes.items()), np.int64).reshape(-1, 2),
        **_pack_counts("symbol", usage.symbols),
        "holders": np.array([usage.holders[symbol] for symbol in usage.symbols], np.int64),
    }
    return arrays, {"molecules": usage.molecules, "unwritten": usage.unwritten}


def load_or_compute(
    kind: str, molecules: Source, *others: str, compute: Callable[[], Content]
) -> Content:
    """Load statistics of a kind from the cache, or compute them and save them there.

    `others` is everything that they depend on besides the molecules, RDKit and these definitions.
    """
    if not molecules.sha256:
        return compute()
    path = _path(kind, molecules.sha256, *others)
    found = _read(path, kind)
    if found is None:
        found = compute()
        _write(path, kind, *found)
    return found


def load_or_compute_moments(
    key: str, canonical: Sequence[str], work: Work, *, title: str
) -> Moments:
    """Load the moments of ChemNet's activations, and compute those that an earlier run did not.

    The key is the sha256 of the set, or another unique name; "" for moments that are not cached.
    """
    path = _path("chemnet", key, fcd_version()) if key else None
    moments = join(())
    found = _read(path, "chemnet") if path else None
    if found is not None:
        arrays, header = found
        moments = Moments(header["done"], arrays["total"], arrays["products"])
    rest = canonical[moments.molecules :]
    if not rest:
        return moments
    batches = activations(rest, work)
    while some := list(islice(batches, SAVE_EVERY)):
        for batch in some:
            moments = join((moments, moments_of(batch)))
            work.report(f"ChemNet on {title}", moments.molecules, len(canonical))
        if path is None:
            continue
        arrays = {"total": moments.total, "products": moments.products}
        _write(path, "chemnet", arrays, {"done": moments.molecules, "of": len(canonical)})
    return moments


def _pack(parsed: Parsed) -> Content:
    valid = parsed.valid
    counted = parsed.structures
    arrays = {
        "canonical": pack_words(parsed.molecules),
        "properties": parsed.properties[valid],
        "shapes": parsed.shapes[valid].astype(np.float32),
        "fingerprints": parsed.fingerprints[valid],
        **_pack_counts("fragment", counted.fragments),
        **_pack_counts("scaffold", counted.scaffolds),
    }
    return arrays, {"names": parsed.names, "invalid": int((~valid).sum())}


def _unpack(arrays: Mapping[str, np.ndarray], header: Mapping[str, Any]) -> Reference:
    return Reference(
        canonical=unpack_words(arrays["canonical"]),
        names=tuple(header["names"]),
        properties=arrays["properties"],
        shapes=arrays["shapes"],
        fingerprints=arrays["fingerprints"],
        fragments=_unpack_counts(arrays, "fragment"),
        scaffolds=_unpack_counts(arrays, "scaffold"),
        invalid=header["invalid"],
    )


def _pack_counts(name: str, counts: Mapping[str, int]) -> dict[str, np.ndarray]:
    """Return the words and their counts as arrays, such as systems and system_counts."""
    numbers = np.array(list(counts.values()), np.int64)
    return {f"{name}s": pack_words(counts), f"{name}_counts": numbers}


def _unpack_counts(arrays: Mapping[str, np.ndarray], name: str) -> Counter[str]:
    counts = arrays[f"{name}_counts"].tolist()
    return Counter(dict(zip(unpack_words(arrays[f"{name}s"]), counts, strict=True)))


def pack_words(words: Iterable[str]) -> np.ndarray:
    """Return words without line ends as an array for a file."""
    return np.frombuffer("\n".join(words).encode(), dtype=np.uint8)


def unpack_words(lines: np.ndarray) -> list[str]:
    """Return the words in an array of `pack_words`."""
    return lines.tobytes().decode().split("\n") if lines.size else []


def _path(kind: str, *parts: str) -> Path:
    return cache_folder("references") / f"{kind}-{cache_key(kind, *parts)}.safetensors"


def _read(path: Path, kind: str) -> Content | None:
    """Read a file of the cache; None if it is missing or damaged."""
    if not path.exists():
        return None
    try:
        return store.read(path, kind=kind, format=FORMAT)
    except ArtifactError:
        return None


def _write(
    path: Path, kind: str, arrays: Mapping[str, np.ndarray], header: Mapping[str, Any]
) -> None:
    made_by = {"rdkit": rdkit.__version__, "definitions": DEFINITIONS}
    store.write(path, arrays, {**header, "made_by": made_by}, kind=kind, format=FORMAT)
