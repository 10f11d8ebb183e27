from collections.abc import Callable
from typing import Any

import pytest
import torch

from molvae.errors import ArtifactError
from molvae.model.losses import reconstruction_loss
from molvae.model.sampling import NEVER_SAMPLED, Prefix, Sampled, choose, sample, symbol_costs
from molvae.train.batches import Batch, collate
from molvae.vocabulary import BOS, EOS, PAD, UNK
from tests.conftest import Memorized

Draw = Callable[..., Sampled]

ROWS, STEPS = 16, 60
P = torch.tensor([[0.3, 0.05, 0.5, 0.15]])


@pytest.fixture
def batch(memorized: Memorized) -> Batch:
    return collate(memorized.dataset, memorized.dataset.members("validation")[:ROWS])


@pytest.fixture
def codes(memorized: Memorized) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(ROWS, memorized.model.config.latent_size, generator=generator)


def uniforms(seed: int = 0) -> torch.Tensor:
    return torch.rand(ROWS, STEPS, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def draw(memorized: Memorized, batch: Batch, codes: torch.Tensor) -> Draw:
    """A function that samples the rows, all by default, with uniforms of a seed."""

    def drawn(
        seed: int = 0, rows: Any = slice(None), steps: int = STEPS, **settings: Any
    ) -> Sampled:
        given = (codes[rows], batch.conditions[rows], uniforms(seed)[rows, :steps])
        return sample(memorized.model, *given, **{"temperature": 1.0, **settings})

    return drawn


def same(one: Sampled, other: Sampled) -> bool:
    return torch.equal(one.ids, other.ids)


def test_greedy_needs_no_randomness(draw: Draw) -> None:
    first, second, tiny = (
        draw(seed, temperature=temperature)
        for seed, temperature in ((0, 0.0), (1, 0.0), (2, 1e-300))
    )
    assert same(first, second)
    assert same(first, tiny)


def test_model_with_numbers_that_are_not_finite_samples_nothing(
    memorized: Memorized, batch: Batch, codes
) -> None:
    with pytest.raises(ArtifactError, match="not finite"):
        sample(memorized.model, codes * 1e39, batch.conditions, uniforms(), temperature=1.0)


def test_uniforms_are_the_only_randomness(draw: Draw) -> None:
    first, again, other = draw(0), draw(0), draw(1)
    assert same(first, again)
    assert torch.equal(first.nll, again.nll)
    assert not same(first, other)


def test_molecule_does_not_depend_on_the_rest_of_its_batch(draw: Draw) -> None:
    together = draw()
    for row in range(0, ROWS, 5):
        alone = draw(rows=[row])
        width = alone.ids.shape[1]
        assert torch.equal(together.ids[row, :width], alone.ids[0])
        assert bool((together.ids[row, width:] == PAD).all())


@pytest.mark.parametrize("guidance", [1.0, 1.5])
@pytest.mark.parametrize("live", [1, 3, 7, ROWS, 2 * ROWS])
def test_strings_that_replace_ended_ones_are_the_same_as_at_once(
    draw: Draw, live: int, guidance: float
) -> None:
    # Some end, some are cut off.
    together, in_turn = (draw(steps=30, guidance=guidance, live=rows) for rows in (None, live))
    assert 0 < int(together.ended.sum()) < ROWS
    assert same(together, in_turn)
    assert torch.equal(together.ended, in_turn.ended)
    torch.testing.assert_close(together.nll, in_turn.nll, rtol=1e-4, atol=1e-4)


def test_with_one_size_of_products_a_string_is_the_same_to_the_last_bit(draw: Draw) -> None:
    together, backwards = draw(live=8), draw(rows=list(range(ROWS))[::-1], live=8)
    assert torch.equal(together.nll, backwards.nll.flip(0))
    for row in range(0, ROWS, 5):
        assert torch.equal(draw(rows=[row], live=8).nll, together.nll[row : row + 1])


@pytest.mark.parametrize("temperature", [0.0, 1.0, 5.0])
def test_special_symbols_are_never_sampled(
    memorized: Memorized, draw: Draw, temperature: float
) -> None:
    bias = memorized.model.decoder.output.bias
    before = bias.detach().clone()
    try:
        with torch.no_grad():
            bias[NEVER_SAMPLED] += 50.0
        drawn = draw(temperature=temperature)
    finally:
        with torch.no_grad():
            bias.copy_(before)
    for ids in drawn.ids.tolist():
        written = ids[: ids.index(EOS)] if EOS in ids else ids
        assert not {PAD, BOS, UNK} & set(written)
        assert set(ids[len(written) + 1 :]) <= {PAD}


def test_ended_marks_molecules_with_an_end(draw: Draw) -> None:
    drawn = draw(steps=20)
    assert drawn.ids.shape == (ROWS, 20)
    assert torch.equal(drawn.ended, (drawn.ids == EOS).any(dim=1))
    assert 0 < int(drawn.ended.sum()) < ROWS


@pytest.mark.parametrize(("temperature", "top_p"), [(0.0, 1.0), (0.7, 1.0), (1.3, 0.8)])
def test_nll_is_the_teacher_forced_loss_of_the_sampled_symbols(
    memorized: Memorized, batch: Batch, codes, draw: Draw, temperature: float, top_p: float
) -> None:
    drawn = draw(temperature=temperature, top_p=top_p)
    with torch.no_grad():
        logits = memorized.model.decode(codes, batch.conditions, drawn.ids)
    logits[:, :, NEVER_SAMPLED] = -1e9
    torch.testing.assert_close(
        drawn.nll, reconstruction_loss(logits, drawn.ids), rtol=1e-4, atol=1e-3
    )


def prefixed(batch: Batch) -> torch.Tensor:
    """The first symbols of the molecules, from none in the first row to 15 in the last."""
    ids = batch.ids[:, : ROWS - 1].clone()
    ids[torch.arange(ids.shape[1])[None] >= torch.arange(ROWS)[:, None]] = PAD
    return ids.where(ids != EOS, PAD)


def test_string_begins_with_its_prefix_and_goes_on(batch: Batch, draw: Draw) -> None:
    given = prefixed(batch)
    drawn = draw(prefix=Prefix(given))
    for ids, begun in zip(drawn.ids.tolist(), given.tolist(), strict=True):
        length = len(begun) - begun.count(PAD)
        assert ids[:length] == begun[:length]
        assert ids[length] not in (EOS, PAD)


def test_barred_symbols_do_not_follow_a_prefix_but_may_come_later(batch: Batch, draw: Draw) -> None:
    given = batch.ids[:, :3]
    before = draw(prefix=Prefix(given)).ids
    symbol = int(before[:, 3].mode().values)
    after = draw(prefix=Prefix(given, (EOS, symbol))).ids
    assert symbol not in after[:, 3]
    assert symbol in after[:, 4:]


@pytest.mark.parametrize("guidance", [1.0, 1.5])
def test_likelihood_of_prefix_and_continuation_is_that_of_the_string(
    memorized: Memorized, batch: Batch, codes, draw: Draw, guidance: float
) -> None:
    drawn = draw(prefix=Prefix(prefixed(batch)), guidance=guidance)
    with torch.no_grad():
        logits = memorized.model.decode(codes, batch.conditions, drawn.ids)
    logits[:, :, NEVER_SAMPLED] = -1e9
    whole = reconstruction_loss(logits, drawn.ids)
    assert bool((drawn.prefix_nll[1:] > 0).all())
    assert drawn.prefix_nll[0] == 0
    torch.testing.assert_close(drawn.nll + drawn.prefix_nll, whole, rtol=1e-4, atol=1e-3)
    costs = symbol_costs(memorized.model, codes, batch.conditions, drawn.ids, noise=0.0, live=ROWS)
    torch.testing.assert_close(costs.sum(dim=1), whole, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("live", [3, 7, ROWS, 2 * ROWS])
def test_prefix_in_turn_writes_the_same_as_at_once(batch: Batch, draw: Draw, live: int) -> None:
    given = prefixed(batch)
    together, in_turn = (draw(prefix=Prefix(given), live=rows) for rows in (None, live))
    assert same(together, in_turn)
    backwards = list(range(ROWS))[::-1]
    turned = draw(rows=backwards, prefix=Prefix(given[backwards]), live=live)
    assert torch.equal(turned.nll, in_turn.nll.flip(0))
    assert torch.equal(turned.prefix_nll, in_turn.prefix_nll.flip(0))


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_symbols_are_as_frequent_as_their_probabilities(temperature: float) -> None:
    even = (torch.arange(10_000) + 0.5) / 10_000
    drawn = choose(P.log().expand(10_000, 4), even, temperature=temperature, top_p=1.0)
    expected = P[0] ** (1 / temperature)
    torch.testing.assert_close(
        torch.bincount(drawn, minlength=4) / 10_000, expected / expected.sum(), atol=2e-4, rtol=0
    )


@pytest.mark.parametrize(
    ("top_p", "expected"),
    [(0.01, {2}), (0.5, {2}), (0.6, {0, 2}), (0.8, {0, 2}), (0.9, {0, 2, 3}), (1.0, {0, 1, 2, 3})],
)
def test_top_p_leaves_the_likeliest_symbols_of_that_mass(top_p: float, expected: set[int]) -> None:
    even = (torch.arange(1000) + 0.5) / 1000
    drawn = choose(P.log().expand(1000, 4), even, temperature=1.0, top_p=top_p)
    assert set(drawn.tolist()) == expected
    kept = [p if symbol in expected else 0.0 for symbol, p in enumerate(P[0].tolist())]
    torch.testing.assert_close(
        torch.bincount(drawn, minlength=4) / 1000,
        torch.tensor(kept) / sum(kept),
        atol=2e-3,
        rtol=0,
    )


@pytest.mark.parametrize("uniform", [0.0, 1 - 2**-24])
def test_ends_of_the_unit_interval_sample_possible_symbols(uniform: float) -> None:
    logits = torch.tensor([[float("-inf"), 0.0, 0.0, float("-inf")]])
    drawn = choose(logits, torch.tensor([uniform]), temperature=1.0, top_p=1.0)
    assert drawn.tolist() == [1 if uniform == 0.0 else 2]
