import json

import numpy as np
import pytest
import rdkit

from molvae.errors import InputError, UsageError
from molvae.evaluate import gather, report, sets
from molvae.evaluate.report import evaluate
from molvae.evaluate.text import cell
from molvae.version import __version__
from tests.drugs import DRUGS

SMILES = [smiles for _, smiles in DRUGS]
L_ALANINE = "C[C@H](N)C(=O)O"


def test_a_report_counts_what_it_saw() -> None:
    found = evaluate(
        ["CCO", "OCC", "", "C1CC", "CCN"], training=["CCO", "C1"], reference=["CC", ""]
    )
    assert found.counts == {
        "generated": 5,
        "valid": 3,
        "distinct": 2,
        "invalid": {"empty": 1, "not a molecule": 1},
        "diversity": 3,
        "reference": 2,
        "reference_valid": 1,
        "training": 1,
        "training_invalid": 1,
    }
    assert found.versions == {"molvae": __version__, "rdkit": rdkit.__version__}


def test_a_report_as_json_has_null_where_nothing_is_defined() -> None:
    found = evaluate(["", "C1CC"], reference=SMILES[:3], training=SMILES[:3], targets={"LogP": 2})
    plain = json.loads(found.to_json())
    assert plain["values"]["validity"] == 0
    assert plain["values"]["uniqueness"] is None
    assert plain["values"]["properties"]["LogP"]["wasserstein"] is None
    assert plain["values"]["control"]["LogP"]["mae"] is None
    assert plain["format"] == report.FORMAT
    assert found.table()


@pytest.mark.parametrize(
    "generated",
    [
        pytest.param(SMILES[:20], id="the training set"),
        pytest.param(["CCO"] * 7, id="all the same"),
        pytest.param(["CCO", "C1CC"] * 4, id="half invalid"),
        pytest.param(["C[C@H](N)C(=O)O", "C[C@@H](N)C(=O)O"], id="mirror images"),
        pytest.param([""] * 5, id="empties"),
        pytest.param(["[He]"], id="one atom"),
        pytest.param(["\u0421", "CCO\nCC", "C" * 5000, "(" * 3000, "*", "[H][H]"], id="hostile"),
    ],
)
def test_odd_sets_have_a_whole_report(generated: list[str]) -> None:
    found = evaluate(
        generated, training=SMILES[:20], reference=SMILES[:20], targets={"LogP": 2, "QED": (0, 1)}
    )
    shares = ("validity", "uniqueness", "novelty", "IntDiv1", "IntDiv2")
    assert all(found.values[name] is None or 0 <= found.values[name] <= 1 for name in shares)
    assert json.loads(found.to_json())["counts"]["generated"] == len(generated)
    assert len(found.table()) > 20


def test_worker_processes_report_the_same() -> None:
    asked = {"training": SMILES[:30], "reference": SMILES[:30], "targets": {"LogP": 2.0}}
    generated = [*SMILES[20:60], "", "C1CC"]
    assert evaluate(generated, jobs=2, **asked) == evaluate(generated, **asked)


def test_nothing_to_evaluate_is_an_error() -> None:
    with pytest.raises(InputError, match="no molecules"):
        evaluate([])


def test_an_unknown_suite_is_refused_before_the_work() -> None:
    with pytest.raises(UsageError, match=r"unknown suite 'everything'.*basic"):
        evaluate(iter(["CCO"]), suite="everything", progress=pytest.fail)


def test_progress_counts_every_molecule_of_every_set() -> None:
    seen: list[tuple[str, int, int]] = []
    evaluate(
        ["CCO", ""],
        reference=["C"],
        training=["C", "N", "O"],
        progress=lambda *step: seen.append(step),
    )
    assert seen == [
        ("Reading the molecules", 1, 2),
        ("Reading the molecules", 2, 2),
        ("Reading the training set", 1, 3),
        ("Reading the training set", 2, 3),
        ("Reading the training set", 3, 3),
        ("Reading the reference", 1, 1),
        *(("Counting ring systems of the training set", done, 3) for done in (1, 2, 3)),
    ]


def test_targets_are_found_by_any_name_and_measured_here() -> None:
    found = evaluate(["CCO", "CCN"], targets={"molwt": 46.07, "fsp3": (0.5, 1)})
    assert found.values["control"]["MW"]["mae"] == pytest.approx((0 + 0.985) / 2, abs=0.01)
    assert found.values["control"]["Fsp3"]["hit_rate"] == 1
    assert "Fsp3" in found.values["properties"]


def test_a_property_asked_for_by_two_names_is_refused() -> None:
    with pytest.raises(UsageError, match="LogP are given twice"):
        evaluate(["CCO"], targets={"LogP": 1, "MolLogP": 2})


def test_a_label_that_cannot_be_measured_is_named() -> None:
    found = evaluate(["CCO"], targets={"pIC50": 7, "LogP": 1})
    assert found.counts["not_measurable"] == ["pIC50"]
    assert list(found.values["control"]) == ["LogP"]
    assert any("pIC50" in note for note in found.notes)
    assert "control" not in evaluate(["CCO"], targets={"pIC50": 7}).values


def test_scales_come_from_the_reference_else_from_the_caller() -> None:
    alone = evaluate(["CCO"], targets={"LogP": 2}, scales={"LogP": 3.0})
    assert alone.values["control"]["LogP"]["tolerance"] == 1.5
    compared = evaluate(["CCO"], targets={"LogP": 2}, scales={"LogP": 3.0}, reference=SMILES[:30])
    sd = compared.values["properties"]["LogP"]["reference_sd"]
    assert compared.values["control"]["LogP"]["tolerance"] == pytest.approx(sd / 2)
    assert "mae_sd" not in evaluate(["CCO"], targets={"LogP": 2}).values["control"]["LogP"]


@pytest.mark.parametrize(
    ("generated", "sets", "words", "said"),
    [
        (["C", "CC", ""], {}, "N = 3 is small", True),
        (["C"] * 1000, {}, "small", False),
        (["C1CCCCC1C"], {"reference": ["Cc1ccccc1"]}, "0.86 below", True),
        (["Cc1ccccc1"], {"reference": ["CC"]}, "aromatic", False),
        (["CC(N)C(=O)O"], {"training": [L_ALANINE]}, "novelty_without_stereo", True),
        ([L_ALANINE], {"training": [L_ALANINE]}, "stereo", False),
    ],
)
def test_limits_of_the_numbers_are_noted(generated, sets, words: str, said: bool) -> None:
    assert any(words in note for note in evaluate(generated, **sets).notes) == said


def test_subsets_are_drawn_with_the_seed_and_said(monkeypatch) -> None:
    monkeypatch.setattr(sets, "PAIRS_LIMIT", 10)
    monkeypatch.setattr(gather, "PAIRS_LIMIT", 10)
    monkeypatch.setattr(gather, "REFERENCE_LIMIT", 20)
    first, again, other = (
        evaluate(SMILES[:30], reference=SMILES[:60], seed=seed) for seed in (1, 1, 2)
    )
    assert first == again
    assert first.values["IntDiv1"] != other.values["IntDiv1"]
    assert first.values["properties"] != other.values["properties"]
    assert first.counts["diversity"] == 10
    assert first.counts["reference"] == 20
    assert any("10 of 30 valid" in note for note in first.notes)
    assert any("20 of 60 reference" in note for note in first.notes)


def test_a_training_set_that_errs_is_called_so() -> None:
    class Forgetful:
        error_rate = 0.0123

        def contains(self, molecules):
            return np.zeros(len(molecules), dtype=bool)

    found = evaluate(["CCO"], training=Forgetful())
    assert found.values["novelty_error_rate"] == 0.0123
    assert any("0.012" in note for note in found.notes)


def test_the_table_shows_what_the_values_say() -> None:
    found = evaluate(
        ["CCO", "CCN", "C1CC"], reference=SMILES[:20], training=["CCO"], targets={"LogP": 0.5}
    )
    lines = found.table()
    assert lines[0].startswith("3 molecules, 2 valid, 2 distinct")
    assert "invalid: not a molecule 1" in lines
    rows = {line.split("  ")[0]: line.split() for line in lines if line}
    assert rows["validity"][-1] == "0.6667"
    assert rows["novelty"][-1] == "0.5000"
    assert "Wasserstein" in rows["properties"]
    assert rows["MW (Da)"][2] == "45.58"
    headings = "asked measured MAE MAE/sd bias hit rate tolerance"
    assert rows["control"][1:] == headings.split()


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (None, "-"),
        (0.0, "0.0000"),
        (0.98765, "0.9877"),
        (1.0, "1.000"),
        (-2.5, "-2.500"),
        (307.71, "307.7"),
        (0.00012345, "0.0001234"),
        (1_584_663, "1,584,663"),
    ],
)
def test_numbers_are_written_with_four_digits(number: float | None, text: str) -> None:
    assert cell(number) == text
