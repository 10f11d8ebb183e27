import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from molvae.chem.smiles import canonicalize
from molvae.cli.main import cli
from molvae.generator import MoleculeGenerator
from tests.drugs import DRUGS

Predict = Callable[..., Result]
ASPIRIN, BROMIDE = "CC(=O)Oc1ccccc1C(=O)O", "Brc1ccccc1"
LINES = (
    "Compound,potency,smiles",
    f"a,6.5,{ASPIRIN}",
    "b,,CCO",
    "c,,C1CC",
    f"d,,{BROMIDE}",
)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "in.csv"
    path.write_text("".join(f"{line}\n" for line in LINES), encoding="utf-8")
    return path


@pytest.fixture
def predict(labelled_model_file: Path, table: Path) -> Predict:
    """Run the command on the table and the labelled model within this process."""

    def run(*arguments: object, file: object = table, model: object = None) -> Result:
        words = ["predict", file, model or labelled_model_file, "-j", 1, *arguments]
        return CliRunner().invoke(cli, [str(word) for word in words], prog_name="molvae")

    return run


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(text.splitlines()))


def test_labels_stand_behind_the_columns_of_the_table(
    predict: Predict, labelled_model_file: Path
) -> None:
    done = predict()
    assert done.exit_code == 0, done.stderr
    rows = rows_of(done.stdout)
    assert list(rows[0]) == [
        *("Compound", "potency", "smiles", "predicted_potency", "predicted_activity"),
        *("certainty_activity", "ood", "ood_reason"),
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


def test_what_the_model_cannot_read_is_left_empty_with_the_reason(predict: Predict) -> None:
    aspirin, _, bromide = rows_of(predict().stdout)
    assert (aspirin["ood"], aspirin["ood_reason"]) == ("false", "")
    assert (bromide["ood"], bromide["predicted_potency"], bromide["certainty_activity"]) == (
        *("true", "", ""),
    )
    assert bromide["ood_reason"].startswith("symbol unknown to the model: [Br]")


def test_bad_rows_are_named_counted_and_listed(predict: Predict, tmp_path: Path) -> None:
    bad = tmp_path / "bad.csv"
    done = predict("--rejects", bad)
    assert "in.csv:4: not a molecule: ring 1 is opened at character 2" in done.stderr
    assert "in.csv: 4 rows, SMILES in column 'smiles'." in done.stderr
    assert "2 molecules predicted" in done.stderr
    assert "1 with unknown symbols, 1 rows rejected; " in done.stderr
    (row,) = rows_of(bad.read_text())
    assert (row["file"], row["row"], row["smiles"]) == ("in.csv", "4", "C1CC")
    strict = predict("--strict")
    assert strict.exit_code == 3
    assert "in.csv:4: not a molecule" in strict.stderr


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
    assert f"activity: right on {activity['accuracy']:.0%} of" in said


def test_a_model_that_never_said_so_has_no_error_to_tell(
    predict: Predict, tmp_path: Path, labelled_model_file: Path
) -> None:
    from molvae.checkpoint import Checkpoint

    checkpoint = Checkpoint.load(labelled_model_file)
    del checkpoint.provenance["head"], checkpoint.provenance["health"]
    checkpoint.save(tmp_path / "old.safetensors")
    done = predict(model=tmp_path / "old.safetensors")
    assert done.exit_code == 0
    assert "potency: the error of this model's predictions is unknown" in done.stderr


def test_filling_in_changes_empty_cells_alone(predict: Predict) -> None:
    plain, done = predict(), predict("--fill", "-p", "Potency", "-p", "activity")
    rows, predicted = rows_of(done.stdout), rows_of(plain.stdout)
    assert list(rows[0]) == [
        *("Compound", "potency", "smiles", "activity", "potency_predicted"),
        *("activity_predicted", "ood", "ood_reason"),
    ]
    assert [row["potency"] for row in rows] == ["6.5", predicted[1]["predicted_potency"], ""]
    assert [row["potency_predicted"] for row in rows] == ["false", "true", "false"]
    assert [row["activity"] for row in rows] == [row["predicted_activity"] for row in predicted]
    assert [row["activity_predicted"] for row in rows] == ["true", "true", "false"]


def test_what_can_be_computed_is_read_when_it_is_named(predict: Predict) -> None:
    done = predict("-p", "MolLogP", "-p", "mw")
    assert list(rows_of(done.stdout)[0])[3:5] == ["predicted_LogP", "predicted_MW"]
    unknown = predict("-p", "solubility")
    assert unknown.exit_code == 2
    assert "unknown property 'solubility'" in unknown.stderr


def test_a_model_without_labels_asks_for_names(predict: Predict) -> None:
    done = predict(model="druglike")
    assert done.exit_code == 2
    assert "the model has no labels; name a property with --property: MW, LogP" in done.stderr


def test_a_second_prediction_takes_the_place_of_the_first(predict: Predict, tmp_path: Path) -> None:
    first, second = tmp_path / "first.csv", tmp_path / "second.csv"
    assert predict("-o", first).exit_code == 0
    done = predict("-o", second, file=first)
    assert done.exit_code == 0, done.stderr
    assert "first.csv: its column 'predicted_potency' is replaced." in done.stderr
    assert rows_of(second.read_text()) == rows_of(first.read_text())


@pytest.mark.parametrize("kind", ["tsv", "smi", "sdf", "json", "jsonl", "csv.gz"])
def test_every_format_comes_in_and_goes_out(predict: Predict, tmp_path: Path, kind: str) -> None:
    first, second = tmp_path / f"first.{kind}", tmp_path / "second.csv"
    done = predict("-o", first)
    assert (done.exit_code, done.stdout) == (0, "")
    assert predict("-o", second, file=first).exit_code == 0
    expected = rows_of(predict().stdout)
    for row, wanted in zip(rows_of(second.read_text()), expected, strict=True):
        assert row["predicted_potency"] == wanted["predicted_potency"]
        smiles = row.get("smiles") or row.get("structure") or row.get("SMILES") or ""
        assert canonicalize(smiles) == canonicalize(wanted["smiles"])


def test_stdin_and_stdout_will_do(predict: Predict, labelled_model_file: Path) -> None:
    words = ["predict", "-", str(labelled_model_file), "--format", "csv", "-j", "1", "-q"]
    done = CliRunner().invoke(cli, words, input="\n".join(LINES), prog_name="molvae")
    assert done.stdout == predict("-q").stdout


def test_bad_rows_may_go_to_stdout_where_nothing_else_does(
    predict: Predict, tmp_path: Path
) -> None:
    done = predict("-o", tmp_path / "out.csv", "--rejects", "-")
    assert [row["row"] for row in rows_of(done.stdout)] == ["4"]


def test_what_exists_is_kept_and_the_input_never_overwritten(
    predict: Predict, table: Path, tmp_path: Path
) -> None:
    before = table.read_bytes()
    for words in (("-o", table, "--force"), ("--rejects", table, "--force"), ("--rejects", "-")):
        assert predict(*words).exit_code == 2
    (tmp_path / "out.csv").write_text("mine")
    assert predict("-o", tmp_path / "out.csv").exit_code == 2
    assert ((tmp_path / "out.csv").read_text(), table.read_bytes()) == ("mine", before)


def test_a_table_without_a_molecule_that_can_be_read_is_no_input(
    predict: Predict, tmp_path: Path
) -> None:
    (tmp_path / "none.csv").write_text(f"smiles\n{BROMIDE}\n")
    done = predict(file=tmp_path / "none.csv")
    assert done.exit_code == 3
    assert "none.csv: no molecule that the model can read" in done.stderr


def test_the_number_of_workers_changes_nothing(predict: Predict, tmp_path: Path) -> None:
    path = tmp_path / "drugs.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("name", "smiles"), *DRUGS])
    one, three = (predict("-j", jobs, file=path) for jobs in (1, 3))
    assert one.exit_code == 0
    assert len(rows_of(one.stdout)) > 250
    assert one.stdout == three.stdout


def test_an_interrupt_keeps_the_finished_rows(labelled_model_file: Path, tmp_path: Path) -> None:
    path, out = tmp_path / "many.smi", tmp_path / "out.csv"
    path.write_text("".join(f"{smiles}\n" for _, smiles in DRUGS * 200), encoding="utf-8")
    words = ["predict", path, labelled_model_file, "-o", out, "-j", 1]
    process = subprocess.Popen(
        [sys.executable, "-m", "molvae", *map(str, words)], stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob(".out.csv*")) and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(1.0)
    os.kill(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "Interrupted; the finished rows are kept." in said
    rows = rows_of(out.read_text())
    assert len(rows) < len(DRUGS) * 200
    assert all(row["ood"] in ("true", "false") for row in rows)
