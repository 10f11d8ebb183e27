import json
from functools import partial
from pathlib import Path

import pytest

from tests.cli.running import invoke
from tests.drugs import DRUGS
from tests.evaluate.pages import Page

pytest.importorskip("matplotlib", reason="needs the extra: pip install 'molvae[report]'")
pytest.importorskip("jinja2", reason="needs the extra: pip install 'molvae[report]'")

HOSTILE = "<img src=x onerror=alert(1)>"


evaluate = partial(invoke, "evaluate", "-j", 1)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Ten drugs of which a LogP was asked, and a row that is none."""
    path = tmp_path / "generated.csv"
    rows = [f"{smiles},{row % 3}" for row, (_, smiles) in enumerate(DRUGS[:10])]
    path.write_text("\n".join(["SMILES,target_LogP", *rows, "C1CC,2"]), encoding="utf-8")
    return path


def test_the_page_holds_the_same_report_as_the_json(table, tmp_path) -> None:
    out, page = tmp_path / "report.json", tmp_path / "report.html"
    done = evaluate(table, "--reference", table, "-o", out, "--report", page, "--seed", 5)
    assert done.stdout.startswith("11 molecules, 10 valid")
    found = Page(page.read_text(encoding="utf-8"))
    assert found.record["report"] == json.loads(out.read_text())
    assert found.record["files"] == {"generated": "generated.csv", "reference": "generated.csv"}
    assert str(tmp_path) not in found.text


def test_a_model_brings_its_training_curves_along(table, tmp_path, tiny_model_file) -> None:
    page = tmp_path / "report.html"
    evaluate(table, "--training", tiny_model_file, "--report", page)
    found = Page(page.read_text(encoding="utf-8"))
    assert found.record["model"]["name"] == "model.safetensors"
    assert len(found.record["model"]["log"]) == 5
    assert {"MW", "LogP"} <= found.record["model"]["health"]["property_mae"].keys()
    assert "Training curve: reconstruction" in page.read_text(encoding="utf-8")


def test_names_from_strangers_stay_words(tmp_path) -> None:
    path, page = tmp_path / f"{HOSTILE}.csv", tmp_path / "report.html"
    rows = ["CCO,1", f"{HOSTILE},1", f"CCN {HOSTILE},1"]
    path.write_text("\n".join([f"SMILES,target_{HOSTILE}", *rows]), encoding="utf-8")
    evaluate(path, "--report", page)
    found = Page(page.read_text(encoding="utf-8"))
    assert found.all("img") == []
    assert found.record["files"]["generated"] == path.name
    assert found.record["report"]["counts"]["not_measurable"] == [HOSTILE]


def test_a_page_is_written_over_another_only_by_force(table, tmp_path) -> None:
    page = tmp_path / "report.html"
    page.write_text("mine")
    refused = evaluate(table, "--report", page, code=2)
    assert "--force" in refused.stderr
    assert page.read_text() == "mine"
    evaluate(table, "--report", page, "--force")
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--report", "{table}", "--force"), "read or written already"),
        (("--report", "{folder}/a", "-o", "{folder}/a"), "read or written already"),
        (("--report", "{folder}"), "folder"),
        (("--report", "{folder}/nowhere/a.html"), "no such folder"),
        (("--report", "-"), "--report report.html"),
    ],
)
def test_a_place_that_cannot_be_is_refused_before_the_work(
    table, tmp_path, arguments, words
) -> None:
    filled = [word.format(table=table, folder=tmp_path) for word in arguments]
    done = evaluate(table, *filled, code=2)
    assert words in done.stderr
    assert "rows" not in done.stderr  # nothing was read


def test_without_the_extra_nothing_is_read(table, tmp_path, monkeypatch) -> None:
    from molvae.evaluate.page import render as page

    monkeypatch.setattr(page, "find_spec", lambda name: None)
    done = evaluate(table, "--report", tmp_path / "report.html", code=2)
    assert "pip install 'molvae[report]'" in done.stderr
    assert "rows" not in done.stderr
    evaluate(table)


def test_a_table_of_optimize_is_drawn_as_a_curve(tmp_path) -> None:
    path, page = tmp_path / "best.csv", tmp_path / "report.html"
    rows = [f"{row},{smiles},{row / 20},edits" for row, (_, smiles) in enumerate(DRUGS[:12], 1)]
    odd = ["13,CCO,,edits", "14,CCC,1e308,edits", "none,CCN,inf,edits", "15"]
    path.write_text("\n".join(["ID,SMILES,score,operator", *rows[::-1], *odd]))
    evaluate(path, "--report", page)
    found = Page(page.read_text(encoding="utf-8")).record
    assert found["curve"]["calls"][:5] == [10, 11, 12, 13, 14]
    assert found["curve"]["best"][:5] == [0.5, 0.55, 0.6, 0.6, 0.6]
    assert [each["values"]["score"] for each in found["molecules"]["best"]][:2] == [0.6, 0.55]
