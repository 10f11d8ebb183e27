"""The flow prior, on codes whose distribution is known."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from molvae.config import PriorConfig
from molvae.errors import ArtifactError
from molvae.model.flow import FlowPrior
from molvae.model.latent import corrupt
from molvae.train.encoding import Codes
from molvae.train.flow import fit_flow

NAN = float("nan")
CONFIG = PriorConfig(prior="flow", flow_size=48, flow_blocks=2, flow_steps=900, flow_batch_size=256)
N = 4000


@pytest.fixture(scope="module")
def codes() -> Codes:
    """Two clumps, three apart in the first dimension: the property tells which, a rest is free."""
    generator = torch.Generator().manual_seed(0)
    side = torch.randint(0, 2, (N,), generator=generator) * 2.0 - 1.0
    means = 0.4 * torch.randn(N, 2, generator=generator)
    means[:, 0] += 1.5 * side
    unknown = torch.full((N,), NAN)
    return Codes(means, torch.full((N, 2), -6.0), torch.stack([side, unknown], dim=1))


@pytest.fixture(scope="module")
def flow(codes: Codes) -> FlowPrior:
    fitted = fit_flow(codes, CONFIG, groups=(0, 1), device=torch.device("cpu"), seed=0)
    assert fitted is not None
    return fitted


def drawn(flow: FlowPrior, value: float, *, level: float = 0.0, n: int = 1500) -> Tensor:
    noise = torch.randn(n, 2, generator=torch.Generator().manual_seed(1))
    asked = torch.tensor([[value, NAN]]).expand(n, 2)
    return flow.sample(asked, noise, level=level)


def test_free_codes_lie_in_both_clumps_and_not_between(flow: FlowPrior) -> None:
    first = drawn(flow, NAN)[:, 0]
    assert 0.4 < (first > 0).float().mean() < 0.6
    assert (first.abs() < 0.6).float().mean() < 0.06  # a Gaussian as wide has 30 % there
    assert first.std() == pytest.approx((1.5**2 + 0.4**2) ** 0.5, rel=0.07)


def test_property_asked_for_chooses_the_clump(flow: FlowPrior) -> None:
    assert (drawn(flow, 1.0)[:, 0] > 0).float().mean() > 0.97
    assert (drawn(flow, -1.0)[:, 0] < 0).float().mean() > 0.97


def test_guidance_drives_codes_further(flow: FlowPrior) -> None:
    half = replace(CONFIG, flow_guidance=0.0)
    heedless = drawn(FlowPrior(flow.velocity, half), 1.0)[:, 0]
    torch.testing.assert_close(heedless, drawn(flow, NAN)[:, 0])
    stronger = FlowPrior(flow.velocity, replace(CONFIG, flow_guidance=2.0))
    assert drawn(stronger, 1.0)[:, 0].mean() > drawn(flow, 1.0)[:, 0].mean()


@pytest.mark.parametrize("level", [0.3, 0.6])
def test_path_cut_short_gives_codes_as_noisy_as_blended_ones(
    flow: FlowPrior, codes: Codes, level: float
) -> None:
    generator = torch.Generator().manual_seed(2)
    blended = corrupt(codes.means, torch.randn(N, 2, generator=generator), torch.full((N,), level))
    found = drawn(flow, NAN, level=level)
    torch.testing.assert_close(found.std(dim=0), blended.std(dim=0), rtol=0.08, atol=0.0)
    shares = torch.tensor([0.1, 0.3, 0.5, 0.7, 0.9])
    got, wanted = (torch.quantile(z[:, 0], shares) for z in (found, blended))
    torch.testing.assert_close(got, wanted, rtol=0.0, atol=0.2)


def test_pure_noise_comes_back_as_it_is(flow: FlowPrior) -> None:
    noise = torch.randn(5, 2)
    assert torch.equal(flow.sample(torch.full((5, 2), NAN), noise, level=1.0), noise)


def test_arrays_bring_the_flow_back(flow: FlowPrior) -> None:
    again = FlowPrior.from_arrays(flow.arrays(), config=CONFIG, latent_size=2, n_conditions=2)
    assert torch.equal(drawn(again, 1.0), drawn(flow, 1.0))
    odd = flow.arrays() | {"into.weight": np.zeros((3, 3), np.float32)}
    with pytest.raises(ArtifactError, match=r"into\.weight does not fit"):
        FlowPrior.from_arrays(odd, config=CONFIG, latent_size=2, n_conditions=2)


def test_same_seed_fits_the_same_flow_and_a_stop_gives_none(codes: Codes) -> None:
    brief = replace(CONFIG, flow_steps=3)
    one, other = (
        fit_flow(codes, brief, groups=(0, 1), device=torch.device("cpu"), seed=5) for _ in range(2)
    )
    assert one is not None
    assert other is not None
    for name, array in one.arrays().items():
        np.testing.assert_array_equal(array, other.arrays()[name])
    stopped = fit_flow(
        codes, brief, groups=(0, 1), device=torch.device("cpu"), seed=5, should_stop=lambda: True
    )
    assert stopped is None
