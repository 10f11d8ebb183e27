"""A model as GuacaMol's distribution-learning benchmarks ask for one.

Brown 2019, https://doi.org/10.1021/acs.jcim.8b00839; the protocol is that of guacamol 0.5.5. There
is no goal-directed counterpart here: that one asks for an optimizer, which a model alone is not.
"""

import secrets
from concurrent.futures import Executor
from dataclasses import replace

import numpy as np

from molvae.config import GenerateConfig, check
from molvae.generation.results import Summary
from molvae.generator import MoleculeGenerator


class GuacaMolGenerator:
    """A `DistributionMatchingGenerator` for `guacamol.assess_distribution_learning`.

    Molecules are generated without targets. Duplicates are kept whatever `config.unique` is, since
    GuacaMol counts them. Each call returns new molecules; one seed determines all calls.

    Args:
        generator: the model.
        config: tier, temperature and the like. In the tier "consistent" strings that SELFIES
            would repair are drawn again, so that nearly all molecules are valid; in "raw" they are
            valid because of the repair. Say which one with the figures: `summaries` has both the
            tier and the share of first draws that needed no repair.
        seed: of all calls; None draws one.
        executor: does the chemistry, for example a `ProcessPoolExecutor`.

    Attributes:
        seed: of all calls, to make the same generator again.
        summaries: how each call went; its `seed` alone draws the same molecules again.

    Raises:
        ConfigError: for a configuration that cannot be.
    """

    def __init__(
        self,
        generator: MoleculeGenerator,
        *,
        config: GenerateConfig | None = None,
        seed: int | None = None,
        executor: Executor | None = None,
    ) -> None:
        self.generator, self.executor = generator, executor
        self.config = check(
            replace(config or replace(generator.defaults, rings="any", novel=False), unique=False)
        )
        self.seed = secrets.randbelow(2**32) if seed is None else seed
        self.summaries: list[Summary] = []

    def generate(self, number_samples: int) -> list[str]:
        """Draw molecules that no earlier call has drawn, except by chance.

        Returns:
            As many SMILES as asked for, which GuacaMol insists on; "" for those that were not
            found within `config.max_tries`, which it counts as invalid.

        Raises:
            UsageError: for less than one molecule.
        """
        # Unlike seed + call, this is never the seed of another generator's call.
        calls = np.random.SeedSequence(self.seed % 2**64, spawn_key=(len(self.summaries),))
        seed = int(calls.generate_state(1)[0])
        drawn = self.generator.generate(
            number_samples, config=self.config, seed=seed, executor=self.executor
        )
        self.summaries.append(drawn.summary)
        found = [molecule.smiles for molecule in drawn.molecules]
        return found + [""] * (number_samples - len(found))
