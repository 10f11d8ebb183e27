"""What a code holds, on models made to pass and to fail each test."""

import json
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor

from molvae.checkpoint import Checkpoint
from molvae.dataset import MoleculeDataset
from molvae.errors import InputError
from molvae.evaluate.work import Work
from molvae.generator import MoleculeGenerator
from molvae.model.prior import Prior, StandardNormal
from molvae.presets import Preset
from molvae.suites.latent_space import latent_verdicts, linear_probe, prior_gap, two_sample_auc
from molvae.suites.reconstruction import reconstruct
from molvae.suites.tokenized import TokenizedMolecules, load_tokenized
from molvae.train.package import build_checkpoint
from molvae.train.trainer import Trainer
from tests import tiny
from tests.conftest import Memorized

DRUGLIKE = Path(__file__).parents[2] / "datasets" / "druglike-10k.csv"


class Deaf(NamedTuple):
    """Draws codes of molecules, but not of those that are asked for."""

    prior: Prior

    def sample(self, conditions: Tensor, noise: Tensor, *, level: float = 0.0) -> Tensor:
        return self.prior.sample(conditions.roll(1, dims=0), noise, level=level)


def known(dataset: MoleculeDataset, split: int) -> TokenizedMolecules:
    """Take the molecules of one split."""
    rows = np.flatnonzero(dataset.split == split)
    ids = [dataset.molecule(row) for row in rows]
    part = dataset._replace(
        ids=np.concatenate(ids),
        offsets=np.cumsum([0, *map(len, ids)], dtype=np.int64),
        properties=dataset.properties[rows],
        split=dataset.split[rows],
        hashes=dataset.hashes[rows],
    )
    return TokenizedMolecules(part, len(rows), {}, "drugs")


@pytest.fixture(scope="module")
def by_heart(memorized: Memorized) -> MoleculeGenerator:
    """Knows 32 drugs by heart and nothing else."""
    return MoleculeGenerator(
        build_checkpoint(memorized.model, memorized.dataset, train=tiny.TRAIN, trained={})
    )


def test_a_memorizer_is_caught(by_heart: MoleculeGenerator, memorized: Memorized) -> None:
    seen, strange = known(memorized.dataset, 1), known(memorized.dataset, 0)
    found = reconstruct(
        by_heart, strange, name="parrot", seed=0, versions={}, training=seen
    )  # fmt: skip
    assert found.memorization["gap"] > 20
    assert not found.passed["memorization"]
    assert found.ways["from_mean"]["exact"] < 0.1
    assert "memorization" in found.table()[-1]
    json.loads(found.to_json())
    fair = reconstruct(by_heart, strange, name="parrot", seed=0, versions={}, training=strange)
    assert fair.memorization["gap"] == pytest.approx(0.0, abs=1e-6)
    assert fair.passed["memorization"]


def test_molecules_known_by_heart_come_back_and_others_do_not(
    by_heart: MoleculeGenerator, memorized: Memorized
) -> None:
    four = known(memorized.dataset, 1).dataset
    ids = [four.molecule(row) for row in range(four.size)] * 4
    many = four._replace(
        ids=np.concatenate(ids),
        offsets=np.cumsum([0, *map(len, ids)], dtype=np.int64),
        properties=np.tile(four.properties, (4, 1)),
        split=np.tile(four.split, 4),
        hashes=np.tile(four.hashes, 4),
    )
    left_out = {"symbol unknown to the model": 32}
    molecules = TokenizedMolecules(many, 160, left_out, "drugs")
    found = reconstruct(by_heart, molecules, name="parrot", seed=0, versions={})
    assert found.molecules == 160
    assert 0.7 < found.ways["from_mean"]["exact"] <= 0.8  # what cannot be read is not reconstructed
    assert found.ways["from_mean"]["tanimoto"] >= found.ways["from_mean"]["exact"]
    assert found.memorization == {}


def test_too_few_molecules_are_refused(by_heart: MoleculeGenerator, memorized: Memorized) -> None:
    with pytest.raises(InputError, match="at least 100 are needed"):
        reconstruct(by_heart, known(memorized.dataset, 1), name="x", seed=0, versions={})


def test_a_heavy_kl_weight_collapses_and_is_called_so(
    drug_dataset: MoleculeDataset, tmp_path: Path
) -> None:
    heavy = replace(tiny.TRAIN, beta=10.0, free_nats=0.0, kl_hold=0.0, kl_warmup=0.0)
    assert Trainer(drug_dataset, tmp_path / "run", Preset(tiny.MODEL, heavy)).fit()
    generator = MoleculeGenerator.load(tmp_path / "run")
    found = reconstruct(generator, known(drug_dataset, 0), name="heavy", seed=0, versions={})
    assert found.health["kl"] < 1.0
    assert not found.passed["kl"]
    assert not found.passed["shuffled_z"]
    assert found.table()[-1].startswith("fails: kl")


def test_a_prior_with_holes_is_told_from_the_posterior() -> None:
    generator = MoleculeGenerator.load("druglike")
    some = load_tokenized(DRUGLIKE, generator, split="test", limit=250, seed=0, work=Work())
    dataset = some.dataset
    posterior = generator.model.encode(
        [generator.vocabulary.decode(dataset.molecule(row)) for row in range(dataset.size)],
    )
    asked = torch.from_numpy(generator.normalizer.normalize(dataset.properties))
    good = prior_gap(generator, posterior, asked, seed=0)
    assert good["auc"] < 0.6
    assert good["auc_given"] < 0.6
    prior = generator.checkpoint.prior

    def judged(other: Prior) -> dict[str, float]:
        changed = replace(generator.checkpoint, prior=other)
        return prior_gap(MoleculeGenerator(changed), posterior, asked, seed=0)

    wide = judged(prior._replace(covariance=prior.covariance * 9.0))
    assert wide["auc"] > 0.95
    assert not latent_verdicts(wide)["prior_gap"]
    assert wide["acceptance_prior"] < good["acceptance_prior"]
    assert wide["acceptance_posterior"] == good["acceptance_posterior"]
    assert not latent_verdicts(judged(StandardNormal()))["prior_gap"]
    assert not latent_verdicts(judged(Deaf(prior)))["prior_gap_given"]


def test_the_bundled_model_has_a_latent_space_that_is_used() -> None:
    generator = MoleculeGenerator.load("druglike")
    some = load_tokenized(DRUGLIKE, generator, split="test", limit=300, seed=0, work=Work())
    found = reconstruct(generator, some, name="druglike", seed=0, versions={})
    assert found.passed["kl"]
    assert found.passed["shuffled_z"]
    assert (found.probe["MW"] or 0.0) > 0.85
    assert found.ways["from_mean"]["tanimoto"] > found.ways["from_mean_alone"]["tanimoto"]


def test_a_classifier_tells_apart_what_differs_and_nothing_else() -> None:
    random = np.random.default_rng(0)
    first, same, moved, wider, bent = (random.normal(size=(600, 4)) for _ in range(5))
    moved, wider = moved + 1.0, wider * 2.0
    bent[:, 1] = 0.9 * bent[:, 0] + 0.4 * bent[:, 1]
    assert two_sample_auc(first, same, seed=1) == pytest.approx(0.5, abs=0.06)
    for other in (moved, wider, bent):
        assert two_sample_auc(first, other, seed=1) > 0.7


def test_a_probe_finds_a_line_and_no_more() -> None:
    random = np.random.default_rng(0)
    codes = random.normal(size=(800, 5)).astype(np.float32)
    values = np.stack(
        [codes @ np.arange(5.0), random.normal(size=800), np.full(800, 3.0), np.full(800, np.nan)],
        axis=1,
    )
    values[::3, 0] = np.nan
    found = linear_probe(codes, values, ("line", "noise", "constant", "unknown"), seed=0)
    assert (found["line"] or 0) > 0.99
    assert (found["noise"] or 0) < 0.1
    assert (found["constant"], found["unknown"]) == (None, None)


def test_a_model_of_no_training_is_examined_all_the_same(
    tiny_model_file: Path, drug_dataset: MoleculeDataset
) -> None:
    generator = MoleculeGenerator(Checkpoint.load(tiny_model_file))
    with torch.no_grad():
        for weight in generator.checkpoint.model.parameters():
            weight.zero_()
    found = reconstruct(generator, known(drug_dataset, 0), name="zero", seed=0, versions={})
    assert found.ways["from_mean"]["exact"] == 0.0
    assert not found.passed["kl"]
