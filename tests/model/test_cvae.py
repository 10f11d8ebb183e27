from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from molvae.config import TrainConfig
from molvae.dataset import MoleculeDataset
from molvae.model.cvae import ConditionalVAE
from molvae.model.losses import Elbo, property_loss, reconstruction_loss
from molvae.model.sampling import sample
from molvae.train.batches import Batch, collate
from molvae.train.step import untrained
from molvae.vocabulary import PAD
from tests import tiny
from tests.conftest import Memorized

NAN = float("nan")


@pytest.fixture
def batch(drug_dataset: MoleculeDataset) -> Batch:
    return collate(drug_dataset, np.arange(12))


@pytest.fixture
def model(drug_dataset: MoleculeDataset) -> ConditionalVAE:
    """A model of two decoder layers with random weights."""
    return untrained(drug_dataset, replace(tiny.MODEL, decoder_layers=2), seed=0).eval()


@torch.no_grad()
def losses(model: ConditionalVAE, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
    """Return posterior mean, KL and reconstruction of each molecule, its code the mean."""
    posterior = model.encode(batch.ids, batch.lengths)
    logits = model.decode(posterior.mean, batch.conditions, batch.ids)
    return posterior.mean, posterior.kl().sum(dim=1), reconstruction_loss(logits, batch.ids)


def test_it_memorizes_32_molecules(memorized: Memorized) -> None:
    batch = collate(memorized.dataset, memorized.dataset.members("validation"))
    unspecified = torch.full_like(batch.conditions, NAN)
    with torch.no_grad():
        z = memorized.model.encode(batch.ids, batch.lengths).mean
        logits = memorized.model.decode(z, unspecified, batch.ids)
    exact = ((logits.argmax(dim=2) == batch.ids) | (batch.ids == PAD)).all(dim=1)
    assert len(exact) == 32
    assert int(exact.sum()) >= 30
    greedy = sample(memorized.model, z, unspecified, torch.zeros(batch.ids.shape), temperature=0.0)
    assert int((greedy.ids == batch.ids).all(dim=1).sum()) >= 30


def test_padding_changes_no_loss_and_no_posterior(model: ConditionalVAE, batch: Batch) -> None:
    wider = batch._replace(ids=torch.nn.functional.pad(batch.ids, (0, 9), value=PAD))
    for plain, padded in zip(losses(model, batch), losses(model, wider), strict=True):
        torch.testing.assert_close(plain, padded, rtol=1e-5, atol=1e-5)


def test_molecule_alone_is_the_same_as_among_others(
    model: ConditionalVAE, drug_dataset: MoleculeDataset, batch: Batch
) -> None:
    shortest = int(batch.lengths.argmin())
    assert batch.lengths[shortest] < batch.ids.shape[1]
    alone = losses(model, collate(drug_dataset, np.array([shortest])))
    for one, among in zip(alone, losses(model, batch), strict=True):
        torch.testing.assert_close(one[0], among[shortest], rtol=1e-5, atol=1e-5)


def test_shuffling_a_batch_changes_no_molecules_loss(model: ConditionalVAE, batch: Batch) -> None:
    order = torch.randperm(len(batch.ids), generator=torch.Generator().manual_seed(1))
    shuffled = Batch(*(part[order] for part in batch))
    for plain, other in zip(losses(model, batch), losses(model, shuffled), strict=True):
        torch.testing.assert_close(plain[order], other, rtol=1e-5, atol=1e-5)


def test_gradients_reach_every_parameter(model: ConditionalVAE, batch: Batch) -> None:
    posterior = model.encode(batch.ids, batch.lengths)
    conditions = batch.conditions.clone()
    conditions[::2, 0] = NAN
    logits = model.decode(posterior.sample(torch.ones_like(posterior.mean)), conditions, batch.ids)
    loss = Elbo(
        reconstruction_loss(logits, batch.ids),
        posterior.kl().sum(dim=1),
        property_loss(model.predict_properties(posterior.mean), conditions),
    ).loss(TrainConfig(free_nats=0.0, property_weight=1.0), beta=1.0)
    loss.backward()
    for name, weight in model.named_parameters():
        assert weight.grad is not None, name
        assert torch.isfinite(weight.grad).all(), name
        assert bool((weight.grad != 0).any()), name


def test_other_conditions_give_another_output(model: ConditionalVAE, batch: Batch) -> None:
    with torch.no_grad():
        z = model.encode(batch.ids, batch.lengths).mean
        plain = model.decode(z, batch.conditions, batch.ids)
        permuted = model.decode(z, batch.conditions.roll(1, dims=1), batch.ids)
        for column in range(batch.conditions.shape[1]):
            altered, hidden = batch.conditions.clone(), batch.conditions.clone()
            altered[:, column] += 1.0
            hidden[:, column] = NAN
            for conditions in (altered, hidden):
                difference = (model.decode(z, conditions, batch.ids) - plain).abs().amax(dim=(1, 2))
                assert bool((difference > 1e-6).all()), column
    assert bool(((permuted - plain).abs().amax(dim=(1, 2)) > 1e-6).all())


def test_first_symbol_is_predicted_without_seeing_it(model: ConditionalVAE, batch: Batch) -> None:
    """What teacher forcing shows at a step are the symbols before it, never the one asked for."""
    z = torch.zeros(len(batch.ids), tiny.MODEL.latent_size)
    with torch.no_grad():
        plain = model.decode(z, batch.conditions, batch.ids)
        for step in (0, 5):
            other = batch.ids.clone()
            other[:, step] = batch.ids[:, step].roll(1) + 1
            changed = model.decode(z, batch.conditions, other) - plain
            assert float(changed[:, : step + 1].abs().max()) < 1e-6
            assert float(changed[:, step + 1].abs().max()) > 1e-6


def test_properties_are_predicted_from_the_code(memorized: Memorized) -> None:
    batch = collate(memorized.dataset, memorized.dataset.members("validation"))
    with torch.no_grad():
        mean = memorized.model.encode(batch.ids, batch.lengths).mean
        error = (memorized.model.predict_properties(mean) - batch.conditions).abs().mean()
        spread = (batch.conditions - batch.conditions.mean(dim=0)).abs().mean()
    assert float(error) < 0.3 * float(spread)
