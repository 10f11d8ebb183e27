"""Latent codes decoded to molecules, with all that can be said of each.

Letters: N molecules, Z latent dimensions, P properties.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from molvae.chem.candidates import Candidate, Checks, decode_and_check
from molvae.chem.selfies import decode_canonical
from molvae.chem.similarity import tanimoto
from molvae.data.molecules import PreparedMolecule
from molvae.errors import UsageError
from molvae.generation.model import LoadedModel
from molvae.generation.proposals import TOKENS, slot_random
from molvae.generation.rejection import Kept
from molvae.generation.results import Values, predicted_cells
from molvae.normalizer import Reading
from molvae.presets import DrawSettings
from molvae.targets import Request

GREEDY = DrawSettings(guidance=1.0)  # the likeliest symbols of whole codes, as they were trained


class Decoded(NamedTuple):
    """The molecule that one code was decoded to.

    Attributes:
        smiles: canonical; "" where the symbols decode to no molecule.
        identity: as the training set spells this molecule.
        consistent: SELFIES had nothing to repair, and the decoder ended the molecule itself.
        properties: measured, in their units, by name; NaN where there is no molecule.
        predicted: labels that cannot be computed from a structure, as the property head predicts
            them from the string.
        nll: -log p(x given z, c) in nats.
        rings: its ring systems.
    """

    smiles: str
    identity: str
    consistent: bool
    properties: Mapping[str, float]
    predicted: Mapping[str, Reading]
    nll: float
    rings: tuple[str, ...]

    def value(self, name: str) -> Reading:
        """Return a property as measured, or a label as predicted."""
        return self.properties[name] if name in self.properties else self.predicted[name]

    def cells(self) -> dict[str, Any]:
        """Return all but the SMILES as cells of a table."""
        predicted = predicted_cells(self.predicted)
        return {**self.properties, **predicted, "consistent": self.consistent, "nll": self.nll}


def decode_molecules(
    model: LoadedModel,
    codes: Tensor,
    points: np.ndarray,
    settings: DrawSettings = GREEDY,
    *,
    seed: int = 0,
    slots: Sequence[int] = (),
    kept: Kept | None = None,
    smarts: Sequence[str] = (),
) -> list[Decoded]:
    """Decode each code to a molecule, and measure it.

    Args:
        model: the model.
        codes: shape (N, Z).
        points: properties that the decoder is given, in their units, NaN = free, shape (N, P).
        settings: temperature, top-p, guidance and the noise level of the codes.
        seed: of all randomness.
        slots: a number for each code that its randomness depends on besides, so that a code is
            decoded the same in whatever company; none where the temperature is 0 and no core kept.
        kept: a core that each molecule contains; what lacks it is no molecule.
        smarts: patterns that each molecule has; what lacks one is no molecule.
    """
    uniforms = None
    if settings.temperature > 0.0 or kept:
        numbers = kept.write.numbers if kept else model.longest + 1
        random = (slot_random(seed, slot, 0, TOKENS) for slot in slots)
        uniforms = np.stack([each.random(numbers) for each in random])
    if kept is None or uniforms is None:
        strings = model.decode(codes, points, settings, uniforms=uniforms)
    else:
        strings = kept.write([0] * len(codes), codes, points, uniforms)
    known = model.rings is not None
    form, patterns = model.standardization, tuple(smarts)
    checks = Checks(model.measured, smarts=patterns, standardization=form, rings=known)
    checks = checks._replace(core=kept.cores[0] if kept else None)
    candidates = [decode_and_check(string.symbols, checks) for string in strings]
    if kept or patterns:
        candidates = [Candidate("", False) if each.refusal else each for each in candidates]
    readings: list[dict[str, Reading]] = [{}] * len(strings)
    if model.labels:
        means = model.encode([string.symbols for string in strings]).mean
        readings = model.readings(model.predict(means))
    nothing = [float("nan")] * len(model.measured)
    return [
        Decoded(
            candidate.smiles,
            candidate.identity,
            candidate.consistent and string.ended,
            Values(zip(model.measured, candidate.values or nothing, strict=True)),
            {name: reading[name] for name in model.labels},
            string.nll + string.prefix_nll,
            candidate.rings,
        )
        for string, candidate, reading in zip(strings, candidates, readings, strict=True)
    ]


def decode_greedily(model: LoadedModel, codes: np.ndarray, request: Request) -> list[str]:
    """Decode each latent code, shape (N, Z), to its likeliest molecule, as canonical SMILES.

    Args:
        model: the model.
        codes: float, shape (N, Z).
        request: asked of all of them.

    Raises:
        UsageError: for codes of another shape or not finite.
    """
    codes = _checked_codes(codes, model.network.config.latent_size)
    points = request.fill_in(np.full((len(codes), len(model.normalizer.names)), np.nan))
    strings = model.decode(torch.from_numpy(codes), points, GREEDY)
    return [decode_canonical(string.symbols) for string in strings]


def _checked_codes(codes: Any, size: int) -> np.ndarray:
    """Return codes as float32, shape (N, Z).

    Raises:
        UsageError: for what is none, codes of another shape, or not finite.
    """
    try:
        given = np.asarray(codes)
        codes = given.astype(np.float64, casting="unsafe" if given.dtype == object else "safe")
    except (TypeError, ValueError, RuntimeError) as error:  # the last from torch
        raise UsageError(f"codes: no array of numbers: {error!s:.200}") from error
    if codes.ndim != 2 or codes.shape[1] != size or not len(codes):
        raise UsageError(f"codes of shape {codes.shape}: (N, {size}) is expected.")
    if not (np.abs(codes) < np.finfo(np.float32).max).all():
        raise UsageError("codes that are not finite cannot be decoded.")
    single: np.ndarray = codes.astype(np.float32)
    return single


class Reconstruction(NamedTuple):
    """One molecule, and the molecule that its latent code is decoded to.

    Attributes:
        smiles: of the molecule, canonical.
        written: of the decoded molecule, canonical; "" where its symbols decode to no molecule.
        exact: it is the same molecule, as the training set spells both.
        tanimoto: their similarity by Morgan fingerprints of radius 2; 0 where nothing came back.
        consistent: SELFIES had nothing to repair in the decoded molecule.
    """

    smiles: str
    written: str
    exact: bool
    tanimoto: float
    consistent: bool


def reconstruct(
    model: LoadedModel, molecules: Sequence[PreparedMolecule], *, alone: bool = False
) -> list[Reconstruction]:
    """Encode molecules to their posterior means and decode these greedily.

    Args:
        model: the model.
        molecules: with the properties `model.measured` as their values.
        alone: withhold the molecules' own properties from the decoder, so that the code alone has
            to describe the molecule.

    Raises:
        Rejected: for a symbol that the model does not know.
    """
    if not molecules:
        return []
    means = model.encode([molecule.symbols for molecule in molecules]).mean
    points = model.own_points(molecules)
    if alone:
        points = np.full_like(points, np.nan)
    return [
        Reconstruction(
            molecule.smiles,
            back.smiles,
            exact=back.identity == molecule.smiles,
            tanimoto=tanimoto(molecule.smiles, back.smiles),
            consistent=back.consistent,
        )
        for molecule, back in zip(molecules, decode_molecules(model, means, points), strict=True)
    ]
