import math

import pytest
import torch

from molvae.config import TrainConfig
from molvae.model.losses import Elbo, property_loss, reconstruction_loss
from molvae.vocabulary import EOS, PAD

NAN = float("nan")


def test_reconstruction_is_in_nats_and_ignores_padding() -> None:
    """By hand: a molecule of probabilities 1/2 and 1/4, and one of 1/8; the rest is padding."""
    anything = [0.2] * 5
    p = torch.tensor(
        [
            [[0.1, 0.1, 0.1, 0.2, 0.5], [0.3, 0.3, 0.25, 0.05, 0.1], anything],
            [[0.375, 0.25, 0.125, 0.125, 0.125], [0.9, 0.025, 0.025, 0.025, 0.025], anything],
        ]
    )
    ids = torch.tensor([[4, EOS, PAD], [EOS, PAD, PAD]])
    loss = reconstruction_loss(p.log() + 3.0, ids)  # logits are free up to a constant
    torch.testing.assert_close(loss, torch.tensor([math.log(8.0), math.log(8.0)]))


def test_property_loss_is_half_the_squared_error_of_known_properties() -> None:
    predicted = torch.tensor([[1.0, 5.0], [0.0, 0.0]], requires_grad=True)
    loss = property_loss(predicted, torch.tensor([[3.0, NAN], [1.0, -2.0]]))
    assert loss.tolist() == pytest.approx([2.0, 2.5])
    loss.sum().backward()
    assert predicted.grad is not None
    assert predicted.grad.tolist() == [[-2.0, 0.0], [-1.0, 2.0]]


@pytest.mark.parametrize(
    ("free_nats", "mean_kl", "charged"),
    [(0.0, None, 8.0), (8.0, None, 8.0), (9.0, None, 9.0), (9.0, 9.5, 8.0), (7.0, 6.5, 7.0)],
)
def test_loss_is_the_weighted_sum_of_its_terms_and_free_nats_have_no_gradient(
    free_nats: float, mean_kl: float | None, charged: float
) -> None:
    kl = torch.tensor([6.0, 10.0], requires_grad=True)
    elbo = Elbo(torch.tensor([10.0, 20.0]), kl, torch.tensor([1.0, 3.0]))
    config = TrainConfig(free_nats=free_nats, property_weight=0.25)
    mean = None if mean_kl is None else torch.tensor(mean_kl)
    loss = elbo.loss(config, beta=0.5, mean_kl=mean)
    assert loss.item() == pytest.approx(15.0 + 0.5 * charged + 0.25 * 2.0)
    loss.backward()
    assert kl.grad is not None
    assert kl.grad.tolist() == ([0.25, 0.25] if charged == 8.0 else [0.0, 0.0])
