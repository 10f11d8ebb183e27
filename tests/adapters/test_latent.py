"""Latent codes as scikit-learn's users ask for them, against a restatement of what it does."""

import copy
from typing import Any

import numpy as np
import pandas as pd
import pytest

from molvae.adapters.latent import LatentTransformer
from molvae.errors import InputError, UsageError
from molvae.generator import MoleculeGenerator
from tests.drugs import DRUGS

SMILES = [smiles for _, smiles in DRUGS[:8]]


def clone(estimator: Any) -> Any:
    """Copy as scikit-learn 1.9 does: by arguments, which the copy must hand back as they are."""
    arguments = {name: copy.deepcopy(v) for name, v in estimator.get_params(deep=False).items()}
    new = type(estimator)(**arguments)
    kept = new.get_params(deep=False)
    assert all(kept[name] is value for name, value in arguments.items())
    return new


class Ridge:
    """A least-squares fit with a penalty, as `sklearn.linear_model.Ridge` makes it."""

    def fit(self, X: np.ndarray, y: np.ndarray) -> "Ridge":
        self.mean, self.offset = X.mean(axis=0), y.mean()
        centered = (X - self.mean).astype(np.float64)
        squares = centered.T @ centered + np.eye(X.shape[1])
        self.coefficients = np.linalg.solve(squares, centered.T @ (y - self.offset))
        return self

    def predict(self, X: np.ndarray) -> np.ndarray:
        found: np.ndarray = (X - self.mean) @ self.coefficients + self.offset
        return found


class Pipeline:
    """What `sklearn.pipeline.Pipeline` does with a transformer and a model behind it."""

    def __init__(self, *steps: Any) -> None:
        for step in steps[:-1]:
            assert hasattr(step, "fit") or hasattr(step, "fit_transform")
            assert hasattr(step, "transform")
        self.steps = steps

    def fit(self, X: Any, y: Any) -> "Pipeline":
        self.fitted = [clone(step) if hasattr(step, "get_params") else step for step in self.steps]
        for step in self.fitted[:-1]:
            X = step.fit_transform(X, y)
        self.fitted[-1].fit(X, y)
        return self

    def predict(self, X: Any) -> np.ndarray:
        for step in self.fitted[:-1]:
            X = step.transform(X)
        found: np.ndarray = self.fitted[-1].predict(X)
        return found


def test_a_model_of_log_p_is_learned_from_latent_codes() -> None:
    from molvae.adapters.objectives import measured

    smiles = [smiles for _, smiles in DRUGS[:120]]
    log_p = measured("LogP")(smiles)
    model = Pipeline(LatentTransformer("druglike"), Ridge()).fit(smiles[:90], log_p[:90])
    error = model.predict(smiles[90:]) - log_p[90:]
    assert np.mean(error**2) < 0.5 * np.var(log_p[90:])


def test_codes_are_those_of_the_model_and_lead_back_to_molecules(
    druglike: MoleculeGenerator,
) -> None:
    transformer = LatentTransformer(druglike).fit(SMILES)
    codes = transformer.transform(SMILES)
    np.testing.assert_array_equal(codes, druglike.encode(SMILES))
    assert codes.dtype == np.float32
    np.testing.assert_array_equal(LatentTransformer("druglike").fit_transform(SMILES), codes)
    back = transformer.inverse_transform(codes)
    assert (back.dtype, back.shape) == (object, (8,))
    assert back.tolist() == druglike.decode(codes)


def test_any_column_of_smiles_will_do(druglike: MoleculeGenerator) -> None:
    transformer = LatentTransformer(druglike)
    codes = transformer.transform(SMILES)
    table = pd.DataFrame({"smiles": SMILES}, index=range(50, 58))
    for column in (tuple(SMILES), np.array(SMILES), table["smiles"], table, table.to_numpy()):
        np.testing.assert_array_equal(transformer.transform(column), codes)
    for wrong in ("CCO", [["CCO", "CCN"]], table.assign(other=1)):
        with pytest.raises(UsageError, match="N SMILES are expected"):
            transformer.transform(wrong)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ("C1CC", "row 1, 'C1CC': not a molecule"),
        ("OB(O)C", r"row 1, 'OB\(O\)C': symbol unknown to the model: \[B\]"),
        (None, "row 1, None: empty"),
    ],
)
def test_a_row_that_has_no_code_is_named(
    druglike: MoleculeGenerator, bad: str | None, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        LatentTransformer(druglike).transform(["CCO", bad])


def test_rows_that_are_no_molecules_are_nan_on_request(druglike: MoleculeGenerator) -> None:
    transformer = LatentTransformer(druglike, invalid="nan")
    mixed = ["C1CC", SMILES[0], None, float("nan"), "OB(O)C", SMILES[1]]
    codes = transformer.transform(mixed)
    assert np.isnan(codes).all(axis=1).tolist() == [True, False, True, True, True, False]
    np.testing.assert_array_equal(codes[[1, 5]], druglike.encode(SMILES[:2]))
    back = transformer.inverse_transform(codes)
    assert [bool(text) for text in back] == [False, True, False, False, False, True]
    assert transformer.inverse_transform(codes[:1]).tolist() == [""]
    with pytest.raises(UsageError, match="not finite"):
        LatentTransformer(druglike).inverse_transform(codes)


def test_a_clone_has_the_same_arguments_and_codes(druglike: MoleculeGenerator) -> None:
    fitted = LatentTransformer(druglike, invalid="nan").fit(SMILES)
    other = clone(fitted)
    assert not hasattr(other, "generator_")
    np.testing.assert_array_equal(other.transform(SMILES), fitted.transform(SMILES))
    arguments = {"model": "druglike", "invalid": "error", "device": "cpu"}
    assert clone(LatentTransformer("druglike")).get_params() == arguments


def test_arguments_are_changed_by_name() -> None:
    transformer = LatentTransformer()
    assert transformer.set_params(invalid="nan", model="elsewhere") is transformer
    assert repr(transformer) == "LatentTransformer('elsewhere', invalid='nan')"
    with pytest.raises(UsageError, match="did you mean 'invalid'"):
        transformer.set_params(invalide="nan")
    with pytest.raises(InputError):
        transformer.fit(SMILES)
    with pytest.raises(UsageError, match="error, nan"):
        LatentTransformer(invalid="drop").fit(SMILES)


def test_latent_dimensions_have_names(druglike: MoleculeGenerator) -> None:
    names = LatentTransformer(druglike).get_feature_names_out(["smiles"])
    assert (names.dtype, names[0], names[-1]) == (object, "latent0", f"latent{len(names) - 1}")
    assert len(names) == druglike.checkpoint.model.config.latent_size


def test_tags_have_every_field_that_scikit_learn_reads() -> None:
    tags = LatentTransformer().__sklearn_tags__()
    assert tags.input_tags.string
    asked = (tags.input_tags.sparse, tags.input_tags.pairwise, tags.target_tags.required)
    assert not any((*asked, tags.requires_fit))
    kinds = "estimator_type target_tags transformer_tags classifier_tags regressor_tags input_tags"
    switches = "array_api_support no_validation non_deterministic requires_fit _skip_test"
    shapes = "one_d_array two_d_array three_d_array sparse categorical string dict"
    target = "required one_d_labels two_d_labels positive_only multi_output single_output"
    assert set(vars(tags)) == {*kinds.split(), *switches.split()}
    assert set(vars(tags.input_tags)) == {*shapes.split(), "positive_only", "allow_nan", "pairwise"}
    assert set(vars(tags.target_tags)) == set(target.split())
    assert set(vars(tags.transformer_tags)) == {"preserves_dtype"}
