"""`molvae decorate`, `molvae link` and `--keep` on the command line."""

from pathlib import Path

import pytest
from rdkit import Chem

from tests.cli.running import invoke, rows_of


def test_a_table_of_cores_keeps_its_columns_and_rejects_what_is_no_core(tmp_path: Path) -> None:
    table, rejects = tmp_path / "cores.csv", tmp_path / "rejects.csv"
    table.write_text(
        "name,core,series\na,[*:1]c1ccncc1,P\nb,c1ccccc1(,Q\nc,C[C@H]([*:1])[NH3+],R\nd,C.C,R\n"
    )
    done = invoke("decorate", table, "moses", "-n", 2, "--seed", 1, "--rejects", rejects)
    rows = rows_of(done.stdout)
    assert list(rows[0])[:7] == ["ID", "SMILES", "core", "decoration", "name", "series", "R1"]
    assert [row["name"] for row in rows] == ["a", "a", "c", "c"]
    assert [row["series"] for row in rows] == ["P", "P", "R", "R"]
    for row in rows:
        query = Chem.MolFromSmarts(row["core"].replace("[*:1]", "*"))
        assert Chem.MolFromSmiles(row["SMILES"]).HasSubstructMatch(query, useChirality=True)
        assert row["R1"] == row["decoration"]
    assert "the model reads it without stereo marks and charges" in done.stderr
    assert "cores.csv: 2 cores in column 'core'." in done.stderr
    reasons = [row["reason"].split(":")[0] for row in rows_of(rejects.read_text())]
    assert reasons == ["not a molecule", "several fragments"]


def test_linkers_are_shown_between_both_marks() -> None:
    done = invoke("link", "[*:1]c1ccncc1", "[*:1]C1CC1", "moses", "-n", 2, "--seed", 1)
    for row in rows_of(done.stdout):
        assert "[*:1]" in row["decoration"]
        assert "[*:2]" in row["decoration"]
        assert "R1" not in row


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("decorate", "c1ccccc1("), "\n    c1ccccc1(\n            ^"),
        (("decorate", "[*:1]c1ccncc1", "moses", "--in-range"), "--in-range needs a target"),
        (("link", "c1ccccc1", "[*:1]C", "moses"), "0 marks, where one is meant"),
        (("generate", "moses", "--keep", "C=[*:1]"), "a mark in the wrong place"),
    ],
)
def test_bad_request_is_refused(arguments: tuple[str, ...], words: str) -> None:
    assert words in invoke(*arguments, code=2).stderr


def test_generate_keeps_a_core_or_rejects_what_lacks_a_pattern() -> None:
    asked = ("generate", "moses", "-n", 3, "--seed", 1)
    rows = rows_of(invoke(*asked, "--keep", "c1cnc2[nH]ccc2c1").stdout)
    query = Chem.MolFromSmiles("c1cnc2[nH]ccc2c1")
    assert all(Chem.MolFromSmiles(row["SMILES"]).HasSubstructMatch(query) for row in rows)
    assert {row["core"] for row in rows} == {"c1cnc2[nH]ccc2c1"}
    done = invoke(*asked, "--keep", "[c,n]1ccccc1")
    assert "a pattern cannot be written out; molecules without it are rejected" in done.stderr
    assert "core" not in rows_of(done.stdout)[0]


def test_sweep_keeps_a_core_or_a_pattern() -> None:
    core = "CC(=O)Nc1c(C)cccc1C"
    asked = ("sweep", "CCN(CC)CC(=O)Nc1c(C)cccc1C", "moses", "-p", "LogP", "-n", 1, "--tries", 4)
    for kept in (core, "[#6]-[#7]"):
        (row,) = rows_of(invoke(*asked, "--keep", kept).stdout)
        assert row["SMILES"] == "" or Chem.MolFromSmiles(row["SMILES"]).HasSubstructMatch(
            Chem.MolFromSmarts(kept)
        )
    done = invoke(*asked, "--keep", "[#14]~*")  # no molecule of the model has silicon
    assert "a pattern cannot be written out; molecules without it are rejected" in done.stderr
    (row,) = rows_of(done.stdout)
    assert (row["SMILES"], row["LogP"], row["consistent"]) == ("", "", "false")
