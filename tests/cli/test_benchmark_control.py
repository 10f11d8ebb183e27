"""`molvae benchmark control` and `reconstruction`, within this process."""

import json
from functools import partial
from pathlib import Path

import pytest

from tests.cli.running import invoke, write_rows
from tests.drugs import DRUGS

SMILES = [smiles for _, smiles in DRUGS]


benchmark = partial(invoke, "benchmark")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "drugs.csv"
    path.write_text("\n".join(["SMILES", *SMILES, "C1CC", "", "CCO,1"]))
    return path


def test_a_model_with_labels_is_asked_and_its_answers_are_written(
    labelled_model_file: Path, table: Path, tmp_path: Path
) -> None:
    out = tmp_path / "control.json"
    done = benchmark(
        *("control", labelled_model_file, "-n", 2, "--test", table, "--joint", 20, "--seed", 3),
        *("--training", table, "--shortlist", 1, "-o", out, "-j", 1),
    )
    found = json.loads(out.read_text())
    assert len(found["grid"]) == 27
    assert found["settings"]["tier"] == "raw"
    assert found["settings"]["shortlist"] == 1
    assert found["seed"] == 3
    assert "training set within LogP 0.4" in found["neighbors"]
    assert found["joint"]["source"] == "drugs.csv"
    assert "rdkit" in found["versions"]
    assert "drugs.csv: 1 damaged rows are left out." in done.stderr
    for words in ("LogP=1 TPSA=30 QED=0.6", "calibration", "joint, "):
        assert words in done.stdout
    benchmark("control", labelled_model_file, "-o", out, code=2)


@pytest.mark.parametrize("heading", ["target_LogP", "target_logp", "TARGET_MolLogP"])
def test_anyones_molecules_are_judged_by_their_target_columns(tmp_path: Path, heading: str) -> None:
    path = tmp_path / "theirs.csv"
    rows = [(smiles, 2.0, "active") for smiles in SMILES[:30]]
    write_rows(path, [("SMILES", heading, "target_activity"), *rows])
    done = benchmark("control", "--generated", path, "--json", "-j", 1)
    (point,) = json.loads(done.stdout)["single"]
    assert point["asked"] == {"LogP": 2.0}
    assert point["molecules"] == 30


def test_two_columns_that_ask_for_one_property_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "theirs.csv"
    path.write_text(f"SMILES,target_LogP,target_MolLogP\n{SMILES[0]},2,3\n")
    for command in (("evaluate", path), ("benchmark", "control", "--generated", path)):
        done = invoke(*command, code=3)
        assert "columns 'target_LogP' and 'target_MolLogP' both ask for LogP" in done.stderr


def test_what_cannot_be_meant_is_told(table: Path, tmp_path: Path) -> None:
    for words, code, said in (
        (("control", "druglike", "--generated", table), 2, "a model or --generated, not both"),
        (("control", "--generated", table), 3, "the table has no targets"),
        (("reconstruction", "druglike"), 2, "--test"),
        (("reconstruction", "--test", tmp_path / "none.csv"), 3, "none.csv"),
        (("control", "--only", "everything"), 2, "everything"),
    ):
        done = benchmark(*words, code=code)
        assert said in done.stderr


def test_molecules_go_through_the_model_and_back(
    tiny_model_file: Path, drug_dataset_file: Path, table: Path, tmp_path: Path
) -> None:
    out, dataset = tmp_path / "back.json", tmp_path / "mine.molvae"
    dataset.write_bytes(drug_dataset_file.read_bytes())
    done = benchmark(
        *("reconstruction", tiny_model_file, "--test", table, "-n", 150, "-o", out, "-j", 1),
        *("--training", dataset),
    )
    found = json.loads(out.read_text())
    assert found["molecules"] == 150
    assert found["ways"]["from_mean"].keys() == {"exact", "tanimoto"}
    assert found["memorization"].keys() == {"training", "held_out", "gap"}
    assert "linear probe" in done.stdout
    assert ("passes all tests" in done.stdout) == all(found["passed"].values())
    assert ("fails: " in done.stdout) != ("passes all tests" in done.stdout)
