from dataclasses import replace

import numpy as np
import pytest
import torch

from molvae.config import TrainConfig
from molvae.dataset import MoleculeDataset
from molvae.errors import MolvaeError
from molvae.model.cvae import ConditionalVAE
from molvae.train import gradients as gradients_module
from molvae.train.batches import collate
from molvae.train.gradients import Gradients
from molvae.train.learner import network
from molvae.train.objective import DrawnBatch, Terms, kl, terms
from molvae.train.precision import Precision
from molvae.train.processes import ALONE, Processes
from tests import tiny

FP32 = Precision.choose("fp32", torch.device("cpu"))


@pytest.fixture
def model(drug_dataset: MoleculeDataset) -> ConditionalVAE:
    return network(drug_dataset, tiny.MODEL, seed=0)


@pytest.fixture
def batch(drug_dataset: MoleculeDataset) -> DrawnBatch:
    """61 molecules: a number that nothing divides."""
    drawn = collate(drug_dataset, drug_dataset.members("train")[:61])
    generator = torch.Generator().manual_seed(1)
    return DrawnBatch.draw(drawn, generator, model=tiny.MODEL)


def gradients_of(
    model: ConditionalVAE, batch: DrawnBatch, config: TrainConfig
) -> tuple[torch.Tensor, np.ndarray]:
    """Return all gradients as one vector, and the sums of the loss's terms."""
    made = Gradients(
        model, config=config, precision=FP32, processes=ALONE, notice=lambda text: None
    )
    sums = made.compute(batch, beta=0.7, seed=3)
    found = [w.grad.flatten() for w in model.parameters() if w.grad is not None]
    assert len(found) == len(list(model.parameters()))
    return torch.cat(found), sums


@pytest.mark.parametrize("charged", [True, False])
@pytest.mark.parametrize("pieces", [2, 7, 61, 100])
def test_pieces_have_the_gradients_of_the_whole(
    pieces: int, charged: bool, model: ConditionalVAE, batch: DrawnBatch
) -> None:
    """Also where the free nats come between the KL of one piece and that of another."""
    each = kl(model, batch, FP32)
    mean = float(each.mean())
    assert float(each[:8].mean()) < mean < float(each.max())
    config = TrainConfig(free_nats=mean * (0.99 if charged else 1.01))
    whole, expected = gradients_of(model, batch, config)
    found, sums = gradients_of(model, batch, replace(config, accumulate=pieces))
    assert float((found - whole).norm() / whole.norm()) < 1e-6
    np.testing.assert_allclose(sums, expected, rtol=1e-6)
    other, _ = gradients_of(model, batch, replace(config, free_nats=0.0 if not charged else 1e3))
    assert float((other - whole).norm() / whole.norm()) > 1e-4, "the charge is seen in them"


def test_gradients_are_those_of_the_mean_loss(model: ConditionalVAE, batch: DrawnBatch) -> None:
    found, sums = gradients_of(model, batch, TrainConfig(free_nats=0.0, property_weight=0.5))
    model.zero_grad()
    reconstruction, divergence, error = terms(model, batch, FP32)
    (reconstruction + 0.7 * divergence + 0.5 * error).mean().backward()
    expected = torch.cat([weight.grad.flatten() for weight in model.parameters()])
    assert float((found - expected).norm() / expected.norm()) < 1e-6
    totals = [float(term.detach().sum()) for term in (reconstruction, divergence, error)]
    np.testing.assert_allclose(sums, [61, *totals], rtol=1e-5)


def memory_for(monkeypatch: pytest.MonkeyPatch, rows: int) -> list[int]:
    """Let the device run out of memory in the middle of larger passes; return the tries."""
    tries: list[int] = []

    def limited(model: ConditionalVAE, batch: DrawnBatch, precision: Precision) -> Terms:
        tries.append(len(batch.ids))
        found = terms(model, batch, precision)
        if len(batch.ids) > rows:
            found.kl.sum().backward()  # leaves gradients that must not count
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")
        return found

    monkeypatch.setattr(gradients_module, "terms", limited)
    return tries


def test_too_little_memory_halves_the_batch_says_so_once_and_changes_no_gradient(
    model: ConditionalVAE, batch: DrawnBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, expected = gradients_of(model, batch, TrainConfig())
    tries, said = memory_for(monkeypatch, 20), []
    made = Gradients(
        model, config=TrainConfig(), precision=FP32, processes=ALONE, notice=said.append
    )
    for _ in range(3):
        sums = made.compute(batch, beta=0.7, seed=3)
        found = torch.cat([weight.grad.flatten() for weight in model.parameters()])
        assert float((found - whole).norm() / whole.norm()) < 1e-6
        np.testing.assert_allclose(sums, expected, rtol=1e-6)
    assert tries == [61, 30, *[15, 15, 15, 16] * 3], "what did not fit is not tried again"
    assert len(said) == 1
    assert "no memory for 61 molecules at once: each step takes 4 pieces" in said[0]


def test_no_memory_for_a_single_molecule_is_an_error(
    model: ConditionalVAE, batch: DrawnBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory_for(monkeypatch, 0)
    with pytest.raises(MolvaeError, match=r"out of memory for a single molecule.*--device cpu"):
        gradients_of(model, batch, TrainConfig())


def test_process_without_memory_asks_the_others_no_more_than_they_expect(
    model: ConditionalVAE, batch: DrawnBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They wait at the same three sums: of the KL, of the gradients, of the terms."""
    sums: list[int] = []
    monkeypatch.setattr(Processes, "add_up", lambda self, values: sums.append(values.numel()))

    def backward(self: Precision, loss: torch.Tensor) -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")
        loss.backward()

    for fails in (False, True):
        tries, before = int(not fails), len(sums)
        monkeypatch.setattr(Precision, "backward", backward)
        made = Gradients(
            model,
            config=TrainConfig(),
            precision=FP32,
            processes=Processes(rank=1, size=2),
            notice=lambda text: None,
        )
        made.compute(batch, beta=0.7, seed=3)
        assert made.pieces == 1 + fails
        weights = sum(weight.numel() for weight in model.parameters())
        assert sums[before:] == [1, weights, 4]
