"""What a training set has of a combination of properties, on the drugs' own."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from molvae.checkpoint import Checkpoint
from molvae.config import GenerateConfig
from molvae.dataset import MoleculeDataset
from molvae.errors import ArtifactError
from molvae.generation.feasibility import PropertySample
from molvae.generator import MoleculeGenerator
from molvae.normalizer import PropertyNormalizer, class_column
from tests.cli.running import invoke

INF = float("inf")
ASSAYS = ("dense", "sparse", "lone")


@pytest.fixture(scope="module")
def sample(drug_dataset: MoleculeDataset) -> PropertySample:
    rows = drug_dataset.properties[drug_dataset.members("train")]
    return PropertySample(drug_dataset.normalizer.normalize(rows), drug_dataset.normalizer)


def values(dataset: MoleculeDataset, name: str) -> np.ndarray:
    column = dataset.normalizer.names.index(name)
    return dataset.properties[dataset.members("train"), column]


def test_share_of_a_range_is_that_of_the_training_set(
    sample: PropertySample, drug_dataset: MoleculeDataset
) -> None:
    logp = values(drug_dataset, "LogP")
    scale = drug_dataset.normalizer.scales["LogP"]
    found = sample.judge({"LogP": (1.0, 3.0)})
    assert found is not None
    near = (logp >= 1.0 - 0.5 * scale) & (logp <= 3.0 + 0.5 * scale)
    assert found.share == pytest.approx(near.mean(), abs=0.01)
    assert found.distance == 0.0
    assert not found.ood


def test_combination_that_no_molecule_has_is_out_though_each_target_is_in_range(
    sample: PropertySample, drug_dataset: MoleculeDataset
) -> None:
    light = float(np.quantile(values(drug_dataset, "MW"), 0.02))
    polar = float(np.quantile(values(drug_dataset, "TPSA"), 0.98))
    for alone in ({"MW": (light, light)}, {"TPSA": (polar, polar)}):
        found = sample.judge(alone)
        assert found is not None
        assert not found.ood
    both = sample.judge({"MW": (light, light), "TPSA": (polar, polar)})
    assert both is not None
    assert both.ood
    assert both.share == 0.0
    again = sample.judge({name: (value, value) for name, value in both.nearest.items()})
    assert again is not None
    assert again.distance == pytest.approx(0.0, abs=1e-6)  # what is called nearest exists


def test_open_range_reaches_to_its_end(sample: PropertySample) -> None:
    found = sample.judge({"LogP": (-INF, 3.0), "MW": (200.0, INF)})
    assert found is not None
    assert found.distance == 0.0


def test_molecules_of_the_sample_are_not_called_strange(
    sample: PropertySample, drug_dataset: MoleculeDataset
) -> None:
    names = drug_dataset.normalizer.names
    held_out = drug_dataset.properties[drug_dataset.members("validation")]
    judged = [
        sample.judge({n: (float(v), float(v)) for n, v in zip(names, row, strict=True)})
        for row in drug_dataset.properties[drug_dataset.members("train")][:50]
    ]
    assert not any(found is None or found.ood for found in judged)
    strange = [
        sample.judge({n: (float(v), float(v)) for n, v in zip(names, row, strict=True)})
        for row in held_out
    ]
    assert sum(found is None or found.ood for found in strange) <= 0.2 * len(held_out)


def test_what_is_usual_among_one_class_says_nothing_of_another() -> None:
    random = np.random.default_rng(0)
    logp = np.concatenate([random.normal(0.0, 0.01, 500), random.uniform(-3.0, 3.0, 20), [0.0]])
    word = np.repeat([0, 1, 2], [500, 20, 1])
    values = np.column_stack([logp, word[:, None] == np.arange(3)]).astype(np.float32)
    names = ("LogP", *(class_column("assay", word) for word in ASSAYS))
    normalizer = PropertyNormalizer.fit(names, values, classes={"assay": ASSAYS})
    dense, sparse, lone = (
        PropertySample(normalizer.normalize(values), normalizer) for _ in range(3)
    )
    request = {"LogP": (1.0, 1.0), "assay": "sparse"}
    expected = sparse.judge(request)
    assert dense.judge({"LogP": (1.0, 1.0), "assay": "dense"}) is not None
    assert dense.judge(request) == expected
    found = lone.judge({"LogP": (50.0, 50.0), "assay": "lone"})
    assert found is not None
    assert found.ood


def test_nothing_asked_is_nothing_to_judge(sample: PropertySample) -> None:
    assert sample.judge({}) is None


def test_generate_says_what_the_training_set_lacks_and_marks_the_rows(
    tiny_model_file: Path, drug_dataset: MoleculeDataset
) -> None:
    light = float(np.quantile(values(drug_dataset, "MW"), 0.02))
    polar = float(np.quantile(values(drug_dataset, "TPSA"), 0.98))
    words = ("generate", str(tiny_model_file), "-n", "2", "--tier", "raw", "--seed", "1")
    done = invoke(*words, "-t", f"MW={light}", "-t", f"TPSA={polar}")
    assert "no training molecule is similar; the nearest combination is MW=" in done.stderr
    header, *rows = (line.split(",") for line in done.stdout.splitlines())
    assert {row[header.index("ood")] for row in rows} == {"true"}
    done = invoke(*words, "-t", "LogP=2")
    assert "% of the training molecules are within half an sd of the targets." in done.stderr
    header, *rows = (line.split(",") for line in done.stdout.splitlines())
    assert {row[header.index("ood")] for row in rows} == {"false"}


def test_model_without_a_sample_knows_its_ranges_only(
    tiny_model_file: Path, tmp_path: Path
) -> None:
    checkpoint = Checkpoint.load(tiny_model_file)
    assert checkpoint.sample is not None
    replace(checkpoint, sample=None).save(tmp_path / "old.safetensors")
    old = MoleculeGenerator.load(tmp_path / "old.safetensors")
    assert old.feasibility({"LogP": 2.0}) is None
    raw = GenerateConfig(tier="raw")
    assert old.generate(1, {"LogP": 2.0}, config=raw, seed=1)[0].ood is False


@pytest.mark.parametrize("damage", ["infinite", "narrow"])
def test_damaged_sample_is_refused(damage: str, tiny_model_file: Path, tmp_path: Path) -> None:
    checkpoint = Checkpoint.load(tiny_model_file)
    assert checkpoint.sample is not None
    sample = checkpoint.sample.copy()
    sample[0, 0] = INF
    odd = sample if damage == "infinite" else sample[:, 1:]
    replace(checkpoint, sample=odd).save(tmp_path / "odd.safetensors")
    with pytest.raises(ArtifactError, match="its sample of the training set"):
        Checkpoint.load(tmp_path / "odd.safetensors")
