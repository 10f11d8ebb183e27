import json
import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from molvae.checkpoint import FORMAT, Checkpoint
from molvae.files import store
from tests.cli.running import invoke

info = partial(invoke, "info")


def test_a_model_shows_what_it_is_and_what_can_be_asked(tiny_model_file: Path) -> None:
    done = info(tiny_model_file)
    assert done.stderr == ""
    checkpoint = Checkpoint.load(tiny_model_file)
    assert re.search(rf"^sha256 +{checkpoint.sha256}$", done.stdout, re.MULTILINE)
    for name, value in (
        ("holds", "checkpoint"),
        ("training molecules", r"\d+"),
        ("prior", "joint"),
    ):
        assert re.search(rf"^{name} +{value}", done.stdout, re.MULTILINE)
    assert re.search(rf"^symbols +{len(checkpoint.vocabulary.symbols)}: \[", done.stdout, re.M)
    assert re.search(r"^health: kl, nats +[\d.]+$", done.stdout, re.MULTILINE)
    assert re.search(r"^health: property_mae, sd +MW [\d.]+, LogP [\d.]+, TPSA", done.stdout, re.M)
    weight = next(line for line in done.stdout.splitlines() if line.startswith("MW "))
    mean, scale = float(weight.split()[1]), float(weight.split()[2])
    assert mean == pytest.approx(checkpoint.normalizer.mean[0], rel=1e-3)
    assert scale == pytest.approx(checkpoint.normalizer.scale[0], rel=1e-3)


def test_a_run_folder_is_its_model(tiny_model_file: Path) -> None:
    assert info(tiny_model_file.parent).stdout == info(tiny_model_file).stdout


def test_a_model_trained_further_shows_with_what_it_began_and_how_well_it_predicts(
    labelled_model_file: Path,
) -> None:
    shown = info(labelled_model_file).stdout
    (began,) = re.findall(r"^began with +(.*)$", shown, re.MULTILINE)
    assert began.startswith("columns potency activity=active activity=inactive, ")
    assert re.search(r", name tiny, sha256 \w{64}", began)
    (potency,) = re.findall(r"^predicts potency, validation +(.*)$", shown, re.MULTILINE)
    assert re.match(r"mae [\d.]+, molecules \d+, r2 [-\d.]+, rmse [\d.]+$", potency)
    (activity,) = re.findall(r"^predicts activity, validation +(.*)$", shown, re.MULTILINE)
    assert re.match(
        r"accuracy [\d.]+, auc [\d.]+, average_precision [\d.]+, largest [\d.]+,"
        r" molecules \d+, smallest [\d.]+$",
        activity,
    )
    assert re.search(r"^novel_against +the training set$", shown, re.MULTILINE)


def test_a_measured_model_shows_how_well_each_property_is_heeded(
    tiny_model_file: Path, tmp_path: Path
) -> None:
    checkpoint = Checkpoint.load(tiny_model_file)
    checkpoint.provenance["measured"] = {
        "acceptance": 0.5,
        "calibration": {"LogP": {"slope": 0.912, "r2": 0.5, "mae": float("nan")}},
    }
    checkpoint.save(tmp_path / "a.safetensors")
    done = info(tmp_path / "a.safetensors")
    assert re.search(r"^measured: acceptance +0.5$", done.stdout, re.MULTILINE)
    assert "calibration" not in done.stdout
    lines = [line.split() for line in done.stdout.splitlines()]
    columns = next(line for line in lines if line[:1] == ["property"])
    assert columns[-4:] == ["slope", "R2", "mean", "error"]
    assert next(line for line in lines if line[:1] == ["LogP"])[-3:] == ["0.912", "0.5", "nan"]
    found = json.loads(info(tmp_path / "a.safetensors", "--json").stdout)
    assert found["provenance"]["measured"]["calibration"]["LogP"]["mae"] is None


def test_a_dataset_shows_its_molecules_and_where_they_come_from(drug_dataset_file: Path) -> None:
    done = info(drug_dataset_file)
    assert re.search(r"^holds +dataset$", done.stdout, re.MULTILINE)
    for split in ("train", "validation", "test"):
        assert re.search(rf"^{split} molecules +\d+$", done.stdout, re.MULTILINE)
    assert re.search(r"^made from +.*drugs\.csv", done.stdout, re.MULTILINE)


def test_classes_have_a_table_of_their_own(tiny_model_file: Path, tmp_path: Path) -> None:
    checkpoint = Checkpoint.load(tiny_model_file)
    names = ("MW", "LogP", "toxic=no", "toxic=yes")
    checkpoint.normalizer = checkpoint.normalizer._replace(
        names=names, mean=np.array([350.0, 2.5, 0.75, 0.25]), classes={"toxic": ("no", "yes")}
    )
    checkpoint.provenance["tally"] |= {"labels": {"toxic": {"classes": {"no": 300, "yes": 91}}}}
    checkpoint.save(tmp_path / "a.safetensors")
    done = info(tmp_path / "a.safetensors")
    lines = [line.split() for line in done.stdout.splitlines()]
    assert lines[-3:] == [
        ["label", "class", "share", "molecules"],
        ["toxic", "no", "0.75", "300"],
        ["toxic", "yes", "0.25", "91"],
    ]
    assert not [line for line in lines if line and line[0].startswith("toxic=")]
    del checkpoint.provenance["tally"]["labels"]  # whoever made the file did not count
    checkpoint.save(tmp_path / "a.safetensors")
    assert info(tmp_path / "a.safetensors").stdout.splitlines()[-1].split()[-1] == "0.25"


def test_json_is_the_whole_header_and_tells_no_path(
    tiny_model_file: Path, drug_dataset_file: Path
) -> None:
    for path, key in ((tiny_model_file, "model"), (drug_dataset_file, "symbols")):
        done = info(path, "--json")
        found = json.loads(done.stdout)
        assert found["sha256"] == store.read_sha256(path)
        assert found["normalizer"]["names"] == ["MW", "LogP", "TPSA", "QED"]
        assert key in found
        assert str(path.parent) not in done.stdout


def test_what_is_neither_is_told_in_one_line(tiny_model_file: Path, tmp_path: Path) -> None:
    table = tmp_path / "a.csv"
    table.write_text("SMILES\nCCO\n")
    state = tiny_model_file.with_name("state.safetensors")
    missing = tmp_path / "no.safetensors"
    for path, code, message in (
        (table, 1, "not a molvae file"),
        (state, 1, "a molvae training state, where a model or a dataset is expected"),
        (missing, 3, "neither a file, a run folder, nor a bundled model"),
        (tmp_path, 3, "neither a file, a run folder, nor a bundled model"),
    ):
        done = info(path, code=code)
        assert (done.stdout, done.stderr.count("\n")) == ("", 1)
        assert message in done.stderr


@pytest.mark.parametrize(
    "change", [{"normalizer": {}}, {"normalizer": 3}, {"symbols": 7}, {"provenance": []}]
)
def test_an_odd_header_is_damage_and_no_defect(tmp_path: Path, change: dict[str, object]) -> None:
    scales: dict[str, list[float]] = {"names": [], "mean": [], "scale": [], "quantiles": []}
    header = {"model": {}, "prior": "", "symbols": [], "normalizer": scales, "provenance": {}}
    path = tmp_path / "a.safetensors"
    store.write(path, {}, header, kind="checkpoint", format=FORMAT)
    info(path)
    store.write(path, {}, header | change, kind="checkpoint", format=FORMAT)
    done = info(path, code=1)
    assert done.stdout == ""
    assert done.stderr.startswith(f"Error: {path}: damaged: ")
