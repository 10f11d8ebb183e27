import gzip
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from rdkit import Chem

from molvae.chem.smiles import canonicalize
from molvae.cli import summaries
from tests.cli.running import invoke, rows_of

Generate = Callable[..., Result]


@pytest.fixture
def generate(tiny_model_file: Path) -> Generate:
    """Run the command on the tiny model within this process, tier raw unless told otherwise."""

    def run(*arguments: object, tier: str = "raw", code: int = 0) -> Result:
        return invoke("generate", tiny_model_file, "--tier", tier, *arguments, code=code)

    return run


def test_columns_are_the_documented_ones(generate: Generate, tiny_model_file: Path) -> None:
    done = generate("-n", 5, "--target", "mollogp=2.5", "-t", "QED=0.8..", "--seed", 1)
    rows = rows_of(done.stdout)
    assert list(rows[0]) == [
        *("ID", "SMILES", "MW", "LogP", "TPSA", "QED", "target_LogP", "target_QED"),
        *("novel", "ood", "nll", "model", "seed"),
    ]
    assert [row["ID"] for row in rows] == ["1", "2", "3", "4", "5"]
    for row in rows:
        assert canonicalize(row["SMILES"]) == row["SMILES"]
        assert (row["target_LogP"], row["target_QED"], row["seed"]) == ("2.5", "0.8..", "1")
        assert row["novel"] in ("true", "false")
        assert row["model"].startswith(f"{tiny_model_file.parent.name}-")
        assert float(row["nll"]) > 0


def test_words_go_to_stderr_and_quiet_leaves_none(generate: Generate) -> None:
    done = generate("-n", 2, "--seed", 5, "-t", "LogP=2")
    assert done.stdout.count("\n") == 3
    for words in ("2 of 2 molecules, tier raw, 2 draws", "seed 5", "acceptance ", "LogP: mean "):
        assert words in done.stderr
    quiet = generate("-n", 2, "--seed", 5, "-t", "LogP=2", "-q")
    assert (quiet.stdout, quiet.stderr) == (done.stdout, "")


def test_molecules_of_a_table_are_left_out_in_whatever_spelling(
    generate: Generate, tmp_path: Path
) -> None:
    asked = ("-n", 6, "--seed", 2)
    before = [row["SMILES"] for row in rows_of(generate(*asked).stdout)]
    known, path = {before[1], before[4]}, tmp_path / "known.smi"
    other = [Chem.MolToSmiles(Chem.MolFromSmiles(each), doRandom=True) for each in known]
    path.write_text("\n".join([*other, "C1CC"]) + "\n")
    done = generate(*asked, "--exclude", path)
    after = [row["SMILES"] for row in rows_of(done.stdout)]
    assert len(after) == 6
    assert not known & set(after)
    assert set(before) - known < set(after)
    assert "known.smi: 3 rows, SMILES in column 'smiles'." in done.stderr
    assert f"{path}: 2 molecules are excluded; 1 rows are not molecules" in done.stderr
    assert "rejected: " in done.stderr
    assert "excluded" in done.stderr
    empty = tmp_path / "none.smi"
    empty.write_text("C1CC\n")
    generate(*asked, "--exclude", empty, code=3)
    generate(*asked, "--exclude", path, "-o", path, "--force", code=2)


def test_a_seed_is_drawn_reported_and_gives_the_same_again(generate: Generate) -> None:
    first, other = generate("-n", 3), generate("-n", 3)
    seed = rows_of(first.stdout)[0]["seed"]
    assert f"seed {seed}," in first.stderr
    assert rows_of(other.stdout)[0]["seed"] != seed
    assert generate("-n", 3, "--seed", seed).stdout == first.stdout


def test_a_file_of_each_format_holds_the_same(generate: Generate, tmp_path: Path) -> None:
    expected = rows_of(generate("-n", 4, "--seed", 2).stdout)
    for name, delimiter in (("a.csv", ","), ("a.tsv", "\t"), ("a.csv.gz", ","), ("a.TSV", "\t")):
        done = generate("-n", 4, "--seed", 2, "-o", tmp_path / name)
        assert done.stdout == ""
        content = (tmp_path / name).read_bytes()
        text = (gzip.decompress(content) if name.endswith(".gz") else content).decode()
        assert rows_of(text, delimiter) == expected
    generate("-n", 4, "--seed", 2, "-o", tmp_path / "a.smi")
    lines = (tmp_path / "a.smi").read_text().splitlines()
    assert lines == [f"{row['SMILES']}\t{row['ID']}" for row in expected]


def test_json_holds_the_summary_and_the_molecules(generate: Generate) -> None:
    done = generate("-n", 3, "--seed", 2, "-t", "LogP=2.5", "--json", "-q")
    found = json.loads(done.stdout)
    assert (found["tier"], found["requested"], found["found"], found["seed"]) == ("raw", 3, 3, 2)
    assert found["draws"] == found["found"] + sum(found["refusals"].values())
    assert found["control"]["LogP"]["molecules"] == 3
    table = rows_of(generate("-n", 3, "--seed", 2, "-t", "LogP=2.5", "-q").stdout)
    assert [row["SMILES"] for row in found["molecules"]] == [row["SMILES"] for row in table]
    assert list(found["molecules"][0]) == list(table[0])


def test_json_beside_a_file_is_the_summary_alone(generate: Generate, tmp_path: Path) -> None:
    done = generate("-n", 3, "--json", "-q", "-o", tmp_path / "a.csv")
    assert "molecules" not in json.loads(done.stdout)
    assert len(rows_of((tmp_path / "a.csv").read_text())) == 3


@pytest.fixture
def table(tmp_path: Path) -> Callable[..., Path]:
    def write(*lines: str, name: str = "targets.csv") -> Path:
        path = tmp_path / name
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return path

    return write


def test_a_table_of_targets_is_answered_row_by_row(generate: Generate, table) -> None:
    path = table("QED,logp", "0.9,", "0.5..0.7,1", ",")
    rows = rows_of(generate("--targets", path, "-n", 2, "--seed", 1).stdout)
    assert [row["target_QED"] for row in rows] == ["0.9", "0.9", "0.5..0.7", "0.5..0.7", "", ""]
    assert [row["target_LogP"] for row in rows] == ["", "", "1", "1", "", ""]
    columns = list(rows[0])
    assert columns[columns.index("QED") + 1 :][:3] == ["target_QED", "target_LogP", "novel"]
    assert len(rows_of(generate("--targets", path, "--seed", 1).stdout)) == 3


@pytest.mark.parametrize("separator", ["\t", ";"])
def test_a_table_of_targets_may_be_separated_otherwise(
    generate: Generate, table, separator: str
) -> None:
    path = table(*(line.replace(",", separator) for line in ("\ufeffMW,LogP", "300,1..2")))
    (row,) = rows_of(generate("--targets", path).stdout)
    assert (row["target_MW"], row["target_LogP"]) == ("300", "1..2")


@pytest.mark.parametrize("ending", ["csv", "jsonl", "sdf"])
def test_what_generate_wrote_can_be_asked_for_again(
    generate: Generate, tmp_path: Path, ending: str
) -> None:
    first = tmp_path / f"first.{ending}"
    generate("-n", 2, "-t", "LogP=2.5", "-o", first)
    rows = rows_of(generate("--targets", first).stdout)
    assert [row["target_LogP"] for row in rows] == ["2.5", "2.5"]


@pytest.mark.parametrize(
    ("lines", "code", "message"),
    [
        (("LogP", "2", "x"), 2, "targets.csv:3: 'LogP=x': 'x' is not a finite number"),
        (("LogP", "3..1"), 2, "an empty range"),
        (("LogP", "2,5"), 3, "csv:2: too many cells; write the decimal point as a dot"),
        (("LogP", '"1\n2"'), 2, "is not a finite number"),
        (("LogP", '"1'), 3, "csv:2: a quote opens and does not close"),
        (("LogP", "1e308"), 2, "csv:2: 'LogP=1e308': '1e308' is too large, more than 3.4e+38"),
        (("QED", "1.0000001"), 2, "target QED = 1.0000001: impossible, QED is 0 to 1"),
        (("QED,note", f'0.9,"{"x" * 140_000}"'), 3, "csv:2: cell too long"),
        (("LogD", "2"), 2, "unknown property 'LogD'; did you mean 'LogP'?"),
        (("LogP,MolLogP", "2,2"), 2, "LogP: given twice"),
        (("LogP,QED,LogP", "2,0.5,3"), 3, "targets.csv: 2 columns are named 'LogP'"),
        (("LogP",), 3, "no row of targets"),
        ((), 3, "targets.csv: empty"),
    ],
)
def test_a_table_that_cannot_be_meant_is_one_line(
    generate: Generate, table, lines: tuple[str, ...], code: int, message: str
) -> None:
    done = generate("--targets", table(*lines), code=code)
    assert done.stdout == ""
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_targets_come_from_one_place(generate: Generate, table, tmp_path: Path) -> None:
    done = generate("--targets", table("LogP", "2"), "-t", "QED=0.9", code=2)
    assert "give the targets in one place" in done.stderr
    generate("--targets", tmp_path / "no.csv", code=3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("-t", "logd=2"),
            "unknown property 'logd'; did you mean 'LogP'? This model knows MW (Da)",
        ),
        (("-t", "Fsp3=0.5"), "this model was not trained on Fsp3"),
        (("-t", "LogP"), "write NAME=VALUE or NAME=LOW..HIGH"),
        (("-t", "LogP=nan"), "not a finite number"),
        (("-t", "LogP=3..1"), "did you mean 1..3?"),
        (("-t", "LogP=1", "-t", "LogP=2"), "has a target already"),
        (("-t", "QED=1.2"), "impossible, QED is 0 to 1."),
        (("-n", "0"), "-n"),
        (("--temperature", "-1"), "--temperature"),
        (("--filter", "pain"), "unknown filter 'pain'; did you mean 'PAINS'?"),
        (("--smarts", "C1CC"), "not SMARTS: 'C1CC'"),
        (("--smarts", "N[C@@H](C)C(=O)O"), "asks for stereochemistry, and the model's molecules"),
        (("--not-smarts", "F/C=C/F"), "asks for stereochemistry, and the model's molecules"),
        (("-d", "tpu"), "tpu"),
    ],
)
def test_what_cannot_be_meant_exits_2_with_one_line(
    generate: Generate, arguments: tuple[str, ...], message: str
) -> None:
    done = generate(*arguments, code=2)
    assert done.stdout == ""
    assert message in done.stderr


def test_no_such_model_exits_3() -> None:
    done = invoke("generate", "drug-likely", code=3)
    assert done.stdout == ""
    assert "drug-likely: neither a file, a run folder, nor a bundled model" in done.stderr


def test_what_is_no_model_exits_1_with_one_line(drug_dataset_file: Path, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("SMILES\nCCO\n")
    for path in (drug_dataset_file, tmp_path / "a.csv"):
        done = invoke("generate", str(path), code=1)
        assert (done.stdout, done.stderr.count("\n")) == ("", 1)
        assert str(path) in done.stderr


def test_fewer_than_asked_exits_4_and_keeps_what_was_found(
    generate: Generate, tmp_path: Path
) -> None:
    path = tmp_path / "a.csv"
    done = generate("-n", 60, "--max-tries", 1, "--seed", 1, "-o", path, tier="consistent", code=4)
    rows = rows_of(path.read_text())
    assert 0 < len(rows) < 60
    assert len({row["SMILES"] for row in rows}) == len(rows)
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"Error: {len(rows)} of 60 molecules were found; the other draws were")
    assert "repaired by SELFIES" in last
    assert "--max-tries" in last


def test_nothing_found_is_an_empty_table_and_exits_4(generate: Generate) -> None:
    done = generate("-n", 2, "--smarts", "[U]", "--max-tries", 2, code=4)
    assert done.stdout.strip() == "ID,SMILES"
    assert "without [U]" in done.stderr
    assert re.search(r"The model knows only the elements .*N, O, .*S\.", done.stderr)
    as_json = generate("-n", 2, "--smarts", "[U]", "--max-tries", 2, "--json", code=4)
    found = json.loads(as_json.stdout)
    assert (found["found"], found["molecules"], found["novelty"]) == (0, [], None)


def test_what_exists_is_overwritten_only_by_force(generate: Generate, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("precious")
    done = generate("-n", 2, "-o", path, code=2)
    assert path.read_text() == "precious"
    assert "exists; --force overwrites it." in done.stderr
    generate("-n", 2, "-o", path, "--force")
    assert len(rows_of(path.read_text())) == 2


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("folder.csv", "is a folder; name a file in it."),
        ("missing/a.csv", "no such folder, or no right to write there."),
        ("a.pdf", ".smi, .csv, .tsv"),
        ("a", ".smi, .csv, .tsv"),
    ],
)
def test_a_place_that_cannot_be_written_is_told_before_the_work(
    generate: Generate, tmp_path: Path, output: str, message: str
) -> None:
    (tmp_path / "folder.csv").mkdir()
    done = generate("-n", 2, "-o", tmp_path / output, code=2)
    assert done.stderr.count("\n") == 1
    assert message in done.stderr


def test_a_target_outside_the_training_set_is_warned_of(generate: Generate) -> None:
    done = generate("-n", 2, "-t", "LogP=30", "--seed", 1)
    assert "Warning: LogP=30 lies outside the model's training range " in done.stderr
    assert [row["ood"] for row in rows_of(done.stdout)] == ["true", "true"]
    assert "Warning" not in generate("-n", 2, "-t", "LogP=30", "-q").stderr


def test_an_impossible_request_is_answered_with_the_nearest_possible_one(
    generate: Generate,
) -> None:
    words = ("-t", "LogP=30", "-t", "MW=..200", "-n", 30, "--max-tries", 1)
    done = generate(*words, "--seed", 1, tier="consistent", code=4)
    assert "Warning: LogP=30 lies outside the model's training range" in done.stderr
    assert re.search(r"the nearest combination is MW=\d+, LogP=", done.stderr)
    assert done.stderr.endswith("No training molecule is similar to the targets: choose others.\n")


def test_a_terminal_gets_aligned_columns_with_whole_smiles_at_the_end(
    capsys: pytest.CaptureFixture[str],
) -> None:
    long = "C" * 120
    rows = [
        {"ID": 9, "SMILES": "CCO", "LogP": -0.001, "target_LogP": "2", "novel": True, "ood": False},
        {"ID": 10, "SMILES": long, "LogP": 12.3456, "target_LogP": "2", "novel": 0, "ood": False},
    ]
    summaries.print_molecules(rows, ["ID", "SMILES", "LogP", "target_LogP", "novel", "ood", "seed"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["ID", "LogP", "novel", "SMILES"]  # what is the same says nothing
    assert lines[1] == " 9  -0.001   true  CCO"
    assert lines[2] == f"10    12.3      0  {long}"


def test_workers_and_batches_leave_every_byte_as_it_is(
    tiny_model_file: Path, tmp_path: Path
) -> None:
    command = ("generate", tiny_model_file, "-n", 300, "--tier", "raw", "-t", "LogP=2", "--seed", 4)
    default, other = tmp_path / "a.csv", tmp_path / "b.csv"
    invoke(*command, "-o", default)
    invoke(*command, "-o", other, "-b", 64, "-j", 1)
    assert default.read_bytes() == other.read_bytes()
    assert default.read_bytes().count(b"\n") == 301


# The first line of progress comes after a moment here, rather than after ten seconds.
SHOW_PROGRESS = """
import sys
from molvae.cli import main, progress

if __name__ == "__main__":
    progress.SECONDS_BETWEEN_LINES = 0.1
    sys.argv = ["molvae", "generate", *sys.argv[1:]]
    main.main()
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_keeps_what_was_finished(
    tiny_model_file: Path, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    path = tmp_path / "a.csv"
    options = ("-n", "100000", "--tier", "raw", "-b", "64", "-j", "1", "--seed", "1", "-o")
    command = [sys.executable, "-u", "-c", SHOW_PROGRESS, tiny_model_file, *options, path]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("Generating: ")
        if number == signal.SIGINT:
            os.killpg(process.pid, number)  # as a terminal does: to the workers too
        else:
            process.send_signal(number)
        stderr = process.stderr.read()
        assert process.wait(30) == code
    rows = rows_of(path.read_text())
    assert 0 < len(rows) < 100_000
    assert all(canonicalize(row["SMILES"]) == row["SMILES"] for row in rows[-64:])
    assert "Interrupted; the finished rows are kept." in stderr.splitlines()
    assert "Traceback" not in stderr
    assert [item.name for item in tmp_path.iterdir()] == ["a.csv"]


@pytest.mark.parametrize(
    ("words", "advice", "advised"),
    [
        (
            ("-n", 20, "-t", "QED=0.9..", "-t", "TPSA=90..", "--in-range"),
            "A larger --shortlist comes nearer to the targets.",
            ("--shortlist", 16),
        ),
        (
            ("-n", 20, "--temperature", 0.1),
            "A higher --temperature brings more different molecules.",
            ("--temperature", 1),
        ),
        (("-n", 20, "--seed", 4), "--rings any keeps them.", ("--rings", "any")),
        (
            ("-n", 20, "--temperature", 0),
            "however often it tries: choose a higher --temperature. With --noise 0, each molecule",
            ("--noise", 0),
        ),
    ],
)
def test_what_is_advised_finds_more(
    words: tuple[object, ...], advice: str, advised: tuple[object, ...]
) -> None:
    run = ("generate", "-j", 1, "--seed", 1, "--max-tries", 1, "--json", *words)
    before, after = invoke(*run, code=4), invoke(*run, *advised, code=4)
    assert advice in before.stderr
    found = [json.loads(done.stdout)["found"] for done in (before, after)]
    assert found[1] > found[0]
