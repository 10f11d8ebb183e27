"""Variants of given molecules: their neighbors in latent space, with where they came from."""

import math
import secrets
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Any, NamedTuple

from rdkit import Chem, DataStructs
from torch import Tensor

from molvae.chem.candidates import examine_all
from molvae.chem.similarity import fingerprint
from molvae.codes import TILE, read
from molvae.config import GenerateConfig, check
from molvae.data.molecules import Seen
from molvae.drawing import Drawing
from molvae.errors import UsageError
from molvae.generated import Generated, Summary
from molvae.generator import MoleculeGenerator, spread
from molvae.model.latent import Posterior
from molvae.writer import write

MAX_RADIUS = 10.0  # posterior standard deviations: far beyond, no molecule of the training set is


class Source(NamedTuple):
    """A molecule that variants are asked of.

    Attributes:
        id: of the row it came from.
        row: physical line of it, from 1.
        seen: the molecule, with the model's measured properties as its values.
    """

    id: str
    row: int
    seen: Seen


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
    radius: float = 1.0,
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
        config: temperature, filters; the tier is always "consistent".
        seed: of all randomness; None draws one, which the summary reports.
        executor: does the chemistry; None does it here.
        batch_size: draws under way before their chemistry is done.
        report: called with the number of variants found so far.
        should_stop: asked between batches; true returns what is found.

    Raises:
        UsageError: for no sources, a number that cannot be meant, or another tier.
    """
    config = check(config or GenerateConfig())
    if n < 1 or not sources:
        raise UsageError(f"{n} variants of {len(sources)} molecules: nothing to draw.")
    if not (math.isfinite(radius) and 0.0 <= radius <= MAX_RADIUS):
        raise UsageError(f"radius = {radius}: 0 to {MAX_RADIUS:g} standard deviations.")
    if config.tier != "consistent" or not config.unique:
        raise UsageError("variants are of the tier consistent, and unique.")
    seed = secrets.randbelow(2**32) if seed is None else seed
    posterior = read(generator.checkpoint, [source.seen.symbols for source in sources])
    asked = [_own_properties(generator, source) if keep_properties else {} for source in sources]
    drawing = Drawing(
        partial(
            write,
            checkpoint=generator.checkpoint,
            config=config,
            seed=seed,
            codes=partial(_around, posterior, n, radius),
        ),
        n * len(sources),
        asked,
        config=config,
        seed=seed,
        normalizer=generator.normalizer,
        index=generator.checkpoint.index,
        measured=generator.measured,
        standardization=generator.standardization,
    )
    drawing.used |= {source.seen.smiles for source in sources}
    begun = time.monotonic()
    drawing.run(
        examine_all if executor is None else partial(spread, executor),
        at_once=max(1, batch_size // TILE) * TILE,
        report=report,
        should_stop=should_stop,
    )
    drawn = drawing.result(model=generator.name, seconds=time.monotonic() - begun)
    variants = [_variant(molecule, sources[(molecule.id - 1) // n]) for molecule in drawn.molecules]
    return Variation(variants, drawn.summary)


def _own_properties(generator: MoleculeGenerator, source: Source) -> dict[str, tuple[float, float]]:
    values = dict(zip(generator.measured, source.seen.values, strict=True))
    return {name: (value, value) for name, value in values.items()}


def _around(
    posterior: Posterior,
    n: int,
    radius: float,
    slots: Sequence[int],
    conditions: Tensor,
    noise: Tensor,
) -> Tensor:
    """Return codes around the means of the slots' sources; see `writer.Codes`."""
    rows = [slot // n for slot in slots]
    spread_out = (0.5 * posterior.log_var[rows]).exp() * noise.to(posterior.mean.device)
    return posterior.mean[rows] + radius * spread_out


def _variant(molecule: Generated, source: Source) -> Variant:
    prints = [fingerprint(Chem.MolFromSmiles(s)) for s in (molecule.smiles, source.seen.smiles)]
    return Variant(molecule, source, DataStructs.TanimotoSimilarity(*prints))
