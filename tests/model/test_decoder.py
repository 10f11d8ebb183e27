from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from molvae.model.decoder import Decoder
from tests import tiny

CONFIG = tiny.MODEL


def made(
    seed: int = 0, *, rows: int = 2, trained: bool = False, **changes: Any
) -> tuple[Decoder, Tensor, Tensor]:
    """Return a decoder of 11 symbols, latent codes and embedded conditions, all random."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        decoder = Decoder(replace(CONFIG, **changes), 11).eval()
        if trained:  # the norms scale and shift, and FiLM does something
            for name, weight in decoder.named_parameters():
                if name.startswith(("norms", "film")):
                    torch.nn.init.normal_(weight)
        z, embedded = (torch.randn(rows, n) for n in (CONFIG.latent_size, CONFIG.condition_size))
    return decoder, z, embedded


def random_ids(seed: int) -> Tensor:
    return torch.randint(0, 11, (3, 9), generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("layers", [1, 2, 3])
@torch.no_grad()
def test_step_by_step_equals_teacher_forcing(layers: int) -> None:
    decoder, z, embedded = made(layers, rows=3, decoder_layers=layers)
    ids = random_ids(layers)
    state, context = decoder.start(z, embedded)
    whole, last = decoder(state, context, ids)
    steps = []
    for step in range(ids.shape[1]):
        logits, state = decoder(state, context, ids[:, step : step + 1])
        steps.append(logits)
    torch.testing.assert_close(torch.cat(steps, dim=1), whole, rtol=1e-5, atol=1e-5)
    for one, other in zip(state, last, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("film", [False, True])
@pytest.mark.parametrize("layers", [1, 2, 3])
@torch.no_grad()
def test_the_stepper_equals_teacher_forcing(layers: int, film: bool) -> None:
    decoder, z, embedded = made(layers, rows=3, trained=True, decoder_layers=layers, film=film)
    ids = random_ids(layers)
    state, context = decoder.start(z, embedded)
    whole, last = decoder(state, context, ids)
    stepper = decoder.stepper()
    rows = stepper.begin(state, context)
    steps = [stepper.step(rows, column) for column in ids.T]
    torch.testing.assert_close(torch.stack(steps, dim=1), whole, rtol=1e-5, atol=1e-5)
    states = [*(hidden[0] for hidden, _ in last), *(cell[0] for _, cell in last)]
    for one, other in zip(rows[: 2 * layers], states, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_code_and_conditions_enter_every_step() -> None:
    """A different code matters even for the state that is carried over from the same start."""
    decoder, z, embedded = made()
    ids = torch.full((2, 4), 5)
    state, context = decoder.start(z, embedded)
    plain, _ = decoder(state, context, ids)
    for column in (0, CONFIG.latent_size):  # the first of z, the first of the conditions
        other = context.clone()
        other[:, column] += 1.0
        changed, _ = decoder(state, other, ids)
        assert bool(((changed - plain).abs().amax(dim=2) > 1e-6).all())


@torch.no_grad()
def test_film_begins_as_a_decoder_without_it_and_then_scales_each_unit() -> None:
    plain, z, embedded = made()
    film = Decoder(replace(CONFIG, film=True), 11).eval()
    film.load_state_dict(plain.state_dict(), strict=False)
    assert film.film is not None
    ids = torch.full((2, 4), 5)
    state, context = plain.start(z, embedded)
    before, _ = plain(state, context, ids)
    torch.testing.assert_close(film(state, context, ids)[0], before, rtol=0, atol=0)
    generator = torch.Generator().manual_seed(1)
    torch.nn.init.normal_(film.film.weight, std=0.1, generator=generator)
    written, _ = plain.lstms[0](plain.embedding(ids) + plain.at_input(context)[:, None], state[0])
    scaled = written * (1.0 + context @ film.film.weight.T)[:, None]
    expected = plain.output(scaled) + plain.at_output(context)[:, None]
    torch.testing.assert_close(film(state, context, ids)[0], expected)
    assert not torch.allclose(expected, before)


@torch.no_grad()
def test_dropout_is_for_training_only() -> None:
    decoder, z, embedded = made(decoder_layers=2, dropout=0.5)
    ids = torch.full((2, 6), 5)
    start = decoder.start(z, embedded)
    decoder.train()
    first, second = (decoder(*start, ids)[0] for _ in range(2))
    assert not torch.equal(first, second)
    decoder.eval()
    first, second = (decoder(*start, ids)[0] for _ in range(2))
    assert torch.equal(first, second)
