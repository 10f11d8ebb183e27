from dataclasses import replace

import pytest

from molvae.config import GenerateConfig
from molvae.dataset import MoleculeDataset
from molvae.generator import MoleculeGenerator
from molvae.suites.sampling_settings import (
    Trial,
    as_defaults,
    choose_trial,
    held_out_moments,
    search_settings,
    training_distance,
)

pytest.importorskip("fcd", reason="the extra fcd is not installed")


@pytest.fixture(scope="module")
def druglike() -> MoleculeGenerator:
    return MoleculeGenerator.load("druglike")


def test_setting_whose_molecules_are_nearest_to_real_ones_is_found_and_kept(
    druglike: MoleculeGenerator, drug_dataset: MoleculeDataset
) -> None:
    reference = held_out_moments(drug_dataset, split="train", seed=0, jobs=0)
    assert reference.molecules == len(drug_dataset.members("train"))
    assert training_distance(drug_dataset, reference, n=10_000, seed=1, jobs=0) < 1e-3  # itself
    taught = druglike.checkpoint.model.config.noise_conditional
    found = search_settings(
        druglike, reference, n=60, seed=1, jobs=0, levels=(1.0,), temperatures=(3.0, 0.5)
    )
    assert [tried.temperature for tried in found] == [0.5, 3.0]
    assert {tried.noise for tried in found} == {1.0 if taught else 0.0}
    assert found[0].fcd < found[1].fcd
    assert found[0].acceptance > found[1].acceptance
    changed = replace(druglike.checkpoint, provenance={
        **druglike.checkpoint.provenance, "defaults": as_defaults(choose_trial(found))
    })  # fmt: skip
    assert MoleculeGenerator(changed).defaults == GenerateConfig(
        temperature=0.5, noise=found[0].noise
    )


def test_of_settings_as_good_as_the_best_the_one_with_the_fewest_repairs_is_taken() -> None:
    best, as_good, worse = (
        Trial(1.0, 0.9, 2.0, 0.6),
        Trial(1.0, 0.7, 2.49, 0.7),
        Trial(1, 0.3, 3, 0.9),
    )
    assert choose_trial([worse, best, as_good]) == as_good
    assert choose_trial([best, worse]) == best


def test_how_good_a_setting_is_counts_from_the_distance_that_training_molecules_have() -> None:
    best, near, far = Trial(1.0, 0.9, 2.0, 0.6), Trial(1.0, 0.7, 2.3, 0.7), Trial(1, 0.5, 2.4, 0.8)
    assert choose_trial([far, near, best], floor=1.0) == near
    assert choose_trial([far, near, best], floor=2.1) == best
