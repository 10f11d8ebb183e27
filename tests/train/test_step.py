from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from molvae.config import TrainConfig
from molvae.dataset import MoleculeDataset
from molvae.errors import MolvaeError
from molvae.model.cvae import ConditionalVAE
from molvae.model.losses import Elbo
from molvae.presets import Preset
from molvae.train import step
from molvae.train.batches import DrawnBatch, collate
from molvae.train.precision import Precision
from molvae.train.processes import Processes
from molvae.train.step import Learner, elbo, encoder_kl
from tests import tiny

FP32 = Precision.choose("fp32", torch.device("cpu"))
Make = Callable[..., Learner]


@pytest.fixture
def make(drug_dataset: MoleculeDataset) -> Make:
    """Return what makes a learner whose weights are always the same."""

    def made(config: TrainConfig | None = None, **more: Any) -> Learner:
        train = replace(config or TrainConfig(), precision="fp32")
        return Learner(drug_dataset, Preset(tiny.MODEL, train), **more)

    return made


@pytest.fixture
def batch(drug_dataset: MoleculeDataset) -> DrawnBatch:
    """61 molecules: a number that nothing divides."""
    drawn = collate(drug_dataset, drug_dataset.members("train")[:61])
    generator = torch.Generator().manual_seed(1)
    return DrawnBatch.draw(drawn, generator, model=tiny.MODEL)


def gradients_of(learner: Learner, batch: DrawnBatch) -> tuple[torch.Tensor, np.ndarray]:
    """Return all gradients as one vector, and the sums of the loss's terms."""
    sums = learner.compute_gradients(batch, beta=0.7, seed=3).numpy()
    found = [w.grad.flatten() for w in learner.model.parameters() if w.grad is not None]
    assert len(found) == len(list(learner.model.parameters()))
    return torch.cat(found), sums


@pytest.mark.parametrize("charged", [True, False])
@pytest.mark.parametrize("pieces", [2, 7, 61, 100])
def test_pieces_have_the_gradients_of_the_whole(
    pieces: int, charged: bool, make: Make, batch: DrawnBatch
) -> None:
    """Also where the free nats come between the KL of one piece and that of another."""
    each = encoder_kl(make().model, batch, FP32)
    mean = float(each.mean())
    assert float(each[:8].mean()) < mean < float(each.max())
    config = TrainConfig(free_nats=mean * (0.99 if charged else 1.01))
    whole, expected = gradients_of(make(config), batch)
    found, sums = gradients_of(make(replace(config, accumulate=pieces)), batch)
    assert float((found - whole).norm() / whole.norm()) < 1e-6
    np.testing.assert_allclose(sums, expected, rtol=1e-6)
    other, _ = gradients_of(make(replace(config, free_nats=0.0 if not charged else 1e3)), batch)
    assert float((other - whole).norm() / whole.norm()) > 1e-4, "the charge is seen in them"


def test_gradients_are_those_of_the_mean_loss(make: Make, batch: DrawnBatch) -> None:
    learner = make(TrainConfig(free_nats=0.0, property_weight=0.5))
    found, sums = gradients_of(learner, batch)
    learner.model.zero_grad()
    reconstruction, divergence, error = elbo(learner.model, batch, FP32)
    (reconstruction + 0.7 * divergence + 0.5 * error).mean().backward()
    expected = torch.cat([weight.grad.flatten() for weight in learner.model.parameters()])
    assert float((found - expected).norm() / expected.norm()) < 1e-6
    totals = [float(term.detach().sum()) for term in (reconstruction, divergence, error)]
    np.testing.assert_allclose(sums, [61, *totals], rtol=1e-5)


def memory_for(monkeypatch: pytest.MonkeyPatch, rows: int) -> list[int]:
    """Let the device run out of memory in the middle of larger passes; return the tries."""
    tries: list[int] = []

    def limited(model: ConditionalVAE, batch: DrawnBatch, precision: Precision) -> Elbo:
        tries.append(len(batch.ids))
        found = elbo(model, batch, precision)
        if len(batch.ids) > rows:
            found.kl.sum().backward()  # leaves gradients that must not count
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")
        return found

    monkeypatch.setattr(step, "elbo", limited)
    return tries


def test_too_little_memory_halves_the_batch_with_one_notice_and_the_same_gradient(
    make: Make, batch: DrawnBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, expected = gradients_of(make(), batch)
    tries, said = memory_for(monkeypatch, 20), []
    learner = make(notice=said.append)
    for _ in range(3):
        found, sums = gradients_of(learner, batch)
        assert float((found - whole).norm() / whole.norm()) < 1e-6
        np.testing.assert_allclose(sums, expected, rtol=1e-6)
    assert tries == [61, 30, *[15, 15, 15, 16] * 3], "what did not fit is not tried again"
    assert len(said) == 1
    assert "no memory for 61 molecules at once: each step takes 4 pieces" in said[0]


def test_no_memory_for_a_single_molecule_is_an_error(
    make: Make, batch: DrawnBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory_for(monkeypatch, 0)
    with pytest.raises(MolvaeError, match=r"out of memory for a single molecule.*--device cpu"):
        gradients_of(make(), batch)


def test_process_without_memory_joins_no_more_sums_than_the_others(
    make: Make, batch: DrawnBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They wait at the same three sums: of the KL, of the gradients, of the terms."""
    sums: list[int] = []
    monkeypatch.setattr(Processes, "all_reduce", lambda self, values: sums.append(values.numel()))

    def scale(self: torch.amp.GradScaler, loss: torch.Tensor) -> torch.Tensor:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")
        return loss

    for fails in (False, True):
        tries, before = int(not fails), len(sums)
        monkeypatch.setattr(torch.amp.GradScaler, "scale", scale)
        learner = make(processes=Processes(rank=1, size=2))
        gradients_of(learner, batch)
        assert learner.pieces == 1 + fails
        weights = sum(weight.numel() for weight in learner.model.parameters())
        assert sums[before:] == [1, weights, 4]
