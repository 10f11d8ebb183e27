import json
from functools import partial

import pytest

from tests.cli.running import invoke

run = partial(invoke, "evaluate", "-j", 1)


def test_moses_has_its_numbers_and_keeps_what_it_compares_with(tables, tmp_path) -> None:
    named = ("--test", tables["test"], "--test-scaffolds", tables["test"], "--no-fcd")
    asked = ("--suite", "moses", "--training", tables["training"], *named)
    done = run(tables["generated"], *asked, "--json")
    found = json.loads(done.stdout)
    assert found["suite"] == "moses"
    assert found["values"]["valid"] == pytest.approx(40 / 42)
    assert found["values"]["Novelty"] == 20 / 40
    assert found["values"]["SNN/Test"] == found["values"]["SNN/TestSF"]
    kept = {path.name.partition("-")[0] for path in (tmp_path / "cache/references").iterdir()}
    assert {"statistics", "training"} <= kept
    again = run(tables["generated"], *asked, "--json")
    assert json.loads(again.stdout) == found
    table = run(tables["generated"], *asked)
    assert "unique@1000" in table.stdout
    assert "FCD was left out, as requested." in table.stderr


def test_guacamol_scores_against_any_training_set(tables) -> None:
    asked = ("--suite", "guacamol", "--training", tables["training"], "--no-fcd", "--json")
    values = json.loads(run(tables["generated"], *asked).stdout)["values"]
    assert values["uniqueness"] == 40 / 42
    assert 0 < values["KL divergence"] <= 1


def test_an_unknown_suite_is_refused_with_the_known_ones(tables) -> None:
    done = run(tables["generated"], "--suite", "fancy", code=2)
    assert "basic, moses, guacamol" in done.stderr


def test_a_test_set_that_is_no_table_is_named(tables, tmp_path) -> None:
    done = run(tables["generated"], "--suite", "moses", "--test", tmp_path / "no.csv", code=3)
    assert "no.csv" in done.stderr
