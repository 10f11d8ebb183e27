import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from molvae.checkpoint import Checkpoint
from molvae.generator import MoleculeGenerator
from molvae.model.ood import CODES
from tests.cli.conftest import ASPIRIN
from tests.cli.running import invoke, rows_of

Scoring = Callable[..., Result]
NATS = ("elbo", "nll_per_symbol", "reconstruction", "kl")
SCORES = (*NATS, "percentile", "nearest", "ood", "ood_reason")


@pytest.fixture
def score(tiny_model_file: Path, table: Path) -> Scoring:
    """Run the command on the table and the tiny model."""

    def run(*arguments: object, model: object = None, code: int = 0) -> Result:
        return invoke("score", table, model or tiny_model_file, "-j", 1, *arguments, code=code)

    return run


def test_scores_stand_behind_the_columns_of_the_table(
    score: Scoring, tiny_model_file: Path
) -> None:
    done = score()
    rows = rows_of(done.stdout)
    assert list(rows[0]) == ["Compound", "potency", "smiles", *SCORES]
    assert [row["Compound"] for row in rows] == ["a", "b", "d"]
    (expected,) = MoleculeGenerator.load(tiny_model_file).score([ASPIRIN])
    for name in SCORES[:6]:
        assert float(rows[0][name]) == pytest.approx(getattr(expected, name), rel=1e-4), name
    assert float(rows[0]["elbo"]) < 0 < float(rows[0]["kl"])


def test_what_the_model_cannot_read_is_left_empty_with_the_reason(score: Scoring) -> None:
    aspirin, _, bromide = rows_of(score().stdout)
    assert (aspirin["ood"], aspirin["ood_reason"]) == ("false", "")
    assert [bromide[name] for name in SCORES[:5]] == [""] * 5
    assert (bromide["ood"], float(bromide["nearest"]) < 1) == ("true", True)
    assert bromide["ood_reason"].startswith("symbol unknown to the model: [Br]")


def test_the_summary_tells_counts_means_and_what_was_compared(score: Scoring) -> None:
    found = json.loads(score("--json", "-q").stdout)
    assert (found["scored"], found["not_scored"], found["codes"]) == (2, 1, CODES)
    assert found["rejected"] == {"not a molecule": 1}
    rows = found["rows"]
    assert found["ood"] == sum(row["ood"] for row in rows)
    assert found["mean"]["elbo"] == pytest.approx((rows[0]["elbo"] + rows[1]["elbo"]) / 2)
    assert found["held_out"]["split"] == "validation"
    assert 10 < found["held_out"]["molecules"] < 100
    said = score().stderr
    assert "ood: nearest below 0." in said
    assert "fewer than 100: no molecule is flagged for its percentile" in said


def test_a_model_that_does_not_say_has_no_percentile(
    score: Scoring, tmp_path: Path, tiny_model_file: Path
) -> None:
    checkpoint = Checkpoint.load(tiny_model_file)
    del checkpoint.provenance["typicality"]
    checkpoint.save(tmp_path / "old.safetensors")
    done = score(model=tmp_path / "old.safetensors")
    assert "Note: this model holds no scores of held-out molecules" in done.stderr
    assert [row["percentile"] for row in rows_of(done.stdout)] == ["", "", ""]
    found = json.loads(score("--json", "-q", model=tmp_path / "old.safetensors").stdout)
    assert found["held_out"] is None


def test_more_codes_change_the_elbo_alone(score: Scoring) -> None:
    few, more = rows_of(score("-k", 1).stdout)[0], rows_of(score("-k", 64).stdout)[0]
    assert few["elbo"] != more["elbo"]
    assert (few["kl"], few["percentile"]) == (more["kl"], more["percentile"])
    score("-k", 0, code=2)
