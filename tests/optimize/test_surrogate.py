"""The Gaussian process knows molecules by their fragments and a few properties."""

import numpy as np
import pytest
from rdkit import Chem, DataStructs
from rdkit.Chem import rdFingerprintGenerator
from scipy.stats import spearmanr

from molvae.chem.properties import measure
from molvae.optimize import surrogate
from molvae.optimize.surrogate import choose, describe, expect, normal, similarities, subset
from tests.drugs import DRUGS

SMILES = [smiles for _, smiles in DRUGS[:80]]
SIZES = np.array([Chem.MolFromSmiles(each).GetNumHeavyAtoms() for each in SMILES], dtype=float)


def test_the_kernel_is_rdkits_similarity_of_counts() -> None:
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)
    prints = [generator.GetCountFingerprint(Chem.MolFromSmiles(each)) for each in SMILES]
    expected = [DataStructs.BulkTanimotoSimilarity(each, prints) for each in prints]
    fragments = describe(SMILES).fragments
    found = similarities(fragments, fragments)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_it_returns_what_it_was_told_and_is_sure_of_it() -> None:
    mean, doubt = expect(SMILES, SIZES, SMILES)
    np.testing.assert_allclose(mean, normal(SIZES), atol=0.02)
    assert doubt.max() < 0.05


def test_it_expects_the_median_of_what_is_like_nothing_it_has_seen() -> None:
    mean, doubt = expect(SMILES, SIZES, ["C" * 80])
    assert mean[0] == pytest.approx(0.0, abs=0.1)
    assert doubt[0] == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("name", ["LogP", "TPSA", "HeavyAtoms"])
def test_it_ranks_held_out_molecules_by_a_property_that_fragments_tell_badly(name: str) -> None:
    values = np.array([measure(Chem.MolFromSmiles(each), [name])[0] for each in SMILES])
    mean, _ = expect(SMILES[:40], values[:40], SMILES[40:])
    assert spearmanr(mean, values[40:])[0] > 0.95


def test_a_constant_score_says_nothing_and_no_score_is_the_worst() -> None:
    assert normal(np.array([3.0, 3.0])).tolist() == [0.0, 0.0]
    low, none, high = normal(np.array([-2.0, np.nan, 2.0]))
    assert (none, low) == (pytest.approx(-high), pytest.approx(0.0))


def test_a_score_far_below_all_others_does_not_blur_them() -> None:
    far, near = (normal(np.array([low, 0.1, 0.2, 0.3])).tolist() for low in (-1e9, 0.0))
    assert far == near


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
