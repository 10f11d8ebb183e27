"""The Gaussian process knows molecules by their fragments."""

import numpy as np
import pytest
from rdkit import Chem, DataStructs
from rdkit.Chem import rdFingerprintGenerator

from molvae.optimize import surrogate
from molvae.optimize.surrogate import choose, expect, features, scaled, similarities, subset
from tests.drugs import DRUGS

SMILES = [smiles for _, smiles in DRUGS[:40]]
SIZES = np.array([Chem.MolFromSmiles(each).GetNumHeavyAtoms() for each in SMILES], dtype=float)


def test_the_kernel_is_rdkits_similarity_of_counts() -> None:
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=3, fpSize=2048)
    prints = [generator.GetCountFingerprint(Chem.MolFromSmiles(each)) for each in SMILES]
    expected = [DataStructs.BulkTanimotoSimilarity(each, prints) for each in prints]
    found = similarities(features(SMILES), features(SMILES))
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_it_returns_what_it_was_told_and_is_sure_of_it() -> None:
    mean, doubt = expect(SMILES, SIZES, SMILES)
    np.testing.assert_allclose(mean, scaled(SIZES), atol=2e-3)
    assert doubt.max() < 0.02


def test_it_expects_little_of_what_it_has_never_seen() -> None:
    mean, doubt = expect(SMILES, SIZES, ["[SiH4]"])
    assert mean[0] == pytest.approx(0.0, abs=0.01)
    assert doubt[0] == pytest.approx(1.0, abs=0.01)


def test_it_predicts_held_out_sizes_better_than_their_mean() -> None:
    mean, _ = expect(SMILES[:30], SIZES[:30], SMILES[30:])
    low, high = SIZES[:30].min(), SIZES[:30].max()
    truth = (SIZES[30:] - low) / (high - low)
    assert np.corrcoef(mean, truth)[0, 1] > 0.5


def test_a_constant_score_says_nothing_and_no_score_is_the_worst() -> None:
    assert scaled(np.array([3.0, 3.0])).tolist() == [0.0, 0.0]
    assert scaled(np.array([-2.0, np.nan, 2.0])).tolist() == [0.0, 0.0, 1.0]


def test_a_batch_has_no_molecule_twice_and_the_doubtful_ones_too() -> None:
    mean, doubt = np.array([0.9, 0.8, 0.1]), np.array([0.0, 0.0, 1.0])
    assert sorted(choose(mean, doubt, 5, np.random.default_rng(1))) == [0, 1, 2]
    firsts = {choose(mean, doubt, 1, np.random.default_rng(seed))[0] for seed in range(40)}
    assert firsts == {0, 2}


def test_of_many_molecules_the_best_and_the_latest_are_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(surrogate, "LARGEST", 4)
    scores = np.array([9.0, 1.0, 8.0, np.nan, 2.0, 3.0])
    assert subset(scores).tolist() == [0, 2, 4, 5]
    assert len(expect(SMILES[:6], scores, SMILES[:6])[0]) == 6
