"""Codes blended with noise, and a decoder with the noise level as an input."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from molvae.dataset import MoleculeDataset
from molvae.model.cvae import ConditionalVAE
from molvae.model.latent import corrupt, expected
from molvae.model.likelihood import likelihood, without_code
from molvae.model.losses import reconstruction_loss
from molvae.train.batches import Batch, DrawnBatch, collate
from molvae.train.step import untrained
from tests import tiny

NOISE_CONDITIONAL = replace(tiny.MODEL, noise_conditional=True)


@pytest.fixture
def batch(drug_dataset: MoleculeDataset) -> Batch:
    return collate(drug_dataset, np.arange(12))


@pytest.fixture
def model(drug_dataset: MoleculeDataset) -> ConditionalVAE:
    return untrained(drug_dataset, NOISE_CONDITIONAL, seed=0).eval()


def test_estimate_is_the_code_at_level_0_and_zero_at_level_1() -> None:
    z, noise = torch.randn(2, 6, 3)
    whole, none = torch.zeros(6), torch.ones(6)
    assert torch.equal(corrupt(z, noise, whole), z)
    assert torch.equal(corrupt(z, noise, none), noise)
    assert torch.equal(expected(z, whole), z)
    assert not expected(z, none).any()


def test_estimate_is_the_regression_of_codes_on_blended_ones() -> None:
    z, noise = torch.randn(2, 200_000, 1, generator=torch.Generator().manual_seed(0))
    for level in (0.2, 0.5, 0.8):
        share = torch.full((len(z),), level)
        blended = corrupt(z, noise, share)
        slope = (blended * z).mean() / blended.square().mean()
        torch.testing.assert_close(expected(blended, share), slope * blended, rtol=0.02, atol=0.01)


@torch.no_grad()
def test_at_level_1_the_code_changes_no_logit(model: ConditionalVAE, batch: Batch) -> None:
    ones, zeros = torch.ones(12), torch.zeros(12)
    some, other = torch.randn(2, 12, NOISE_CONDITIONAL.latent_size)
    decode = model.decode
    at_end = decode(some, batch.conditions, batch.ids, ones)
    assert torch.equal(at_end, decode(other, batch.conditions, batch.ids, ones))
    whole = decode(some, batch.conditions, batch.ids, zeros)
    assert torch.equal(whole, decode(some, batch.conditions, batch.ids))
    assert not torch.allclose(whole, decode(other, batch.conditions, batch.ids))
    assert not torch.allclose(whole, at_end)


@torch.no_grad()
def test_level_is_an_input_beside_its_effect_on_the_code(
    model: ConditionalVAE, batch: Batch
) -> None:
    nothing = torch.zeros(12, NOISE_CONDITIONAL.latent_size)
    levels = (torch.zeros(12), torch.full((12,), 0.5))
    whole, half = (model.decode(nothing, batch.conditions, batch.ids, level) for level in levels)
    assert not torch.allclose(whole, half)


def test_training_draws_every_level_and_both_ends_often(batch: Batch) -> None:
    many = Batch(*(part.repeat_interleave(400, dim=0) for part in batch))
    level = DrawnBatch.draw(many, torch.Generator().manual_seed(0), model=NOISE_CONDITIONAL).level
    shares = torch.histc(level, bins=4, min=0.0, max=1.0) / len(level)
    assert ((level == 0).float().mean() - 1 / 6).abs() < 0.02
    assert ((level == 1).float().mean() - 1 / 6).abs() < 0.02
    assert (shares > 0.1).all()
    plain = DrawnBatch.draw(many, torch.Generator().manual_seed(0), model=tiny.MODEL)
    assert not plain.level.any()


@torch.no_grad()
def test_likelihood_is_exact_where_the_decoder_needs_no_code(
    model: ConditionalVAE, batch: Batch
) -> None:
    noise = torch.randn(3, 12, NOISE_CONDITIONAL.latent_size)
    found = likelihood(model, batch.ids, batch.lengths, batch.conditions, noise)
    exact = without_code(model, batch.conditions, batch.ids)
    for codes in (1, 3):
        torch.testing.assert_close(found.nll(codes), exact)
    z = torch.randn(12, NOISE_CONDITIONAL.latent_size)  # whatever it is
    logits = model.decode(z, batch.conditions, batch.ids, torch.ones(12))
    torch.testing.assert_close(exact, reconstruction_loss(logits, batch.ids))
