"""The steps of the optimizers, and their schedules."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from molvae.config import TrainConfig
from molvae.dataset import MoleculeDataset
from molvae.model.cvae import ConditionalVAE
from molvae.presets import PRESETS
from molvae.train.batches import DrawnBatch, collate
from molvae.train.optimizer import (
    Muon,
    kl_weight,
    learning_rate,
    make_optimizer,
    orthogonalized,
)
from molvae.train.precision import Precision
from molvae.train.step import elbo, untrained
from tests import tiny

PRODUCTS = pytest.mark.parametrize("products", [torch.float32, torch.bfloat16])
TRAIN = TrainConfig(learning_rate=0.01, weight_decay=0.0, precision="fp32")


def with_gradients(dataset: MoleculeDataset) -> ConditionalVAE:
    """Return an untrained model with the gradients of 64 molecules."""
    model = untrained(dataset, tiny.MODEL, seed=0)
    batch = collate(dataset, dataset.members("train")[:64])
    generator = torch.Generator().manual_seed(0)
    drawn = DrawnBatch.draw(batch, generator, model=tiny.MODEL, groups=dataset.normalizer.groups)
    found = elbo(model, drawn, Precision.choose("fp32", torch.device("cpu")))
    (found.reconstruction + found.kl + found.property_error).mean().backward()
    return model


def steps_of(model: ConditionalVAE, train: TrainConfig) -> dict[str, Tensor]:
    """Return how far each weight goes in one step."""
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    make_optimizer(model, train).step()
    return {name: weight.detach() - before[name] for name, weight in model.named_parameters()}


def test_orthogonalizing_keeps_directions_and_equalizes_their_lengths(
    drug_dataset: MoleculeDataset,
) -> None:
    gradient = with_gradients(drug_dataset).decoder.lstms[0].weight_hh_l0.grad
    assert gradient is not None
    gates = gradient.view(4, -1, gradient.shape[1])
    u, sizes, v = torch.linalg.svd(gates)
    along = (u.mT @ orthogonalized(gates) @ v.mT).diagonal(dim1=1, dim2=2)
    strong = sizes > 0.01 * sizes.amax(dim=1, keepdim=True)
    assert sizes[strong].max() > 30 * sizes[strong].min()
    assert along[strong].min() > 0.4
    assert along[strong].max() < 1.6
    assert torch.dist((u * along[:, None, :]) @ v, orthogonalized(gates)) < 1e-3


@pytest.mark.parametrize("shape", [(1, 48, 16), (1, 16, 48), (4, 24, 24), (1, 8, 1)])
def test_orthogonalizing_keeps_the_shape(shape: tuple[int, int, int]) -> None:
    matrices = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    found = orthogonalized(matrices)
    assert found.shape == shape
    assert 0.4 < torch.linalg.svdvals(found).min() <= torch.linalg.svdvals(found).max() < 1.6


@pytest.mark.parametrize("shape", [(200, 1, 128), (200, 128, 1), (200, 8, 128)])
@pytest.mark.parametrize("spread", [1.0, 1e-3])
@PRODUCTS
def test_narrow_matrices_and_those_of_nearly_one_direction_do_not_explode(
    products: torch.dtype, shape: tuple[int, int, int], spread: float
) -> None:
    generator = torch.Generator().manual_seed(2)
    one = torch.randn(shape[0], shape[1], 1, generator=generator) @ torch.randn(
        shape[0], 1, shape[2], generator=generator
    )
    matrices = one + spread * torch.randn(shape, generator=generator)
    assert torch.linalg.matrix_norm(orthogonalized(matrices, products), ord=2).max() < 1.6


def test_bfloat16_gives_nearly_the_direction_of_float32(drug_dataset: MoleculeDataset) -> None:
    gradient = with_gradients(drug_dataset).decoder.lstms[0].weight_hh_l0.grad
    assert gradient is not None
    gates = gradient.view(4, -1, gradient.shape[1])
    exact, rounded = orthogonalized(gates), orthogonalized(gates, torch.bfloat16)
    assert rounded.dtype == torch.float32
    assert torch.cosine_similarity(exact.flatten(), rounded.flatten(), dim=0) > 0.98


def test_no_gradient_is_no_step() -> None:
    assert not orthogonalized(torch.zeros(1, 4, 4)).any()


def test_matrices_step_as_far_as_adamw_takes_them_and_the_rest_as_adamw_does(
    drug_dataset: MoleculeDataset,
) -> None:
    model = with_gradients(drug_dataset)
    ours = steps_of(model, TRAIN)
    model.load_state_dict(untrained(drug_dataset, tiny.MODEL, seed=0).state_dict())
    theirs = steps_of(model, replace(TRAIN, optimizer="adamw"))
    moved = {name for name in ours if not torch.equal(ours[name], theirs[name])}
    assert moved == {
        name
        for name, weight in model.named_parameters()
        if weight.dim() > 1
        and "embedding.weight" not in name
        and not name.startswith(("decoder.output", "decoder.at_output"))
    }
    for name in moved:
        assert 0.5 < ours[name].square().mean().sqrt() / (0.2 * TRAIN.learning_rate) < 1.6, name


def test_large_gradients_of_a_gate_do_not_change_the_steps_of_others(
    drug_dataset: MoleculeDataset,
) -> None:
    model = with_gradients(drug_dataset)
    name = "encoder.forwards.weight_hh_l0"
    even = steps_of(model, TRAIN)[name].chunk(4)
    weight = model.get_parameter(name)
    assert weight.grad is not None
    weight.grad[: len(weight) // 4] *= 1000
    loud = steps_of(model, TRAIN)[name].chunk(4)
    for one, other in zip(even, loud, strict=True):
        torch.testing.assert_close(one, other, atol=2e-5, rtol=0.0)  # of .002


def test_decay_shrinks_matrices_and_nothing_else(drug_dataset: MoleculeDataset) -> None:
    model = untrained(drug_dataset, tiny.MODEL, seed=0)
    for weight in model.parameters():
        weight.grad = torch.zeros_like(weight)
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    make_optimizer(model, replace(TRAIN, weight_decay=0.5)).step()
    for name, weight in model.named_parameters():
        kept = 1.0 - 0.5 * TRAIN.learning_rate if weight.dim() > 1 else 1.0
        torch.testing.assert_close(weight.detach(), kept * before[name], msg=name)


def test_a_weight_without_a_gradient_stays(drug_dataset: MoleculeDataset) -> None:
    model = with_gradients(drug_dataset)
    model.get_parameter("encoder.forwards.weight_hh_l0").grad = None
    assert not steps_of(model, TRAIN)["encoder.forwards.weight_hh_l0"].any()


def test_every_weight_belongs_to_one_group(drug_dataset: MoleculeDataset) -> None:
    model = untrained(drug_dataset, tiny.MODEL, seed=0)
    optimizer = make_optimizer(model, TRAIN)
    assert isinstance(optimizer, Muon)
    listed = [id(weight) for group in optimizer.param_groups for weight in group["params"]]
    assert sorted(listed) == sorted(map(id, model.parameters()))
    lstms = sum(isinstance(module, nn.LSTM) for module in model.modules())
    assert sum(len(g["params"]) for g in optimizer.param_groups if g["blocks"] == 4) == 2 * lstms


SCHEDULED = TrainConfig(
    learning_rate=0.01, warmup=0.1, final_rate=0.02, beta=0.5, kl_hold=0.1, kl_warmup=0.2
)
STEPS = [step / 1000 for step in range(1001)]


@pytest.mark.parametrize(
    ("schedule", "rates"),
    [
        ("cosine", {0.05: 0.005, 0.1: 0.01, 0.55: 0.01 * (0.02 + 0.98 / 2), 1.0: 0.0002}),
        ("linear", {0.05: 0.005, 0.55: 0.01 * (0.02 + 0.98 / 2), 0.775: 0.01 * (0.02 + 0.98 / 4)}),
    ],
)
def test_learning_rate_rises_in_a_line_and_falls(schedule: str, rates: dict[float, float]) -> None:
    config = replace(SCHEDULED, schedule=schedule)
    for progress, rate in {**rates, 1.0: 0.0002}.items():
        assert learning_rate(config, progress) == pytest.approx(rate), progress
    found = [learning_rate(config, progress) for progress in STEPS]
    assert found[:100] == sorted(found[:100])
    assert found[100:] == sorted(found[100:], reverse=True)
    assert min(found) > 0


@pytest.mark.parametrize("epochs", [2, 1000])
def test_a_constant_schedule_does_not_depend_on_its_end(epochs: int) -> None:
    config = replace(SCHEDULED, schedule="constant", epochs=epochs)
    assert learning_rate(config, 0.05 / epochs) == pytest.approx(0.005)
    assert [learning_rate(config, done / epochs) for done in (0.1, 0.5, 1.5, 2.0)] == [0.01] * 4


def test_kl_weight_waits_rises_and_stays() -> None:
    assert [kl_weight(SCHEDULED, progress) for progress in (0.0, 0.05, 0.0999)] == [0.0] * 3
    assert kl_weight(SCHEDULED, 0.2) == pytest.approx(0.25)
    assert [kl_weight(SCHEDULED, progress) for progress in (0.31, 0.9, 1.0)] == [0.5] * 3
    weights = [kl_weight(SCHEDULED, progress) for progress in STEPS]
    assert weights == sorted(weights)


def test_ramps_of_no_length_are_steps() -> None:
    config = TrainConfig(learning_rate=0.01, warmup=0.0, beta=0.5, kl_hold=0.1, kl_warmup=0.0)
    assert learning_rate(config, 0.0) == pytest.approx(0.01)
    assert kl_weight(config, 0.0999) == 0.0
    assert kl_weight(config, 0.1) == 0.5


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_reach_their_full_kl_weight_before_half_time(preset: str) -> None:
    train = PRESETS[preset][1]
    assert kl_weight(train, 0.0) == 0.0
    assert kl_weight(train, 0.5) == train.beta
