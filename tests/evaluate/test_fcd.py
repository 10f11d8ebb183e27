import warnings

import numpy as np
import pytest

from molvae.errors import UsageError
from molvae.evaluate import fcd as module
from molvae.evaluate.fcd import (
    Moments,
    activations,
    at_size,
    frechet_distance,
    is_installed,
    join,
    moments_of,
    spread_moments,
)
from molvae.evaluate.work import Work
from tests.drugs import DRUGS

SMILES = [smiles for _, smiles in DRUGS]
needs_chemnet = pytest.mark.skipif(
    not is_installed(), reason="ChemNet comes with the extra: pip install 'molvae[fcd]'"
)


def drawn(count: int, *, mean: float = 0.0, scale: float = 1.0, seed: int = 0) -> np.ndarray:
    """Return what could be activations: each column with a spread of its own."""
    spread = np.linspace(0.05, 0.5, module.ACTIVATIONS)
    rng = np.random.default_rng(seed)
    return mean + scale * spread * rng.standard_normal((count, module.ACTIVATIONS))


def test_moments_are_mean_and_covariance() -> None:
    rows = drawn(700, mean=0.3)
    moments = moments_of(rows)
    np.testing.assert_allclose(moments.mean, rows.mean(axis=0))
    np.testing.assert_allclose(moments.covariance, np.cov(rows.T), atol=1e-12)


def test_moments_of_parts_add_up() -> None:
    rows = drawn(500)
    whole, parts = moments_of(rows), [moments_of(rows[:123]), moments_of(rows[123:])]
    assert join(parts).molecules == 500
    np.testing.assert_allclose(join(parts).mean, whole.mean)
    np.testing.assert_allclose(join(parts).covariance, whole.covariance, atol=1e-12)


def test_the_distance_of_a_set_from_itself_is_zero() -> None:
    moments = moments_of(drawn(600))
    assert frechet_distance(moments, moments) == pytest.approx(0, abs=1e-8)


def test_the_distance_of_gaussians_along_the_axes_is_that_of_each_axis() -> None:
    # (m1 - m2)^2 + (s1 - s2)^2 summed over the axes, when both covariances are diagonal.
    axes = module.ACTIVATIONS
    rng = np.random.default_rng(1)
    means, deviations = rng.normal(size=(2, axes)), rng.uniform(0.1, 2.0, size=(2, axes))
    one, other = (
        Moments(1_000, 1_000 * mean, 999 * np.diag(sd**2) + 1_000 * np.outer(mean, mean))
        for mean, sd in zip(means, deviations, strict=True)
    )
    expected = np.sum((means[0] - means[1]) ** 2 + (deviations[0] - deviations[1]) ** 2)
    assert frechet_distance(one, other) == pytest.approx(expected)


def test_the_distance_is_symmetric_and_defined_for_few_molecules() -> None:
    few, many = moments_of(drawn(40)), moments_of(drawn(900, mean=0.1, seed=2))
    assert frechet_distance(few, many) == pytest.approx(frechet_distance(many, few))
    assert frechet_distance(few, many) > module.ACTIVATIONS * 0.1**2


@needs_chemnet
def test_the_distance_is_that_of_the_fcd_package() -> None:
    import fcd

    one, other = moments_of(drawn(800)), moments_of(drawn(900, mean=0.05, scale=1.3, seed=3))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it uses a deprecated argument of scipy
        theirs = fcd.calculate_frechet_distance(
            mu1=one.mean, sigma1=one.covariance, mu2=other.mean, sigma2=other.covariance
        )
    assert frechet_distance(one, other) == pytest.approx(theirs, abs=1e-6)


def test_the_distance_at_another_size_follows_from_the_parts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "ACTIVATIONS", 64)
    reference = moments_of(drawn(60_000, seed=5))
    source = drawn(64_000, mean=0.002, seed=6)
    found = at_size([moments_of(part) for part in np.split(source[:8_000], 4)], reference, 32_000)
    truth = np.mean([frechet_distance(moments_of(h), reference) for h in np.split(source, 2)])
    at_8000 = frechet_distance(moments_of(source[:8_000]), reference)
    assert found is not None
    assert abs(found - truth) < 0.25 * (at_8000 - truth)


def test_of_small_parts_nothing_is_extrapolated() -> None:
    parts = [moments_of(drawn(250, seed=seed)) for seed in range(4)]
    assert at_size(parts, moments_of(drawn(900)), 30_000) is None


@needs_chemnet
def test_chemnet_reads_a_molecule_the_same_in_any_company() -> None:
    (alone,) = activations(SMILES[:1])
    (together,) = activations(SMILES[:20])
    (beside_a_long_one,) = activations([*SMILES[:3], "C" * 400])
    np.testing.assert_allclose(together[0], alone[0], atol=1e-5)
    np.testing.assert_allclose(beside_a_long_one[:3], together[:3], atol=1e-5)
    assert together.shape == (20, module.ACTIVATIONS)


@needs_chemnet
def test_worker_processes_read_the_same() -> None:
    here = np.concatenate(list(activations(SMILES)))
    there = np.concatenate(list(activations(SMILES, Work(2))))
    assert len(here) == len(SMILES)
    np.testing.assert_allclose(there, here, atol=1e-5)


@needs_chemnet
def test_a_molecule_that_occurs_twice_counts_twice_and_is_read_once() -> None:
    seen: list[tuple[str, int, int]] = []
    twice = [*SMILES[:40], *SMILES[:10]]
    parts = spread_moments(twice, Work(progress=lambda *step: seen.append(step)))
    plain = moments_of(np.concatenate(list(activations(twice))))
    assert sum(part.molecules for part in parts) == join(parts).molecules == 50
    assert {part.molecules for part in parts} == {12, 13}
    np.testing.assert_allclose(join(parts).covariance, plain.covariance, atol=1e-6)
    assert seen[-1] == ("ChemNet on the molecules", 40, 40)


def test_without_the_extra_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install 'molvae\[fcd\]'"):
        next(activations(["CCO"]))
