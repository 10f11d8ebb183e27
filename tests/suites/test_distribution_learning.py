"""A generator's row beside the published ones."""

import json

import pytest

from molvae.config import GenerateConfig
from molvae.evaluate.report import Report, evaluate
from molvae.generator import MoleculeGenerator
from molvae.suites.distribution_learning import Sample, generate_sample, published, run_suite
from tests.drugs import DRUGS

SMILES = [smiles for _, smiles in DRUGS]


def judge(smiles) -> Report:
    return evaluate(smiles, suite="moses", fcd=False)


def test_the_published_rows_are_those_of_the_readme_of_moses() -> None:
    rows = published("moses")
    assert list(rows)[:3] == ["train", "CharRNN", "VAE"]
    assert rows["CharRNN"]["FCD/Test"] == 0.0732
    assert rows["train"]["Novelty"] is None
    assert rows["SELFIES GPT"]["SNN/Test"] is None
    assert len({tuple(row) for row in rows.values()}) == 1
    assert published("guacamol") == {}


def test_samples_have_a_mean_and_a_standard_deviation() -> None:
    some = [["CCO", "CCN"], ["CCO", ""], ["CCO", "CCO"]]
    samples = [Sample(f"seed {n}", smiles, {}) for n, smiles in enumerate(some)]
    found = run_suite(samples, judge, suite="moses", model="mine")
    assert found.metrics["valid"]["values"] == [1, 0.5, 1]
    assert found.metrics["valid"]["mean"] == pytest.approx(5 / 6)
    assert found.metrics["valid"]["sd"] == pytest.approx(0.288675)
    assert found.metrics["unique@1000"]["mean"] == pytest.approx((1 + 1 + 0.5) / 3)
    assert run_suite(samples[:1], judge, suite="moses", model="mine").metrics["valid"]["sd"] is None


def test_a_number_that_one_sample_lacks_has_no_mean() -> None:
    samples = [Sample("1", ["CCO"], {}), Sample("2", ["", ""], {})]
    found = run_suite(samples, judge, suite="moses", model="mine")
    assert found.metrics["IntDiv"] == {"mean": None, "sd": None, "values": [0.0, None]}
    assert json.loads(found.to_json())["metrics"]["IntDiv"]["mean"] is None


def test_the_table_has_the_published_rows_beside_and_marks_another_size() -> None:
    found = run_suite([Sample("one", SMILES[:50], {})], judge, suite="moses", model="mine")
    lines = found.table()
    assert lines[0] == "moses, 1 samples of 50 molecules"
    heading = next(line for line in lines if "CharRNN" in line)
    assert "mine*" in heading
    row = next(line for line in lines if line.startswith("IntDiv "))
    assert "0.8562" in row
    assert f"{found.metrics['IntDiv']['mean']:.4f}" in row
    assert any("30,000" in note for note in found.notes)


def test_a_model_is_drawn_from_as_it_is_and_says_how(tiny_model_file) -> None:
    generator = MoleculeGenerator.load(tiny_model_file)
    config = GenerateConfig(tier="raw", unique=False, temperature=1.0)
    sample = generate_sample(generator, 12, seed=3, config=config)
    assert len(sample.smiles) == 12
    assert sample.account["tier"] == "raw"
    assert 0 <= sample.account["acceptance"] <= 1
    assert generate_sample(generator, 12, seed=3, config=config).smiles == sample.smiles
    health = {"kl": 3.0, "active_units": 0.5, "exact_from_mean": 0.1, "passed": {"kl": False}}
    found = run_suite([sample], judge, suite="moses", model="tiny", health=health)
    lines = found.table()
    assert lines[1].startswith("tier RAW, acceptance ")
    assert "FAILS kl" in lines[2]
    assert json.loads(found.to_json())["health"]["kl"] == 3.0


def test_molecules_that_did_not_come_are_invalid(monkeypatch: pytest.MonkeyPatch) -> None:
    class Summary:
        def to_dict(self):
            names = ("tier", "acceptance", "draws", "refusals", "settings", "seed", "model")
            return dict.fromkeys((*names, "seconds"))

    class Short:
        def generate(self, n, **more):
            molecule = type("Molecule", (), {"smiles": "CCO"})
            return type("Generation", (), {"molecules": [molecule], "summary": Summary()})

    sample = generate_sample(Short(), 4, seed=1, config=GenerateConfig())
    assert judge(sample.smiles).values["valid"] == 1 / 4
