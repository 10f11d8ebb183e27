"""How likely molecules are under a model, and which are out of distribution.

Letters: N molecules, K codes, P properties.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from molvae.arguments import whole_number
from molvae.data.molecules import PreparedMolecule
from molvae.errors import ArtifactError
from molvae.generation.applicability import familiarity
from molvae.generation.model import LoadedModel
from molvae.generation.tiles import TILE, padded_ids
from molvae.model.likelihood import likelihood, noise_of
from molvae.model.ood import CODES, MAX_CODES, Typicality
from molvae.training_index import molecule_hash
from molvae.vocabulary import PAD


class Score(NamedTuple):
    """One molecule, as a model judges it; None where it has symbols that the model lacks.

    Attributes:
        elbo: lower bound on log p(x given c), nats: of the molecule, given its own properties, by
            importance weighting over some codes; log p(x given c) itself where the decoder was
            trained with noise.
        nll_per_symbol: the same as a cost, nats a symbol, the end of the string counted as one.
        reconstruction: -log p(x given z, c), nats, mean over the codes.
        kl: KL(q(z given x) to N(0, I)), nats.
        misreading: root mean square error of the property head, in standard deviations.
        percentile: how many percent of the molecules held out of training are less odd, 0.1 to
            99.9; None where the model does not say.
        ood: why the model has not learned its kind (out of distribution), "" when it has. Of
            held-out molecules 1 % are marked for being odder than the other 99 %, and 5 % for
            being less similar to their nearest training molecule than the other 95 %.
        nearest: Tanimoto similarity to the nearest training molecule; None where the model holds
            no fingerprints.
    """

    elbo: float | None
    nll_per_symbol: float | None
    reconstruction: float | None
    kl: float | None
    misreading: float | None
    percentile: float | None
    ood: str
    nearest: float | None = None


_UNREAD = Score(None, None, None, None, None, None, "")


def typicality_of(model: LoadedModel) -> Typicality | None:
    """Return how the molecules held out of training score; None where the model does not say.

    Models of molvae 0.1.0 with a label NAME:number were given the label too: no other molecule can
    be compared with their held-out ones.

    Raises:
        ArtifactError: when the header, which may come from anywhere, holds something else.
    """
    plain = model.checkpoint.provenance.get("typicality")
    if plain is None:
        return None
    typicality = Typicality.from_dict(plain)
    strange = set(typicality.given) - set(model.measured)
    if strange and strange <= set(model.labels):
        return None
    if strange:
        raise ArtifactError(f"the model is damaged: its typicality: {min(strange)!r:.40}.")
    return typicality


def score(
    model: LoadedModel, molecules: Sequence[PreparedMolecule], *, codes: int = CODES
) -> list[Score]:
    """Score molecules. Each one's codes are its own, whatever others it comes with.

    Args:
        model: the model.
        molecules: with the properties `model.measured` as their values, which the decoder is
            given; labels are left free.
        codes: K, drawn for each molecule: more of them make the ELBO tighter where it is a bound,
            not the percentile, which needs as many as the held-out molecules had.

    Raises:
        UsageError: for less than one code, or very many.
        ArtifactError: when the model's header is damaged.
    """
    codes = whole_number("codes", codes, 1, MAX_CODES)
    typicality = typicality_of(model)
    readable = [row for row, m in enumerate(molecules) if not model.vocabulary.unknown(m.symbols)]
    readable.sort(key=lambda row: len(molecules[row].symbols))  # little padding
    scores = [_UNREAD._replace(**each._asdict()) for each in familiarity(model, molecules)]
    for begin in range(0, len(readable), TILE):
        rows = readable[begin : begin + TILE]
        tile = [molecules[row] for row in rows]
        for row, found in zip(rows, _score_tile(model, tile, typicality, codes), strict=True):
            ood = "; ".join(filter(None, [scores[row].ood, found.ood]))
            scores[row] = found._replace(ood=ood, nearest=scores[row].nearest)
    return scores


def _score_tile(
    model: LoadedModel, tile: Sequence[PreparedMolecule], typicality: Typicality | None, codes: int
) -> list[Score]:
    device = model.device
    ids = padded_ids(model.vocabulary, [molecule.symbols for molecule in tile])
    lengths = (ids != PAD).sum(dim=1).to(device)
    symbols = torch.tensor([len(m.symbols) + 1 for m in tile], device=device)
    noise = noise_of(
        molecule_hash(m.smiles for m in tile).tolist(),
        codes=max(codes, typicality.codes if typicality else 1),
        size=model.network.config.latent_size,
    )
    conditions = _conditions(model, tile, typicality)
    found = likelihood(
        model.network, ids.to(device), lengths, conditions.to(device), noise.to(device)
    )
    nll = found.nll(codes)
    columns = (-nll, nll / symbols, found.costs[:codes].mean(dim=0), found.kl, found.misreading)
    rows = torch.stack(columns, dim=1).tolist()
    if not np.isfinite(rows).all():
        raise ArtifactError("the model's weights give numbers that are not finite.")
    scores = [
        Score(elbo, per_symbol, reconstruction, kl, misreading, None, "")
        for elbo, per_symbol, reconstruction, kl, misreading in rows
    ]
    if typicality is None:
        return scores
    points = found.figures(symbols, codes=typicality.codes)
    distances = typicality.distance(points)
    levels, odd = typicality.level(distances), typicality.is_odd(distances)
    return [
        each._replace(
            percentile=100.0 * float(levels[row]),
            ood=typicality.oddest(points[row]) if odd[row] else "",
        )
        for row, each in enumerate(scores)
    ]


def _conditions(
    model: LoadedModel, tile: Sequence[PreparedMolecule], typicality: Typicality | None
) -> torch.Tensor:
    """Return the properties that the decoder is given: the molecules' own, shape (N, P)."""
    values = model.own_points(tile)
    if typicality is not None:
        left_out = [name not in typicality.given for name in model.normalizer.names]
        values[:, left_out] = np.nan
    return torch.from_numpy(model.normalizer.normalize(values))
