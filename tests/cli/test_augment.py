import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from tests.cli.running import invoke, rows_of

Augment = Callable[..., Result]
LINES = (
    "name,smiles",
    "lidocaine,CCN(CC)CC(=O)Nc1c(C)cccc1C",
    "odd,C1CC",
    "borole,OB(O)c1ccccc1",
    "naproxen,COc1ccc2cc(C(C)C(=O)O)ccc2c1",
)


@pytest.fixture
def augment(tmp_path: Path) -> Augment:
    """Run the command on two drugs and two rows that cannot be used, within this process."""
    table = tmp_path / "in.csv"
    table.write_text("".join(f"{line}\n" for line in LINES), encoding="utf-8")

    def run(*arguments: object, file: object = table, code: int | None = 0) -> Result:
        words = ["augment", file, "-j", 1, "--seed", 1, "--tries", 64, *arguments]
        return invoke(*words, code=code)

    return run


def test_variants_come_with_their_provenance(augment: Augment) -> None:
    done = augment("-n", 3, "--radius", 1.2)
    rows = rows_of(done.stdout)
    assert list(rows[0]) == [
        *("ID", "SMILES", "source_ID", "source_SMILES", "source_row", "tanimoto"),
        *("MW", "LogP", "TPSA", "QED", "SA", "HBD", "HBA", "RotB"),
        *("novel", "ood", "nll", "radius", "model", "seed"),
    ]
    assert [row["ID"] for row in rows] == ["1", "2", "3", "4", "5", "6"]
    assert [row["source_ID"] for row in rows] == [*["lidocaine"] * 3, *["naproxen"] * 3]
    assert [row["source_row"] for row in rows] == [*["2"] * 3, *["5"] * 3]
    for row in rows:
        assert (row["radius"], row["seed"]) == ("1.2", "1")
        assert row["model"].startswith("druglike-")
        assert 0 < float(row["tanimoto"]) < 1
    assert "6 of 6 variants of 2 molecules" in done.stderr
    assert "\nsimilarity 0." in done.stderr


def test_rows_that_cannot_be_used_are_named(augment: Augment, tmp_path: Path) -> None:
    done = augment("-n", 1, "--rejects", tmp_path / "bad.csv")
    assert "in.csv:3: not a molecule: ring 1 is opened" in done.stderr
    assert "in.csv:4: symbol unknown to the model: [B]" in done.stderr
    assert [row["row"] for row in rows_of((tmp_path / "bad.csv").read_text())] == ["3", "4"]
    strict = augment("-n", 1, "--strict", code=3)
    assert strict.stdout == ""


def test_batch_size_and_files_change_no_variant(augment: Augment, tmp_path: Path) -> None:
    expected = rows_of(augment("-n", 2).stdout)
    for number, words in enumerate((("-b", 1), ("-b", 4096))):
        path = tmp_path / f"{number}.csv"
        augment("-n", 2, *words, "-o", path)
        assert rows_of(path.read_text()) == expected
    found = json.loads(augment("-n", 2, "--json", "-q").stdout)
    assert [row["SMILES"] for row in found["molecules"]] == [row["SMILES"] for row in expected]
    assert (found["sources"], found["radius"], found["found"]) == (2, 0.7, 4)


def test_fewer_than_asked_for_is_said_and_exits_4(augment: Augment) -> None:
    done = augment("-n", 6, "--radius", 0, "--noise", 0, code=4)
    assert len(rows_of(done.stdout)) < 12
    assert "of 12 variants were found; the other strings were left out (" in done.stderr
    assert "A larger --radius finds more." in done.stderr


ADVICE = {
    "A larger --radius": ("--radius 0 --noise 0", "--radius 1 --noise 0"),
    "A lower --min-similarity": ("--min-similarity 0.9 -n 9", "--min-similarity 0.3 -n 9"),
    "Leaving out --same-scaffold": ("--radius 2 -n 60 --same-scaffold", "--radius 2 -n 60"),
    "A larger --tries": ("--radius 5 --noise 0 --tries 4", "--radius 5 --noise 0 --tries 64"),
}


@pytest.mark.parametrize("advice", ADVICE)
def test_what_is_said_to_find_more_finds_more(augment: Augment, advice: str) -> None:
    few, more = (words.split() for words in ADVICE[advice])
    done = augment(*few, code=4)
    assert f"{advice} finds more." in done.stderr
    found = augment(*more, code=None)
    assert len(rows_of(found.stdout)) > len(rows_of(done.stdout))


def test_own_columns_follow_the_variants(augment: Augment, tmp_path: Path) -> None:
    table = tmp_path / "own.csv"
    table.write_text(
        "name,pIC50,smiles,LogP\na,7.1,CCN(CC)CC(=O)Nc1c(C)cccc1C,x\n"
        "b,,COc1ccc2cc(C(C)C(=O)O)ccc2c1,\n",
        encoding="utf-8",
    )
    done = augment("-n", 2, file=table)
    rows = rows_of(done.stdout)
    assert list(rows[0])[-2:] == ["pIC50", "LogP"]
    assert [(row["pIC50"], row["LogP"]) for row in rows] == [*[("7.1", "x")] * 2, *[("", "")] * 2]
    assert "its own columns stay; new ones of the same name are 'LogP" in done.stderr


def test_filters_hold_for_variants(augment: Augment) -> None:
    done = augment("-n", 3, "--not-smarts", "C(=O)O", "--novel")
    assert not [row for row in rows_of(done.stdout) if "C(=O)O" in row["SMILES"]]
    assert {row["novel"] for row in rows_of(done.stdout)} == {"true"}


@pytest.mark.parametrize("words", [("--radius", -1), ("-n", 0), ("--radius", "nan")])
def test_numbers_that_cannot_be_meant_are_refused(
    augment: Augment, words: tuple[object, ...]
) -> None:
    augment(*words, code=2)


def test_a_table_without_a_molecule_is_no_input(augment: Augment, tmp_path: Path) -> None:
    (tmp_path / "none.smi").write_text("OB(O)c1ccccc1\n")
    done = augment(file=tmp_path / "none.smi", code=3)
    assert "no molecule that the model can read" in done.stderr
