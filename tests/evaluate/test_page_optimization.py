import numpy as np
import pytest

from molvae.evaluate.inputs import Inputs
from molvae.evaluate.page.optimization import Calls, best_molecules, curve
from molvae.evaluate.page.render import render
from molvae.evaluate.report import Evaluation, evaluate_sets
from molvae.evaluate.work import Work
from tests.drugs import DRUGS
from tests.evaluate.pages import Page

pytest.importorskip("matplotlib", reason="needs the extra: pip install 'molvae[report]'")
pytest.importorskip("jinja2", reason="needs the extra: pip install 'molvae[report]'")

SMILES = [smiles for _, smiles in DRUGS[:12]]
NUMBERS = [12.0, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1]  # the last calls are the best


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    return evaluate_sets(Inputs.of(["no molecule", *SMILES[1:]]), Work())


def test_the_curve_begins_with_ten_scores_and_counts_calls_without_one() -> None:
    scores = [11.0, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, np.nan]
    found = curve(Calls(np.array(NUMBERS), np.array(scores)))
    assert found == {
        "calls": [11.0, 12.0],
        "best": [10.0, 11.0],
        "mean of the ten best": [5.5, 6.5],
    }


def test_a_table_whose_lowest_scores_come_first_is_drawn_downwards() -> None:
    scores = np.arange(-12.0, 0.0)
    found = curve(Calls(np.array(NUMBERS), scores))
    assert found["best"] == [-10.0, -11.0, -12.0]
    assert found["mean of the ten best"] == [-5.5, -6.5, -7.5]


def test_the_best_molecules_are_the_first_valid_ones_with_a_score(evaluation) -> None:
    scores = np.array([12.0, 11, np.nan, 9, 8, 7, 6, 5, 4, 3, 2, 1])
    calls = Calls(np.array(NUMBERS), scores)
    found = best_molecules(calls, evaluation.sets.generated, evaluation.requests)
    assert [each["number"] for each in found] == [2, 4, 5, 6, 7, 8, 9, 10, 11, 12]
    assert [each["values"]["score"] for each in found][:2] == [11.0, 9.0]


def test_a_page_shows_the_curve_and_the_best_molecules(evaluation) -> None:
    calls = Calls(np.array(NUMBERS), np.linspace(0.9, 0.1, 12))
    page = Page(render(evaluation, calls=calls))
    assert "Molecules with the best scores" in page.text
    assert page.record["curve"]["best"][-1] == 0.9
    assert any(
        "by the number of calls" in (each.get("aria-label") or "") for each in page.all("div")
    )


def test_without_a_score_a_page_has_neither(evaluation) -> None:
    nothing = Calls(np.full(12, np.nan), np.full(12, np.nan))
    for calls in (None, nothing):
        page = Page(render(evaluation, calls=calls))
        assert "best scores" not in page.text
        assert not any("calls" in (each.get("aria-label") or "") for each in page.all("div"))
