import json
import re
from typing import Any

import pytest

from molvae.errors import UsageError
from molvae.evaluate.inputs import Inputs
from molvae.evaluate.page import charts
from molvae.evaluate.page import render as page
from molvae.evaluate.page.render import render
from molvae.evaluate.report import Evaluation, evaluate_sets
from molvae.evaluate.text import cell
from molvae.evaluate.trained import trained_model
from molvae.evaluate.work import Work
from tests.drugs import DRUGS
from tests.evaluate.pages import Page, numbers_in, resolve

pytest.importorskip("matplotlib", reason="needs the extra: pip install 'molvae[report]'")
pytest.importorskip("jinja2", reason="needs the extra: pip install 'molvae[report]'")

SMILES = [smiles for _, smiles in DRUGS]
HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'&{{7*7}}"
LOG = [
    {
        "epoch": epoch,
        "step": 10 * epoch,
        "reconstruction": 40.0 / epoch,
        "validation_reconstruction": 42.0 / epoch,
        "kl": 8.0 + epoch,
        "validation_kl": 8.5 + epoch,
    }
    for epoch in (1, 2, 3)
]
HEADER = {
    "normalizer": {"names": ["LogP", "QED"]},
    "provenance": {
        "title": "some drugs",
        "training_molecules": 300,
        "trained": {"epoch": 3, "kl": 11.0},
        "health": {"kl": 8.25, "property_mae": [0.1, 0.2], "passed": {"kl": True}},
        "measured": {
            "tier": "raw",
            "acceptance": 0.86,
            "calibration": {"LogP": {"slope": 0.97, "mae": None}},
        },
        "log": LOG,
    },
}


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    """Drugs that were asked for a LogP each, for one QED range, and for one number of rings."""
    generated = [*SMILES[:30], "", "C1CC", SMILES[0]]
    asked = {
        "LogP": [float(row % 5) for row in range(len(generated))],
        "QED": (0.6, 1.0),
        "Rings": 2,
        "pIC50": 7,
    }
    given = Inputs.of(generated, SMILES[30:60], None, SMILES[:10])
    return evaluate_sets(given, Work(), targets=asked, seed=3)


@pytest.fixture(scope="module")
def html(evaluation: Evaluation) -> str:
    return render(
        evaluation,
        files={"generated": "mine.csv", "reference": "test.csv"},
        model=trained_model("model.safetensors", "e4ab54", HEADER),
    )


@pytest.fixture(scope="module")
def read(html: str) -> Page:
    return Page(html)


@pytest.fixture
def without_histograms(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what takes most of the time, where it is not what is looked at."""
    monkeypatch.setattr(charts, "property_charts", lambda evaluation: [])


def test_every_number_on_the_page_is_that_of_the_record(read: Page) -> None:
    assert len(read.numbers) > 150
    for number in read.numbers:
        value = resolve(read.record, number.pointer)
        assert json.loads(number.value) == value
        assert number.text == cell(value)


def test_the_record_holds_the_report_as_json_has_it(read: Page, evaluation: Evaluation) -> None:
    assert read.record["report"] == json.loads(evaluation.report.to_json())


@pytest.mark.parametrize("part", ["values", "counts"])
def test_every_number_of_the_report_is_on_the_page(read: Page, part: str) -> None:
    shown = {number.pointer for number in read.numbers}
    assert numbers_in(read.record["report"][part], f"/report/{part}").keys() <= shown


def test_notes_versions_and_files_are_on_the_page(read: Page, evaluation: Evaluation) -> None:
    words = [*evaluation.report.notes, *evaluation.report.versions.values(), "mine.csv", "test.csv"]
    assert [word for word in words if word not in read.text] == []


@pytest.mark.usefixtures("without_histograms")
def test_a_measure_that_nobody_had_thought_of_shows_up(evaluation: Evaluation) -> None:
    new = {
        "rings seen before": 0.875,
        "odd/name~": 0.25,
        "symbols": {"used": 31, "known": 40},
        "memorized": {"LogP": {"near": 0.5, "far": None}, "QED": {"near": 0.125}},
        "deep": {"a": {"b": {"c": 0.0625, "words": ["x", "y"]}, "flag": True}, "n": 5},
        "list": [1, 2.5],
    }
    report = evaluation.report._replace(values={**evaluation.report.values, **new})
    found = Page(render(evaluation._replace(report=report)))
    shown = {number.pointer for number in found.numbers}
    assert numbers_in(report.values, "/report/values").keys() <= shown
    assert "x, y" in found.text
    assert "1, 2.500" in found.text


@pytest.mark.usefixtures("without_histograms")
def test_intervals_stand_beside_their_numbers() -> None:
    found = Page(render(evaluate_sets(Inputs.of(SMILES[:20]), Work(), bootstrap=20)))
    shown = {number.pointer for number in found.numbers}
    intervals = found.record["report"]["intervals"]
    assert {"validity", "properties.LogP.mean"} <= intervals.keys()
    for name in intervals:
        assert {f"/report/intervals/{name}/{end}" for end in (0, 1)} <= shown


def test_the_page_loads_nothing_and_runs_nothing(html: str, read: Page) -> None:
    policy = [meta["content"] for meta in read.all("meta") if "http-equiv" in meta]
    assert policy == ["default-src 'none'; style-src 'unsafe-inline'"]
    loading = {"src", "srcset", "poster", "data", "background", "action", "xlink:href"}
    for _, attributes in read.elements:
        assert loading.isdisjoint(attributes)
        assert not any(name.startswith("on") for name in attributes)
        assert str(attributes.get("href", "#")).startswith("#")
    assert set(re.findall(r"url\((.)", html)) <= {"#"}
    assert "@import" not in html
    assert "://" not in html
    assert [script["type"] for script in read.all("script")] == ["application/json"]


@pytest.mark.usefixtures("without_histograms")
def test_names_from_strangers_stay_words(evaluation: Evaluation) -> None:
    header = json.loads(json.dumps(HEADER))
    header["provenance"] |= {
        "title": HOSTILE,
        "health": {HOSTILE: HOSTILE, "passed": {HOSTILE: True}},
        "measured": {HOSTILE: {HOSTILE: {HOSTILE: 0.5}}},
    }
    header["provenance"]["log"][0][HOSTILE] = 1.0
    counts = {**evaluation.report.counts, "not_measurable": [HOSTILE], "invalid": {HOSTILE: 1}}
    report = evaluation.report._replace(counts=counts, notes=(HOSTILE,))
    model = trained_model(HOSTILE, HOSTILE, header)
    text = render(
        evaluation._replace(report=report),
        files={"generated": HOSTILE, HOSTILE: HOSTILE},
        model=model,
    )
    found = Page(text)
    assert [script["type"] for script in found.all("script")] == ["application/json"]
    assert found.all("img") == []
    assert found.record["files"] == {"generated": HOSTILE, HOSTILE: HOSTILE}
    assert found.record["model"] == model
    assert found.text.count(HOSTILE) >= 8
    assert "49" not in {number.text for number in found.numbers}


@pytest.mark.usefixtures("without_histograms")
def test_a_molecule_that_is_none_leaves_nothing_but_its_reason(evaluation: Evaluation) -> None:
    given = Inputs.of(["CCO", HOSTILE, f"CCN {HOSTILE}"])
    html = render(evaluate_sets(given, Work()))
    assert "alert" not in html
    assert Page(html).record["report"]["counts"]["valid"] >= 1


def test_the_same_report_makes_the_same_page(html: str, evaluation: Evaluation) -> None:
    again = render(
        evaluation,
        files={"generated": "mine.csv", "reference": "test.csv"},
        model=trained_model("model.safetensors", "e4ab54", HEADER),
    )
    assert again == html


def test_whatever_is_drawn_is_told_in_words_too(read: Page) -> None:
    images = [a for _, a in read.elements if a.get("role") == "img"]
    assert len(images) == len(read.all("svg")) > 20
    assert all(image["aria-label"] for image in images)
    assert sum(tag == "caption" for tag, _ in read.elements) == len(read.all("table"))
    assert all(heading.get("scope") for heading in read.all("th"))
    boxes = [a for _, a in read.elements if a.get("role") == "region"]
    assert all(box["tabindex"] == "0" and box["aria-label"] for box in boxes)
    headings = [tag for tag, _ in read.elements if re.fullmatch(r"h\d", tag)]
    assert headings[0] == "h1"
    assert set(headings[1:]) == {"h2"}
    assert read.all("html") == [{"lang": "en"}]


def test_each_name_within_the_page_is_there_once(html: str, read: Page) -> None:
    names = [str(a["id"]) for _, a in read.elements if "id" in a]
    assert len(names) == len(set(names))
    used = [str(a["href"])[1:] for _, a in read.elements if "href" in a]
    used += re.findall(r"url\(#([^)]*)\)", html)
    used += [str(a["aria-labelledby"]) for _, a in read.elements if "aria-labelledby" in a]
    assert len(used) > 100
    assert set(used) <= set(names)


def test_colors_are_those_of_the_style_sheet(html: str, read: Page) -> None:
    (style,) = read.styles
    assert set(re.findall(r"var\((--\w+)\)", html)) <= set(re.findall(r"(--\w+):", style))
    drawn = html[html.index("<main") : html.index("<script")]
    assert re.findall(r"#[0-9a-fA-F]{6}\b", drawn) == []


def test_the_model_shows_its_curves_and_its_health(read: Page) -> None:
    says = [str(a["aria-label"]) for _, a in read.elements if a.get("role") == "img"]
    assert sum("Training curve" in words for words in says) == 2
    shown = {number.pointer: number.text for number in read.numbers}
    assert shown["/model/health/kl"] == "8.250"
    assert shown["/model/health/property_mae/QED"] == "0.2000"
    assert shown["/model/measured/calibration/LogP/slope"] == "0.9700"
    assert "raw" in read.text


@pytest.mark.usefixtures("without_histograms")
@pytest.mark.parametrize(
    "header",
    [
        {},
        {"provenance": []},
        {"provenance": {"log": "long", "health": 3, "measured": ["a", {"b": 1}]}},
        {"provenance": {"log": [{"epoch": 1}, 7, {"kl": 2.0}, {"epoch": "x", "kl": 1.0}]}},
        {"provenance": {"log": [{"epoch": float("nan"), "kl": 1.0, "validation_kl": 1e300}]}},
        {"provenance": {"health": {"kl": float("inf"), "deep": [[[[[[[[1]]]]]]]]}}},
        {"provenance": {"health": {"a": {"b": {"c": {"d": {"e": {"f": {"g": {"h": 1}}}}}}}}}},
        {"provenance": {"title": "\ud800", "health": {"\x00\x1b": {}}}, "normalizer": {"names": 1}},
        {"provenance": {"health": {"property_mae": [1.0], "kl": 10**400}}, "normalizer": 3},
    ],
)
@pytest.mark.usefixtures("without_histograms")
def test_a_model_may_say_anything_of_itself(evaluation: Evaluation, header: dict[str, Any]) -> None:
    html = render(evaluation, model=trained_model("odd", "0", header))
    found = Page(html.encode(errors="replace").decode())
    assert found.record["model"]["name"] == "odd"


@pytest.mark.parametrize(
    ("generated", "reference"),
    [
        pytest.param(["", "C1CC"], SMILES[:5], id="nothing valid"),
        pytest.param(["CCO"] * 7, ["", "C1CC"], id="all the same"),
        pytest.param(["[He]"], None, id="one atom"),
        pytest.param(["*", "[H][H]", "C[C@H](N)C(=O)O", "[Na+].[Cl-]"], ["CC"], id="odd ones"),
    ],
)
def test_odd_sets_have_a_whole_page(generated: list[str], reference: list[str] | None) -> None:
    given = Inputs.of(generated, reference, None, None)
    found = Page(render(evaluate_sets(given, Work(), targets={"LogP": 1.0, "HBD": (0, 1)})))
    shown = {number.pointer for number in found.numbers}
    assert numbers_in(found.record["report"]["values"], "/report/values").keys() <= shown


@pytest.mark.usefixtures("without_histograms")
def test_a_molecule_too_large_to_make_out_is_left_out_and_counted(evaluation: Evaluation) -> None:
    given = Inputs.of(["CCO", "C" * 90, "CCN"])
    found = Page(render(evaluate_sets(given, Work())))
    assert "1 of 3 are not drawn: they have more than 80 heavy atoms." in found.text
    assert "C" * 90 not in found.text


@pytest.mark.usefixtures("without_histograms")
def test_the_worst_controlled_come_first_and_those_within_the_tolerance_not_at_all() -> None:
    given = Inputs.of(["CCO", "CCCCCCCC", "CCCC", "CCCCCCCC", "C1CC"])
    found = Page(render(evaluate_sets(given, Work(), targets={"HeavyAtoms": 3})))
    worst = found.record["molecules"]["worst"]
    assert [(one["number"], one["smiles"]) for one in worst] == [(2, "CCCCCCCC"), (3, "CCCC")]
    assert worst[0]["requests"] == {"HeavyAtoms": {"asked": "3", "realized": 8}}
    assert "HeavyAtoms: target 3, measured 8" in found.text


@pytest.mark.usefixtures("without_histograms")
def test_molecules_are_drawn_at_random_with_the_seed(evaluation: Evaluation) -> None:
    given = Inputs.of(SMILES[:60])
    first, again, other = (
        Page(render(evaluate_sets(given, Work(), seed=seed))).record["molecules"]["random"]
        for seed in (1, 1, 2)
    )
    assert first == again != other
    assert len({one["smiles"] for one in first}) == 12
    assert [one["number"] for one in first] == sorted(one["number"] for one in first)


@pytest.mark.usefixtures("without_histograms")
def test_the_page_begins_with_molecules_and_folds_the_measures() -> None:
    given = Inputs.of(["CCO", "CCCCCCCC", "CCCC"])
    html = render(evaluate_sets(given, Work(), targets={"LogP": 1.0}))
    page = Page(html)
    headings = [str(a["id"]) for tag, a in page.elements if tag == "h2"]
    assert headings[:3] == ["molecules", "control", "worst"]
    assert headings[-2:] == ["numbers", "provenance"]
    assert html.index('id="molecules"') < html.index('aria-label="Summary"')
    folded = html[html.index("<details>") : html.index("</details>")]
    assert "of the suite</caption>" in folded
    assert 'id="record"' not in folded
    (first, *_) = page.record["molecules"]["random"]
    assert first["values"]["MW"] == pytest.approx(46.069, abs=1e-3)
    assert "LogP: target 1, measured -0.0014" in page.text
    assert "the worst cases, not typical molecules" in page.text


@pytest.mark.parametrize("missing", ["jinja2", "matplotlib"])
def test_without_the_extra_it_is_named(evaluation: Evaluation, monkeypatch, missing: str) -> None:
    monkeypatch.setattr(page, "find_spec", lambda name: None if name == missing else name)
    with pytest.raises(UsageError, match=r"pip install 'molvae\[report\]'"):
        render(evaluation)
