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

    def run(*arguments: object, file: object = table, code: int = 0) -> Result:
        words = ["augment", file, "-j", 1, "--seed", 1, "--shortlist", 1, *arguments]
        return invoke(*words, code=code)

    return run


def test_variants_come_with_their_provenance(augment: Augment) -> None:
    done = augment("-n", 3, "--radius", 2.5)
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
        assert (row["radius"], row["seed"]) == ("2.5", "1")
        assert row["model"].startswith("druglike-")
        assert 0 < float(row["tanimoto"]) < 1
    assert "6 of 6 variants of 2 molecules" in done.stderr
    assert "radius 2.5: similarity 0." in done.stderr


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
    assert (found["sources"], found["radius"], found["found"]) == (2, 1.5, 4)


def test_fewer_than_asked_for_is_said_and_exits_4(augment: Augment) -> None:
    words = ("--radius", 0, "--temperature", 0, "--max-tries", 2)
    done = augment("-n", 6, *words, code=4)
    assert len(rows_of(done.stdout)) < 12
    assert "of 12 variants were found; the other draws were rejected (" in done.stderr
    assert "A larger --radius or a larger --max-tries finds more." in done.stderr


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
