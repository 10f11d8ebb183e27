"""Latent codes of molecules: read from them, and written back as molecules.

Letters: N molecules, T tokens, Z latent dimensions, P properties.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from molvae.checkpoint import Checkpoint
from molvae.chem.gate import validate
from molvae.chem.selfies import decode_canonical
from molvae.chem.smiles import Standardization
from molvae.errors import ArtifactError, Rejected, UsageError
from molvae.model.latent import Posterior
from molvae.model.sampling import sample
from molvae.vocabulary import EOS, PAD, Vocabulary

TILE = 64  # rows in one matrix product: fixed, because its size can change the last bits
AT_ONCE = 16 * TILE  # strings handed over to be written, where there are more


def check_noise(checkpoint: Checkpoint, noise: float | None) -> None:
    """Refuse a noise level that the decoder was not taught.

    Raises:
        UsageError: telling what to do.
    """
    if noise and not checkpoint.model.config.noise_conditional:
        raise UsageError(
            f"noise = {noise:g}: the decoder of this model was not taught noise; leave it out, or"
            " train with --noise-conditional."
        )


def strings_at_once(device: torch.device) -> int:
    """Return how many strings are under way at once: on a GPU, where no bits are promised, many."""
    return TILE if device.type == "cpu" else AT_ONCE


def standardization_of(checkpoint: Checkpoint) -> Standardization:
    """Return how the training set was standardized, from a header that may come from anywhere.

    Raises:
        ArtifactError: when the header does not say.
    """
    data = checkpoint.provenance.get("data")
    if not isinstance(data, Mapping):
        raise ArtifactError("the model is damaged: how its data were prepared is missing.")
    names = ("stereo", "largest_fragment", "uncharge", "isotopes")
    for name in names:
        if not isinstance(data.get(name), bool):
            raise ArtifactError(f"the model is damaged: {name} is {data.get(name)!r}.")
    return Standardization(*(data[name] for name in names))


def symbols_of(text: str, standardization: Standardization) -> list[str]:
    """Return the SELFIES symbols of a molecule, brought to the training set's form.

    Raises:
        Rejected: for a string that is no molecule.
    """
    return validate(text, standardization).symbols


def read(checkpoint: Checkpoint, molecules: Sequence[Sequence[str]]) -> Posterior:
    """Return q(z given x) of N molecules, given by their symbols, in shapes (N, Z).

    Raises:
        Rejected: for a symbol that the model does not know.
    """
    parts = [
        _read_tile(checkpoint, molecules[begin : begin + TILE])
        for begin in range(0, len(molecules), TILE)
    ]
    return Posterior(*(torch.cat(columns) for columns in zip(*parts, strict=True)))


def _read_tile(checkpoint: Checkpoint, molecules: Sequence[Sequence[str]]) -> Posterior:
    for symbols in molecules:
        unknown = checkpoint.vocabulary.unknown(symbols)
        if unknown:
            detail = f"{', '.join(unknown)} in {decode_canonical(symbols)}"
            raise Rejected("symbol unknown to the model", detail)
    return read_ids(checkpoint, padded_ids(checkpoint.vocabulary, molecules))


def padded_ids(
    vocabulary: Vocabulary, molecules: Sequence[Sequence[str]], *, width: int = 0
) -> Tensor:
    """Return the tokens of N molecules with EOS and padding, shape (N, T), T at least `width`."""
    rows = [np.append(vocabulary.encode(symbols), EOS) for symbols in molecules]
    ids = torch.full((len(rows), max(width, *map(len, rows))), PAD)
    for number, row in enumerate(rows):
        ids[number, : len(row)] = torch.from_numpy(row)
    return ids


def by_tile(compute: Callable[[Tensor], Tensor], count: int) -> Tensor:
    """Compute a row for each of `count` things, in calls of `TILE` rows; the last is filled up.

    Args:
        compute: numbers of things, shape (TILE,) -> a row for each, shape (TILE, ...).
        count: things, at least one.
    """
    parts = []
    for begin in range(0, count, TILE):
        parts.append(compute(torch.arange(begin, begin + TILE).clamp(max=count - 1)))
    return torch.cat(parts)[:count]


def read_ids(checkpoint: Checkpoint, ids: Tensor) -> Posterior:
    """Return q(z given x) of molecules as padded ids (N, T), in shapes (N, Z)."""
    device = next(checkpoint.model.parameters()).device
    lengths = (ids != PAD).sum(dim=1).clamp(min=1)
    with torch.inference_mode():
        return checkpoint.model.encode(ids.to(device), lengths.to(device))


def predict(checkpoint: Checkpoint, means: Tensor) -> np.ndarray:
    """Return the properties that the property head reads off posterior means (N, Z).

    Returns:
        Values in their units, shape (N, P).
    """
    with torch.inference_mode():
        standardized = checkpoint.model.predict_properties(means).cpu().numpy()
    return checkpoint.normalizer.restore(standardized)


class Written(NamedTuple):
    """What the decoder wrote for one code.

    Attributes:
        symbols: SELFIES symbols.
        ended: whether the decoder ended it, rather than the cap on its length.
        nll: -log p(x given z, c), nats.
    """

    symbols: list[str]
    ended: bool
    nll: float


def write_codes(
    checkpoint: Checkpoint,
    codes: Tensor,
    points: np.ndarray,
    *,
    uniforms: np.ndarray | None = None,
    temperature: float = 0.0,
    guidance: float = 1.0,
    noise: float = 0.0,
) -> list[Written]:
    """Write a molecule for each code; without guidance, what stands beside it changes nothing.

    Args:
        checkpoint: the model; its provenance names the longest molecule, which caps the strings.
        codes: shape (N, Z).
        points: properties that the decoder is told, in their units, NaN = free, shape (N, P).
        uniforms: numbers in [0, 1), all the randomness there is, shape (N, longest + 1); nothing
            where the temperature is 0.
        temperature: divides the logits; 0 takes the likeliest token (greedy).
        guidance: how far to overstate the properties; see `sampling.sample`.
        noise: level of it in the codes, 0 to 1; see `latent`.
    """
    steps = checkpoint.provenance["longest"] + 1
    if uniforms is None:
        uniforms = np.zeros((len(codes), steps))
    device = next(checkpoint.model.parameters()).device
    conditions = torch.from_numpy(checkpoint.normalizer.normalize(points))
    written: list[Written] = []
    for begin in range(0, len(codes), AT_ONCE):
        rows = slice(begin, begin + AT_ONCE)
        drawn = sample(
            checkpoint.model,
            codes[rows].to(device),
            conditions[rows].to(device),
            torch.from_numpy(uniforms[rows]).to(device),
            temperature=temperature,
            guidance=guidance,
            noise=noise,
            live=strings_at_once(device),
        )
        symbols = map(checkpoint.vocabulary.decode, drawn.ids.tolist())
        written += map(Written, symbols, drawn.ended.tolist(), drawn.nll.tolist())
    return written
