import numpy as np
import pytest
import torch

from molvae.checkpoint import Checkpoint
from molvae.train.batches import collate
from molvae.train.package import MAX_INDEX_ERROR, build_checkpoint
from molvae.train.priors import fit_joint_gaussian
from molvae.training_index import BloomFilter
from tests import tiny
from tests.conftest import Memorized


@pytest.fixture(scope="module")
def packed(memorized: Memorized) -> Checkpoint:
    model, dataset = memorized
    return build_checkpoint(model, dataset, train=tiny.TRAIN, trained={"epoch": 3})


def test_index_holds_exactly_the_training_molecules(
    packed: Checkpoint, memorized: Memorized
) -> None:
    dataset = memorized.dataset
    known = packed.index.contains(dataset.hashes)
    np.testing.assert_array_equal(np.flatnonzero(known), dataset.members("train"))


def test_molecules_of_an_earlier_training_are_not_novel_either(memorized: Memorized) -> None:
    model, dataset = memorized
    before = np.arange(10_000, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    packed = build_checkpoint(
        model, dataset, train=tiny.TRAIN, trained={}, earlier=BloomFilter.of(before)
    )
    assert packed.index.contains(before).all()
    assert packed.index.contains(dataset.hashes[dataset.members("train")]).all()
    assert packed.index.error_rate < MAX_INDEX_ERROR
    assert packed.provenance["novel_against"].endswith("that of the model it began with")


def test_an_index_too_small_for_both_sets_holds_the_new_one_alone(memorized: Memorized) -> None:
    model, dataset = memorized
    packed = build_checkpoint(
        model, dataset, train=tiny.TRAIN, trained={}, earlier=BloomFilter.of(dataset.hashes[:9])
    )
    known = packed.index.contains(dataset.hashes)
    np.testing.assert_array_equal(np.flatnonzero(known), dataset.members("train"))
    assert "alone" in packed.provenance["novel_against"]


def test_prior_is_that_of_the_training_codes(packed: Checkpoint, memorized: Memorized) -> None:
    model, dataset = memorized
    batch = collate(dataset, dataset.members("train"))
    with torch.inference_mode():
        mean, log_var = model.encode(batch.ids, batch.lengths)
    prior = fit_joint_gaussian(model, dataset, seed=0)
    size = model.config.latent_size
    expected = mean.double().T.cov(correction=0) + torch.diag(log_var.double().exp().mean(dim=0))
    torch.testing.assert_close(prior.mean[:size], mean.double().mean(dim=0), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(prior.covariance[:size, :size], expected, rtol=1e-3, atol=1e-3)
    for name, array in prior.arrays().items():
        np.testing.assert_array_equal(array, packed.prior.arrays()[name])


def test_few_molecules_are_enough_for_a_prior(memorized: Memorized) -> None:
    prior = fit_joint_gaussian(memorized.model, memorized.dataset, seed=0, limit=5)
    noise = torch.randn(20, memorized.model.config.latent_size)
    assert torch.isfinite(prior.sample(torch.zeros(20, 4), noise)).all()


def test_provenance_describes_data_training_and_health(
    packed: Checkpoint, memorized: Memorized
) -> None:
    provenance, dataset = packed.provenance, memorized.dataset
    assert provenance["dataset"] == dataset.fingerprint
    assert provenance["training_molecules"] == dataset.size - 32
    assert provenance["longest"] == int(dataset.lengths[dataset.members("train")].max())
    assert provenance["trained"] == {"epoch": 3}
    assert provenance["train"]["batch_size"] == tiny.TRAIN.batch_size
    assert provenance["constraints_hash"] == dataset.provenance["constraints_hash"]
    assert provenance["health"]["molecules"] == 32
    assert provenance["head"]["split"] == "validation"
    assert provenance["head"]["errors"]["LogP"]["molecules"] == 32
    assert provenance["novel_against"] == "the training set"
    assert provenance["health"]["passed"]["kl"] is True
    assert set(provenance["trainer_versions"]) == {"molvae", "torch", "numpy", "safetensors"}
