"""The property head's errors on held-out molecules."""

import numpy as np
import pytest
import torch

from molvae.dataset import MoleculeDataset
from molvae.model.cvae import ConditionalVAE
from molvae.train.batches import collate
from molvae.train.property_head import (
    area_under_curve,
    average_precision,
    class_errors,
    evaluate_head,
)
from tests.conftest import Memorized


def read(model: ConditionalVAE, dataset: MoleculeDataset) -> np.ndarray:
    """Return the predictions for the 32 held-out molecules, in their units, shape (32, P)."""
    batch = collate(dataset, dataset.members("validation"))
    with torch.inference_mode():
        values = model.predict_properties(model.encode(batch.ids, batch.lengths).mean)
    return dataset.normalizer.restore(values.numpy())


def test_errors_are_in_the_units_of_the_properties(memorized: Memorized) -> None:
    found = evaluate_head(*memorized, split="validation", seed=0)
    assert found["split"] == "validation"
    known = memorized.dataset.properties[memorized.dataset.members("validation")]
    error = read(*memorized) - known
    for column, name in enumerate(("MW", "LogP", "TPSA", "QED")):
        told = found["errors"][name]
        assert told["molecules"] == 32
        assert told["mae"] == pytest.approx(np.abs(error[:, column]).mean(), rel=1e-4)
        assert told["rmse"] == pytest.approx(np.sqrt((error[:, column] ** 2).mean()), rel=1e-4)
        residual = 1 - (error[:, column] ** 2).mean() / known[:, column].var()
        assert told["r2"] == pytest.approx(residual, abs=1e-4)
    assert found["errors"]["LogP"]["r2"] > 0.8, "the model has memorized these molecules"


def with_label(dataset: MoleculeDataset, values: np.ndarray) -> MoleculeDataset:
    """Return the dataset with QED replaced by these values, one for each molecule."""
    columns = dataset.properties.copy()
    columns[:, 3] = values
    return dataset._replace(properties=columns)


def test_molecules_without_the_label_are_left_out(memorized: Memorized) -> None:
    model, dataset = memorized
    qed = dataset.properties[:, 3].copy()
    rows = dataset.members("validation")
    qed[rows[5:]] = np.nan
    found = evaluate_head(model, with_label(dataset, qed), split="validation", seed=0)["errors"]
    assert (found["QED"]["molecules"], found["MW"]["molecules"]) == (5, 32)
    expected = np.abs(read(model, dataset)[:5, 3] - qed[rows[:5]]).mean()
    assert found["QED"]["mae"] == pytest.approx(expected, rel=1e-4)
    qed[rows] = np.nan
    found = evaluate_head(model, with_label(dataset, qed), split="validation", seed=0)["errors"]
    assert "QED" not in found


def test_equal_values_have_no_r2(memorized: Memorized) -> None:
    model, dataset = memorized
    alike = with_label(dataset, np.full(dataset.size, 0.5))
    found = evaluate_head(model, alike, split="validation", seed=0)["errors"]["QED"]
    assert found["r2"] is None
    assert found["mae"] > 0


def test_classes_have_accuracy_and_area_under_the_curve() -> None:
    known = np.array([[1, 0], [1, 0], [0, 1], [0, 1], [0, 1]], dtype=float)
    read = np.array([[0.9, 0.1], [0.4, 0.6], [0.3, 0.7], [0.5, 0.2], [0.1, 0.8]])
    found = class_errors(known, read)
    assert (found.molecules, found.accuracy, found.largest) == (5, 0.6, 0.6)
    # Of the first class, 5 of 6 pairs are in order; of the second, 5 of 6 as well.
    assert found.auc == pytest.approx(5 / 6)


def test_equal_predictions_have_an_area_of_half_and_one_class_alone_has_none() -> None:
    known = np.array([[1, 0], [0, 1], [0, 1]], dtype=float)
    assert class_errors(known, np.full((3, 2), 0.5)).auc == 0.5
    assert class_errors(known[1:], np.full((2, 2), 0.5)).auc is None


def test_the_frequent_class_alone_has_an_area_of_half() -> None:
    """Always naming the frequent class is right in 97 % and knows nothing."""
    known = np.zeros((100, 2))
    known[:, 0] = 1
    known[::33] = (0, 1)
    found = class_errors(known, np.tile([0.97, 0.03], (100, 1)))
    assert found.accuracy == found.largest == pytest.approx(0.96)
    assert found.auc == 0.5


def test_ties_count_half_in_the_area_under_the_curve() -> None:
    assert area_under_curve(np.zeros(2), np.zeros(2)) == 0.5
    assert area_under_curve(np.array([2.0, 3.0]), np.array([0.0, 1.0])) == 1.0
    assert np.isnan(area_under_curve(np.zeros(2), np.zeros(0)))


def test_average_precision_is_of_the_rarest_class() -> None:
    """As scikit-learn's average_precision_score gives it for these; equal scores stand together."""
    actives = np.array([1.0, 0.0, 1.0, 0.0, 0.0, 0.0])
    scores = np.array([0.6, 0.4, 0.3, 0.3, 0.1, 0.0])
    found = class_errors(
        np.stack([1 - actives, actives], axis=1), np.stack([1 - scores, scores], axis=1)
    )
    assert found.average_precision == pytest.approx(0.75)
    assert found.smallest == pytest.approx(1 / 3)
    assert average_precision(scores, np.zeros(6, dtype=bool)) is None
    assert average_precision(np.zeros(6), actives > 0) == pytest.approx(1 / 3)
