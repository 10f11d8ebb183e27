import numpy as np
import pytest
import torch

from molvae.dataset import MoleculeDataset
from molvae.train.batches import CHUNK, collate, order
from molvae.vocabulary import EOS, PAD

LENGTHS = np.random.default_rng(0).integers(5, 60, 1003)


@pytest.mark.parametrize("batch_size", [1, 7, 64, 1003, 5000])
def test_each_molecule_comes_once_in_an_epoch(batch_size: int) -> None:
    batches = order(LENGTHS, batch_size, seed=0, epoch=0)
    assert sorted(np.concatenate(batches)) == list(range(len(LENGTHS)))
    assert len(batches) == -(-len(LENGTHS) // batch_size)
    assert sorted(map(len, batches))[1:] == [batch_size] * (len(batches) - 1)


def test_order_is_decided_by_seed_and_epoch() -> None:
    def dealt(seed: int, epoch: int) -> list[list[int]]:
        return [batch.tolist() for batch in order(LENGTHS, 64, seed=seed, epoch=epoch)]

    assert dealt(3, 5) == dealt(3, 5)
    assert dealt(3, 5) != dealt(3, 6)
    assert dealt(3, 5) != dealt(4, 5)
    together = [{frozenset(batch) for batch in dealt(3, epoch)} for epoch in (5, 6)]
    assert not together[0] & together[1], "the same molecules meet again"


def test_batches_hold_molecules_of_similar_length_in_no_order() -> None:
    lengths = np.random.default_rng(1).integers(5, 60, 64 * CHUNK * 2)
    batches = order(lengths, 64, seed=0, epoch=0)
    within = float(np.mean([np.ptp(lengths[batch]) for batch in batches]))
    assert within < 0.15 * np.ptp(lengths)
    means = [float(lengths[batch].mean()) for batch in batches]
    assert abs(np.corrcoef(means, range(len(means)))[0, 1]) < 0.5


def test_batch_holds_symbols_end_and_padding(drug_dataset: MoleculeDataset) -> None:
    members = np.array([5, 0, 9])
    ids, lengths, conditions = collate(drug_dataset, members)
    assert ids.dtype == torch.int64
    assert ids.shape[1] == int(lengths.max())
    for row, member in enumerate(members):
        molecule = drug_dataset.molecule(member).tolist()
        assert lengths[row] == len(molecule) + 1
        padding = ids.shape[1] - len(molecule) - 1
        assert ids[row].tolist() == [*molecule, EOS, *[PAD] * padding]
    expected = drug_dataset.normalizer.normalize(drug_dataset.properties[members])
    np.testing.assert_array_equal(conditions.numpy(), expected)
