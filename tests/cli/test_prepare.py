import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from molvae.data import journal
from molvae.dataset import MoleculeDataset
from tests.cli.running import invoke, rows_of, write_rows
from tests.drugs import DRUGS

QUICK = ("--properties", "MW,LogP", "-j", 1)


@pytest.fixture
def drugs(tmp_path: Path) -> Path:
    path = tmp_path / "drugs.csv"
    bad = (("broken", "C1CC", 2), ("worse", "\x1b[31m", "x"))
    write_rows(path, [("name", "smiles", "pKa"), *((*d, len(d[0])) for d in DRUGS), *bad])
    return path


def test_a_table_becomes_a_dataset_and_every_bad_row_is_named(drugs: Path, tmp_path: Path) -> None:
    output, rejects = tmp_path / "drugs.molvae", tmp_path / "bad.csv"
    done = invoke("prepare", drugs, "-o", output, *QUICK, "--label", "pka", "--rejects", rejects)
    assert done.stdout == ""
    line = len(DRUGS) + 2
    assert f"drugs.csv:{line}: not a molecule: ring 1 is opened" in done.stderr
    assert f"drugs.csv:{line + 1}: not a number: 'x'" in done.stderr
    assert "with an empty cell its molecule stays" in done.stderr
    assert "\x1b" not in done.stderr
    assert f"{len(DRUGS) + 2} rows: " in done.stderr
    assert "rows/s" in done.stderr
    dataset = MoleculeDataset.load(output)
    assert dataset.normalizer.names == ("MW", "LogP", "pka")
    assert rejects.read_text().splitlines()[0] == "file,row,field,smiles,reason"


def test_class_labels_are_told_with_their_conflicts_and_shown_by_info(tmp_path: Path) -> None:
    path, output, conflicts = (tmp_path / name for name in ("a.csv", "a.molvae", "conflicts.csv"))
    rows = [(smiles, "Long" if len(smiles) > 40 else "short", 1) for _, smiles in DRUGS]
    rows += [(smiles, "long", 0) for smiles, size, _ in rows if size == "short"][:12]
    write_rows(path, [("smiles", "size", "assay"), *rows])
    labels = ("--label", "size", "--label", "assay:class")
    done = invoke("prepare", path, "-o", output, *QUICK, *labels, "--conflicts", conflicts)
    assert done.stdout == ""
    first = len(DRUGS) + 2
    assert (
        f"a.csv:{first}: size Long, but short for the same molecule since a.csv:2;" in done.stderr
    )
    assert "... and 14 more labels that disagree in " in done.stderr
    assert "24 labels disagreed among equal molecules" in done.stderr
    written = rows_of(conflicts.read_text(encoding="utf-8"))
    assert len(written) == 24
    assert written[0] == {
        "label": "size",
        "file": "a.csv",
        "row": str(first),
        "value": "Long",
        "first_file": "a.csv",
        "first_row": "2",
        "first_value": "short",
        "kept": "",
        "reason": "measured more than once",
    }
    counts = MoleculeDataset.load(output).provenance["tally"]["labels"]
    told = ", ".join(f"{word} {count}" for word, count in counts["size"]["classes"].items())
    assert f"label size: classes {told}; without 12\n" in done.stderr
    assert "assay=0: too few molecules in the training split (0): left out" in done.stderr
    assert "assay does not vary over the training split: left out" in done.stderr
    shown = [line.split() for line in invoke("info", output).stdout.splitlines()]
    for word, count in counts["size"]["classes"].items():
        assert next(line for line in shown if line[:2] == ["size", word])[-1] == str(count)
    assert not [line for line in shown if line[:1] == ["size=Long"]]


def test_a_label_that_can_be_read_in_two_ways_is_a_usage_error(tmp_path: Path) -> None:
    path, output = tmp_path / "a.csv", tmp_path / "a.molvae"
    path.write_text("smiles,y\nCCO,active\nCCN,2.5\nCCC,inactive\n")
    done = invoke("prepare", path, "-o", output, *QUICK, "--label", "y", code=2)
    assert (done.stdout, done.stderr.count("\n")) == ("", 1)
    assert "(a.csv:3: '2.5'), 2 are words (a.csv:2: 'active')" in done.stderr
    assert "--label 'y:class'" in done.stderr
    assert not output.exists()


def test_classes_are_found_in_what_comes_from_a_pipe(tmp_path: Path) -> None:
    rows = ["smiles,y", *(f"{'C' * size}O,{'ab'[size % 2]}" for size in range(1, 9))]
    options = ("--label", "y", "--validation", 0, "--test", 0)
    done = invoke("prepare", "-", "-o", tmp_path / "a", *QUICK, *options, input="\n".join(rows))
    assert "label y: classes a 4, b 4\n" in done.stderr


def test_json_is_the_tally_and_quiet_is_quiet(drugs: Path, tmp_path: Path) -> None:
    done = invoke("prepare", drugs, "-o", tmp_path / "a.molvae", *QUICK, "--json", "-q")
    assert done.stderr == ""
    tally = json.loads(done.stdout)
    assert tally["rows"] == len(DRUGS) + 2
    assert tally["rows"] == tally["kept"] + tally["merged"] + sum(tally["rejected"].values())
    assert len(tally["sha256"]) == 64


def test_options_reach_the_configuration(drugs: Path, tmp_path: Path) -> None:
    output = tmp_path / "a.molvae"
    options = ("--split", "scaffold", "--stereo", "--seed", 7, "--test", 0.2, "-s", "SMILES")
    invoke("prepare", drugs, "-o", output, *QUICK, *options)
    config = MoleculeDataset.load(output).provenance["data"]
    assert (config["split"], config["stereo"], config["seed"]) == ("scaffold", True, 7)
    assert (config["test"], config["properties"]) == (0.2, ["MW", "LogP"])


def test_molecules_alone_are_prepared_by_the_word_none(drugs: Path, tmp_path: Path) -> None:
    """Left out, the option means its default, so an empty list needs a word."""
    output = tmp_path / "a.molvae"
    invoke("prepare", drugs, "-o", output, "--properties", "none", "-j", 1)
    assert MoleculeDataset.load(output).normalizer.names == ()


def test_what_exists_is_overwritten_only_by_force(drugs: Path, tmp_path: Path) -> None:
    output = tmp_path / "a.molvae"
    output.write_text("precious")
    done = invoke("prepare", drugs, "-o", output, *QUICK, code=2)
    assert output.read_text() == "precious"
    assert "exists; --force overwrites it." in done.stderr
    invoke("prepare", drugs, "-o", output, *QUICK, "--force")
    assert MoleculeDataset.load(output).size > 300 - 10


def test_the_input_is_never_the_output(drugs: Path, tmp_path: Path) -> None:
    before = drugs.read_bytes()
    for options in (("-o", drugs), ("-o", tmp_path / "a", "--rejects", drugs)):
        invoke("prepare", drugs, *options, *QUICK, "--force", code=2)
    assert drugs.read_bytes() == before


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("--label", "pKb"), 2, "no column 'pKb'; did you mean 'pKa'? Its columns: name, smiles"),
        (("--split", "fold"), 2, "no column 'fold'"),
        (("--properties", "LogQ"), 2, "unknown property 'LogQ'; did you mean 'LogP'?"),
        (("-s", "structure"), 2, "no column 'structure'"),
        (("--rejects", "bad.pdf"), 2, ".smi, .csv, .tsv"),
        (("--strict",), 3, "not a molecule"),
    ],
)
def test_what_cannot_be_meant_is_one_line(
    drugs: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[str, ...],
    code: int,
    message: str,
) -> None:
    monkeypatch.setattr(
        journal, "SECONDS_BETWEEN_SAVES", 1e9
    )  # of what it keeps, on a busy machine
    done = invoke(
        "prepare", drugs, "-o", tmp_path / "a.molvae", "-j", 1, "-q", "--force", *options, code=code
    )
    assert done.stderr.count("\n") == 1
    assert message in done.stderr
    assert not (tmp_path / "a.molvae").exists()


def test_a_file_that_is_no_table_exits_3(tmp_path: Path) -> None:
    page = tmp_path / "zinc.csv"
    page.write_text("<html><body>moved</body></html>")
    done = invoke("prepare", page, "-o", tmp_path / "a.molvae", code=3)
    assert done.stderr.count("\n") == 1
    assert "a web page, not the data" in done.stderr
    invoke("prepare", tmp_path / "no.csv", "-o", tmp_path / "a.molvae", code=3)


def test_ctrl_c_ends_it_at_once_and_leaves_what_is_done_at_most(
    drugs: Path, tmp_path: Path
) -> None:
    with drugs.open("a", encoding="utf-8") as file:
        for size in range(20_000):
            file.write(f"x{size},{'C' * (1 + size % 40)}{'N' * (size % 7)}c1ccccc1,1\n")
    command = [sys.executable, "-u", "-c", SHOW_PROGRESS, str(drugs), str(tmp_path / "a.molvae")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("Preparing: ")
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130
        assert process.stderr.read().splitlines()[-1] == "Interrupted."
    left = {path.name for path in tmp_path.iterdir()}
    assert left <= {"drugs.csv", ".a.molvae.unfinished"}, "finished rows, where there were any"


# The first line of progress comes after a moment here, rather than after ten seconds.
SHOW_PROGRESS = """
import sys
from molvae.cli import main, progress

if __name__ == "__main__":
    progress.SECONDS_BETWEEN_LINES = 0.1
    sys.argv = ["molvae", "prepare", sys.argv[1], "-o", sys.argv[2], "-j", "2"]
    main.main()
"""
