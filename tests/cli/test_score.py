import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from molvae.checkpoint import Checkpoint
from molvae.chem.smiles import canonicalize
from molvae.cli.main import cli
from molvae.generator import MoleculeGenerator
from molvae.model.ood import CODES
from tests.drugs import DRUGS

Scoring = Callable[..., Result]
ASPIRIN, BROMIDE = "CC(=O)Oc1ccccc1C(=O)O", "Brc1ccccc1"
LINES = ("Compound,kl,smiles", f"a,6.5,{ASPIRIN}", "b,,CCO", "c,,C1CC", f"d,,{BROMIDE}")
SCORES = (*("elbo", "nll_per_symbol", "reconstruction", "kl", "percentile", "ood", "ood_reason"),)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "in.csv"
    path.write_text("".join(f"{line}\n" for line in LINES), encoding="utf-8")
    return path


@pytest.fixture
def score(tiny_model_file: Path, table: Path) -> Scoring:
    """Run the command on the table and the tiny model within this process."""

    def run(*arguments: object, file: object = table, model: object = None) -> Result:
        words = ["score", file, model or tiny_model_file, "-j", 1, *arguments]
        return CliRunner().invoke(cli, [str(word) for word in words], prog_name="molvae")

    return run


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(text.splitlines()))


def test_scores_stand_behind_the_columns_of_the_table(
    score: Scoring, tiny_model_file: Path
) -> None:
    done = score()
    assert done.exit_code == 0, done.stderr
    rows = rows_of(done.stdout)
    assert list(rows[0]) == ["Compound", "smiles", *SCORES]
    assert "in.csv: its column 'kl' is replaced." in done.stderr
    assert [row["Compound"] for row in rows] == ["a", "b", "d"]
    (expected,) = MoleculeGenerator.load(tiny_model_file).score([ASPIRIN])
    for name in SCORES[:5]:
        assert float(rows[0][name]) == pytest.approx(getattr(expected, name), rel=1e-4), name
    assert float(rows[0]["elbo"]) < 0 < float(rows[0]["kl"])


def test_what_the_model_cannot_read_is_left_empty_with_the_reason(score: Scoring) -> None:
    aspirin, _, bromide = rows_of(score().stdout)
    assert (aspirin["ood"], aspirin["ood_reason"]) == ("false", "")
    assert [bromide[name] for name in SCORES[:6]] == ["", "", "", "", "", "true"]
    assert bromide["ood_reason"].startswith("symbol unknown to the model: [Br]")


def test_bad_rows_are_named_counted_and_listed(score: Scoring, tmp_path: Path) -> None:
    bad = tmp_path / "bad.csv"
    done = score("--rejects", bad)
    assert "in.csv:4: not a molecule: ring 1 is opened at character 2" in done.stderr
    assert "in.csv: 4 rows, SMILES in column 'smiles'." in done.stderr
    assert "2 molecules scored" in done.stderr
    assert "1 with unknown symbols, 1 rows rejected; " in done.stderr
    (row,) = rows_of(bad.read_text())
    assert (row["file"], row["row"], row["smiles"]) == ("in.csv", "4", "C1CC")
    assert score("--strict").exit_code == 3


def test_the_summary_tells_counts_means_and_what_was_compared(score: Scoring) -> None:
    found = json.loads(score("--json", "-q").stdout)
    assert (found["scored"], found["not_scored"], found["codes"]) == (2, 1, CODES)
    assert found["rejected"] == {"not a molecule": 1}
    rows = found["rows"]
    assert found["ood"] == sum(row["ood"] for row in rows)
    assert found["mean"]["elbo"] == pytest.approx((rows[0]["elbo"] + rows[1]["elbo"]) / 2)
    assert found["held_out"]["split"] == "validation"
    assert 10 < found["held_out"]["molecules"] < 100
    assert "fewer than 100: no molecule is flagged for its percentile" in score().stderr


def test_a_model_that_does_not_say_has_no_percentile(
    score: Scoring, tmp_path: Path, tiny_model_file: Path
) -> None:
    checkpoint = Checkpoint.load(tiny_model_file)
    del checkpoint.provenance["typicality"]
    checkpoint.save(tmp_path / "old.safetensors")
    done = score(model=tmp_path / "old.safetensors")
    assert done.exit_code == 0
    assert "Note: this model holds no scores of held-out molecules" in done.stderr
    assert [row["percentile"] for row in rows_of(done.stdout)] == ["", "", ""]
    found = json.loads(score("--json", "-q", model=tmp_path / "old.safetensors").stdout)
    assert found["held_out"] is None


def test_more_codes_change_the_elbo_alone(score: Scoring) -> None:
    few, more = rows_of(score("-k", 1).stdout)[0], rows_of(score("-k", 64).stdout)[0]
    assert few["elbo"] != more["elbo"]
    assert (few["kl"], few["percentile"]) == (more["kl"], more["percentile"])
    assert score("-k", 0).exit_code == 2


def test_a_second_scoring_takes_the_place_of_the_first(score: Scoring, tmp_path: Path) -> None:
    first, second = tmp_path / "first.csv", tmp_path / "second.csv"
    assert score("-o", first).exit_code == 0
    assert score("-o", second, file=first).exit_code == 0
    assert rows_of(second.read_text()) == rows_of(first.read_text())


@pytest.mark.parametrize("kind", ["tsv", "smi", "sdf", "json", "jsonl", "csv.gz"])
def test_every_format_comes_in_and_goes_out(score: Scoring, tmp_path: Path, kind: str) -> None:
    first, second = tmp_path / f"first.{kind}", tmp_path / "second.csv"
    done = score("-o", first)
    assert (done.exit_code, done.stdout) == (0, "")
    assert score("-o", second, file=first).exit_code == 0
    expected = rows_of(score().stdout)
    for row, wanted in zip(rows_of(second.read_text()), expected, strict=True):
        assert (row["elbo"], row["ood_reason"]) == (wanted["elbo"], wanted["ood_reason"])
        smiles = row.get("smiles") or row.get("structure") or row.get("SMILES") or ""
        assert canonicalize(smiles) == canonicalize(wanted["smiles"])


def test_stdin_and_stdout_will_do(score: Scoring, tiny_model_file: Path) -> None:
    words = ["score", "-", str(tiny_model_file), "--format", "csv", "-j", "1", "-q"]
    done = CliRunner().invoke(cli, words, input="\n".join(LINES), prog_name="molvae")
    assert done.stdout == score("-q").stdout


def test_what_exists_is_kept_and_the_input_never_overwritten(
    score: Scoring, table: Path, tmp_path: Path
) -> None:
    before = table.read_bytes()
    for words in (("-o", table, "--force"), ("--rejects", table, "--force"), ("--rejects", "-")):
        assert score(*words).exit_code == 2
    (tmp_path / "out.csv").write_text("mine")
    assert score("-o", tmp_path / "out.csv").exit_code == 2
    assert ((tmp_path / "out.csv").read_text(), table.read_bytes()) == ("mine", before)


def test_a_table_without_a_molecule_that_can_be_read_is_no_input(
    score: Scoring, tmp_path: Path
) -> None:
    (tmp_path / "none.csv").write_text(f"smiles\n{BROMIDE}\n")
    done = score(file=tmp_path / "none.csv")
    assert done.exit_code == 3
    assert "none.csv: no molecule that the model can read" in done.stderr


def test_the_number_of_workers_changes_nothing(score: Scoring, tmp_path: Path) -> None:
    path = tmp_path / "drugs.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("name", "smiles"), *DRUGS])
    one, three = (score("-j", jobs, file=path) for jobs in (1, 3))
    assert one.exit_code == 0
    assert len(rows_of(one.stdout)) > 250
    assert one.stdout == three.stdout
