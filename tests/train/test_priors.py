from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from molvae.checkpoint import Checkpoint
from molvae.config import PriorConfig
from molvae.dataset import MoleculeDataset
from molvae.model.flow import FlowPrior
from molvae.model.prior import JointGaussian, StandardNormal
from tests.train.runs import MODEL, TRAIN, trainer

FLOW = PriorConfig(prior="flow", flow_size=16, flow_blocks=1, flow_steps=8, flow_batch_size=32)
BRIEF = replace(TRAIN, epochs=1)


def prior_of(run: Path) -> JointGaussian | FlowPrior | StandardNormal:
    prior = Checkpoint.load(run / "model.safetensors").prior
    assert isinstance(prior, JointGaussian | FlowPrior | StandardNormal)
    return prior


@pytest.mark.parametrize(
    ("prior", "kind"),
    [("joint-gaussian", JointGaussian), ("standard", StandardNormal), ("flow", FlowPrior)],
)
def test_training_ends_with_the_prior_that_was_asked_for(
    prior: str, kind: type, drug_dataset: MoleculeDataset, tmp_path: Path
) -> None:
    config = replace(FLOW, prior=prior)
    assert trainer(drug_dataset, tmp_path, train=BRIEF, prior=config).fit()
    found = prior_of(tmp_path)
    assert isinstance(found, kind)
    assert found.config == config


def test_flow_that_was_stopped_is_fitted_on_a_resume_and_the_model_is_usable_meanwhile(
    drug_dataset: MoleculeDataset, tmp_path: Path
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert trainer(drug_dataset, whole, train=BRIEF, prior=FLOW).fit()
    stopped: list[int] = []
    made = trainer(drug_dataset, parts, train=BRIEF, prior=replace(FLOW, flow_steps=200))
    made.report_prior = lambda steps, loss: stopped.append(steps)
    made.should_stop = lambda: bool(stopped)
    assert not made.fit()
    assert stopped == [100]
    assert isinstance(prior_of(parts), JointGaussian)
    assert trainer(drug_dataset, parts, train=BRIEF, prior=FLOW, resume=True).fit()
    one, other = prior_of(whole).arrays(), prior_of(parts).arrays()
    assert one.keys() == other.keys()
    for name, array in one.items():
        np.testing.assert_array_equal(array, other[name])


def test_another_prior_can_be_had_without_training_the_model_again(
    drug_dataset: MoleculeDataset, tmp_path: Path
) -> None:
    trainer(drug_dataset, tmp_path, train=BRIEF).fit()
    before = Checkpoint.load(tmp_path / "model.safetensors").model.state_dict()
    assert trainer(drug_dataset, tmp_path, train=BRIEF, prior=FLOW, resume=True).fit()
    after = Checkpoint.load(tmp_path / "model.safetensors")
    assert isinstance(after.prior, FlowPrior)
    for name, weight in after.model.state_dict().items():
        np.testing.assert_array_equal(weight, before[name])


@pytest.mark.parametrize("prior", ["flow", "standard"])
def test_figures_of_another_prior_go_with_it(
    prior: str, drug_dataset: MoleculeDataset, tmp_path: Path
) -> None:
    trainer(drug_dataset, tmp_path, train=BRIEF).fit()
    path = tmp_path / "model.safetensors"
    checkpoint = Checkpoint.load(path)
    checkpoint.provenance |= {"measured": {"acceptance": 0.5}, "defaults": {"temperature": 0.3}}
    checkpoint.save(path)
    assert trainer(drug_dataset, tmp_path, train=BRIEF, resume=True).fit()
    assert Checkpoint.load(path).provenance == checkpoint.provenance
    other = replace(FLOW, prior=prior)
    assert trainer(drug_dataset, tmp_path, train=BRIEF, prior=other, resume=True).fit()
    kept = Checkpoint.load(path).provenance
    assert checkpoint.provenance.keys() - kept.keys() == {"measured", "defaults"}


def test_other_steps_and_another_guidance_need_no_other_fit(
    drug_dataset: MoleculeDataset, tmp_path: Path
) -> None:
    trainer(drug_dataset, tmp_path, train=BRIEF, prior=FLOW).fit()
    before = prior_of(tmp_path).arrays()
    for changed, fits in (
        (replace(FLOW, integration_steps=3, flow_guidance=1.5), []),
        (replace(FLOW, integration_steps=3, flow_guidance=1.5, flow_steps=9), [9]),
    ):
        fitted: list[int] = []
        made = trainer(drug_dataset, tmp_path, train=BRIEF, prior=changed, resume=True)
        made.report_prior = lambda steps, loss, fitted=fitted: fitted.append(steps)
        assert made.fit()
        assert fitted == fits
        after = prior_of(tmp_path)
        assert after.config == changed
        same = [np.array_equal(array, before[name]) for name, array in after.arrays().items()]
        assert all(same) == (not fits)


def test_the_flow_goes_where_the_model_goes(drug_dataset: MoleculeDataset, tmp_path: Path) -> None:
    trainer(drug_dataset, tmp_path, train=BRIEF, prior=FLOW).fit()
    prior = Checkpoint.load(tmp_path / "model.safetensors", "meta").prior
    assert isinstance(prior, FlowPrior)
    assert {weight.device.type for weight in prior.velocity.parameters()} == {"meta"}


def test_half_precision_halves_the_flow(drug_dataset: MoleculeDataset, tmp_path: Path) -> None:
    trainer(drug_dataset, tmp_path, train=BRIEF, prior=FLOW).fit()
    checkpoint = Checkpoint.load(tmp_path / "model.safetensors")
    checkpoint.save(tmp_path / "half.safetensors", half=True)
    again = Checkpoint.load(tmp_path / "half.safetensors").prior
    for name, array in checkpoint.prior.arrays().items():
        np.testing.assert_array_equal(
            again.arrays()[name], array.astype(np.float16).astype(np.float32)
        )


def test_decoder_taught_noise_draws_at_any_level(
    drug_dataset: MoleculeDataset, tmp_path: Path
) -> None:
    from molvae.config import NEAR_CODES, NO_CODES, GenerateConfig
    from molvae.generator import MoleculeGenerator
    from molvae.variants import near_defaults

    taught = replace(MODEL, noise_conditional=True)
    trainer(drug_dataset, tmp_path, model=taught, train=BRIEF).fit()
    generator = MoleculeGenerator.load(tmp_path)
    health = generator.checkpoint.provenance["health"]
    assert health["language_model"] > 0
    drawn = [
        generator.generate(20, config=GenerateConfig(tier="raw", noise=noise), seed=1)
        for noise in (0.0, 0.5, 1.0)
    ]
    texts = [[molecule.smiles for molecule in molecules] for molecules in drawn]
    assert texts[0] != texts[1] != texts[2]
    assert generator.defaults == NO_CODES
    assert near_defaults(generator) == NEAR_CODES
    unsaid = generator.draw(20, config=GenerateConfig(tier="raw"), seed=1)
    assert unsaid.summary.settings["noise"] == 1.0
    assert unsaid.summary.settings["temperature"] == 0.7
    assert generator.checked(GenerateConfig(noise=0.5)).temperature == pytest.approx(0.45)
    assert generator.checked(GenerateConfig(noise=0.5, temperature=1.0)).temperature == 1.0
