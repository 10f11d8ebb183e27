"""Molecules that a model proposes to be scored, from those that were scored best.

An operator takes what is known and returns molecules. Its share of the proposals grows with the
improvements that its molecules brought.
"""

import heapq
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from molvae.chem.cores import Core
from molvae.config import GenerateConfig
from molvae.data.molecules import PreparedMolecule
from molvae.generation.decorate import keep_cores, rings_of_cores
from molvae.generation.model import DecodedString, LoadedModel
from molvae.generation.neighbors import near_settings, own_request, sampler_around
from molvae.generation.paths import PATHS
from molvae.generation.proposals import Writer
from molvae.generation.rejection import Kept, RejectionSampler
from molvae.generation.tiles import TILE
from molvae.model.latent import Posterior
from molvae.optimize.archive import Archive, Proposal
from molvae.optimize.edits import edited, spelled_again
from molvae.presets import DrawSettings, temperature_at
from molvae.targets import Request

ELITE = 100  # best molecules that proposals start from, the better the oftener
TOP = 10  # a molecule that enters these is an improvement
RECENT = 20  # batches whose improvements count
PRIOR_SHARE = 0.1
LEAST_SHARE = 0.05  # of each other operator
EACH = 4  # proposals from one parent
NOISES = (0.2, 0.4, 0.6)
RADII = (1.0, 2.0, 3.0)  # in place of noise, where the decoder takes none
BETWEEN = (0.2, 0.8)  # share of the way between two of the elite
WIDENED = 0.5  # standard deviations on either side of an elite molecule's property
# What a string is lost for is counted against its operator: none is drawn again.
ONE_STRING: dict[str, Any] = {"tier": "consistent", "shortlist": 1, "best_of": 1, "max_tries": 1}


class Scene(NamedTuple):
    """What proposals are made from.

    Attributes:
        model: the model.
        elite: molecules that the model can encode, best first.
        config: filters and patterns that every proposal passes.
        targets: asked of every proposal besides.
        taken: molecules that are not wanted again, as the training set spells them.
        cores: that every proposal contains; several share them out.
        random: of everything drawn.
        executor: does the chemistry; None does it here.
    """

    model: LoadedModel
    elite: Sequence[PreparedMolecule]
    config: GenerateConfig
    targets: Request
    taken: frozenset[str]
    cores: Sequence[Core]
    random: np.random.Generator
    executor: Executor | None = None

    def parents(self, n: int) -> list[PreparedMolecule]:
        """Choose `n` of the elite: the rank is log-uniform."""
        ranks = len(self.elite) ** self.random.random(n) - 1.0
        return [self.elite[int(rank)] for rank in ranks]

    def sampling(
        self, settings: DrawSettings, n: int, *, write: Writer | None = None
    ) -> dict[str, Any]:
        """Return the arguments that all samplers share, for strings of the model or of `write`."""
        kept = Kept(self.cores, write) if write else None
        return {
            "seed": int(self.random.integers(2**32)),
            "excluded": self.taken,
            "kept": kept or keep_cores(self.model, self.cores, settings, n=n),
            "given_rings": rings_of_cores(self.cores),
        }

    def near(self, noise: float) -> DrawSettings:
        """Return how molecules near others are drawn."""
        own = replace(self.config, **ONE_STRING)
        if self.model.takes_noise:
            own = replace(own, noise=noise, temperature=temperature_at(noise))
        return near_settings(self.model, own)


Operator = Callable[[Scene, int], list[Proposal]]


def neighbors(step: int, scene: Scene, n: int) -> list[Proposal]:
    """Propose molecules around the elite's codes, at one of three distances."""
    chosen = scene.parents(-(-n // EACH))
    centers = scene.model.encode([each.symbols for each in chosen])
    requests = [_own(scene, each) for each in chosen]
    found = _around(scene, chosen, centers, requests, step)
    families = [(each.smiles,) for each in chosen]
    return _named(scene, f"neighbors {step + 1}", found, families)


def interpolations(scene: Scene, n: int) -> list[Proposal]:
    """Propose molecules between two of the elite each, with properties between theirs."""
    count = -(-n // EACH)
    ends = _pairs(scene, count)
    shares = scene.random.uniform(*BETWEEN, size=count)
    (means, widths), (others, _) = (scene.model.encode([m.symbols for m in end]) for end in ends)
    along = map(PATHS["spherical"], means, others, shares.tolist())
    first, last = (np.array([molecule.values for molecule in end]) for end in ends)
    blends = first + shares[:, None] * (last - first)
    requests = [_own(scene, PreparedMolecule("", [], tuple(row))) for row in blends.tolist()]
    found = _around(scene, ends[0], Posterior(torch.stack(list(along)), widths), requests, 1)
    families = [(one.smiles, other.smiles) for one, other in zip(*ends, strict=True)]
    return _named(scene, "interpolation", found, families)


def _pairs(scene: Scene, count: int) -> tuple[list[PreparedMolecule], list[PreparedMolecule]]:
    """Return one and another of the elite, `count` times; the same only where there is one."""
    first, last = scene.parents(count), scene.parents(count)
    for place, (one, other) in enumerate(zip(first, last, strict=True)):
        if one is other:
            last[place] = next((each for each in scene.elite if each is not one), other)
    return first, last


def like_elite(scene: Scene, n: int) -> list[Proposal]:
    """Propose molecules with about the properties of the elite, and any structure."""
    chosen = scene.parents(-(-n // EACH))
    scales = scene.model.normalizer.scales
    requests = []
    for each in chosen:
        own = dict(zip(scene.model.measured, each.values, strict=True))
        wide = {p: (v - WIDENED * scales[p], v + WIDENED * scales[p]) for p, v in own.items()}
        requests.append(_request(scene, wide))
    families = [(each.smiles,) for each in chosen]
    return _named(scene, "properties of the elite", _drawn(scene, requests, n), families)


class Given(NamedTuple):
    """Writes strings that are there already, one for each slot: `generation.proposals.Writer`."""

    strings: Sequence[list[str]]
    numbers: int = 1

    def __call__(
        self, slots: Sequence[int], codes: Tensor, points: np.ndarray, uniforms: np.ndarray
    ) -> list[DecodedString]:
        """Return the string of each slot."""
        return [DecodedString(self.strings[slot], True, 0.0, 0.0) for slot in slots]


def edits(scene: Scene, n: int) -> list[Proposal]:
    """Propose molecules whose symbols are those of two of the elite, crossed and changed.

    What the model could not write is its first parent again, and refused as known.
    """
    alphabet = [symbol for each in scene.elite for symbol in each.symbols]
    families = list(zip(scene.parents(n), scene.parents(n), strict=True))
    strings = []
    for one, other in families:
        string = spelled_again(edited(one.symbols, other.symbols, alphabet, scene.random))
        fits = 0 < len(string) <= scene.model.longest and not scene.model.vocabulary.unknown(string)
        strings.append(string if fits else one.symbols)
    found = _drawn(scene, [scene.targets], n, write=Given(strings))
    return _named(scene, "edits", found, [(one.smiles, other.smiles) for one, other in families])


def prior(scene: Scene, n: int) -> list[Proposal]:
    """Propose molecules as the model draws them, asked for the targets only."""
    return _named(scene, "prior", _drawn(scene, [scene.targets], n), [()])


OPERATORS: dict[str, Operator] = {
    **{f"neighbors {step + 1}": partial(neighbors, step) for step in range(len(NOISES))},
    "interpolation": interpolations,
    "properties of the elite": like_elite,
    "edits": edits,
    "prior": prior,
}


def propose(scene: Scene, n: int, shares: Mapping[str, float]) -> list[Proposal]:
    """Return the different molecules among about `n` strings; without an elite, of the prior.

    An operator writes whole tiles of strings, because fewer take as long: its share of the tiles is
    rounded up or down by chance.
    """
    names = list(shares) if scene.elite else ["prior"]
    ends = np.cumsum([shares[name] for name in names])
    tiles = -(-n // TILE)
    steps = (scene.random.random() + np.arange(tiles)) / tiles * ends[-1]
    counts = Counter(np.searchsorted(ends, steps, side="right").tolist())
    found: dict[str, Proposal] = {}
    for place, count in sorted(counts.items()):
        for each in OPERATORS[names[place]](scene, count * TILE):
            found.setdefault(each.smiles, each)
    return list(found.values())


def operator_shares(archive: Archive, scores: np.ndarray) -> dict[str, float]:
    """Return the share of each operator: a floor, and by the improvements for each proposal.

    Args:
        archive: with its batches and calls.
        scores: of the calls, NaN where there is none.
    """
    begun = len(archive.batches) - RECENT
    proposed: Counter[str] = Counter()
    for batch in archive.batches[max(begun, 0) :]:
        proposed.update(batch.proposed)
    improved = Counter(
        call.proposal.operator
        for call, better in zip(archive.calls.values(), improvements(scores), strict=True)
        if better and call.batch > begun
    )
    names = [name for name in OPERATORS if name != "prior"]
    rates = np.array([(improved[name] + 1.0) / (proposed[name] + 100.0) for name in names])
    free = 1.0 - PRIOR_SHARE - LEAST_SHARE * len(names)
    by_name = zip(names, (LEAST_SHARE + free * rates / rates.sum()).tolist(), strict=True)
    return {**dict(by_name), "prior": PRIOR_SHARE}


def improvements(scores: np.ndarray) -> list[bool]:
    """Return for each score, in order, whether it entered the ten best."""
    best: list[float] = []
    found = []
    for score in scores.tolist():
        better = score == score and (len(best) < TOP or score > best[0])
        found.append(better)
        if better:
            (heapq.heappush if len(best) < TOP else heapq.heapreplace)(best, score)
    return found


def _own(scene: Scene, molecule: PreparedMolecule) -> Request:
    """Return a request for a molecule's own properties, except where there are targets."""
    return _request(scene, own_request(scene.model, molecule).ranges)


def _request(scene: Scene, ranges: Mapping[str, object]) -> Request:
    merged = {**ranges, **scene.targets.ranges}
    return Request.for_model(merged, scene.model.normalizer)  # type: ignore[arg-type]


def _around(
    scene: Scene,
    molecules: Sequence[PreparedMolecule],
    centers: Posterior,
    requests: Sequence[Request],
    step: int,
) -> RejectionSampler:
    """Return a sampler of `EACH` molecules around each center."""
    settings = scene.near(NOISES[step])
    return sampler_around(
        scene.model,
        molecules,
        centers,
        requests,
        settings,
        each=EACH,
        radius=1.0 if scene.model.takes_noise else RADII[step],
        **scene.sampling(settings, EACH * len(molecules)),
    )


def _drawn(
    scene: Scene, requests: Sequence[Request], n: int, *, write: Writer | None = None
) -> RejectionSampler:
    """Return a sampler of `n` molecules from the prior, shared out among requests."""
    settings = scene.model.settings(replace(scene.config, **ONE_STRING))
    more = scene.sampling(settings, n, write=write)
    return RejectionSampler(scene.model, requests, settings, n=n, **more)


def _named(
    scene: Scene, operator: str, sampler: RejectionSampler, families: Sequence[tuple[str, ...]]
) -> list[Proposal]:
    """Return what a sampler finds as proposals; its slots are shared out among the families."""
    count, n = len(families), sampler.n
    return [
        Proposal(each.smiles, operator, families[(each.id - 1) * count // n])
        for each in sampler.run(scene.executor)
    ]
