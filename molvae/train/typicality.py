"""Scores of held-out molecules, with which the scores of others are compared."""

import numpy as np

from molvae.dataset import MoleculeDataset
from molvae.model.cvae import ConditionalVAE
from molvae.model.likelihood import likelihood, noise_of
from molvae.model.ood import CODES, Typicality
from molvae.train.batches import choose, collate

LIMIT = 2_000  # molecules: twenty of them are odder than 99 %, so that share is known to 0.2 %
BATCH = 64  # molecules


def fit_typicality(
    model: ConditionalVAE,
    dataset: MoleculeDataset,
    *,
    split: str,
    seed: int,
    codes: int = CODES,
    limit: int = LIMIT,
) -> Typicality:
    """Score up to `limit` held-out molecules as `molvae score` does.

    The conditions are the properties that are known of all of them and computed from structures:
    they can be computed for any molecule.

    Args:
        model: in evaluation mode.
        dataset: with at least one molecule in the split.
        split: of it.
        seed: of the choice of molecules.
        codes: samples of the latent code for each molecule.
        limit: number of molecules.
    """
    members = choose(dataset, split, limit=limit, seed=seed)
    given = _given(dataset, members)
    hidden = [name not in given for name in dataset.normalizer.names]
    device = next(model.parameters()).device
    parts = []
    for begin in range(0, len(members), BATCH):
        rows = members[begin : begin + BATCH]
        batch = collate(dataset, rows)
        batch.conditions[:, hidden] = np.nan
        noise = noise_of(dataset.hashes[rows].tolist(), codes=codes, size=model.config.latent_size)
        found = likelihood(model, *batch.to(device), noise.to(device))
        parts.append(found.figures(batch.lengths.to(device), codes=codes))
    return Typicality.fit(np.concatenate(parts), split=split, codes=codes, given=given)


def _given(dataset: MoleculeDataset, members: np.ndarray) -> tuple[str, ...]:
    """Return the properties, no labels, that are known of all these molecules."""
    labels = set(dataset.provenance.get("tally", {}).get("labels", ()))  # without NAME:number
    normalizer = dataset.normalizer
    known = np.isfinite(dataset.properties[members]).all(axis=0)
    return tuple(
        name
        for name, complete in zip(normalizer.names, known, strict=True)
        if complete and name in normalizer.quantities and name not in labels
    )
