"""Frechet ChemNet distance (FCD) between two sets of molecules.

Preuer 2018, https://doi.org/10.1021/acs.jcim.8b00234. The input of ChemNet is a SMILES string, so
molecules must be canonical. The activations are approximated by a Gaussian, given by its moments.

A distance between finite samples is never 0: FCD(N) = a + b / N for N molecules of one source
against a large reference, with b near 1,260 for molecules like those of MOSES. Do not compare
distances at different N.
"""

import os
import sys
import warnings
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from itertools import islice
from typing import NamedTuple

import numpy as np

from molvae.errors import MolvaeError, UsageError
from molvae.evaluate.work import HERE, Work
from molvae.parallel.workers import Lost, map_chunks

MINIMUM = 1_000  # molecules; with fewer, the sampling error exceeds 1.2
ACTIVATIONS = 512  # of ChemNet's last layer
PARTS = 4  # of a set; their distances show the dependence on N
MINIMUM_PART = 1_000  # molecules; FCD(N) = a + b / N holds from there on
LENGTH = 350  # characters of ChemNet's input, an end mark included
BATCH = 256  # molecules in one pass of ChemNet; more is no faster on a CPU
CHUNK_SECONDS = 600.0  # for one batch, the start of ChemNet on a loaded machine included


class Moments(NamedTuple):
    """Sums over the activations of a set of molecules; the sums of two sets add up."""

    molecules: int
    total: np.ndarray  # shape (512,) float64
    products: np.ndarray  # sum of the outer products, shape (512, 512) float64

    @property
    def mean(self) -> np.ndarray:
        """Mean activations, shape (512,)."""
        return np.asarray(self.total / self.molecules)

    @property
    def covariance(self) -> np.ndarray:
        """Covariance of the activations, shape (512, 512), unbiased."""
        centered = self.products - self.molecules * np.outer(self.mean, self.mean)
        return np.asarray(centered / (self.molecules - 1))


def is_installed() -> bool:
    """Return whether the extra `fcd` is installed."""
    return find_spec("fcd") is not None


def fcd_version() -> str:
    """Return the version of the fcd package, which holds ChemNet.

    Raises:
        UsageError: if it is not installed.
    """
    if not is_installed():
        raise UsageError("the Frechet ChemNet distance needs an extra: pip install 'molvae[fcd]'")
    return version("fcd")


def moments_of(activations: np.ndarray, weights: np.ndarray | None = None) -> Moments:
    """Return the moments of activations, shape (N, 512), each counted as often as its weight."""
    exact = activations.astype(np.float64)
    weights = np.ones(len(exact)) if weights is None else weights
    scaled = exact * weights[:, None]
    return Moments(int(weights.sum()), scaled.sum(axis=0), exact.T @ scaled)


def join(parts: Iterable[Moments]) -> Moments:
    """Return the moments of several sets taken together."""
    molecules, total = 0, np.zeros(ACTIVATIONS)
    products = np.zeros((ACTIVATIONS, ACTIVATIONS))
    for part in parts:
        molecules += part.molecules
        total += part.total
        products += part.products
    return Moments(molecules, total, products)


def activations(smiles: Iterable[str], work: Work = HERE) -> Iterator[np.ndarray]:
    """Run ChemNet over N canonical SMILES.

    Without workers, and on another device than the CPU, it runs in this process, with all of
    torch's threads.

    Yields:
        Activations of the next 256 molecules or fewer, shape (batch, 512) float32.

    Raises:
        UsageError: if the extra `fcd` is not installed.
        MolvaeError: if ChemNet fails on a molecule.
    """
    fcd_version()
    rows = iter(smiles)
    batches = iter(lambda: list(islice(rows, BATCH)), [])
    read = partial(_read_batches, device=work.device, alone=work.jobs == 0)
    jobs = work.jobs if work.device == "cpu" else 0
    results = map_chunks(read, batches, jobs=jobs, chunk_size=1, timeout=CHUNK_SECONDS)
    for batch, result in results:
        if isinstance(result, Lost):
            where = f"a batch that begins with {batch[0]}"
            raise MolvaeError(f"ChemNet: {result.reason} ({result.detail}) on {where}.")
        yield result


def spread_moments(
    smiles: Sequence[str], work: Work = HERE, *, seed: int = 0
) -> tuple[Moments, ...]:
    """Run ChemNet over a set and return the moments of four random quarters of it.

    A molecule that occurs twice counts twice.
    """
    row_of: dict[str, int] = {}
    rows = np.array([row_of.setdefault(text, len(row_of)) for text in smiles])
    part = np.random.default_rng(seed).permutation(len(smiles)) % PARTS
    weights = np.zeros((len(row_of), PARTS))  # how often a molecule occurs in each part
    np.add.at(weights, (rows, part), 1.0)
    sums = [join(()) for _ in range(PARTS)]
    done = 0
    for found in activations(row_of, work):
        here = weights[done : done + len(found)]
        sums = [
            join((whole, moments_of(found, column)))
            for whole, column in zip(sums, here.T, strict=True)
        ]
        done += len(found)
        work.report("ChemNet on the molecules", done, len(row_of))
    return tuple(sums)


def frechet_distance(first: Moments, second: Moments) -> float:
    """Squared Frechet distance of two Gaussians, ChemNet's FCD (Dowson & Landau 1982).

    |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)); the last trace is that of the square root of the
    symmetric C2^(1/2) C1 C2^(1/2), so that only symmetric matrices have a root taken.
    """
    difference = first.mean - second.mean
    one, other = first.covariance, second.covariance
    values, vectors = np.linalg.eigh(other)
    root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    common = np.linalg.eigvalsh(root @ one @ root)
    overlap = np.sqrt(np.maximum(common, 0.0)).sum()
    distance = difference @ difference + np.trace(one) + np.trace(other) - 2.0 * overlap
    return max(0.0, float(distance))  # of a set from itself, rounding may leave -1e-6


def at_size(parts: Sequence[Moments], reference: Moments, size: int) -> float | None:
    """Estimate the distance that `size` molecules of the same source would have.

    FCD(N) = a + b / N is fitted by least squares to a whole set, its halves and its quarters,
    which are the parts. None if they are too small for this law.
    """
    if min(part.molecules for part in parts) < MINIMUM_PART:
        return None
    halves = [join(parts[: PARTS // 2]), join(parts[PARTS // 2 :])]
    sets = [[join(parts)], halves, list(parts)]
    per_molecule = [np.mean([1.0 / part.molecules for part in level]) for level in sets]
    distances = [np.mean([frechet_distance(part, reference) for part in level]) for level in sets]
    slope, intercept = np.polyfit(per_molecule, distances, 1)
    return max(0.0, float(intercept + slope / size))


def _read_batches(batches: list[list[str]], *, device: str, alone: bool) -> list[np.ndarray]:
    if not alone and "torch" not in sys.modules:
        # Several workers with a thread for every core each would slow each other down.
        os.environ["OMP_NUM_THREADS"] = "1"
    return [_read(batch, device) for batch in batches]


def _read(batch: list[str], device: str) -> np.ndarray:
    import fcd

    # ChemNet's input is 350 characters long, or as long as its longest string. A longer string
    # would change the activations of the others in its batch, and so runs alone.
    groups = [[text for text in batch if len(text) < LENGTH]]
    groups += [[text] for text in batch if len(text) >= LENGTH]
    found: dict[str, np.ndarray] = {}
    with warnings.catch_warnings():
        # fcd warns of long strings and leaves a temporary folder; numpy warns of a name it uses.
        warnings.simplefilter("ignore")
        model = fcd.load_ref_model()  # which fcd keeps in memory
        for group in filter(None, groups):
            rows = fcd.get_predictions(
                model=model, smiles_list=group, batch_size=BATCH, n_jobs=0, device=device
            )
            found |= zip(group, rows, strict=True)
    return np.stack([found[text] for text in batch])
