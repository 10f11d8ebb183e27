"""From a chemist's own table to new molecules."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from rdkit import Chem
from rdkit.Chem import Crippen

from molvae.checkpoint import FORMAT
from molvae.files import store
from tests.cli.running import invoke, rows_of, write_rows
from tests.drugs import DRUGS

ROOT = Path(__file__).resolve().parent.parent.parent
DRUGLIKE = ROOT / "datasets" / "druglike-10k.csv"
SMALL = (
    *("--symbol-size", "16", "--encoder-size", "16", "--decoder-size", "32"),
    *("--latent-size", "8", "--condition-size", "16", "--batch-size", "32"),
)

Steps = Callable[..., Result]


@pytest.fixture
def molvae(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Steps:
    """Run commands in an empty folder; each must end well."""
    monkeypatch.chdir(tmp_path)
    return invoke


def logs_of(smiles: str) -> float:
    """A label that a model could learn: solubility falls with lipophilicity."""
    return round(0.5 - float(Crippen.MolLogP(Chem.MolFromSmiles(smiles))), 2)


def test_a_label_with_holes_goes_all_the_way(molvae: Steps, tmp_path: Path) -> None:
    rows = [
        (name, smiles, logs_of(smiles) if number % 3 else "")
        for number, (name, smiles) in enumerate(DRUGS)
    ]
    write_rows(tmp_path / "drugs.csv", [("name", "smiles", "logS"), *rows, ("broken", "C1CC", 1)])
    molvae("prepare", "drugs.csv", "-o", "drugs.molvae", "-j", 1, "--properties", "MW,LogP",
           "--label", "logS", "--rejects", "bad.csv")  # fmt: skip
    assert [row["smiles"] for row in rows_of((tmp_path / "bad.csv").read_text())] == ["C1CC"]
    known = json.loads(molvae("info", "drugs.molvae", "--json").stdout)["provenance"]["tally"]
    assert known["rows"] == len(DRUGS) + 1

    trained = molvae("train", "drugs.molvae", "-o", "run", *SMALL, "--epochs", 2)
    assert "molvae generate run generates molecules" in trained.stderr
    card = json.loads(molvae("info", "run", "--json").stdout)
    assert card["normalizer"]["names"] == ["MW", "LogP", "logS"]
    assert set(card["provenance"]["measured"]["calibration"]) == {"MW", "LogP"}
    assert str(tmp_path) not in json.dumps(card)

    molvae("generate", "run", "-n", 12, "--tier", "raw", "-t", "logs=-2", "-t", "MW=..400",
           "--seed", 1, "-o", "new.csv")  # fmt: skip
    new = rows_of((tmp_path / "new.csv").read_text())
    assert len(new) == 12
    assert list(new[0])[2:7] == ["MW", "LogP", "predicted_logS", "target_MW", "target_logS"]
    assert {row["target_logS"] for row in new} == {"-2"}
    assert all(-10 < float(row["predicted_logS"]) < 10 for row in new)
    assert new[0]["model"] == f"run-{card['sha256'][:12]}"

    report = json.loads(molvae("evaluate", "new.csv", "--training", "run", "--json").stdout)
    assert report["counts"]["generated"] == 12
    assert report["values"]["validity"] == 1.0
    assert report["counts"]["not_measurable"] == ["logS"]
    assert set(report["values"]["control"]) == {"MW"}
    novel = {row["SMILES"] for row in new if row["novel"] == "true"}
    distinct = {row["SMILES"] for row in new}
    assert report["values"]["novelty"] == pytest.approx(len(novel) / len(distinct))


# The first line of progress comes after a moment here, rather than after ten seconds.
SHOW_PROGRESS = """
import sys
from molvae.cli import main, progress

if __name__ == "__main__":
    progress.SECONDS_BETWEEN_LINES = 0.0
    sys.argv = ["molvae", *sys.argv[1:]]
    main.main()
"""


def test_a_training_that_was_interrupted_ends_as_if_it_was_not(
    molvae: Steps, tmp_path: Path
) -> None:
    write_rows(tmp_path / "drugs.csv", [("name", "smiles"), *DRUGS])
    molvae("prepare", "drugs.csv", "-o", "drugs.molvae", "--properties", "MW,LogP", "-j", 1)
    settings = (*SMALL, "--epochs", "4", "--threads", "1", "--device", "cpu", "--no-measure")
    molvae("train", "drugs.molvae", "-o", "whole", *settings)

    words = ("train", "drugs.molvae", "-o", "broken", *settings)
    with subprocess.Popen(
        [sys.executable, "-u", "-c", SHOW_PROGRESS, *words],
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "epoch 2/4" in line:
                process.send_signal(signal.SIGINT)
                break
        rest = process.stderr.read()
        assert process.wait(60) == 130
    assert rest.splitlines()[-1] == "Stopped; all is saved in broken. Continue with --resume."

    molvae("train", "drugs.molvae", "-o", "broken", *settings, "--resume")
    whole, broken = (
        store.read(tmp_path / run / "model.safetensors", kind="checkpoint", format=FORMAT)[0]
        for run in ("whole", "broken")
    )
    assert whole.keys() == broken.keys()
    assert all(np.array_equal(whole[name], broken[name]) for name in whole)
    logs = [rows_of((tmp_path / run / "log.csv").read_text()) for run in ("whole", "broken")]
    assert [row["validation_loss"] for row in logs[0]] == [r["validation_loss"] for r in logs[1]]
    assert len(logs[0]) == 4


@pytest.mark.skipif(not DRUGLIKE.is_file(), reason="no datasets/druglike-10k.csv in this checkout")
def test_the_table_that_ships_makes_a_model(molvae: Steps, tmp_path: Path) -> None:
    with DRUGLIKE.open(encoding="utf-8") as file:
        lines = [next(file) for _ in range(301)]
    (tmp_path / "first.csv").write_text("".join(lines), encoding="utf-8")
    molvae("prepare", "first.csv", "-o", "mine.molvae", "-j", 1)
    tally = json.loads(molvae("info", "mine.molvae", "--json").stdout)["provenance"]["tally"]
    assert (tally["rows"], tally["kept"]) == (300, 300)
    molvae("train", "mine.molvae", "-o", "my-run", *SMALL, "--epochs", 1, "--no-measure")
    molvae("generate", "my-run", "-n", 5, "--tier", "raw", "-o", "mine.csv")
    assert "validity" in molvae("evaluate", "mine.csv", "--training", "my-run").stdout
