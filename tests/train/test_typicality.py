"""How held-out molecules score, as a model stores it and as others are compared with it."""

import importlib.util
from importlib.machinery import SourceFileLoader
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


def test_a_trained_model_says_how_its_held_out_molecules_score(
    tiny_model_file: Path, drug_dataset: MoleculeDataset
) -> None:
    """The figures of the training are those of `score`, molecule by molecule."""
    generator = MoleculeGenerator.load(tiny_model_file)
    told = typicality_of(generator.model)
    assert told is not None
    members = drug_dataset.members("validation")
    assert (told.split, told.molecules) == ("validation", len(members))
    assert told.given == generator.measured
    words = [drug_dataset.vocabulary.decode(drug_dataset.molecule(row)) for row in members]
    scores = generator.score([decode_canonical(symbols) for symbols in words], codes=told.codes)
    points = np.array([(-s.elbo, s.nll_per_symbol, s.misreading) for s in scores])  # type: ignore[operator]
    np.testing.assert_allclose(told.mean, points.mean(axis=0), rtol=1e-4)
    assert np.median([s.percentile for s in scores]) == pytest.approx(50, abs=5)  # type: ignore[type-var]


def test_the_same_weights_give_the_same_figures(memorized: Memorized) -> None:
    one, other = (fit_typicality(*memorized, split="validation", seed=seed) for seed in (0, 1))
    np.testing.assert_allclose(one.mean, other.mean, rtol=1e-4)
    few = fit_typicality(*memorized, split="train", seed=0, limit=50)
    assert (few.molecules, few.split) == (50, "train")


def test_labels_and_what_is_not_known_of_all_are_not_told_the_decoder(
    memorized: Memorized,
) -> None:
    model, dataset = memorized
    told = fit_typicality(model, dataset, split="validation", seed=0)
    assert told.given == ("MW", "LogP", "TPSA", "QED")
    labelled = dataset._replace(
        provenance={**dataset.provenance, "data": {"labels": ["QED"]}},
        properties=dataset.properties.copy(),
    )
    labelled.properties[dataset.members("validation")[3], 1] = np.nan
    fewer = fit_typicality(model, labelled, split="validation", seed=0)
    assert fewer.given == ("MW", "TPSA")
    assert fewer.mean[0] > told.mean[0], "a molecule costs more where less is known of it"


def test_a_model_with_labels_is_compared_without_them(labelled_model_file: Path) -> None:
    checkpoint = Checkpoint.load(labelled_model_file)
    told = typicality_of(LoadedModel(checkpoint))
    assert told is not None
    assert told.given == ("MW", "LogP", "TPSA", "QED")
    assert MoleculeGenerator(checkpoint).score(["CC(=O)Nc1ccc(O)cc1"])[0].percentile is not None


def test_molecules_that_are_all_alike_still_have_a_distance() -> None:
    told = Typicality.fit(np.ones((200, 3)), split="test", codes=1, given=())
    near, far = told.distance(np.array([[1.0, 1.0, 1.0], [1.1, 1.0, 1.0]]))
    assert (near, far > 10) == (0.0, True)


def test_one_in_a_hundred_is_odder_than_the_limit_on_either_side() -> None:
    points = np.random.default_rng(0).standard_normal((5000, 3))
    told = Typicality.fit(points, split="test", codes=4, given=("LogP",))
    odd = told.is_odd(told.distance(points))
    assert odd.mean() == pytest.approx(1 - RARE, abs=0.001)
    assert told.is_odd(
        told.distance(np.array([[5.0, 0, 0], [-5.0, 0, 0], [0, 0, 1.0]]))
    ).tolist() == [
        *(True, True, False),
    ]
    levels = told.level(told.distance(points))
    np.testing.assert_allclose(np.quantile(levels, [0.1, 0.5, 0.9]), [0.1, 0.5, 0.9], atol=0.01)


def test_what_is_written_is_read_again() -> None:
    points = np.random.default_rng(0).standard_normal((50, 3))
    told = Typicality.fit(points, split="test", codes=4, given=("LogP",))
    again = Typicality.from_dict(told.to_dict())
    assert again.to_dict() == told.to_dict()


def test_a_packed_model_is_told_without_training_it_again(
    tiny_model_file: Path, drug_dataset_file: Path, tmp_path: Path
) -> None:
    """As `scripts/train-bundled NAME --typicality` does with the model that ships."""
    path = Path(__file__).parents[2] / "scripts" / "train-bundled"
    loader = SourceFileLoader("train_bundled", str(path))
    spec = importlib.util.spec_from_loader("train_bundled", loader)
    assert spec is not None
    script = importlib.util.module_from_spec(spec)
    loader.exec_module(script)
    before = Checkpoint.load(tiny_model_file)
    told = before.provenance.pop("typicality")
    packed, again = tmp_path / "packed.safetensors", tmp_path / "again.safetensors"
    before.save(packed, half=True)
    sha256 = script.add_typicality(packed, drug_dataset_file, again)
    after = Checkpoint.load(again)
    assert (after.sha256, Checkpoint.load(packed).provenance) == (sha256, before.provenance)
    found = after.provenance.pop("typicality")
    assert after.provenance == before.provenance
    assert found["molecules"] == told["molecules"]
    np.testing.assert_allclose(found["mean"], told["mean"], rtol=0.01)  # of weights in half
    halves = Checkpoint.load(packed).model.state_dict()
    for name, weight in after.model.state_dict().items():
        assert weight.equal(halves[name]), name
    other = MoleculeDataset.load(drug_dataset_file)
    other._replace(properties=other.properties + 1).save(tmp_path / "other.safetensors")
    with pytest.raises(SystemExit, match="was not trained on"):
        script.add_typicality(packed, tmp_path / "other.safetensors", again)
