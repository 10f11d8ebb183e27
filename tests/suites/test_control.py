"""Asked against got: the figures, by hand where they can be had by hand."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from molvae.chem.properties import measure
from molvae.chem.smiles import standardize
from molvae.config import GenerateConfig
from molvae.errors import InputError
from molvae.evaluate.work import Work
from molvae.generator import MoleculeGenerator
from molvae.suites.control import GRID, judge_table, neighbors, summarize_errors, summarize_joint
from molvae.suites.control_model import ControlTests, PropertySampler, run_control
from molvae.suites.tokenized import load_tokenized
from tests.drugs import DRUGS

SMILES = [smiles for _, smiles in DRUGS]


def logp(smiles: str) -> float:
    return float(measure(standardize(smiles)[1], ["LogP"])[0])


def test_errors_are_over_what_came() -> None:
    found = summarize_errors({"LogP": np.array([0.5, -1.5, np.nan]), "QED": np.array([np.nan] * 3)})
    assert found["molecules"] == 2
    assert found["mae"] == {"LogP": 1.0, "QED": None}
    assert found["sd"]["LogP"] == 0.5
    assert found["bias"]["LogP"] == -0.5


def test_exact_counts_are_over_what_was_asked() -> None:
    errors = {"HBD": np.array([0.0, 1.0, np.nan, 0.0]), "LogP": np.array([0.5, 1.5, np.nan, 1.0])}
    found = summarize_joint(errors, {"HBD": 0.5, "LogP": 2.0})
    assert (found["molecules"], found["found"]) == (4, 3)
    assert found["properties"]["HBD"]["exact"] == 2 / 4
    assert found["properties"]["LogP"] == {"mae": 1.0, "mae_sd": 0.5}
    assert summarize_joint(errors, {"HBD": 0.0, "LogP": 2.0})["properties"]["HBD"]["mae_sd"] is None


def test_neighbors_are_within_all_widths_and_scaled_up() -> None:
    names = ("QED", "LogP", "TPSA")
    values = np.array([[0.6, 1.0, 30.0], [0.64, 1.39, 34.9], [0.6, 1.41, 30], [0.66, 1, 30]])
    target = {"LogP": 1.0, "TPSA": 30.0, "QED": 0.6}
    assert neighbors(target, names, (values, 4)) == 2
    assert neighbors(target, names, (values, 4000)) == 2000
    assert neighbors(target, names, None) is None
    assert neighbors({"SA": 2.0}, ("SA",), (np.ones((3, 1)), 3)) is None


def test_molecules_of_any_generator_are_judged_by_what_was_asked_of_each() -> None:
    smiles = [*SMILES[:30], "", "C1CC", *SMILES[30:40]]
    asked = [(2.0, 2.0)] * 32 + [(value, value) for value in np.linspace(0, 4, 10).tolist()]
    found = judge_table(smiles, {"LogP": asked}, training=None, name="x", versions={}, work=Work())
    (point,) = found.single
    assert found.grid == []
    assert point["molecules"] == 30
    truth = np.array([logp(text) - 2.0 for text in SMILES[:30]])
    assert point["mae"]["LogP"] == pytest.approx(np.abs(truth).mean())
    assert point["bias"]["LogP"] == pytest.approx(truth.mean())
    single = np.array([logp(s) for s in SMILES[30:40]]) - np.linspace(0, 4, 10)
    assert found.joint["molecules"] == 10
    assert found.joint["properties"]["LogP"]["mae"] == pytest.approx(np.abs(single).mean())
    json.loads(found.to_json())
    assert any(line.startswith("LogP=2") for line in found.table())


def test_targets_of_several_properties_are_a_grid_with_neighbors() -> None:
    targets = {"LogP": [(2.0, 2.0)] * 25, "TPSA": [(60.0, 60.0)] * 25}
    training = (np.array([[2.1, 58.0], [2.1, 90.0]]), 2)
    found = judge_table(
        SMILES[:25], targets, training=training, name="x", versions={}, work=Work()
    )  # fmt: skip
    assert found.grid[0]["neighbors"] == 1
    assert found.grid_mean == {}  # nothing to be averaged where the training set hardly reaches
    found = judge_table(
        SMILES[:25], targets, training=(training[0], 2000), name="x", versions={}, work=Work()
    )  # fmt: skip
    assert found.grid_mean["targets"] == 1
    assert found.grid_mean["mae"] == found.grid[0]["mae"]


def test_where_nothing_was_asked_nothing_is_judged() -> None:
    for targets in ({}, {"LogP": [(1.0, 2.0), None]}):
        with pytest.raises(InputError, match="no targets"):
            judge_table(["CCO", "CCN"], targets, training=None, name="x", versions={}, work=Work())


def test_a_model_is_asked_in_every_test_and_the_same_each_time(
    tiny_model_file: Path, drug_dataset_file: Path
) -> None:
    generator = MoleculeGenerator.load(tiny_model_file)
    held_out = load_tokenized(
        drug_dataset_file, generator, split="test", limit=25, seed=1, work=Work()
    )  # fmt: skip
    questions = ControlTests(n=2, seed=5, held_out=held_out)
    heard: dict[str, tuple[int, int]] = {}

    def tell(stage: str, done: int, total: int) -> None:
        heard[stage] = (done, total)

    asked = PropertySampler(generator, GenerateConfig(tier="raw", shortlist=1), report=tell)
    found = run_control(asked, questions, name="tiny", versions={})
    assert [point["asked"] for point in found.grid] == list(GRID)
    assert len(found.single) == 9  # SA is none of this model's properties
    assert found.calibration.keys() == {"MW", "LogP", "TPSA", "QED"}
    assert found.joint["molecules"] == held_out.dataset.size
    assert found.grid_mean["targets"] <= 27
    assert found.settings["tier"] == "raw"
    assert heard["Targets: grid"] == (54, 54)
    assert json.loads(found.to_json())["published"]["TPSA"] == 3.08
    only = run_control(asked, questions._replace(tests=("single",)), name="tiny", versions={})
    assert only.single == found.single
    assert (only.grid, only.calibration, only.joint) == ([], {}, {})


def test_a_model_that_heeds_its_targets_beats_one_that_does_not() -> None:
    """The bundled model, and the same with conditions and prior cut off."""
    import torch

    from molvae.model.prior import JointGaussian
    from molvae.suites.model_card import calibrate

    generator = MoleculeGenerator.load("druglike")
    good = calibrate(generator, "TPSA", n=150, seed=1)
    assert good.followed
    size = generator.checkpoint.model.config.latent_size
    total = size + len(generator.normalizer.names)
    with torch.no_grad():
        generator.checkpoint.model.conditions.layers[-1].weight.zero_()
    prior = JointGaussian(
        torch.zeros(total, dtype=torch.float64), torch.eye(total, dtype=torch.float64), size
    )
    blind = MoleculeGenerator(replace(generator.checkpoint, prior=prior))
    bad = calibrate(blind, "TPSA", n=150, seed=1)
    assert not bad.followed
    assert abs(bad.slope or 0.0) < 0.3
    assert (bad.mae or 0.0) > 1.4 * (good.mae or 1.0)
