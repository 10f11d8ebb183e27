"""`molvae optimize`: goals, programs, laboratories, and what is refused."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rdkit import Chem
from rdkit.Chem import Descriptors

from tests.cli.conftest import ASPIRIN
from tests.cli.running import invoke, rows_of, write_rows

SCRIPT = """#!/bin/sh
while read smiles; do echo "$smiles" >> "{log}"; {pause} echo "-${{#smiles}}"; done
"""


@pytest.fixture
def optimize(tiny_model_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The command with the tiny model, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return ["optimize", str(tiny_model_file), "--seed", "1", "--batch", "5", "-j", "1"]


def script(path: Path, *, pause: str = "") -> str:
    path.write_text(SCRIPT.format(log=path.with_suffix(".log"), pause=pause))
    path.chmod(0o755)
    return f"./{path.name}"


def test_several_goals_are_one_score_and_a_front(optimize: list[str]) -> None:
    words = ["--maximize", "QED", "--minimize", "LogP", "-t", "MW=..400", "--budget", 10]
    done = invoke(*optimize, *words, "-o", "best.csv")
    rows = rows_of(Path("best.csv").read_text())
    assert [*rows[0]][:8] == ["ID", "SMILES", "score", "QED", "LogP", "MW", "pareto", "TPSA"]
    assert [*rows[0]][8:] == ["operator", "parents", "model", "seed"]
    assert Descriptors.TPSA(Chem.MolFromSmiles(rows[0]["SMILES"])) == float(rows[0]["TPSA"])
    assert re.fullmatch(r"\w+-[0-9a-f]{12}", rows[0]["model"])
    scores = [float(row["score"]) for row in rows]
    assert scores == sorted(scores, reverse=True)
    assert len({row["SMILES"] for row in rows}) == 10
    assert "true" in {row["pareto"] for row in rows}
    assert "10 calls, best" in done.stderr
    assert "best.run keeps every call: a larger --budget goes on there" in done.stderr
    longer = [*words[:-1], 12, "-o", "best.csv"]
    assert "12 calls, best" in invoke(*optimize, *longer).stderr
    assert len(rows_of(Path("best.csv").read_text())) == 12
    for others in (("generate", "-n", 1), ("benchmark", "pmo", "--state", "best.run")):
        refused = invoke(*others, "-o", "best.csv", code=2).stderr
        assert "best.csv: exists; --force overwrites it" in refused
    with Path("best.csv").open("a") as table:
        table.write("a note of the user\n")
    assert "best.csv: exists; --force overwrites it" in invoke(*optimize, *longer, code=2).stderr


def test_an_interrupted_run_goes_on_with_the_same_command(
    optimize: list[str], tmp_path: Path
) -> None:
    command = script(tmp_path / "dock.sh", pause="sleep 0.1;")
    words = [*optimize, "--score", command, "--minimize", "--budget", 10, "-o", "best.csv"]
    running = subprocess.Popen(
        [sys.executable, "-m", "molvae", *map(str, words)], stderr=subprocess.PIPE, text=True
    )
    while not _lines(tmp_path / "dock.log"):
        time.sleep(0.1)
    running.send_signal(signal.SIGINT)
    assert "the same command goes on there" in running.communicate()[1]
    assert running.returncode == 130
    assert len(rows_of(Path("best.csv").read_text())) == 5
    told = invoke(*words).stderr
    (best, *_) = rows_of(Path("best.csv").read_text())
    assert f"10 calls, best -{len(best['SMILES'])}, mean of the best 10: -" in told


def test_the_same_command_makes_no_call_again(optimize: list[str], tmp_path: Path) -> None:
    command = script(tmp_path / "dock.sh")
    words = [*optimize, "--score", command, "--minimize", "--state", "run", "--json"]
    first = json.loads(invoke(*words, "--budget", 10).stdout)
    again = json.loads(invoke(*words, "--budget", 10).stdout)
    assert again == first
    longer = json.loads(invoke(*words, "--budget", 15).stdout)
    asked = (tmp_path / "dock.log").read_text().split()
    assert len(asked) == len(set(asked)) == longer["calls"] == 15
    best = longer["molecules"][0]
    assert best["score"] == best["dock"] == -len(best["SMILES"])


def test_a_killed_run_ends_like_an_undisturbed_one(optimize: list[str], tmp_path: Path) -> None:
    words = [*optimize, "--score", script(tmp_path / "dock.sh"), "--minimize", "--budget", 15]
    invoke(*words, "-o", "whole.csv")
    (tmp_path / "dock.log").unlink()
    script(tmp_path / "dock.sh", pause="sleep 0.2;")
    command = [sys.executable, "-m", "molvae", *map(str, words), "-o", "killed.csv"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as running:
        for _ in range(600):
            if len(_lines(tmp_path / "dock.log")) > 7:  # in the second batch
                break
            time.sleep(0.1)
        os.kill(running.pid, signal.SIGKILL)
    script(tmp_path / "dock.sh")
    before = _lines(tmp_path / "dock.log")
    assert 7 < len(before) < 15
    invoke(*words, "-o", "killed.csv")
    assert Path("killed.csv").read_text() == Path("whole.csv").read_text()
    time.sleep(1.5)  # what the killed run had started ends by itself
    assert _lines(tmp_path / "dock.log").count(before[0]) == 1


def _lines(path: Path) -> list[str]:
    return path.read_text().split() if path.exists() else []


def test_a_laboratory_is_asked_and_tells(optimize: list[str]) -> None:
    invoke(*optimize, "--ask", 4, "--state", "run", "-o", "make.csv")
    made = rows_of(Path("make.csv").read_text())
    assert [*made[0]][:5] == ["ID", "SMILES", "score", "MW", "LogP"]
    table = [("SMILES", "pIC50"), (ASPIRIN, 5), ("C1CC", 5), ("CCO", "high")]
    table += [(row["SMILES"], place or "") for place, row in enumerate(made)]
    write_rows(Path("assay.csv"), table)
    tell = [*optimize, "--tell", "assay.csv", "--score-column", "pIC50", "--state", "run"]
    assert (
        "--score-column names that of the scores" in invoke(*tell[:-4], *tell[-2:], code=2).stderr
    )
    told = invoke(*tell).stderr
    for line in (
        "assay.csv:3: not a molecule",
        "assay.csv:4: not a number: 'high'",
        "1 molecules were never asked for, and count as well",
        "1 molecules have no score yet, and stay open",
        "assay.csv: 4 molecules with scores",
        "3 calls, best 5, mean of the best 4: ",
        "run keeps every call: --ask and --tell go on there; more is better",
    ):
        assert line in told
    write_rows(Path("assay.csv"), [("SMILES", "pIC50"), (ASPIRIN, 9)])
    assert "1 molecules were told before with other values" in invoke(*tell).stderr
    more = rows_of(invoke(*optimize, "--ask", 2, "--state", "run").stdout)
    assert not {row["SMILES"] for row in more} & {row["SMILES"] for row in made}
    assert more[0]["ID"] == "2-1"


def test_of_what_is_minimized_the_least_value_is_best(optimize: list[str]) -> None:
    made = rows_of(invoke(*optimize, "--ask", 2, "--state", "run", "--minimize").stdout)
    rows = [(row["SMILES"], 20 * place) for place, row in enumerate(made, 1)]
    write_rows(Path("assay.csv"), [("SMILES", "score"), *rows])
    told = invoke(*optimize, "--tell", "assay.csv", "--state", "run").stderr
    assert "2 calls, best 20, mean of the best 2: 30" in told
    assert "less is better" in told


def test_a_target_that_training_does_not_have_is_reported(optimize: list[str]) -> None:
    asked = invoke(*optimize, "--ask", 1, "--state", "run", "-t", "LogP=20", code=None)
    assert "Warning: LogP=20 lies outside the model's training range" in asked.stderr


def test_a_run_starts_from_molecules_with_scores(optimize: list[str]) -> None:
    write_rows(Path("known.csv"), [("SMILES", "y"), (ASPIRIN, 0.9), ("CCO", 0.1)])
    start = ["--start", "known.csv", "--score-column", "y", "--budget", 10]
    invoke(*optimize, "--maximize", "QED", *start, "-o", "best.csv")
    rows = rows_of(Path("best.csv").read_text())
    assert len(rows) == 12
    assert {row["SMILES"] for row in rows if row["operator"] == "start"} == {ASPIRIN, "CCO"}


def test_a_file_has_goals_and_options(optimize: list[str], tmp_path: Path) -> None:
    command = script(tmp_path / "dock.sh")
    Path("goals.toml").write_text(
        f"budget = 10\nnot_smarts = ['N']\n[[goal]]\nscore = 'QED'\n[[goal]]\nscore = '{command}'\n"
        "transform = 'reverse_sigmoid'\nlow = -60\nhigh = -5\n"
    )
    found = json.loads(invoke(*optimize, "-c", "goals.toml", "--json").stdout)
    assert found["calls"] == 10
    assert not any("N" in row["SMILES"] for row in found["molecules"])
    assert {"QED", "dock"} <= found["molecules"][0].keys()


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ([], 2, "nothing to optimize: name a goal, such as --maximize QED"),
        (["--minimize", "--budget", "20"], 2, "--minimize: of what?"),
        (["--maximize", "QDE"], 2, "did you mean 'QED'"),
        (["--maximize", "QED", "--budget", "9"], 2, "budget = 9: out of range, 10 to"),
        (["--maximize", "QED", "--like", "C1CC"], 1, "not a molecule"),
        (["--maximize", "QED", "--like", "Brc1ccccc1"], 1, "symbol unknown to the model"),
        (["--ask", "3"], 2, "--ask and --tell need --state"),
        (["--ask", "3", "--state", "run", "--maximize", "QED"], 2, "QED cannot be a goal, too"),
        (["--maximize", "QED", "--score", "echo 1", "--budget", "10"], 2, "echo: one of several"),
        (["--score", "false", "--budget", "10"], 1, "false ended with exit code 1"),
        (["--score", "echo 1 2", "--budget", "10"], 2, "0 scores for 5 molecules"),
        (["--score", "./no.sh"], 2, "Warning: without -o or --state a kill loses all scores."),
    ],
)
def test_what_cannot_be_is_refused(
    optimize: list[str], words: list[str], code: int, message: str
) -> None:
    assert message in invoke(*optimize, *words, code=code).stderr


def test_a_folder_of_other_settings_is_refused(optimize: list[str]) -> None:
    words = [*optimize, "--maximize", "QED", "--budget", 10, "--state", "run"]
    invoke(*words)
    assert (
        'method was "bayes" and is "evolve"' in invoke(*words, "--method", "evolve", code=2).stderr
    )
