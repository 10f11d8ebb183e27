from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from molvae.checkpoint import Checkpoint
from molvae.config import PriorConfig
from molvae.dataset import MoleculeDataset
from molvae.model.prior import JointGaussian, StandardNormal
from tests.train.runs import MODEL, TRAIN, trainer

BRIEF = replace(TRAIN, epochs=1)
STANDARD = PriorConfig(prior="standard")


@pytest.mark.parametrize(
    ("prior", "kind"), [("joint-gaussian", JointGaussian), ("standard", StandardNormal)]
)
def test_training_ends_with_the_prior_that_was_asked_for(
    prior: str, kind: type, drug_dataset: MoleculeDataset, tmp_path: Path
) -> None:
    config = PriorConfig(prior=prior)
    assert trainer(drug_dataset, tmp_path, train=BRIEF, prior=config).fit()
    found = Checkpoint.load(tmp_path / "model.safetensors").prior
    assert isinstance(found, kind)
    assert found.config == config


def test_the_prior_can_change_without_training_the_model_again(
    drug_dataset: MoleculeDataset, tmp_path: Path
) -> None:
    """The figures that the old prior gave go with it."""
    path = tmp_path / "model.safetensors"
    trainer(drug_dataset, tmp_path, train=BRIEF).fit()
    before = Checkpoint.load(path)
    before.provenance |= {"measured": {"acceptance": 0.5}, "defaults": {"temperature": 0.3}}
    before.save(path)
    assert trainer(drug_dataset, tmp_path, train=BRIEF, resume=True).fit()
    assert Checkpoint.load(path).provenance == before.provenance
    assert trainer(drug_dataset, tmp_path, train=BRIEF, prior=STANDARD, resume=True).fit()
    after = Checkpoint.load(path)
    assert isinstance(after.prior, StandardNormal)
    assert before.provenance.keys() - after.provenance.keys() == {"measured", "defaults"}
    for name, weight in before.model.state_dict().items():
        np.testing.assert_array_equal(weight, after.model.state_dict()[name])


def test_noise_conditional_decoder_samples_at_any_level(
    drug_dataset: MoleculeDataset, tmp_path: Path
) -> None:
    from molvae.config import GenerateConfig
    from molvae.generation.neighbors import near_settings
    from molvae.generator import MoleculeGenerator
    from molvae.presets import NEAR_CODES, NO_CODES

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
    near = near_settings(generator.model, None)
    assert (near.noise, near.temperature) == (NEAR_CODES.noise, NEAR_CODES.temperature)
    unsaid = generator.generate(20, config=GenerateConfig(tier="raw"), seed=1)
    assert unsaid.summary.settings["noise"] == 1.0
    assert unsaid.summary.settings["temperature"] == 0.7
    assert generator.model.settings(GenerateConfig(noise=0.5)).temperature == pytest.approx(0.45)
    assert generator.model.settings(GenerateConfig(noise=0.5, temperature=1.0)).temperature == 1.0
