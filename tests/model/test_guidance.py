"""Guidance on the logits: none is no change, more leans further toward the conditions."""

import pytest
import torch

from molvae.config import ModelConfig
from molvae.model.cvae import ConditionalVAE
from molvae.model.sampling import sample
from molvae.vocabulary import BOS, PAD, UNK

VOCABULARY, ROWS, STEPS = 12, 64, 8
ASKED = torch.full((ROWS, 1), 2.0)
FREE = torch.full((ROWS, 1), float("nan"))


@pytest.fixture
def model() -> ConditionalVAE:
    config = ModelConfig(
        symbol_size=8, encoder_size=8, decoder_size=16, decoder_layers=1, latent_size=4
    )
    with torch.random.fork_rng():
        torch.manual_seed(1)
        made = ConditionalVAE(config, VOCABULARY, 1).eval()
        # Let the condition speak at the output, as a trained model does.
        torch.nn.init.normal_(made.decoder.at_output.weight, std=0.5)
        return made


def draw(model: ConditionalVAE, conditions: torch.Tensor, guidance: float) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(ROWS, 4, generator=generator)
    uniforms = torch.rand(ROWS, STEPS, generator=generator, dtype=torch.float64)
    return sample(model, z, conditions, uniforms, temperature=1.0, guidance=guidance).ids


def log_odds(model: ConditionalVAE, ids: torch.Tensor) -> float:
    """How much likelier the first symbols are with the conditions than without."""
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(ROWS, 4, generator=generator)
    with torch.inference_mode():
        given, free = (
            model.decode(z, c, ids[:, :1])[:, 0].log_softmax(1).gather(1, ids[:, :1]).mean()
            for c in (ASKED, FREE)
        )
    return float(given - free)


def test_guidance_of_one_changes_nothing(model: ConditionalVAE) -> None:
    z, uniforms = torch.zeros(ROWS, 4), torch.full((ROWS, STEPS), 0.4, dtype=torch.float64)
    plain = sample(model, z, ASKED, uniforms, temperature=1.0)
    guided = sample(model, z, ASKED, uniforms, temperature=1.0, guidance=1.0)
    assert torch.equal(plain.ids, guided.ids)


def test_guidance_without_conditions_changes_nothing(model: ConditionalVAE) -> None:
    assert torch.equal(draw(model, FREE, 1.0), draw(model, FREE, 3.0))


def test_guidance_of_zero_ignores_the_conditions(model: ConditionalVAE) -> None:
    assert torch.equal(draw(model, ASKED, 0.0), draw(model, FREE, 1.0))


def test_more_guidance_follows_the_conditions_more_closely(model: ConditionalVAE) -> None:
    leanings = [log_odds(model, draw(model, ASKED, w)) for w in (0.0, 1.0, 3.0)]
    assert leanings[0] < leanings[1] < leanings[2]


def test_guidance_samples_no_special_symbols(model: ConditionalVAE) -> None:
    ids = draw(model, ASKED, 5.0)
    assert not torch.isin(ids, torch.tensor([BOS, UNK])).any()
    assert not (ids[:, 0] == PAD).any()


def test_the_likelihood_reported_is_the_models_own(model: ConditionalVAE) -> None:
    z, uniforms = torch.zeros(ROWS, 4), torch.rand(ROWS, STEPS, dtype=torch.float64)
    plain = sample(model, z, ASKED, uniforms, temperature=0.0)
    guided = sample(model, z, ASKED, uniforms, temperature=0.0, guidance=1.0 + 1e-9)
    assert torch.equal(plain.ids, guided.ids)
    torch.testing.assert_close(plain.nll, guided.nll)
