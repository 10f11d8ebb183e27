"""Strings proposed for molecules to be: the same ones in whatever batches they are decoded.

Every molecule to be has a slot. A slot's randomness depends on the seed, its number and the attempt
alone.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from molvae.generation.model import AT_ONCE, DecodedString, LoadedModel
from molvae.generation.tiles import by_tile
from molvae.presets import DrawSettings

RESAMPLES = 4  # strings decoded from one latent code before a new one is taken
NOISE, TOKENS, POINTS = range(3)  # purposes of a slot's randomness

# slots (B,), conditions (B, P), standard normal noise (B, Z) -> codes (B, Z)
Codes = Callable[[Sequence[int], Tensor, Tensor], Tensor]


class Writer(Protocol):
    """Writes strings of its own for some slots, such as those that keep a core."""

    @property
    def numbers(self) -> int:
        """The uniform numbers that a string takes."""
        ...

    def __call__(
        self, slots: Sequence[int], codes: Tensor, points: np.ndarray, uniforms: np.ndarray
    ) -> list[DecodedString]:
        """Return a string for each slot.

        Args:
            slots: the molecules to be, shape (J,).
            codes: shape (J, Z).
            points: properties that the decoder is given, NaN = free, shape (J, P).
            uniforms: numbers in [0, 1), all the randomness there is, shape (J, `numbers`).
        """
        ...


class Proposal(NamedTuple):
    """One string that the decoder wrote for one slot.

    Attributes:
        slot: the molecule to be, counted from 0.
        symbols: SELFIES symbols.
        ended: whether the decoder ended it, rather than the cap on its length.
        nll: -log p(x given z, c) of the symbols that the decoder chose, nats.
        predicted: the properties as the model's own head predicts them, in their units, by column.
        prefix_nll: -log p(x given z, c) of the symbols that it was given.
    """

    slot: int
    symbols: list[str]
    ended: bool
    nll: float
    predicted: Mapping[str, float]
    prefix_nll: float = 0.0


class _Job(NamedTuple):
    """One string to be decoded: its slot, the number of its code, and of its attempt."""

    slot: int
    code: int
    attempt: int


def propose(
    model: LoadedModel,
    slots: Sequence[int],
    points: np.ndarray,
    attempt: int,
    *,
    settings: DrawSettings,
    seed: int,
    codes: Codes | None = None,
    write: Writer | None = None,
) -> list[Proposal]:
    """Propose one string for each slot.

    Where something is asked for, a shortlist of strings is decoded, and the property head chooses
    among them.

    Args:
        model: the model.
        slots: the molecules to be, shape (S,).
        points: values asked for, in their units, NaN = free, shape (S, P).
        attempt: how often these slots were proposed for before.
        settings: temperature, shortlist and the like.
        seed: of all randomness.
        codes: source of latent codes; None: the model's prior.
        write: writes the strings; None: the model alone.
    """
    proposals: dict[int, Proposal] = {}
    asked = np.isfinite(points).any(axis=1)
    # Apart, because a free slot needs no guidance: another size of matrix products.
    for alike, count in ((asked, settings.shortlist), (~asked, 1)):
        rows = np.flatnonzero(alike).tolist()
        # Strings that compete need codes of their own, and so does a slot near a molecule, where a
        # second string from the same code would be the first again; else a code has some tries.
        tries = 1 if settings.best_of > 1 or codes is not None else RESAMPLES
        jobs = [
            _Job(slots[row], attempt // tries * count + number, attempt * count + number)
            for row in rows
            for number in range(count)
        ]
        wanted = points[rows].repeat(count, axis=0)
        strings: list[Proposal] = []
        for begin in range(0, len(jobs), AT_ONCE):
            piece = slice(begin, begin + AT_ONCE)
            strings += _decode(
                model,
                jobs[piece],
                wanted[piece],
                settings=settings,
                seed=seed,
                codes=codes,
                write=write,
                predict=bool(model.labels) or count > 1,
            )
        for number, row in enumerate(rows):
            rivals = strings[number * count : (number + 1) * count]
            distances = [_expected_distance(model, points[row], rival) for rival in rivals]
            proposals[row] = rivals[int(np.argmin(distances))]
    return [proposals[row] for row in range(len(slots))]


def _expected_distance(model: LoadedModel, wanted: np.ndarray, proposal: Proposal) -> float:
    """Return how far the property head expects a string to be from a point (P,), in variances."""
    names, scale = model.normalizer.names, model.normalizer.scale
    expected = np.array([proposal.predicted.get(name, np.nan) for name in names])
    return float(np.nansum(((expected - wanted) / scale) ** 2))


def _decode(
    model: LoadedModel,
    jobs: Sequence[_Job],
    points: np.ndarray,
    *,
    settings: DrawSettings,
    seed: int,
    codes: Codes | None,
    write: Writer | None,
    predict: bool,
) -> list[Proposal]:
    """Decode a string for each job, given points (J, P)."""
    size = model.network.config.latent_size
    numbers = write.numbers if write else model.longest + 1
    noise = np.stack(
        [slot_random(seed, job.slot, job.code, NOISE).standard_normal(size) for job in jobs]
    ).astype(np.float32)
    uniforms = np.stack(
        [slot_random(seed, job.slot, job.attempt, TOKENS).random(numbers) for job in jobs]
    )
    conditions = torch.from_numpy(model.normalizer.normalize(points))

    def tile(rows: Tensor) -> Tensor:
        given, random = conditions[rows], torch.from_numpy(noise[rows.numpy()])
        if codes is None:
            return model.checkpoint.prior.sample(given, random, level=settings.noise)
        return codes([jobs[row].slot for row in rows], given, random)

    drawn = by_tile(tile, len(jobs))
    if write is None:
        strings = model.decode(drawn, points, settings, uniforms=uniforms)
    else:
        strings = write([job.slot for job in jobs], drawn, points, uniforms)
    predicted: list[dict[str, float]] = [{}] * len(jobs)
    if predict:
        values = model.predict_strings([string.symbols for string in strings]).tolist()
        predicted = [dict(zip(model.normalizer.names, row, strict=True)) for row in values]
    return [
        Proposal(job.slot, string.symbols, string.ended, string.nll, head, string.prefix_nll)
        for job, string, head in zip(jobs, strings, predicted, strict=True)
    ]


def slot_random(seed: int, slot: int, attempt: int, purpose: int) -> np.random.Generator:
    """Return the source of one slot's randomness: independent of every other's, in any order."""
    counter = [0, purpose, attempt, slot]
    return np.random.Generator(np.random.Philox(key=seed % 2**64, counter=counter))
