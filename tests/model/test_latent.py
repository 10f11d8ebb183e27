import math

import numpy as np
import pytest
import torch

from molvae.model.latent import Posterior


@pytest.mark.parametrize(
    ("mean", "log_var"), [(0.0, 0.0), (1.5, 0.0), (0.0, -4.0), (-2.0, 1.0), (0.3, -8.0)]
)
def test_kl_is_that_of_a_numeric_integral(mean: float, log_var: float) -> None:
    deviation = math.exp(0.5 * log_var)
    x = np.linspace(mean - 12 * deviation, mean + 12 * deviation, 200_001)
    log_q = -0.5 * ((x - mean) / deviation) ** 2 - 0.5 * log_var - 0.5 * math.log(2 * math.pi)
    log_p = -0.5 * x**2 - 0.5 * math.log(2 * math.pi)
    integral = float(np.sum(np.exp(log_q) * (log_q - log_p)) * (x[1] - x[0]))
    kl = Posterior(torch.tensor([[mean]]), torch.tensor([[log_var]])).kl()
    assert kl.shape == (1, 1)
    assert float(kl) == pytest.approx(integral, abs=1e-4)


def test_samples_have_the_posteriors_mean_and_spread() -> None:
    posterior = Posterior(torch.tensor([[1.0, -2.0]]), torch.tensor([[0.0, -2.0]]))
    assert torch.equal(posterior.sample(torch.zeros(1, 2)), posterior.mean)
    noise = torch.randn(50_000, 2, generator=torch.Generator().manual_seed(0))
    drawn = posterior.sample(noise)
    torch.testing.assert_close(drawn.mean(dim=0), posterior.mean[0], atol=0.02, rtol=0)
    torch.testing.assert_close(
        drawn.std(dim=0), torch.tensor([1.0, math.exp(-1.0)]), atol=0.02, rtol=0
    )
