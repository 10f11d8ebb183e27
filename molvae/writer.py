"""The decoder at work: a string for each molecule to be, the same in whatever batches."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor

from molvae.checkpoint import Checkpoint
from molvae.codes import TILE, predict, read_ids
from molvae.config import GenerateConfig
from molvae.drawing import NOISE, SYMBOLS, Draw, slot_random
from molvae.model.sampling import sample

RESAMPLES = 4  # draws from one latent code before a new one is taken

# slots (B,), conditions (B, P), standard normal noise (B, Z) -> codes (B, Z)
Codes = Callable[[Sequence[int], Tensor, Tensor], Tensor]


def write(
    slots: Sequence[int],
    points: np.ndarray,
    attempt: int,
    *,
    checkpoint: Checkpoint,
    config: GenerateConfig,
    seed: int,
    codes: Codes | None = None,
) -> list[Draw]:
    """Write one string for each slot, tile by tile; see `drawing.Write`.

    Args:
        slots: the molecules to be, shape (S,).
        points: values asked for, in their units, NaN = free, shape (S, P).
        attempt: how often these slots were written before.
        checkpoint: the model; its provenance names the longest molecule, which caps the strings.
        config: temperature, shortlist and the like.
        seed: of all randomness.
        codes: where latent codes come from; None: the model's prior.
    """
    write_tile = partial(
        _write_tile,
        checkpoint=checkpoint,
        config=config,
        seed=seed,
        codes=codes or partial(_from_prior, checkpoint, config.noise),
    )
    draws: list[Draw] = []
    for begin in range(0, len(slots), TILE):
        rows, wanted = slots[begin : begin + TILE], points[begin : begin + TILE]
        count = config.shortlist if np.isfinite(wanted).any() else 1
        # A code of its own for every string that competes with others; else it has some tries.
        tries = 1 if config.best_of > 1 else RESAMPLES
        lists = [
            write_tile(
                rows,
                wanted,
                code=attempt // tries * count + number,
                attempt=attempt * count + number,
            )
            for number in range(count)
        ]
        draws += [
            min(strings, key=partial(_expected_miss, checkpoint, wanted[row]))
            for row, strings in enumerate(zip(*lists, strict=True))
        ]
    return draws


def _from_prior(
    checkpoint: Checkpoint, level: float, slots: Sequence[int], conditions: Tensor, noise: Tensor
) -> Tensor:
    return checkpoint.prior.sample(conditions, noise, level=level)


def _expected_miss(checkpoint: Checkpoint, wanted: np.ndarray, draw: Draw) -> float:
    """Return how far the property head sees a draw from what is wanted (P,), in variances."""
    normalizer = checkpoint.normalizer
    expected = np.array([draw.predicted.get(name, np.nan) for name in normalizer.names])
    return float(np.nansum(((expected - wanted) / normalizer.scale) ** 2))


def _write_tile(
    slots: Sequence[int],
    points: np.ndarray,
    *,
    checkpoint: Checkpoint,
    config: GenerateConfig,
    seed: int,
    codes: Codes,
    code: int,
    attempt: int,
) -> list[Draw]:
    """Write one string for each of up to `TILE` slots; a smaller tile is filled up."""
    model, normalizer = checkpoint.model, checkpoint.normalizer
    short = TILE - len(slots)
    filled = [*slots, *[slots[-1]] * short]
    asked = np.pad(points, ((0, short), (0, 0)), mode="edge")
    steps = checkpoint.provenance["longest"] + 1
    noise = np.stack(
        [
            slot_random(seed, slot, code, NOISE).standard_normal(model.config.latent_size)
            for slot in filled
        ]
    )
    uniforms = np.stack(
        [slot_random(seed, slot, attempt, SYMBOLS).random(steps) for slot in filled]
    )
    conditions = torch.from_numpy(normalizer.normalize(asked))
    z = codes(filled, conditions, torch.from_numpy(noise.astype(np.float32)))
    device = next(model.parameters()).device
    written = sample(
        model,
        z.to(device),
        conditions.to(device),
        torch.from_numpy(uniforms).to(device),
        temperature=config.temperature,
        top_p=config.top_p,
        guidance=config.guidance,
        noise=config.noise,
    )
    read = predict(checkpoint, read_ids(checkpoint, written.ids).mean).tolist()
    ids, ended, nll = written.ids.tolist(), written.ended.tolist(), written.nll.tolist()
    return [
        Draw(
            slot,
            checkpoint.vocabulary.decode(ids[row]),
            ended[row],
            nll[row],
            dict(zip(normalizer.names, read[row], strict=True)),
        )
        for row, slot in enumerate(slots)
    ]
