import numpy as np
import pytest
import torch
from torch import Tensor

from molvae.errors import ArtifactError
from molvae.model.prior import JointGaussian
from molvae.normalizer import PropertyNormalizer

NAN = float("nan")
Z, P, N = 3, 2, 20_000


@pytest.fixture(scope="module")
def joint() -> tuple[Tensor, Tensor]:
    """Codes and conditions drawn from one Gaussian in which each depends on all others."""
    random = np.random.default_rng(0)
    mixing = random.normal(size=(Z + P, Z + P))
    values = random.normal(size=(N, Z + P)) @ mixing.T + np.arange(Z + P)
    return torch.from_numpy(values[:, :Z]).float(), torch.from_numpy(values[:, Z:]).float()


@pytest.fixture(scope="module")
def prior(joint: tuple[Tensor, Tensor]) -> JointGaussian:
    z, c = joint
    return JointGaussian.fit(z, torch.zeros_like(z), c)


def regression(z: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    """Return the coefficients of z on (1, c) by least squares, and the residuals' covariance."""
    design = torch.cat([torch.ones(len(c), 1), c], dim=1).double()
    coefficients = torch.linalg.lstsq(design, z.double()).solution  # (1 + S, Z)
    residuals = z.double() - design @ coefficients
    return coefficients, residuals.T @ residuals / len(z)


@pytest.mark.parametrize("named", [[0, 1], [0], [1]])
def test_conditional_is_that_of_a_regression(
    joint: tuple[Tensor, Tensor], prior: JointGaussian, named: list[int]
) -> None:
    z, c = joint
    coefficients, residual = regression(z, c[:, named])
    asked = torch.full((4, P), NAN)
    asked[:, named] = torch.tensor([[-2.0], [0.0], [1.0], [7.0]]).expand(4, len(named))
    means = prior.sample(asked, torch.zeros(4, Z, dtype=torch.float64))
    design = torch.cat([torch.ones(4, 1), asked[:, named]], dim=1).double()
    torch.testing.assert_close(means, design @ coefficients, rtol=1e-3, atol=1e-3)
    factor = prior.given(torch.tensor(named))[1]
    torch.testing.assert_close(factor @ factor.T, residual, rtol=1e-3, atol=1e-3)


def test_unspecified_is_the_marginal(joint: tuple[Tensor, Tensor], prior: JointGaussian) -> None:
    z, _ = joint
    noise = torch.randn(N, Z, generator=torch.Generator().manual_seed(0))
    drawn = prior.sample(torch.full((N, P), NAN), noise)
    assert drawn.dtype == torch.float32
    torch.testing.assert_close(drawn.mean(dim=0), z.mean(dim=0), rtol=0, atol=0.06)
    torch.testing.assert_close(drawn.T.cov(), z.T.cov(), rtol=0.05, atol=0.05)


def test_posterior_variance_widens_it(joint: tuple[Tensor, Tensor], prior: JointGaussian) -> None:
    z, c = joint
    wide = JointGaussian.fit(z, torch.tensor([0.5, 1.0, 2.0]).expand(N, Z), c)
    expected = torch.diag(torch.tensor([0.5, 1.0, 2.0, 0.0, 0.0])).double()
    torch.testing.assert_close(wide.covariance - prior.covariance, expected, rtol=1e-6, atol=1e-6)


def test_missing_labels_cost_little(joint: tuple[Tensor, Tensor], prior: JointGaussian) -> None:
    z, c = joint
    missing = torch.rand(c.shape, generator=torch.Generator().manual_seed(0)) < 0.3
    holey = JointGaussian.fit(z, torch.zeros_like(z), c.masked_fill(missing, NAN))
    torch.testing.assert_close(holey.mean, prior.mean, rtol=0, atol=0.1)
    torch.testing.assert_close(holey.covariance, prior.covariance, rtol=0.1, atol=0.15)


def test_label_known_for_a_few_molecules_hardly_changes_the_codes() -> None:
    """Among 40 dimensions some correlate with any ten numbers by chance."""
    generator = torch.Generator().manual_seed(0)
    codes = torch.randn(2000, 40, generator=generator)
    labels = torch.randn(2000, 1, generator=generator)
    few = labels.clone()
    few[10:] = NAN
    lengths = []
    for known in (few, labels):
        prior = JointGaussian.fit(codes, torch.zeros_like(codes), known)
        lengths.append(float(prior.given(torch.tensor([0]))[0].norm()))
    assert lengths[0] < 0.5  # about 2 when taken at face value
    assert lengths[1] < 0.25


def test_each_row_is_conditioned_on_its_known_properties(prior: JointGaussian) -> None:
    asked = torch.tensor([[NAN, NAN], [1.0, NAN], [NAN, 2.0], [1.0, 2.0], [0.0, NAN]])
    noise = torch.randn(5, Z, generator=torch.Generator().manual_seed(0))
    together = prior.sample(asked, noise)
    for row in range(5):
        alone = prior.sample(asked[row : row + 1], noise[row : row + 1])
        torch.testing.assert_close(together[row : row + 1], alone)


def test_inconsistent_estimates_still_give_a_gaussian() -> None:
    """Pairs seen in different molecules: correlations 1, 1 and -1 that no Gaussian has."""
    line = torch.linspace(-1, 1, 50)
    unknown = torch.full_like(line, NAN)
    rows = ([line, line, unknown], [unknown, line, line], [line, unknown, -line])
    conditions = torch.cat([torch.stack(columns, dim=1) for columns in rows])
    codes = torch.randn(150, 2, generator=torch.Generator().manual_seed(0))
    prior = JointGaussian.fit(codes, torch.ones_like(codes), conditions)
    assert float(torch.linalg.eigvalsh(prior.covariance).min()) > 0
    assert torch.isfinite(prior.sample(conditions, codes)).all()


def test_arrays_restore_the_prior(joint: tuple[Tensor, Tensor], prior: JointGaussian) -> None:
    z, c = joint
    again = JointGaussian.from_arrays(prior.arrays(), latent_size=Z, n_conditions=P)
    assert torch.equal(again.sample(c[:9], z[:9]), prior.sample(c[:9], z[:9]))


@pytest.mark.parametrize(
    ("mean", "covariance"),
    [
        (np.zeros(4), np.eye(5)),
        (np.zeros((5, 1)), np.eye(5)),
        (np.full(5, NAN), np.eye(5)),
        (np.zeros(5), np.full((5, 5), np.inf)),
        (np.zeros(5), np.zeros((5, 5))),
        (np.zeros(5), np.diag([1.0, 1.0, 1.0, 1.0, -1.0])),
        (np.zeros(5), np.eye(5) + np.eye(5, k=1) / 2),
        (np.zeros(6), np.eye(6)),
    ],
)
def test_damaged_arrays_are_refused(mean: np.ndarray, covariance: np.ndarray) -> None:
    arrays = {"mean": mean, "covariance": covariance}
    with pytest.raises(ArtifactError, match="prior inside is damaged"):
        JointGaussian.from_arrays(arrays, latent_size=Z, n_conditions=P)


def labelled(shares: list[float], rows: int = N) -> tuple[Tensor, Tensor, Tensor]:
    """Return codes that a class moves, a property and the class's columns, and the classes (N,).

    A fifth of the molecules have no class. The columns of the others add up to 1: whatever is
    computed from their covariance must not mind that it has no inverse.
    """
    random = np.random.default_rng(2)
    classes = random.choice(len(shares), rows, p=shares)
    logp = random.normal(2.0, 1.5, (rows, 1))
    hot = (classes[:, None] == np.arange(len(shares))).astype(float)
    hot[random.random(rows) < 0.2] = NAN
    names = [f"label={number}" for number in range(len(shares))]
    normalizer = PropertyNormalizer.fit(
        ("LogP", *names),
        np.hstack([logp, hot]),
        classes={"label": tuple(str(number) for number in range(len(shares)))},
    )
    conditions = normalizer.normalize(np.hstack([logp, hot]))
    codes = random.normal(size=(rows, Z)) + logp * [0.5, 0.0, 0.2]
    codes += random.normal(0.0, 2.0, (len(shares), Z))[classes]
    return (
        torch.from_numpy(codes).float(),
        torch.from_numpy(conditions),
        torch.from_numpy(np.where(np.isnan(hot[:, 0]), -1, classes)),
    )


def test_a_class_draws_codes_from_where_its_molecules_are() -> None:
    codes, conditions, classes = labelled([0.6, 0.38, 0.02])
    prior = JointGaussian.fit(codes, torch.zeros_like(codes), conditions)
    for number in range(3):
        asked = conditions[classes == number][:1].repeat(4000, 1)
        asked[:, 0] = NAN
        noise = torch.randn(4000, Z, generator=torch.Generator().manual_seed(number))
        drawn = prior.sample(asked, noise)
        expected = codes[classes == number].mean(dim=0)
        torch.testing.assert_close(drawn.mean(dim=0), expected, rtol=0, atol=0.1)


def test_one_class_too_many_changes_nothing() -> None:
    """All columns of a label but one say all there is to say."""
    codes, conditions, _ = labelled([0.6, 0.38, 0.02])
    known = conditions[~conditions.isnan().any(dim=1)][:50]
    noise = torch.randn(50, Z, generator=torch.Generator().manual_seed(0))
    everything = JointGaussian.fit(codes, torch.zeros_like(codes), conditions)
    enough = JointGaussian.fit(codes, torch.zeros_like(codes), conditions[:, :-1])
    torch.testing.assert_close(
        everything.sample(known, noise), enough.sample(known[:, :-1], noise), rtol=0, atol=0.02
    )


@pytest.mark.parametrize("count", [2, 50])
def test_the_prior_stays_valid_with_any_number_of_classes(count: int) -> None:
    """The rarest of fifty has 1 molecule in 2,000."""
    shares = [1.0] * (count - 1) + [0.02]
    codes, conditions, _ = labelled([share / sum(shares) for share in shares], rows=4000)
    prior = JointGaussian.fit(codes, torch.full_like(codes, 0.05), conditions)
    columns = conditions.shape[1]
    again = JointGaussian.from_arrays(prior.arrays(), latent_size=Z, n_conditions=columns)
    known = conditions[~conditions.isnan().any(dim=1)]
    noise = torch.randn(len(known), Z, generator=torch.Generator().manual_seed(0))
    drawn = again.sample(known, noise)
    assert torch.isfinite(drawn).all()
    assert float(drawn.abs().max()) < 2 * float(codes.abs().max())
    gain, factor = again.given(torch.arange(columns))
    assert float(gain.abs().max()) < 100
    assert float(factor.diagonal().min()) > 0.1
