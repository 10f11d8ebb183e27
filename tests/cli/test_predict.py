import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from click.testing import Result

from molvae.generator import MoleculeGenerator
from tests.cli.conftest import ASPIRIN
from tests.cli.running import invoke, rows_of

Predict = Callable[..., Result]


@pytest.fixture
def predict(labelled_model_file: Path, table: Path) -> Predict:
    """Run the command on the table and the labelled model."""

    def run(*arguments: object, model: object = None, code: int = 0) -> Result:
        words = ("predict", table, model or labelled_model_file, "-j", 1, *arguments)
        return invoke(*words, code=code)

    return run


def test_labels_stand_behind_the_columns_of_the_table(
    predict: Predict, labelled_model_file: Path
) -> None:
    done = predict()
    rows = rows_of(done.stdout)
    assert list(rows[0]) == [
        *("Compound", "potency", "smiles", "predicted_potency", "predicted_activity"),
        *("certainty_activity", "P(activity=active)", "P(activity=inactive)"),
        *("nearest", "ood", "ood_reason"),
    ]
    assert [row["Compound"] for row in rows] == ["a", "b", "d"]
    assert [row["potency"] for row in rows] == ["6.5", "", ""]
    generator = MoleculeGenerator.load(labelled_model_file)
    expected = generator.predict([ASPIRIN])[0].values
    assert float(rows[0]["predicted_potency"]) == pytest.approx(expected["potency"], rel=1e-5)
    activity = expected["activity"]
    assert isinstance(activity, Mapping)
    likeliest = max(activity, key=lambda word: activity[word])
    assert rows[0]["predicted_activity"] == likeliest
    assert float(rows[0]["certainty_activity"]) == pytest.approx(
        min(max(activity[likeliest], 0.0), 1.0), abs=1e-5
    )
    columns = [f"P(activity={word})" for word in activity]
    assert sum(float(rows[0][column]) for column in columns) == pytest.approx(1.0, abs=1e-5)
    assert max(columns, key=lambda column: float(rows[0][column])) == f"P(activity={likeliest})"
    assert rows[2][columns[0]] == "", "a symbol unknown to the model"


def test_what_the_model_cannot_read_is_left_empty_with_the_reason(predict: Predict) -> None:
    aspirin, _, bromide = rows_of(predict().stdout)
    assert (aspirin["ood"], aspirin["ood_reason"]) == ("false", "")
    assert (bromide["ood"], bromide["predicted_potency"], bromide["certainty_activity"]) == (
        *("true", "", ""),
    )
    assert bromide["ood_reason"].startswith("symbol unknown to the model: [Br]")


def test_the_held_out_error_is_told(predict: Predict) -> None:
    done = predict("--json", "-q")
    found = json.loads(done.stdout)
    potency, activity = (found["held_out"][name] for name in ("potency", "activity"))
    assert potency["molecules"] > 20
    assert 0 < potency["mae"] <= potency["rmse"]
    assert 0 <= activity["auc"] <= 1
    assert 0 < activity["accuracy"] <= 1
    assert (found["predicted"], found["not_predicted"]) == (2, 1)
    assert found["rejected"] == {"not a molecule": 1}
    assert [row["Compound"] for row in found["rows"]] == ["a", "b", "d"]
    said = predict().stderr
    assert f"potency: mean error {potency['mae']:.3g}, R2 {potency['r2']:.2f} on" in said
    assert (
        f"activity: ROC AUC {activity['auc']:.2f}, average precision"
        f" {activity['average_precision']:.2f} where a guess has {activity['smallest']:.2g},"
        f" accuracy {activity['accuracy']:.0%} on {activity['molecules']:g} held-out molecules"
    ) in said


def test_the_rule_of_ood_is_told_with_its_limit(
    predict: Predict, labelled_model_file: Path
) -> None:
    rule = MoleculeGenerator.load(labelled_model_file).model.applicability
    assert rule is not None
    assert f"{rule}; or symbols, a length or properties outside" in predict().stderr
    assert json.loads(predict("--json", "-q").stdout)["applicability"] == rule.to_dict()
    of_many = predict("-p", "LogP", model="druglike")
    assert "nearest" not in rows_of(of_many.stdout)[0]


def test_a_model_that_never_said_so_has_no_error_to_tell(
    predict: Predict, tmp_path: Path, labelled_model_file: Path
) -> None:
    from molvae.checkpoint import Checkpoint

    checkpoint = Checkpoint.load(labelled_model_file)
    del checkpoint.provenance["head"], checkpoint.provenance["health"]
    checkpoint.save(tmp_path / "old.safetensors")
    done = predict(model=tmp_path / "old.safetensors")
    assert "potency: the error of this model's predictions is unknown" in done.stderr


def test_filling_in_changes_empty_cells_alone(predict: Predict) -> None:
    plain, done = predict(), predict("--fill", "-p", "Potency", "-p", "activity")
    rows, predicted = rows_of(done.stdout), rows_of(plain.stdout)
    assert list(rows[0]) == [
        *("Compound", "potency", "smiles", "activity", "potency_predicted"),
        *("activity_predicted", "nearest", "ood", "ood_reason"),
    ]
    assert [row["potency"] for row in rows] == ["6.5", predicted[1]["predicted_potency"], ""]
    assert [row["potency_predicted"] for row in rows] == ["false", "true", "false"]
    assert [row["activity"] for row in rows] == [row["predicted_activity"] for row in predicted]
    assert [row["activity_predicted"] for row in rows] == ["true", "true", "false"]


def test_what_can_be_computed_is_read_when_it_is_named(predict: Predict) -> None:
    done = predict("-p", "MolLogP", "-p", "mw")
    assert list(rows_of(done.stdout)[0])[3:5] == ["predicted_LogP", "predicted_MW"]
    unknown = predict("-p", "solubility", code=2)
    assert "unknown property 'solubility'" in unknown.stderr


def test_a_model_without_labels_asks_for_names(predict: Predict) -> None:
    done = predict(model="druglike", code=2)
    assert "the model has no labels; name a property with --property: MW, LogP" in done.stderr
