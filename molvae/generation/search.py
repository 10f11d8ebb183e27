"""The molecules around latent codes, from the code itself to more and more noise in it.

A code that holds a molecule whole leaves a property little influence, and between two such codes
there is often nothing but the two molecules. So each place of a series is decoded many times, with
noise in its code, and the caller keeps the best. The noise is the same at all places and follows
from a seed, and each code is decoded greedily: a series comes out the same again.

Letters: N places, Z latent dimensions, P properties.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
import torch

from molvae.arguments import MAX_SEED, MAX_SERIES, real_number, whole_number
from molvae.chem.cores import Core
from molvae.chem.filters import check_patterns
from molvae.config import GenerateConfig, check
from molvae.generation.decode import Decoded, decode_molecules
from molvae.generation.decorate import keep_cores
from molvae.generation.model import LoadedModel
from molvae.model.latent import Posterior, corrupt
from molvae.presets import SERIES_NOISE, SERIES_TRIES, DrawSettings

LEVELS = 5  # of noise, evenly up to the most, besides none
WIDE = 1.5  # posterior standard deviations in place of noise, where the decoder takes no noise


class Search(NamedTuple):
    """How the molecule at each place of a series is looked for.

    Attributes:
        noise: the highest share of noise in a code, 0 to 1; at 0 the code itself is decoded once.
            None: 0.75, or the width of the posterior where the decoder takes no noise.
        tries: molecules decoded for each place.
        seed: of the noise.
        rings: "known" prefers molecules without a ring system that is rare in training; "any"
            makes no difference.
        smarts: patterns that every molecule has; a place where none has them has no molecule.
    """

    noise: float | None = None
    tries: int = SERIES_TRIES
    seed: int = 0
    rings: str = "known"
    smarts: tuple[str, ...] = ()

    def checked(self, model: LoadedModel) -> "Search":
        """Return the same in Python's numbers.

        Raises:
            UsageError: for a number out of its range, noise that the model cannot take, or a
                pattern that its molecules cannot have.
            ConfigError: for a rule on rings that does not exist.
        """
        noise = None if self.noise is None else real_number("noise", self.noise, 0.0, 1.0)
        model.check_noise(noise)
        tries = whole_number("tries", self.tries, 1, MAX_SERIES)
        rings = check(GenerateConfig(rings=self.rings)).rings
        check_patterns(self.smarts, stereo=model.standardization.stereo)
        seed = whole_number("seed", self.seed, 0, MAX_SEED)
        return Search(noise, tries, seed, rings, tuple(self.smarts))


SEARCH = Search()


class Found(NamedTuple):
    """One molecule that was decoded for a place.

    Attributes:
        molecule: the molecule.
        noise: in its code.
        rare_ring: it has a ring system that is rare in training and not allowed.
    """

    molecule: Decoded
    noise: float
    rare_ring: bool = False

    @property
    def sound(self) -> bool:
        """Whether SELFIES had nothing to repair and there is no rare ring system."""
        return bool(self.molecule.smiles) and self.molecule.consistent and not self.rare_ring

    def is_new(self, met: set[str]) -> bool:
        """Return whether the molecule is sound and not among `met`."""
        return self.sound and self.molecule.smiles not in met


def search_around(
    model: LoadedModel,
    codes: Posterior,
    points: np.ndarray,
    search: Search,
    *,
    given_rings: Collection[str] = (),
    cores: Sequence[Core] = (),
    guidance: float = 1.0,
) -> list[list[Found]]:
    """Decode molecules for N places: from the mean of each code, and then from around it.

    Args:
        model: the model.
        codes: of the places.
        points: properties that the decoder is given at each, shape (N, P).
        search: how many, and how far around.
        given_rings: ring systems that are allowed though rare: of given molecules.
        cores: none, or one that every molecule contains.
        guidance: classifier-free guidance weight.
    """
    search = search.checked(model)
    guidance = check(GenerateConfig(guidance=guidance)).guidance
    allowed = model.allowed_rings(GenerateConfig(rings=search.rings), given_rings)
    furthest = SERIES_NOISE if search.noise is None else search.noise
    random = torch.Generator().manual_seed(search.seed)
    n, size = codes.mean.shape
    found: list[list[Found]] = [[] for _ in range(n)]
    for number in range(LEVELS + 1 if furthest else 1):
        reach = number / LEVELS
        times = (search.tries - 1 + LEVELS - number) // LEVELS if number else 1
        if not times:
            continue
        level = furthest * reach if model.takes_noise else 0.0
        noise = torch.randn(times, 1, size, generator=random).expand(times, n, size).flatten(0, 1)
        means, widths = (part.repeat(times, 1) for part in codes)
        noise = noise.to(means.device)
        if model.takes_noise:
            mixed = corrupt(means, noise, means.new_full((len(means),), level))
        else:
            mixed = Posterior(means, widths).sample(WIDE * reach * noise)
        settings = DrawSettings(guidance=guidance, noise=level)
        decoded = decode_molecules(
            model,
            mixed,
            np.tile(points, (times, 1)),
            settings,
            seed=search.seed,
            slots=range(number * search.tries * n, number * search.tries * n + len(means)),
            kept=keep_cores(model, cores, settings, n=1),
            smarts=search.smarts,
        )
        for place, molecule in enumerate(decoded):
            rare = allowed is not None and not allowed.issuperset(molecule.rings)
            found[place % n].append(Found(molecule, level, rare))
    return found
