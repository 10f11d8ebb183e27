"""Neighbors of one molecule, and variants of many: sampled around their codes in latent space."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from torch import Tensor

from molvae.arguments import (
    MAX_MOLECULES,
    MAX_RADIUS,
    as_molecules,
    of_kind,
    real_number,
    whole_number,
)
from molvae.config import GenerateConfig
from molvae.data.molecules import PreparedMolecule, known_to, standardize_and_measure
from molvae.errors import Rejected, UsageError
from molvae.generation.model import LoadedModel, Molecule
from molvae.generation.neighbor_search import Near
from molvae.generation.rejection import RejectionSampler
from molvae.generation.results import Generated, Generation, joined
from molvae.model.latent import Posterior
from molvae.presets import NEAR_CODES, DrawSettings
from molvae.targets import Request


class Source(NamedTuple):
    """A molecule that variants are wanted of.

    Attributes:
        id: of the row it came from.
        row: physical line of it, from 1.
        seen: the molecule, with the model's measured properties as its values.
    """

    id: str
    row: int
    seen: PreparedMolecule


class Variant(NamedTuple):
    """A molecule near another one.

    Attributes:
        molecule: generated for the source's own properties, unless these were left free.
        source: the molecule that it is near.
        tanimoto: similarity to the source, by Morgan fingerprints of radius 2.
    """

    molecule: Generated
    source: Source
    tanimoto: float

    def row(self) -> dict[str, Any]:
        """Return the variant as a table's row, columns in their documented order."""
        row = self.molecule._replace(targets={}).row()
        origin = {
            "source_ID": self.source.id,
            "source_SMILES": self.source.seen.smiles,
            "source_row": self.source.row,
            "tanimoto": self.tanimoto,
        }
        return {"ID": row.pop("ID"), "SMILES": row.pop("SMILES"), **origin, **row}


class Neighbor(NamedTuple):
    """A molecule whose code was drawn near that of another one.

    Attributes:
        molecule: generated for the other's own properties and for the targets.
        tanimoto: similarity to the other, by Morgan fingerprints of radius 2.
        distance: between the posterior means of both, as the root of the mean square over the
            latent dimensions, in the unit of `radius`; NaN for a neighbor with a symbol that the
            model does not know.
    """

    molecule: Generated
    tanimoto: float
    distance: float

    def row(self) -> dict[str, Any]:
        """Return the neighbor as a table's row, columns in their documented order."""
        row = self.molecule.row()
        near = {"tanimoto": self.tanimoto, "distance": self.distance}
        return {"ID": row.pop("ID"), "SMILES": row.pop("SMILES"), **near, **row}


def near_settings(model: LoadedModel, config: GenerateConfig | None) -> DrawSettings:
    """Return a configuration for molecules near a given one; what it leaves open has a default.

    Raises:
        UsageError: for a tier other than consistent, or molecules that are not unique.
    """
    base = replace(NEAR_CODES, novel=model.defaults.novel)
    if not model.takes_noise:
        base = replace(base, noise=0.0, temperature=model.defaults.temperature)
    config = replace(base, noise=None) if config is None else config
    config = of_kind("config", config, GenerateConfig)
    if config.temperature is None:
        config = replace(config, temperature=base.temperature)
    settings = model.settings(config, base=base)
    if settings.tier != "consistent" or not settings.unique:
        raise UsageError("variants are of the tier consistent, and unique.")
    return settings


def sampler_around(
    model: LoadedModel,
    molecules: Sequence[PreparedMolecule],
    centers: Posterior,
    requests: Sequence[Request],
    settings: DrawSettings,
    *,
    each: int,
    radius: float,
    seed: int | None,
    excluded: Iterable[str] = (),
    **more: Any,
) -> RejectionSampler:
    """Return a sampler of molecules around K given ones, none of which it returns.

    Args:
        model: the model.
        molecules: the given ones.
        centers: their codes, in shapes (K, Z).
        requests: what is asked around each of them; one, or K.
        settings: how strings are decoded. A noise level above 0 leaves less of the center, down to
            nothing but the properties at 1.
        each: molecules wanted around each code.
        radius: how far codes are drawn, in standard deviations of `centers`.
        seed: of all randomness.
        excluded: further molecules that it does not return, as the training set spells them.
        more: other arguments of the sampler.

    Raises:
        UsageError: for no molecule to draw, or a radius that is negative, too large or no number.
    """
    each = whole_number("n", each, 1, MAX_MOLECULES)
    radius = real_number("radius", radius, 0.0, MAX_RADIUS)
    codes = partial(_around, centers, each, radius, settings.noise)
    return RejectionSampler(
        model,
        requests,
        settings,
        n=each * len(molecules),
        seed=seed,
        codes=codes,
        excluded=(*excluded, *(molecule.smiles for molecule in molecules)),
        **more,
    )


def _around(
    centers: Posterior,
    each: int,
    radius: float,
    level: float,
    slots: Sequence[int],
    conditions: Tensor,
    noise: Tensor,
) -> Tensor:
    """Return codes around the slots' centers; see `proposals.Codes`.

    They are as `latent.corrupt` leaves codes at this noise level: two independent normal
    deviations, the radius' and the noise's, add up to one.
    """
    rows, kept = [slot // each for slot in slots], 1.0 - level
    variance = (kept * radius) ** 2 * centers.log_var[rows].exp() + level**2
    return kept * centers.mean[rows] + variance.sqrt() * noise.to(centers.mean.device)


def as_sources(model: LoadedModel, molecules: Sequence[Molecule | Source]) -> list[Source]:
    """Return molecules as sources, numbered from 1 where they do not say their row.

    Raises:
        Rejected: for a string that is no molecule.
        UsageError: for no molecules, or one string in place of a list.
    """
    molecules = as_molecules("augment", molecules, also=(PreparedMolecule, Source))
    plain = [each.seen if isinstance(each, Source) else each for each in molecules]
    prepared = enumerate(model.prepare(plain, "augment"), 1)
    return [
        each if isinstance(each, Source) else Source(str(place), place, seen)
        for each, (place, seen) in zip(molecules, prepared, strict=True)
    ]


def own_request(model: LoadedModel, molecule: PreparedMolecule) -> Request:
    """Return a request for a molecule's own measured properties."""
    own = {name: (v, v) for name, v in zip(model.measured, molecule.values, strict=True)}
    return Request.for_model(own, model.normalizer)


def as_variants(
    found: Sequence[Generation[Near]], sources: Sequence[Source], *, each: int
) -> Generation[Variant]:
    """Return what was found around each source, in one; IDs leave room for `each` of a source."""
    variants = [
        Variant(near.molecule._replace(id=place * each + near.molecule.id), source, near.tanimoto)
        for place, (nears, source) in enumerate(zip(found, sources, strict=False))
        for near in nears
    ]
    return Generation(variants, joined([nears.summary for nears in found]))


def as_neighbors(
    model: LoadedModel, found: Generation[Near], center: PreparedMolecule
) -> Generation[Neighbor]:
    """Return molecules near a center with the distance of their codes from its code."""
    mean = model.encode([center.symbols]).mean
    distances = _distances(model, mean, [near.molecule.smiles for near in found])
    neighbors = [Neighbor(*near, distance) for near, distance in zip(found, distances, strict=True)]
    return Generation(neighbors, found.summary)


def _distances(model: LoadedModel, mean: Tensor, molecules: Sequence[str]) -> list[float]:
    """Return how far the codes of molecules are from a mean (1, Z), NaN where there is none."""
    distances = [math.nan] * len(molecules)
    known: dict[int, list[str]] = {}  # place -> symbols
    for place, seen in enumerate(standardize_and_measure(model.standardization, (), molecules)):
        found = known_to(model.vocabulary, seen)
        if not isinstance(found, Rejected):
            known[place] = found.symbols
    if known:
        steps = model.encode(list(known.values())).mean - mean
        for place, distance in zip(known, steps.square().mean(dim=1).sqrt().tolist(), strict=True):
            distances[place] = distance
    return distances
