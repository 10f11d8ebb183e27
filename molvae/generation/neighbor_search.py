"""The most similar molecules among some hundred that are decoded around one molecule's code.

A code that holds a molecule whole mostly decodes to the molecule itself, and with much noise to
others that share little with it. What lies between differs from molecule to molecule, so that a
search takes all of it: several noise levels and radii, and the most similar molecules stay.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby
from typing import NamedTuple

import numpy as np
from rdkit import Chem, DataStructs
from torch import Tensor

from molvae.arguments import MAX_MOLECULES, MAX_RADIUS, MAX_SERIES, real_number, whole_number
from molvae.chem.cores import Core
from molvae.chem.rings import rings_of
from molvae.chem.similarity import fingerprint, murcko_scaffold
from molvae.data.molecules import PreparedMolecule
from molvae.generation.decorate import keep_cores, marked_in, rings_of_cores
from molvae.generation.model import LoadedModel
from molvae.generation.proposals import Codes, Proposal, propose
from molvae.generation.rejection import EXCLUDED, RejectionSampler
from molvae.generation.results import Generated, Generation, control_errors, share
from molvae.normalizer import Reading
from molvae.presets import NEAR_RADIUS, NEAR_TRIES, DrawSettings
from molvae.targets import Request, miss

# (noise, radius) as shares of the largest ones; each is for as many strings.
LEVELS = ((0.0, 1.0), (0.5, 1.0), (0.75, 1.0), (1.0, 0.5))

Run = Callable[[RejectionSampler], Generation[Generated]]


class Vicinity(NamedTuple):
    """How far around a molecule others are looked for, and which of them stay.

    Attributes:
        radius: largest standard deviation of the codes around the molecule's own, in each latent
            dimension, in which all codes together have about 1.
        tries: strings decoded around each molecule.
        min_similarity: least Tanimoto similarity to the molecule.
        same_scaffold: only molecules with the same Murcko scaffold.
    """

    radius: float = NEAR_RADIUS
    tries: int = NEAR_TRIES
    min_similarity: float = 0.0
    same_scaffold: bool = False

    def checked(self) -> "Vicinity":
        """Return the same in Python's numbers; raise a UsageError for one out of its range."""
        return Vicinity(
            real_number("radius", self.radius, 0.0, MAX_RADIUS),
            whole_number("tries", self.tries, 1, MAX_SERIES),
            real_number("min_similarity", self.min_similarity, 0.0, 1.0),
            bool(self.same_scaffold),
        )


class Near(NamedTuple):
    """A molecule that was found, and its similarity to the one it was looked for around."""

    molecule: Generated
    tanimoto: float


class NeighborSearch:
    """Searches around one molecule after the other, each as if it were the only one.

    Args:
        model: the model.
        settings: how strings are decoded; its noise is the largest.
        vicinity: how far, and which molecules stay.
        n: molecules wanted of each.
        seed: of all randomness.
        run: runs a sampler.
        kept: a core that every molecule contains; without marks, it grows where the center has
            other parts on it.

    Raises:
        UsageError: for a number out of its range.
    """

    def __init__(
        self,
        model: LoadedModel,
        settings: DrawSettings,
        vicinity: Vicinity,
        *,
        n: int,
        seed: int | None,
        run: Run,
        kept: Core | None = None,
    ) -> None:
        self.model, self.vicinity = model, vicinity.checked()
        self.settings = replace(settings, shortlist=1, best_of=1, max_tries=1)
        self.n = whole_number("n", n, 1, MAX_MOLECULES)
        self.seed, self.run, self.kept = seed, run, kept

    def around(
        self,
        center: PreparedMolecule,
        request: Request,
        *,
        asked: Request,
        excluded: Iterable[str] = (),
    ) -> Generation[Near]:
        """Return the molecules most similar to a center and nearest to what is asked of them.

        A target that is missed by a standard deviation costs as much as all similarity brings.

        Args:
            center: the molecule.
            request: that the decoder is given.
            asked: targets that the molecules are chosen by, besides similarity.
            excluded: further molecules that are not wanted, as the training set spells them.
        """
        cores = [] if self.kept is None else [marked_in(self.kept, center.smiles)]
        sampler = RejectionSampler(
            self.model,
            [request],
            self.settings,
            n=self.vicinity.tries,
            seed=self.seed,
            excluded=(center.smiles, *excluded),
            given_rings={*rings_of(center.smiles), *rings_of_cores(cores)},
            kept=keep_cores(self.model, cores, self.settings, n=self.vicinity.tries),
        )
        self.seed = sampler.seed
        mean = self.model.encode([center.symbols]).mean
        sampler.propose = partial(self._propose, mean, cores)
        found = self.run(sampler)
        return self._chosen(center, found, asked)

    def _propose(
        self,
        mean: Tensor,
        cores: Sequence[Core],
        slots: Sequence[int],
        points: np.ndarray,
        attempt: int,
    ) -> list[Proposal]:
        """Propose a string for each slot, whose number decides on its noise level and radius."""
        proposals = []
        for level, rows in groupby(range(len(slots)), key=lambda row: self._level(slots[row])):
            noise, radius = self._distances(level)
            chosen, settings = list(rows), replace(self.settings, noise=noise)
            kept = keep_cores(self.model, cores, settings, n=self.vicinity.tries)
            proposals += propose(
                self.model,
                [slots[row] for row in chosen],
                points[chosen],
                attempt,
                settings=settings,
                seed=self.seed or 0,
                codes=codes_around(mean, noise, radius),
                write=kept.write if kept else None,
            )
        return proposals

    def _level(self, slot: int) -> int:
        return slot * len(LEVELS) // self.vicinity.tries

    def _distances(self, level: int) -> tuple[float, float]:
        """Return noise and radius; where the decoder takes no noise, larger radii replace it."""
        noise, radius = LEVELS[level]
        if self.model.takes_noise:
            return noise * self.settings.noise, radius * self.vicinity.radius
        return 0.0, self.vicinity.radius * (1 + level) / len(LEVELS)

    def _chosen(
        self, center: PreparedMolecule, found: Generation[Generated], asked: Request
    ) -> Generation[Near]:
        """Return the best of what was found, the most similar first, and count the others."""
        refusals = Counter(found.summary.refusals)
        refusals["a given molecule"] = refusals.pop(EXCLUDED, 0)
        candidates = []
        for near in _similar(center, found):
            if near.tanimoto < self.vicinity.min_similarity:
                refusals["not similar enough"] += 1
            elif self.vicinity.same_scaffold and not _same_scaffold(near.molecule, center):
                refusals["another scaffold"] += 1
            else:
                candidates.append(near)
        candidates.sort(key=partial(_fitness, asked), reverse=True)
        best = sorted(candidates[: self.n], key=lambda near: near.tanimoto, reverse=True)
        refusals["less similar than those"] += len(candidates) - len(best)
        kept = [
            near._replace(molecule=near.molecule._replace(id=number, targets=asked.ranges))
            for number, near in enumerate(best, 1)
        ]
        molecules = [near.molecule for near in kept]
        within, normalizer = self.settings.within, self.model.normalizer
        met = sum(not asked.missed(_values(molecule), within=within) for molecule in molecules)
        summary = found.summary._replace(
            requested=self.n,
            found=len(kept),
            novelty=share(sum(molecule.novel for molecule in molecules), len(molecules)),
            refusals={reason: count for reason, count in refusals.most_common() if count},
            control=control_errors(molecules, normalizer.scales, normalizer.rates),
            all_met=share(met, len(molecules)) if asked.ranges else math.nan,
        )
        return Generation(kept, summary)


def codes_around(mean: Tensor, noise: float, radius: float) -> Codes:
    """Return a source of codes around a mean (1, Z); see `proposals.Codes`.

    They are as `latent.corrupt` leaves codes at this noise level: two independent normal
    deviations, the radius' and the noise's, add up to one.
    """
    kept = 1.0 - noise
    deviation = float(np.hypot(kept * radius, noise))
    return lambda slots, conditions, random: kept * mean + deviation * random.to(mean.device)


def _similar(center: PreparedMolecule, found: Sequence[Generated]) -> list[Near]:
    own = fingerprint(Chem.MolFromSmiles(center.smiles))
    prints = [fingerprint(Chem.MolFromSmiles(molecule.smiles)) for molecule in found]
    return list(map(Near, found, DataStructs.BulkTanimotoSimilarity(own, prints)))


def _same_scaffold(molecule: Generated, center: PreparedMolecule) -> bool:
    one, other = (Chem.MolFromSmiles(each.smiles) for each in (molecule, center))
    return murcko_scaffold(one) == murcko_scaffold(other)


def _values(molecule: Generated) -> dict[str, Reading]:
    return {**molecule.predicted, **molecule.properties}


def _fitness(asked: Request, near: Near) -> float:
    values = _values(near.molecule)
    scales = asked.normalizer.scales
    missed = [miss(values[name], wanted) / scales[name] for name, wanted in asked.ranges.items()]
    return near.tanimoto - sum(missed)
