"""Rare classes: how often their molecules are drawn, while the head knows how rare they are."""

from pathlib import Path

import numpy as np
import pytest
import torch

from molvae.dataset import MoleculeDataset
from molvae.normalizer import PropertyNormalizer
from molvae.presets import Preset
from molvae.train.balance import MOST, repeats
from molvae.train.batches import DrawnBatch, collate
from molvae.train.step import Learner
from molvae.train.trainer import Trainer
from tests import tiny


def with_classes(dataset: MoleculeDataset, counts: dict[str, int]) -> MoleculeDataset:
    """Give the first training molecules a class each, in place of the properties."""
    training = dataset.members("train")
    values = np.full((dataset.size, len(counts)), np.nan, dtype=np.float32)
    begin = 0
    for column, count in enumerate(counts.values()):
        chosen = training[begin : begin + count]
        values[chosen] = np.eye(len(counts), dtype=np.float32)[column]
        begin += count
    names = [f"assay={word}" for word in counts]
    normalizer = PropertyNormalizer.fit(
        names, values[training].astype(float), classes={"assay": tuple(counts)}
    )
    return dataset._replace(properties=values, normalizer=normalizer)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ({"active": 6, "inactive": 194}, {"active": 4, "inactive": 1}),  # 24 of 218: 11 %
        ({"active": 2, "inactive": 218}, {"active": MOST, "inactive": 1}),
        ({"active": 30, "inactive": 100}, {"active": 1, "inactive": 1}),
        ({word: 20 for word in "abcdefghij"}, dict.fromkeys("abcdefghij", 1)),
    ],
)
def test_a_rare_class_is_repeated_up_to_a_tenth_of_the_draws(
    drug_dataset: MoleculeDataset, counts: dict[str, int], expected: dict[str, int]
) -> None:
    dataset = with_classes(drug_dataset, counts)
    training = dataset.members("train")
    times = repeats(dataset, training, share=0.1)
    rows = iter(times)
    for word, count in counts.items():
        assert {int(next(rows)) for _ in range(count)} == {expected[word]}
    assert set(rows) <= {1}, "a molecule without a class is drawn once"
    assert set(repeats(dataset, training, share=0.0)) == {1}


def test_numbers_and_properties_repeat_nothing(drug_dataset: MoleculeDataset) -> None:
    training = drug_dataset.members("train")
    assert set(repeats(drug_dataset, training, share=0.1)) == {1}


def test_a_repeated_molecule_counts_once_for_the_head(drug_dataset: MoleculeDataset) -> None:
    """The gradient of the property head is the one of each molecule once; the decoder's is not."""
    dataset = with_classes(drug_dataset, {"active": 6, "inactive": 194})
    members = dataset.members("train")[:24]
    times = repeats(dataset, dataset.members("train"), share=0.1)[:24]
    assert set(times) == {1, 4}

    def gradients(rows: np.ndarray, shares: np.ndarray) -> dict[str, torch.Tensor]:
        learner = Learner(dataset, Preset(tiny.MODEL, tiny.TRAIN))
        drawn = DrawnBatch.draw(
            collate(dataset, rows),
            torch.Generator().manual_seed(0),
            model=tiny.MODEL,
            shares=torch.from_numpy(shares.astype(np.float32)),
        )
        learner.compute_gradients(drawn, beta=0.0, seed=0)
        named = learner.model.named_parameters()
        return {n: len(rows) * w.grad for n, w in named if w.grad is not None}

    once = gradients(members, np.ones(len(members)))
    again = gradients(np.repeat(members, times), np.repeat(1 / times, times))
    heads = [name for name in once if "propert" in name]
    assert heads
    for name in heads:
        torch.testing.assert_close(again[name], once[name], rtol=1e-3, atol=1e-4)
    others = [name for name in once if name.startswith("decoder")]
    assert any(not torch.allclose(again[n], once[n], rtol=0.1) for n in others)


def test_a_training_draws_the_rare_class_more_often(
    drug_dataset: MoleculeDataset, tmp_path: Path
) -> None:
    dataset = with_classes(drug_dataset, {"active": 6, "inactive": 194})
    trainer = Trainer(dataset, tmp_path, Preset(tiny.MODEL, tiny.TRAIN))
    assert len(trainer.members) == len(dataset.members("train")) + 18
    drawn = [(batch.conditions[:, 0] > 0).sum().item() for batch, _ in trainer._remaining_batches()]
    assert sum(drawn) == 24
    assert sum(shares.sum().item() for _, shares in trainer._remaining_batches()) == pytest.approx(
        len(dataset.members("train"))
    )
