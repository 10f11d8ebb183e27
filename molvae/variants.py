"""Variants of given molecules, and neighbors of one: drawn around their codes in latent space."""

import math
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from molvae.config import NEAR_CODES, GenerateConfig
from molvae.data.molecules import PreparedMolecule, known_to, standardize_and_measure
from molvae.errors import Rejected, UsageError
from molvae.generation.decoded import tanimoto
from molvae.generation.encode import read
from molvae.generation.results import Generated, Summary
from molvae.generator import MoleculeGenerator
from molvae.model.latent import Posterior
from molvae.targets import Targets, Wanted

MAX_RADIUS = 10.0  # standard deviations: far beyond, no molecule of the training set is


class Source(NamedTuple):
    """A molecule that variants are asked of.

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
        molecule: drawn for the source's own properties, unless these were let go.
        source: where it came from.
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


class Variation(NamedTuple):
    """The variants, in the order of their sources, and the account of how they came about."""

    variants: list[Variant]
    summary: Summary


def vary(
    generator: MoleculeGenerator,
    sources: Sequence[Source],
    n: int,
    *,
    radius: float = 1.5,
    keep_properties: bool = True,
    config: GenerateConfig | None = None,
    seed: int | None = None,
    executor: Executor | None = None,
    batch_size: int = 1024,
    report: Callable[[int], None] = lambda found: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Variation:
    """Draw `n` variants of each molecule: distinct, and none of them among the sources.

    A variant's code is drawn from the source's own posterior, widened or narrowed by `radius`. On
    a CPU the same seed gives the same variants, whatever `executor` and `batch_size`.

    Args:
        generator: the model; it must know every symbol of the sources.
        sources: the molecules.
        n: variants of each.
        radius: how far from the source, in standard deviations of its posterior: 1 draws from the
            posterior, 0 stays at its mean, where variety comes from the temperature alone.
        keep_properties: ask the decoder for the source's own measured properties, so that variants
            stay near; else it is left free.
        config: temperature, filters; the tier is always "consistent". A noise level above 0 leaves
            less of the source, down to nothing but the properties at 1. None, and a noise or
            temperature of None: `near_defaults`.
        seed: of all randomness; None draws one, which the summary reports.
        executor: does the chemistry; None does it here.
        batch_size: draws under way before their chemistry is done.
        report: called with the number of variants found so far.
        should_stop: asked between batches; true returns what is found.

    Raises:
        UsageError: for no sources, a number that cannot be meant, or another tier.
    """
    if n < 1 or not sources:
        raise UsageError(f"{n} variants of {len(sources)} molecules: nothing to draw.")
    config = _settled(generator, config)
    posterior = read(generator.checkpoint, [source.seen.symbols for source in sources])
    own = [_own_properties(generator, s.seen) if keep_properties else {} for s in sources]
    drawn = generator.fill(
        n * len(sources),
        own,
        codes=partial(_around, posterior, n, _checked(radius), config.noise or 0.0),
        excluded=[source.seen.smiles for source in sources],
        config=config,
        seed=seed,
        executor=executor,
        batch_size=batch_size,
        report=report,
        should_stop=should_stop,
    )
    found = [(molecule, sources[(molecule.id - 1) // n]) for molecule in drawn.molecules]
    variants = [Variant(m, s, tanimoto(m.smiles, s.seen.smiles)) for m, s in found]
    return Variation(variants, drawn.summary)


class Neighbor(NamedTuple):
    """A molecule whose code was drawn near that of another one.

    Attributes:
        molecule: drawn for the other's own properties and for the targets.
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


class Neighborhood(NamedTuple):
    """The neighbors, in the order of their IDs, and the account of how they came about."""

    neighbors: list[Neighbor]
    summary: Summary


def neighbors(
    generator: MoleculeGenerator,
    center: PreparedMolecule,
    n: int,
    *,
    radius: float = 1.0,
    targets: Targets | None = None,
    keep_properties: bool = True,
    config: GenerateConfig | None = None,
    seed: int | None = None,
    executor: Executor | None = None,
    batch_size: int = 1024,
    report: Callable[[int], None] = lambda found: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Neighborhood:
    """Draw `n` molecules around a molecule's code: distinct, and none of them the molecule itself.

    Unlike `vary`, which goes as far in each direction as the molecule's own posterior is wide, all
    directions count alike: a radius means the same for every molecule.

    Args:
        generator: the model; it must know every symbol of the molecule.
        center: the molecule, with the model's measured properties as its values.
        n: neighbors wanted.
        radius: how far from the molecule's posterior mean codes are drawn: their standard deviation
            in each latent dimension, in which all codes together have about 1, as N(0, I) has.
        targets: asked of the neighbors, in place of the molecule's own properties of these names.
        keep_properties: ask for the molecule's other properties as well; else these are left free.
        config: as of `vary`: noise goes from "like this molecule" to "anything with these
            properties".
        seed: of all randomness; None draws one, which the summary reports.
        executor: does the chemistry; None does it here.
        batch_size: draws under way before their chemistry is done.
        report: called with the number of neighbors found so far.
        should_stop: asked between batches; true returns what is found.

    Raises:
        UsageError: for a number that cannot be meant, unknown targets, or another tier.
    """
    if n < 1:
        raise UsageError(f"{n} neighbors: nothing to draw.")
    config = _settled(generator, config)
    mean = read(generator.checkpoint, [center.symbols]).mean
    asked = generator.ranges(targets or {})
    own = _own_properties(generator, center) if keep_properties else {}
    # Of the width that all codes have together, whatever that of the molecule's own posterior.
    wide = Posterior(mean, torch.zeros_like(mean))
    drawn = generator.fill(
        n,
        [{**own, **asked}],
        codes=partial(_around, wide, n, _checked(radius), config.noise or 0.0),
        excluded=[center.smiles],
        config=config,
        seed=seed,
        executor=executor,
        batch_size=batch_size,
        report=report,
        should_stop=should_stop,
    )
    distances = _distances(generator, mean, [molecule.smiles for molecule in drawn.molecules])
    found = [
        Neighbor(
            molecule._replace(targets=asked), tanimoto(molecule.smiles, center.smiles), distance
        )
        for molecule, distance in zip(drawn.molecules, distances, strict=True)
    ]
    return Neighborhood(found, drawn.summary)


def near_defaults(generator: MoleculeGenerator) -> GenerateConfig:
    """Return how molecules near a given one are drawn: with less noise than from the prior."""
    taught = generator.checkpoint.model.config.noise_conditional
    own = replace(generator.defaults, tier="consistent", unique=True)
    if not taught:
        return own
    # Its own are for another noise level.
    return replace(own, noise=NEAR_CODES.noise, temperature=NEAR_CODES.temperature)


def _settled(generator: MoleculeGenerator, config: GenerateConfig | None) -> GenerateConfig:
    config = generator.checked(config or GenerateConfig(), base=near_defaults(generator))
    if config.tier != "consistent" or not config.unique:
        raise UsageError("variants are of the tier consistent, and unique.")
    return config


def _checked(radius: float) -> float:
    if not (math.isfinite(radius) and 0.0 <= radius <= MAX_RADIUS):
        raise UsageError(f"radius = {radius}: 0 to {MAX_RADIUS:g} standard deviations.")
    return radius


def _own_properties(generator: MoleculeGenerator, molecule: PreparedMolecule) -> dict[str, Wanted]:
    values = dict(zip(generator.measured, molecule.values, strict=True))
    return {name: (value, value) for name, value in values.items()}


def _around(
    posterior: Posterior,
    n: int,
    radius: float,
    level: float,
    slots: Sequence[int],
    conditions: Tensor,
    noise: Tensor,
) -> Tensor:
    """Return codes around the means of the slots' centers; see `writer.Codes`.

    They are as `latent.corrupt` leaves codes at this noise level: two independent normal
    deviations, the radius' and the noise's, add up to one.
    """
    rows, kept = [slot // n for slot in slots], 1.0 - level
    variance = (kept * radius) ** 2 * posterior.log_var[rows].exp() + level**2
    return kept * posterior.mean[rows] + variance.sqrt() * noise.to(posterior.mean.device)


def _distances(generator: MoleculeGenerator, mean: Tensor, molecules: list[str]) -> list[float]:
    """Return how far the codes of molecules are from a mean (1, Z), NaN where there is none."""
    distances = [math.nan] * len(molecules)
    known: dict[int, list[str]] = {}  # place -> symbols
    for place, seen in enumerate(standardize_and_measure(generator.standardization, (), molecules)):
        found = known_to(generator.vocabulary, seen)
        if not isinstance(found, Rejected):
            known[place] = found.symbols
    if known:
        steps = read(generator.checkpoint, list(known.values())).mean - mean
        for place, distance in zip(known, steps.square().mean(dim=1).sqrt().tolist(), strict=True):
            distances[place] = distance
    return distances
