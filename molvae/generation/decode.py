"""The decoder at work: a string for each molecule to be, the same in whatever batches."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from molvae.checkpoint import Checkpoint
from molvae.config import GenerateConfig
from molvae.generation.encode import (
    AT_ONCE,
    by_tile,
    padded_ids,
    predict,
    read_ids,
    strings_at_once,
)
from molvae.generation.rejection import NOISE, TOKENS, Draw, slot_random
from molvae.model.sampling import sample

RESAMPLES = 4  # draws from one latent code before a new one is taken

# slots (B,), conditions (B, P), standard normal noise (B, Z) -> codes (B, Z)
Codes = Callable[[Sequence[int], Tensor, Tensor], Tensor]


class _Job(NamedTuple):
    """One string to be written: for which slot, from its which code, its which try."""

    slot: int
    code: int
    attempt: int


def write(
    slots: Sequence[int],
    points: np.ndarray,
    attempt: int,
    *,
    checkpoint: Checkpoint,
    config: GenerateConfig,
    seed: int,
    codes: Codes | None = None,
    read: bool = True,
) -> list[Draw]:
    """Write one string for each slot; see `drawing.Write`.

    Args:
        slots: the molecules to be, shape (S,).
        points: values asked for, in their units, NaN = free, shape (S, P).
        attempt: how often these slots were written before.
        checkpoint: the model; its provenance names the longest molecule, which caps the strings.
        config: temperature, shortlist and the like, as `MoleculeGenerator.checked` returns it.
        seed: of all randomness.
        codes: where latent codes come from; None: the model's prior.
        read: let the property head read what was written; without, `predicted` may be empty.
    """
    assert config.noise is not None
    draws: dict[int, Draw] = {}
    asked = np.isfinite(points).any(axis=1)
    # Apart, because who asks for nothing needs no guidance: another size of matrix products.
    for alike, count in ((asked, config.shortlist), (~asked, 1)):
        rows = np.flatnonzero(alike).tolist()
        if not rows:
            continue
        # A code of its own for every string that competes with others, and where a code that
        # brought nothing new the first time would not the next; else it has some tries.
        tries = 1 if config.best_of > 1 or codes is not None else RESAMPLES
        jobs = [
            _Job(slots[row], attempt // tries * count + number, attempt * count + number)
            for row in rows
            for number in range(count)
        ]
        wanted = points[rows].repeat(count, axis=0)
        strings = []
        for begin in range(0, len(jobs), AT_ONCE):
            strings += _write_jobs(
                jobs[begin : begin + AT_ONCE],
                wanted[begin : begin + AT_ONCE],
                checkpoint=checkpoint,
                config=config,
                seed=seed,
                codes=codes or partial(_from_prior, checkpoint, config.noise),
                read=read or count > 1,
            )
        for number, row in enumerate(rows):
            rivals = strings[number * count : (number + 1) * count]
            draws[row] = min(rivals, key=partial(_expected_miss, checkpoint, points[row]))
    return [draws[row] for row in range(len(slots))]


def _from_prior(
    checkpoint: Checkpoint, level: float, slots: Sequence[int], conditions: Tensor, noise: Tensor
) -> Tensor:
    return checkpoint.prior.sample(conditions, noise, level=level)


def _expected_miss(checkpoint: Checkpoint, wanted: np.ndarray, draw: Draw) -> float:
    """Return how far the property head sees a draw from what is wanted (P,), in variances."""
    normalizer = checkpoint.normalizer
    expected = np.array([draw.predicted.get(name, np.nan) for name in normalizer.names])
    return float(np.nansum(((expected - wanted) / normalizer.scale) ** 2))


def _write_jobs(
    jobs: Sequence[_Job],
    points: np.ndarray,
    *,
    checkpoint: Checkpoint,
    config: GenerateConfig,
    seed: int,
    codes: Codes,
    read: bool,
) -> list[Draw]:
    """Write a string for each job, with what it is asked for (J, P)."""
    assert config.noise is not None
    assert config.temperature is not None
    model, normalizer = checkpoint.model, checkpoint.normalizer
    steps = checkpoint.provenance["longest"] + 1
    size = model.config.latent_size
    noise = [slot_random(seed, job.slot, job.code, NOISE).standard_normal(size) for job in jobs]
    uniforms = [slot_random(seed, job.slot, job.attempt, TOKENS).random(steps) for job in jobs]
    conditions = torch.from_numpy(normalizer.normalize(points))
    z = by_tile(
        lambda rows: codes(
            [jobs[row].slot for row in rows],
            conditions[rows],
            torch.from_numpy(np.stack([noise[row] for row in rows]).astype(np.float32)),
        ),
        len(jobs),
    )
    device = next(model.parameters()).device
    written = sample(
        model,
        z.to(device),
        conditions.to(device),
        torch.from_numpy(np.stack(uniforms)).to(device),
        temperature=config.temperature,
        top_p=config.top_p,
        guidance=config.guidance,
        noise=config.noise,
        live=strings_at_once(device),
    )
    predicted: list[dict[str, float]] = [{}] * len(jobs)
    strings = [checkpoint.vocabulary.decode(ids) for ids in written.ids.tolist()]
    if read:  # in the tokens that molecules are read in, which a string need not be written in
        ids = padded_ids(checkpoint.vocabulary, strings, width=written.ids.shape[1])
        means = by_tile(lambda rows: read_ids(checkpoint, ids[rows]).mean, len(jobs))
        values = predict(checkpoint, means).tolist()
        predicted = [dict(zip(normalizer.names, row, strict=True)) for row in values]
    ended, nll = written.ended.tolist(), written.nll.tolist()
    return [
        Draw(job.slot, strings[row], ended[row], nll[row], predicted[row])
        for row, job in enumerate(jobs)
    ]
