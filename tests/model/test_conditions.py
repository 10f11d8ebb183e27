import pytest
import torch

from molvae.model.conditions import ConditionEmbedding, drop_conditions

NAN = float("nan")


@pytest.fixture
def embedding() -> ConditionEmbedding:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return ConditionEmbedding(3, 8)


@torch.no_grad()
def test_unspecified_is_neither_zero_nor_average(embedding: ConditionEmbedding) -> None:
    unspecified = embedding(torch.tensor([[NAN, 1.0, NAN]]))
    zero = embedding(torch.tensor([[0.0, 1.0, 0.0]]))
    assert torch.isfinite(unspecified).all()
    assert float((unspecified - zero).abs().max()) > 1e-4


def test_hidden_value_has_no_influence(embedding: ConditionEmbedding) -> None:
    """Whatever stood behind the mask, the embedding and the gradients are the same."""
    values = torch.tensor([[1.0, 2.0, 3.0]])
    outcomes = []
    for behind in (2.0, -50.0):
        changed = values.clone()
        changed[0, 1] = behind
        embedding.zero_grad()
        features = embedding(changed.masked_fill(torch.tensor([[False, True, False]]), NAN))
        features.sum().backward()
        gradients = [weight.grad.clone() for weight in embedding.parameters()]
        assert all(torch.isfinite(gradient).all() for gradient in gradients)
        outcomes.append([features.detach(), *gradients])
    for one, other in zip(*outcomes, strict=True):
        assert torch.equal(one, other)


def test_dropping_keeps_a_uniform_number_and_every_property_as_often() -> None:
    rows, count = 20_000, 4
    conditions = torch.arange(rows * count, dtype=torch.float32).view(rows, count)
    hidden = drop_conditions(conditions, torch.Generator().manual_seed(0))
    shown = ~torch.isnan(hidden)
    assert torch.equal(hidden[shown], conditions[shown])
    kept = torch.bincount(shown.sum(dim=1), minlength=count + 1) / rows
    torch.testing.assert_close(kept, torch.full((count + 1,), 1 / (count + 1)), atol=0.015, rtol=0)
    torch.testing.assert_close(
        shown.float().mean(dim=0), torch.full((count,), 0.5), atol=0.015, rtol=0
    )


def test_the_columns_of_a_class_label_are_dropped_together_and_count_as_one_property() -> None:
    rows, groups = 20_000, (0, 1, 1, 1, 2)
    conditions = torch.arange(rows * 5, dtype=torch.float32).view(rows, 5)
    hidden = drop_conditions(conditions, torch.Generator().manual_seed(0), groups=groups)
    shown = ~torch.isnan(hidden)
    assert torch.equal(hidden[shown], conditions[shown])
    assert torch.equal(shown[:, 1:2].expand(-1, 3), shown[:, 1:4])
    kept = torch.bincount(shown[:, [0, 1, 4]].sum(dim=1), minlength=4) / rows
    torch.testing.assert_close(kept, torch.full((4,), 0.25), atol=0.015, rtol=0)
    torch.testing.assert_close(shown.float().mean(dim=0), torch.full((5,), 0.5), atol=0.015, rtol=0)


def test_without_class_labels_the_same_random_numbers_drop_the_same_columns() -> None:
    """A training is repeated exactly: neither the draws nor what comes after them may move."""
    conditions = torch.ones(4, 3)
    for groups in (None, (0, 1, 2)):
        generator = torch.Generator().manual_seed(7)
        keep = torch.randint(0, 4, (4, 1), generator=generator)
        rank = torch.rand(4, 3, generator=generator).argsort(dim=1).argsort(dim=1)
        after = torch.rand(1, generator=generator)
        generator.manual_seed(7)
        hidden = drop_conditions(conditions, generator, groups=groups)
        assert torch.equal(torch.isnan(hidden), rank >= keep)
        assert torch.equal(torch.rand(1, generator=generator), after)


def test_without_properties_nothing_is_dropped() -> None:
    for groups in (None, ()):
        assert drop_conditions(torch.ones(3, 0), torch.Generator(), groups=groups).shape == (3, 0)


def test_dropping_depends_on_the_generator_and_leaves_its_argument_alone() -> None:
    conditions = torch.ones(50, 3)
    first, again, other = (
        drop_conditions(conditions, torch.Generator().manual_seed(s)) for s in (5, 5, 6)
    )
    assert torch.equal(torch.isnan(first), torch.isnan(again))
    assert not torch.equal(torch.isnan(first), torch.isnan(other))
    assert not torch.isnan(conditions).any()


def test_unknown_labels_stay_unknown() -> None:
    conditions = torch.tensor([[1.0, NAN]]).repeat(100, 1)
    assert torch.isnan(drop_conditions(conditions, torch.Generator().manual_seed(0))[:, 1]).all()
