"""The scores of held-out molecules, in a model and in comparison with others."""

from pathlib import Path

import numpy as np
import pytest

from molvae.checkpoint import Checkpoint
from molvae.chem.selfies import decode_canonical
from molvae.dataset import MoleculeDataset
from molvae.generation.model import LoadedModel
from molvae.generation.score import typicality_of
from molvae.generator import MoleculeGenerator
from molvae.model.ood import RARE, Typicality
from molvae.train.typicality import fit_typicality
from tests.conftest import Memorized
from tests.scripts import load_script


def test_a_trained_model_stores_the_scores_of_its_held_out_molecules(
    tiny_model_file: Path, drug_dataset: MoleculeDataset
) -> None:
    """The figures of the training are those of `score`, molecule by molecule."""
    generator = MoleculeGenerator.load(tiny_model_file)
    typicality = typicality_of(generator.model)
    assert typicality is not None
    members = drug_dataset.members("validation")
    assert (typicality.split, typicality.molecules) == ("validation", len(members))
    assert typicality.given == generator.measured
    words = [drug_dataset.vocabulary.decode(drug_dataset.molecule(row)) for row in members]
    scores = generator.score(
        [decode_canonical(symbols) for symbols in words], codes=typicality.codes
    )
    points = np.array([(-s.elbo, s.nll_per_symbol, s.misreading) for s in scores])  # type: ignore[operator]
    np.testing.assert_allclose(typicality.mean, points.mean(axis=0), rtol=1e-4)
    assert np.median([s.percentile for s in scores]) == pytest.approx(50, abs=5)  # type: ignore[type-var]


def test_the_same_weights_give_the_same_figures(memorized: Memorized) -> None:
    one, other = (fit_typicality(*memorized, split="validation", seed=seed) for seed in (0, 1))
    np.testing.assert_allclose(one.mean, other.mean, rtol=1e-4)
    few = fit_typicality(*memorized, split="train", seed=0, limit=50)
    assert (few.molecules, few.split) == (50, "train")


def test_labels_and_incomplete_properties_are_no_conditions(
    memorized: Memorized,
) -> None:
    model, dataset = memorized
    typicality = fit_typicality(model, dataset, split="validation", seed=0)
    assert typicality.given == ("MW", "LogP", "TPSA", "QED")
    labelled = dataset._replace(
        provenance={**dataset.provenance, "tally": {"labels": {"QED": {}}}},
        properties=dataset.properties.copy(),
    )
    labelled.properties[dataset.members("validation")[3], 1] = np.nan
    fewer = fit_typicality(model, labelled, split="validation", seed=0)
    assert fewer.given == ("MW", "TPSA")
    assert fewer.mean[0] > typicality.mean[0], "fewer conditions cost more nats"


def test_a_model_with_labels_is_compared_without_them(labelled_model_file: Path) -> None:
    checkpoint = Checkpoint.load(labelled_model_file)
    typicality = typicality_of(LoadedModel(checkpoint))
    assert typicality is not None
    assert typicality.given == ("MW", "LogP", "TPSA", "QED")
    assert MoleculeGenerator(checkpoint).score(["CC(=O)Nc1ccc(O)cc1"])[0].percentile is not None


def test_equal_molecules_still_have_a_distance() -> None:
    typicality = Typicality.fit(np.ones((200, 3)), split="test", codes=1, given=())
    near, far = typicality.distance(np.array([[1.0, 1.0, 1.0], [1.1, 1.0, 1.0]]))
    assert (near, far > 10) == (0.0, True)


def test_one_in_a_hundred_is_beyond_the_limit_on_either_side() -> None:
    points = np.random.default_rng(0).standard_normal((5000, 3))
    typicality = Typicality.fit(points, split="test", codes=4, given=("LogP",))
    odd = typicality.is_odd(typicality.distance(points))
    assert odd.mean() == pytest.approx(1 - RARE, abs=0.001)
    three = typicality.distance(np.array([[5.0, 0, 0], [-5.0, 0, 0], [0, 0, 1.0]]))
    assert typicality.is_odd(three).tolist() == [True, True, False]
    levels = typicality.level(typicality.distance(points))
    np.testing.assert_allclose(np.quantile(levels, [0.1, 0.5, 0.9]), [0.1, 0.5, 0.9], atol=0.01)


def test_json_restores_the_distribution() -> None:
    points = np.random.default_rng(0).standard_normal((50, 3))
    typicality = Typicality.fit(points, split="test", codes=4, given=("LogP",))
    again = Typicality.from_dict(typicality.to_dict())
    assert again.to_dict() == typicality.to_dict()


def test_a_packed_model_gets_its_typicality_without_training(
    tiny_model_file: Path, drug_dataset_file: Path, tmp_path: Path
) -> None:
    """As `scripts/train-bundled NAME --typicality` does with the model that ships."""
    script = load_script("train-bundled")
    before = Checkpoint.load(tiny_model_file)
    typicality = before.provenance.pop("typicality")
    packed, again = tmp_path / "packed.safetensors", tmp_path / "again.safetensors"
    before.save(packed, half=True)
    sha256 = script.add_typicality(packed, drug_dataset_file, again)
    after = Checkpoint.load(again)
    assert (after.sha256, Checkpoint.load(packed).provenance) == (sha256, before.provenance)
    found = after.provenance.pop("typicality")
    assert after.provenance == before.provenance
    assert found["molecules"] == typicality["molecules"]
    np.testing.assert_allclose(found["mean"], typicality["mean"], rtol=0.01)  # of weights in half
    halves = Checkpoint.load(packed).model.state_dict()
    for name, weight in after.model.state_dict().items():
        assert weight.equal(halves[name]), name
    other = MoleculeDataset.load(drug_dataset_file)
    other._replace(properties=other.properties + 1).save(tmp_path / "other.safetensors")
    with pytest.raises(SystemExit, match="was not trained on"):
        script.add_typicality(packed, tmp_path / "other.safetensors", again)
