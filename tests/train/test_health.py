import copy

import numpy as np
import pytest
import torch

from molvae.dataset import MoleculeDataset
from molvae.model.cvae import ConditionalVAE
from molvae.train.health import Health, measure_health
from tests.conftest import Memorized


@pytest.fixture
def model(memorized: Memorized) -> ConditionalVAE:
    """A copy to break."""
    return copy.deepcopy(memorized.model)


def validated(model: ConditionalVAE, memorized: Memorized) -> Health:
    return measure_health(model, memorized.dataset, split="validation")


def test_memorized_molecules_pass(memorized: Memorized) -> None:
    health = validated(memorized.model, memorized)
    assert health.molecules == 32
    assert health.exact_from_mean >= 30 / 32
    assert health.reconstruction < 5
    assert health.shuffled_z > 20
    assert health.active_units > 0.5
    assert health.kl > 20
    assert max(health.property_mae) < 1.0
    verdicts = health.verdicts()
    assert (verdicts["kl"], verdicts["active_units"], verdicts["shuffled_z"]) == (True, True, True)


@torch.no_grad()
def test_model_that_ignores_its_code_fails(model: ConditionalVAE, memorized: Memorized) -> None:
    for layer in (model.decoder.at_start, model.decoder.at_input, model.decoder.at_output):
        layer.weight[:, : model.config.latent_size] = 0.0
    health = validated(model, memorized)
    assert health.shuffled_z == pytest.approx(0.0, abs=1e-4)
    assert not health.verdicts()["shuffled_z"]
    assert health.exact_from_mean < 0.1


@torch.no_grad()
def test_collapsed_posterior_fails(model: ConditionalVAE, memorized: Memorized) -> None:
    for layer in (model.encoder.mean, model.encoder.log_var):
        layer.weight.zero_()
        layer.bias.zero_()
    health = validated(model, memorized)
    assert health.kl == pytest.approx(0.0, abs=1e-6)
    assert health.active_units == 0.0
    verdicts = health.verdicts()
    assert (verdicts["kl"], verdicts["active_units"]) == (False, False)


@torch.no_grad()
def test_model_that_ignores_its_conditions_fails(
    model: ConditionalVAE, memorized: Memorized
) -> None:
    model.conditions.layers[-1].weight.zero_()
    health = validated(model, memorized)
    assert health.shuffled_c == pytest.approx(0.0, abs=1e-4)
    assert not health.verdicts()["shuffled_c"]


def test_a_model_without_properties_has_no_test_of_them(
    memorized: Memorized,
) -> None:
    nothing = np.full_like(memorized.dataset.properties, np.nan)
    dataset = memorized.dataset._replace(properties=nothing)
    health = measure_health(memorized.model, dataset, split="validation")
    assert health.verdicts().keys() == {"kl", "active_units", "shuffled_z"}


@torch.no_grad()
def test_model_that_depends_on_its_conditions_passes(
    model: ConditionalVAE, memorized: Memorized
) -> None:
    """A head start for the symbols that the properties name: wrong properties then cost."""
    model.conditions.layers[-1].weight.mul_(20.0)
    health = validated(model, memorized)
    assert health.shuffled_c > 1.0
    assert health.verdicts()["shuffled_c"]


def test_figures_do_not_depend_on_how_molecules_are_batched(memorized: Memorized) -> None:
    """But for the noise and for the neighbor whose code is borrowed."""
    whole, parts = (
        measure_health(memorized.model, memorized.dataset, split="validation", batch_size=size)
        for size in (250, 9)
    )
    assert whole.kl == pytest.approx(parts.kl, rel=1e-4)
    assert whole.active_units == parts.active_units
    assert whole.exact_from_mean == parts.exact_from_mean
    assert whole.property_mae == pytest.approx(parts.property_mae, rel=1e-3)


def test_limit_and_seed_choose_the_molecules(memorized: Memorized) -> None:
    first, again, other = (
        measure_health(memorized.model, memorized.dataset, split="validation", limit=8, seed=seed)
        for seed in (0, 0, 1)
    )
    assert first.molecules == 8
    assert first == again
    assert first != other


def test_single_molecule_can_be_measured(
    memorized: Memorized, drug_dataset: MoleculeDataset
) -> None:
    split = drug_dataset.split.copy()
    split[:] = 0
    split[3] = 1
    health = measure_health(memorized.model, drug_dataset._replace(split=split), split="validation")
    assert health.molecules == 1
    assert health.active_units == 0.0
    assert health.shuffled_z == 0.0
