"""Latent codes of molecules, and what can be read off them.

Letters: N molecules, T symbols, Z latent dimensions, P properties.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from molvae.checkpoint import Checkpoint
from molvae.chem.gate import admit
from molvae.chem.selfies import decode_canonical
from molvae.chem.smiles import Standardization
from molvae.errors import ArtifactError, Rejected
from molvae.model.latent import Posterior
from molvae.vocabulary import EOS, PAD

TILE = 64  # rows in one matrix product: fixed, because its size can change the last bits


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
    return admit(text, standardization).symbols


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
    rows = []
    for symbols in molecules:
        unknown = checkpoint.vocabulary.unknown(symbols)
        if unknown:
            detail = f"{', '.join(unknown)} in {decode_canonical(symbols)}"
            raise Rejected("symbol unknown to the model", detail)
        rows.append(np.append(checkpoint.vocabulary.encode(symbols), EOS))
    ids = torch.full((len(rows), max(map(len, rows))), PAD)
    for number, row in enumerate(rows):
        ids[number, : len(row)] = torch.from_numpy(row)
    return read_ids(checkpoint, ids)


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
