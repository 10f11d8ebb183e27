from dataclasses import replace

import pytest
import torch

from molvae.model.decoder import Decoder
from tests import tiny

CONFIG = tiny.MODEL


@pytest.mark.parametrize("layers", [1, 2, 3])
@torch.no_grad()
def test_step_by_step_equals_teacher_forcing(layers: int) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(layers)
        decoder = Decoder(replace(CONFIG, decoder_layers=layers), 11).eval()
        z, embedded = torch.randn(3, CONFIG.latent_size), torch.randn(3, CONFIG.condition_size)
        ids = torch.randint(0, 11, (3, 9))
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
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(layers)
        decoder = Decoder(replace(CONFIG, decoder_layers=layers, film=film), 11).eval()
        for norm in decoder.norms:  # as after training: they scale and shift
            torch.nn.init.normal_(norm.weight)
            torch.nn.init.normal_(norm.bias)
        if decoder.film is not None:
            torch.nn.init.normal_(decoder.film.weight)
        z, embedded = torch.randn(3, CONFIG.latent_size), torch.randn(3, CONFIG.condition_size)
        ids = torch.randint(0, 11, (3, 9))
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
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        decoder = Decoder(CONFIG, 11).eval()
        z, embedded = torch.randn(2, CONFIG.latent_size), torch.randn(2, CONFIG.condition_size)
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
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        plain = Decoder(CONFIG, 11).eval()
        z, embedded = torch.randn(2, CONFIG.latent_size), torch.randn(2, CONFIG.condition_size)
    film = Decoder(replace(CONFIG, film=True), 11).eval()
    film.load_state_dict(plain.state_dict(), strict=False)
    assert film.film is not None
    ids = torch.full((2, 4), 5)
    state, context = plain.start(z, embedded)
    before, _ = plain(state, context, ids)
    torch.testing.assert_close(film(state, context, ids)[0], before, rtol=0, atol=0)
    torch.nn.init.normal_(film.film.weight, std=0.1)
    written, _ = plain.lstms[0](plain.embedding(ids) + plain.at_input(context)[:, None], state[0])
    scaled = written * (1.0 + context @ film.film.weight.T)[:, None]
    expected = plain.output(scaled) + plain.at_output(context)[:, None]
    torch.testing.assert_close(film(state, context, ids)[0], expected)
    assert not torch.allclose(expected, before)


@torch.no_grad()
def test_dropout_is_for_training_only() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        decoder = Decoder(replace(CONFIG, decoder_layers=2, dropout=0.5), 11)
        z, embedded = torch.randn(2, CONFIG.latent_size), torch.randn(2, CONFIG.condition_size)
        ids = torch.full((2, 6), 5)
        start = decoder.start(z, embedded)
        first, second = (decoder(*start, ids)[0] for _ in range(2))
        assert not torch.equal(first, second)
        decoder.eval()
        first, second = (decoder(*start, ids)[0] for _ in range(2))
    assert torch.equal(first, second)
