"""What predict and score share: tables in, tables out, and bad rows."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from molvae.chem.smiles import canonicalize
from molvae.files.atomic import UNFINISHED
from tests.cli.conftest import BROMIDE
from tests.cli.running import invoke, rows_of, write_rows
from tests.drugs import DRUGS

ADDED = {"predict": "predicted_potency", "score": "elbo"}  # a column of each command
DONE = {"predict": "predicted", "score": "scored"}

Annotate = Callable[..., Result]


@pytest.fixture(params=ADDED)
def command(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def run(command: str, table: Path, labelled_model_file: Path) -> Annotate:
    """Run the command on a table and the labelled model."""

    def run(*arguments: object, file: object = table, **more: Any) -> Result:
        return invoke(command, file, labelled_model_file, "-j", 1, *arguments, **more)

    return run


def test_bad_rows_are_named_counted_and_listed(command: str, run: Annotate, tmp_path: Path) -> None:
    bad = tmp_path / "bad.csv"
    done = run("--rejects", bad)
    assert "in.csv:4: not a molecule: ring 1 is opened at character 2" in done.stderr
    assert "in.csv: 4 rows, SMILES in column 'smiles'." in done.stderr
    assert f"2 molecules {DONE[command]}" in done.stderr
    assert "1 with unknown symbols, 1 rows rejected; " in done.stderr
    (row,) = rows_of(bad.read_text())
    assert (row["file"], row["row"], row["smiles"]) == ("in.csv", "4", "C1CC")
    strict = run("--strict", code=3)
    assert "in.csv:4: not a molecule" in strict.stderr


def test_bad_rows_may_go_to_stdout_where_nothing_else_does(run: Annotate, tmp_path: Path) -> None:
    done = run("-o", tmp_path / "out.csv", "--rejects", "-")
    assert [row["row"] for row in rows_of(done.stdout)] == ["4"]


def test_a_second_run_writes_beside_the_columns_of_the_first(
    command: str, run: Annotate, tmp_path: Path
) -> None:
    first, second = tmp_path / "first.csv", tmp_path / "second.csv"
    run("-o", first)
    done = run("-o", second, file=first)
    name = f"{ADDED[command]}_molvae"
    assert f"first.csv: its own columns stay; new ones of the same name are '{name}'" in done.stderr
    before, after = (rows_of(path.read_text()) for path in (first, second))
    assert [{key: row[key] for key in before[0]} for row in after] == before
    assert [row[name] for row in after] == [row[ADDED[command]] for row in before]


@pytest.mark.parametrize("kind", ["tsv", "smi", "sdf", "json", "jsonl", "csv.gz"])
def test_every_format_comes_in_and_goes_out(
    command: str, run: Annotate, tmp_path: Path, kind: str
) -> None:
    first, second = tmp_path / f"first.{kind}", tmp_path / "second.csv"
    done = run("-o", first)
    assert done.stdout == ""
    run("-o", second, file=first)
    expected = rows_of(run().stdout)
    for row, wanted in zip(rows_of(second.read_text()), expected, strict=True):
        for column in (ADDED[command], "ood_reason"):
            assert row[column] == wanted[column]
        smiles = row.get("smiles") or row.get("structure") or row.get("SMILES") or ""
        assert canonicalize(smiles) == canonicalize(wanted["smiles"])


def test_stdin_and_stdout_will_do(run: Annotate, table: Path) -> None:
    done = run("--format", "csv", "-q", file="-", input=table.read_text())
    assert done.stdout == run("-q").stdout


def test_what_exists_is_kept_and_the_input_never_overwritten(
    run: Annotate, table: Path, tmp_path: Path
) -> None:
    before = table.read_bytes()
    for words in (("-o", table, "--force"), ("--rejects", table, "--force"), ("--rejects", "-")):
        run(*words, code=2)
    (tmp_path / "out.csv").write_text("mine")
    run("-o", tmp_path / "out.csv", code=2)
    assert ((tmp_path / "out.csv").read_text(), table.read_bytes()) == ("mine", before)


def test_a_table_without_a_molecule_that_can_be_read_is_no_input(
    run: Annotate, tmp_path: Path
) -> None:
    (tmp_path / "none.csv").write_text(f"smiles\n{BROMIDE}\n")
    done = run(file=tmp_path / "none.csv", code=3)
    assert "none.csv: no molecule that the model can read" in done.stderr


def test_the_number_of_workers_changes_nothing(run: Annotate, tmp_path: Path) -> None:
    path = tmp_path / "drugs.csv"
    write_rows(path, [("name", "smiles"), *DRUGS])
    one, three = (run("-j", jobs, file=path) for jobs in (1, 3))
    assert len(rows_of(one.stdout)) > 250
    assert one.stdout == three.stdout


def test_an_interrupt_keeps_the_finished_rows(labelled_model_file: Path, tmp_path: Path) -> None:
    path, out = tmp_path / "many.smi", tmp_path / "out.csv"
    path.write_text("".join(f"{smiles}\n" for _, smiles in DRUGS * 200), encoding="utf-8")
    words = ["predict", path, labelled_model_file, "-o", out, "-j", 1]
    process = subprocess.Popen(
        [sys.executable, "-m", "molvae", *map(str, words)], stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob(f".out.csv.*{UNFINISHED}")) and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(1.0)
    os.kill(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "Interrupted; the finished rows are kept." in said
    rows = rows_of(out.read_text())
    assert len(rows) < len(DRUGS) * 200
    assert all(row["ood"] in ("true", "false") for row in rows)
