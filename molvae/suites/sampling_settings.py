"""The best noise level and temperature of a model, by FCD to held-out molecules.

The search uses the default tier (consistent), so that it does not prefer a conservative setting;
the acceptance rate is reported too. A lower temperature follows targets more closely, so the search
chooses the setting with the highest acceptance rate among the good ones: a setting is good if its
distance exceeds that of training molecules by little more than the best setting's.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from molvae.chem.selfies import decode_canonical
from molvae.dataset import MoleculeDataset
from molvae.evaluate.fcd import Moments, activations, frechet_distance, join, moments_of
from molvae.evaluate.work import Work
from molvae.generator import MoleculeGenerator

LEVELS = (0.25, 0.5, 0.75, 1.0)  # of noise
TEMPERATURES = (0.3, 0.5, 0.7, 0.85, 1.0)
DRAWS = 2_000  # molecules at each setting in scripts/train-bundled
REFERENCE = 5_000  # held-out molecules
GIVEN = 1 / 3  # of the least excess, traded for fewer repairs and better control


class Trial(NamedTuple):
    """One setting."""

    noise: float  # level, 0 to 1
    temperature: float
    fcd: float  # to held-out molecules; comparable within one search only
    acceptance: float  # share of strings that need no repair


def held_out_smiles(dataset: MoleculeDataset, *, split: str, seed: int) -> list[str]:
    """Return canonical SMILES of molecules of a split, `REFERENCE` of them at most."""
    members = np.random.default_rng(seed).permutation(dataset.members(split))[:REFERENCE]
    return smiles_of(dataset, members)


def smiles_of(dataset: MoleculeDataset, rows: np.ndarray) -> list[str]:
    """Return canonical SMILES of rows of a dataset."""
    tokens = (dataset.molecule(row) for row in rows)
    return [decode_canonical(dataset.vocabulary.decode(ids)) for ids in tokens]


def held_out_moments(dataset: MoleculeDataset, *, split: str, seed: int, jobs: int) -> Moments:
    """Return ChemNet's moments of molecules of a split."""
    return chemnet_moments(held_out_smiles(dataset, split=split, seed=seed), jobs=jobs)


def chemnet_moments(smiles: Sequence[str], *, jobs: int) -> Moments:
    """Return ChemNet's moments of molecules."""
    return join(map(moments_of, activations(smiles, Work(jobs))))


def search_settings(
    generator: MoleculeGenerator,
    reference: Moments,
    *,
    n: int,
    seed: int,
    jobs: int,
    levels: Sequence[float] = LEVELS,
    temperatures: Sequence[float] = TEMPERATURES,
    executor: Executor | None = None,
    report: Callable[[Trial], None] = lambda tried: None,
) -> list[Trial]:
    """Generate `n` molecules at every setting, without targets, and compare with the reference.

    A model without noise in training is tried at level 0 only; `n` is at least `fcd.MINIMUM`.
    `report` is called with each setting when it is done.

    Returns:
        All settings, the best first.
    """
    taught = generator.checkpoint.model.config.noise_conditional
    found = []
    for noise in levels if taught else (0.0,):
        for temperature in temperatures:
            config = replace(
                generator.defaults,
                tier="consistent",
                rings="any",
                unique=False,
                novel=False,
                noise=noise,
                temperature=temperature,
            )
            drawn = generator.generate(n, config=config, seed=seed, executor=executor)
            smiles = [molecule.smiles for molecule in drawn.molecules]
            distance = frechet_distance(chemnet_moments(smiles, jobs=jobs), reference)
            found.append(Trial(noise, temperature, distance, drawn.summary.acceptance))
            report(found[-1])
    return sorted(found, key=lambda tried: tried.fcd)


def training_distance(
    dataset: MoleculeDataset, reference: Moments, *, n: int, seed: int, jobs: int
) -> float:
    """Return the distance of `n` training molecules, a lower limit for every setting."""
    members = np.random.default_rng(seed).permutation(dataset.members("train"))[:n]
    return frechet_distance(chemnet_moments(smiles_of(dataset, members), jobs=jobs), reference)


def choose_trial(found: Sequence[Trial], floor: float = 0.0) -> Trial:
    """Return the setting with the fewest repairs among those that are as good as the best.

    `floor` is the distance of training molecules.
    """
    nearest = min(tried.fcd for tried in found)
    limit = nearest + GIVEN * max(nearest - floor, 0.0)
    as_good = [tried for tried in found if tried.fcd <= limit]
    return max(as_good, key=lambda tried: tried.acceptance)


def as_defaults(chosen: Trial) -> dict[str, Any]:
    """Return the settings that a model saves as its defaults."""
    return {"noise": chosen.noise, "temperature": chosen.temperature}
