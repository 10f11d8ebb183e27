"""Goal-directed benchmarks count calls, and compute the published figures."""

import json
from pathlib import Path

import numpy as np
import pytest

from molvae.generator import MoleculeGenerator
from molvae.suites.goal_directed import Protocol, area_under_top, mean_of_best, run_goals
from molvae.suites.leads import improve_leads
from molvae.suites.oracles import COMPARABLE


@pytest.fixture(scope="module")
def generator(tiny_model_file: Path) -> MoleculeGenerator:
    return MoleculeGenerator.load(tiny_model_file)


def test_the_area_is_that_of_mol_opt() -> None:
    # Three points: 0 at 0, the mean of the ten best at 100, and at 150.
    scores = np.concatenate([np.zeros(90), np.full(10, 0.5), np.ones(50)])
    expected = (100 * 0.5 / 2 + 50 * (0.5 + 1.0) / 2) / 150
    assert area_under_top(scores, 150) == pytest.approx(expected)
    assert area_under_top(scores, 300) == pytest.approx((expected * 150 + 150) / 300)


def test_guacamol_means_the_best_and_misses_the_missing() -> None:
    best = np.ones(10)
    assert mean_of_best("qed", best) == pytest.approx((1 + 1 + 0.1) / 3)
    assert mean_of_best("isomers_c11h24", best) == pytest.approx(10 / 159)


@pytest.mark.parametrize("method", ["evolve", "random"])
def test_a_suite_runs_each_goal_with_each_seed(
    generator: MoleculeGenerator, tmp_path: Path, method: str
) -> None:
    def suite() -> dict[str, object]:
        found = run_goals(
            generator,
            "pmo",
            ["qed", "celecoxib_rediscovery"],
            [1, 2],
            Protocol(method, 10, tmp_path),
            name="tiny",
            versions={},
        )
        assert "celecoxib_rediscovery" in "\n".join(found.table())
        result: dict[str, object] = json.loads(found.to_json())
        return result

    first, again = suite(), suite()
    for result in (first, again):
        for run in result["runs"]:  # type: ignore[attr-defined]
            run.pop("seconds")
    assert first == again
    assert [run["calls"] for run in first["runs"]] == [10] * 4  # type: ignore[attr-defined]


def test_published_figures_are_of_the_goals_that_compare() -> None:
    from molvae.suites.distribution_learning import published

    rows = published("pmo")
    assert all(set(row) == set(COMPARABLE) for row in rows.values())
    sums = {name: sum(v or 0 for v in row.values()) for name, row in rows.items()}
    assert sums["REINVENT"] == pytest.approx(9.718)
    assert sums["Tanimoto BO"] == pytest.approx(11.028)


def test_a_run_that_ends_early_keeps_its_last_mean_for_the_other_calls(generator) -> None:
    def run(calls: int, stop: int | None) -> float:
        protocol = Protocol("evolve", calls, stop=stop)
        (found,) = run_goals(
            generator, "pmo", ["qed"], [1], protocol, name="tiny", versions={}
        ).runs
        assert found.calls == 10
        return found.score - found.mean_of_ten

    assert run(20, 10) == pytest.approx(run(10, None) / 2)


def test_guacamol_has_the_published_sums_and_not_the_calls_of_pmo(generator) -> None:
    found = run_goals(
        generator, "guacamol", ["qed"], [1], Protocol("random", 10), name="tiny", versions={}
    )
    (note,) = [line for line in found.table() if line.startswith("Published")]
    assert note.endswith("SMILES GA 14.40, SMILES LSTM 17.34, Graph GA 17.98.")
    assert "any number of calls" in note


def test_a_lead_is_improved_or_said_to_be_of_no_use(generator: MoleculeGenerator) -> None:
    found = improve_leads(
        generator, ["Brc1ccccc1", "CC(=O)Oc1ccccc1C(=O)O"], calls=10, seed=1, name="t", versions={}
    )
    unknown, aspirin = found.leads
    assert "symbol unknown" in unknown.why_not
    assert 1 <= aspirin.calls <= 10
    assert aspirin.why_not == ""
    assert "1 cannot be used by it" in found.table()[0]
    result = json.loads(found.to_json())
    assert (result["share"], result["seed"]) == (0.0, 1)
