import json
from functools import partial

import pytest

from tests.cli.running import invoke

benchmark = partial(invoke, "benchmark")


def test_molecules_of_any_generator_are_judged(tables, tmp_path) -> None:
    sets = ("--training", tables["training"], "--test", tables["test"])
    sets = (*sets, "--test-scaffolds", tables["scaffolds"], "-j", 1)
    out = tmp_path / "moses.json"
    done = benchmark("moses", "--generated", tables["generated"], *sets, "-o", out)
    found = json.loads(out.read_text())
    assert found["model"] == "generated"
    assert found["metrics"]["valid"]["mean"] == pytest.approx(40 / 42)
    assert found["metrics"]["Novelty"]["mean"] == 20 / 40
    assert found["published"]["CharRNN"]["Scaf/TestSF"] == 0.1101
    assert "CharRNN" in done.stdout
    assert "30,000" in done.stderr
    twice = ("--generated", tables["generated"], "--generated", tables["test"])
    again = benchmark("moses", *twice, *sets, "--json")
    assert json.loads(again.stdout)["samples"] == ["generated.csv", "test.csv"]


def test_a_model_is_drawn_from_and_judged(tables, tiny_model_file) -> None:
    done = benchmark(
        *("guacamol", tiny_model_file, "-n", 30, "--seeds", "1,2", "--tier", "raw"),
        *("--training", tables["training"], "--no-fcd", "--json", "-j", 1),
    )
    found = json.loads(done.stdout)
    assert found["samples"] == ["seed 1", "seed 2"]
    assert found["molecules"] == [30, 30]
    assert [account["tier"] for account in found["accounts"]] == ["raw", "raw"]
    assert found["accounts"][0]["settings"]["unique"] is False
    assert found["health"]["kl"] > 0
    assert 0 <= found["metrics"]["KL divergence"]["mean"] <= 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("moses", "druglike", "--generated", "x.csv"), "not both"),
        (("moses", "--seeds", "1,x", "--training", "{training}"), "whole numbers with commas"),
        (("moses", "--test", "no.csv"), "molvae data get moses-train"),
        (("guacamol", "--training", "no.csv"), "no such file, and no set"),
        (("tdc",), "No such command 'tdc'"),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(tables, arguments, words) -> None:
    named = {name: str(path) for name, path in tables.items()}
    given = [argument.format(**named) for argument in arguments]
    if "--seeds" in given:
        given += ["--test", named["test"], "--test-scaffolds", named["scaffolds"]]
    done = benchmark(*given, code=2)
    assert words in done.stderr


def test_an_existing_result_is_kept(tables, tmp_path) -> None:
    out = tmp_path / "there.json"
    out.write_text("{}")
    benchmark("guacamol", "--generated", tables["generated"], "-o", out, code=2)
    assert out.read_text() == "{}"
