"""molvae's own numbers as objectives."""

import math
from pathlib import Path

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import QED

from molvae.adapters.objectives import closeness, measured, predicted
from molvae.errors import UsageError
from molvae.generator import MoleculeGenerator
from tests.drugs import DRUGS

SMILES = [smiles for _, smiles in DRUGS[:5]]
TRUTH = [QED.qed(Chem.MolFromSmiles(smiles)) for smiles in SMILES]


def test_a_measured_property_is_rdkits_own() -> None:
    np.testing.assert_array_equal(measured("QED")(SMILES), TRUTH)
    assert measured("MolWt")(["CC(=O)[O-].[Na+]"])[0] == pytest.approx(82.03, abs=0.01)


def test_of_minimized_numbers_less_is_better() -> None:
    scores = measured("SA", minimize=True)(["CCO", "CC12CCC3C(CCC4=CC(=O)CCC34C)C1CCC2O"])
    assert -4 < scores[1] < scores[0] < -1


def test_what_is_no_molecule_has_no_score_and_is_counted() -> None:
    objective = measured("LogP")
    scores = objective(["CCO", "not one", "c1ccccc1", "C(C", "C1CC"])
    assert np.isnan(scores).tolist() == [False, True, False, True, True]
    assert objective.failures == {"more than one record": 1, "not a molecule": 2}
    assert objective.scored == 2


def test_no_molecules_have_no_scores_and_one_string_is_no_list() -> None:
    assert measured("LogP")([]).shape == (0,)
    with pytest.raises(UsageError, match="give a list"):
        measured("LogP")("CCO")


def test_the_head_is_asked_for_what_it_predicts(druglike: MoleculeGenerator) -> None:
    objective = predicted(druglike, "molwt")
    scores = objective([*SMILES, "C1CC", "OB(O)C"])
    expected = [prediction.values["MW"] for prediction in druglike.predict(SMILES)]
    np.testing.assert_array_equal(scores[:5], expected)
    assert scores[:5] == pytest.approx(measured("MW")(SMILES), rel=0.25)
    assert np.isnan(scores[5:]).all()
    assert objective.failures == {"not a molecule": 1, "symbol unknown to the model": 1}


def test_closeness_is_one_on_target_and_falls_with_the_miss(druglike: MoleculeGenerator) -> None:
    weight = float(measured("MW")(SMILES[:1])[0])
    scale = druglike.normalizer.scales["MW"]
    for off, expected in ((0.0, 1.0), (scale, math.exp(-0.5)), (-2 * scale, math.exp(-2.0))):
        (score,) = closeness(druglike, {"MolWt": weight + off})(SMILES[:1])
        assert score == pytest.approx(expected)


def test_closeness_to_several_targets_is_their_geometric_mean(druglike: MoleculeGenerator) -> None:
    one, other = {"LogP": 2.5}, {"TPSA": (0.0, 40.0)}
    both = closeness(druglike, {**one, **other})(SMILES)
    apart = closeness(druglike, one)(SMILES) * closeness(druglike, other)(SMILES)
    np.testing.assert_allclose(both, np.sqrt(apart))


def test_labels_are_read_by_the_head(labelled_model_file: Path) -> None:
    model = MoleculeGenerator.load(labelled_model_file)
    readings = [prediction.values for prediction in model.predict(SMILES)]
    potency = predicted(model, "potency")(SMILES)
    assert potency.tolist() == [reading["potency"] for reading in readings]
    for smiles, reading, weight in zip(SMILES, readings, measured("MW")(SMILES), strict=True):
        (score,) = closeness(model, {"activity": "active", "MW": weight})([smiles])
        missing = max(1.0 - reading["activity"]["active"], 0.0)  # and of the weight nothing is
        assert score == pytest.approx(math.exp(-0.25 * (missing / 0.5) ** 2))
    assert np.isnan(closeness(model, {"activity": "active"})(["C1CC"])).all()
    with pytest.raises(UsageError, match=r"classes active, inactive: use closeness"):
        predicted(model, "activity")


def test_what_cannot_be_meant_is_refused(druglike: MoleculeGenerator) -> None:
    with pytest.raises(UsageError, match="did you mean 'LogP'"):
        measured("logd")
    with pytest.raises(UsageError, match="not trained on Rings"):
        predicted(druglike, "Rings")
    with pytest.raises(UsageError, match="name at least one"):
        closeness(druglike, {})
    with pytest.raises(UsageError, match="impossible"):
        closeness(druglike, {"QED": 2.0})
