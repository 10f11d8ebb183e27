import pytest
import torch

from molvae.model.encoder import LOG_VAR_RANGE, Encoder
from molvae.vocabulary import PAD
from tests import tiny

IDS = torch.tensor([[4, 5, 6, 7, 2, PAD, PAD], [5, 5, 4, 4, 6, 7, 2]])
LENGTHS = torch.tensor([5, 7])


@pytest.fixture
def encoder() -> Encoder:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Encoder(tiny.MODEL, 9).eval()


@torch.no_grad()
def test_symbols_after_the_end_have_no_influence(encoder: Encoder) -> None:
    other = IDS.clone()
    other[0, 5:] = torch.tensor([8, 3])
    torch.testing.assert_close(encoder(IDS, LENGTHS), encoder(other, LENGTHS))


@torch.no_grad()
@pytest.mark.parametrize("position", range(5))
def test_every_symbol_has_influence(encoder: Encoder, position: int) -> None:
    other = IDS.clone()
    other[0, position] = 8
    difference = (encoder(other, LENGTHS).mean - encoder(IDS, LENGTHS).mean).abs().amax(dim=1)
    assert float(difference[0]) > 1e-5
    assert float(difference[1]) == 0.0


@torch.no_grad()
def test_backward_lstm_starts_at_each_molecules_own_end(encoder: Encoder) -> None:
    """With both readers alike, a molecule and its mirror image have the same code but for order."""
    encoder.backwards.load_state_dict(encoder.forwards.state_dict())
    size = tiny.MODEL.encoder_size
    seen = []
    encoder.norm.register_forward_hook(lambda module, given, out: seen.append(given[0]))
    encoder(IDS, LENGTHS)
    mirrored = torch.stack([torch.cat([IDS[0, :5].flip(0), IDS[0, 5:]]), IDS[1].flip(0)])
    encoder(mirrored, LENGTHS)
    there, back = seen
    torch.testing.assert_close(there[:, : 3 * size], back[:, 3 * size :])
    torch.testing.assert_close(there[:, 3 * size :], back[:, : 3 * size])


@torch.no_grad()
def test_log_variance_stays_in_its_range(encoder: Encoder) -> None:
    encoder.log_var.bias.copy_(torch.linspace(-100, 100, tiny.MODEL.latent_size))
    log_var = encoder(IDS, LENGTHS).log_var
    assert (float(log_var.min()), float(log_var.max())) == LOG_VAR_RANGE
