import json
import math
from pathlib import Path

import pandas as pd
import pytest

from molvae.data.tables import json_records
from molvae.data.tables.cells import number
from molvae.data.tables.records import find_column
from molvae.data.tables.tables import open_table, write_table
from molvae.errors import InputError, Rejected
from tests.tables import ASPIRIN, CAFFEINE, column, rows, write

TWO = [{"smiles": ASPIRIN, "pIC50": 5.5}, {"smiles": CAFFEINE, "pIC50": None}]


def found(path: Path) -> list[tuple[int, str, str]]:
    read = rows(path)
    values = column(path, "pIC50") if "pIC50" in open_table(path).columns else [""] * len(read)
    return [(row.line, row.smiles, value) for row, value in zip(read, values, strict=True)]


def test_what_pandas_writes_is_read(tmp_path: Path) -> None:
    frame = pd.DataFrame(TWO)
    frame.to_json(tmp_path / "a.json", orient="records")
    frame.to_json(tmp_path / "a.jsonl", orient="records", lines=True)
    frame.to_json(tmp_path / "b.json", orient="records", lines=True)  # a common misnomer
    frame.to_json(tmp_path / "c.json", orient="table", index=False)
    for name in ("a.json", "a.jsonl", "b.json", "c.json"):
        assert found(tmp_path / name) == [(1, ASPIRIN, "5.5"), (2, CAFFEINE, "")], name


def test_what_is_written_pandas_reads(tmp_path: Path) -> None:
    table = [(ASPIRIN, 5.5, 1, True), (CAFFEINE, math.nan, 2, False)]
    columns = ("smiles", "pIC50", "n", "novel")
    write_table(tmp_path / "a.json", columns, table)
    write_table(tmp_path / "a.jsonl", columns, table)
    frames = [pd.read_json(tmp_path / "a.json"), pd.read_json(tmp_path / "a.jsonl", lines=True)]
    for frame in frames:
        assert [str(kind) for kind in frame.dtypes[1:]] == ["float64", "int64", "bool"]
        assert frame["smiles"].tolist() == [ASPIRIN, CAFFEINE]
        assert frame["pIC50"].isna().tolist() == [False, True]
    write_table(tmp_path / "none.json", columns, [])
    assert json.loads((tmp_path / "none.json").read_text()) == []


def test_an_object_around_the_array_does_no_harm(tmp_path: Path) -> None:
    wrapped = {"found": 2, "refusals": [], "molecules": TWO}
    path = write(tmp_path / "a.json", json.dumps(wrapped, indent=2))
    assert [row.smiles for row in rows(path)] == [ASPIRIN, CAFFEINE]


def test_missing_keys_are_empty_cells_and_late_ones_columns(tmp_path: Path) -> None:
    lines = [{"smiles": "C"}, {"smiles": "CC", "Activity": True}, {"Activity": "x", "smiles": "N"}]
    path = write(tmp_path / "a.jsonl", "\n\n".join(map(json.dumps, lines)))
    table = open_table(path)
    assert find_column(table, "activity") == 1
    assert [row.line for row in table.rows] == [1, 3, 5]
    assert column(path, "Activity") == ["", "true", "x"]


def test_numbers_stay_the_text_they_are(tmp_path: Path) -> None:
    words = ["1e400", "-2.180", "Infinity", "NaN", "null", "9" * 30, '"1,5"']
    path = write(tmp_path / "a.jsonl", "".join(f'{{"smiles":"C","x":{w}}}\n' for w in words))
    cells = column(path, "x")
    assert cells == ["1e400", "-2.180", "Infinity", "", "", words[5], "1,5"]
    for cell in ("1e400", "Infinity", "1,5"):
        with pytest.raises(Rejected, match="not a number"):
            number(cell, field="x")


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ('{"smiles": "C"', "not JSON"),
        ("CCO", "not JSON"),
        ("[1]", "not a JSON object"),
        ('{"smiles": "C", "smiles": "N"}', "a key stands twice"),
        ("[" * 100_000, "not JSON"),
        ('{"smiles": "C\\ud800"}', "not UTF-8"),
    ],
)
def test_a_damaged_line_costs_that_line(tmp_path: Path, line: str, fault: str) -> None:
    good = json.dumps(TWO[0])
    path = write(tmp_path / "a.jsonl", f"{good}\n{line}\n{good}")
    found = [(row.line, row.fault.partition(":")[0]) for row in rows(path)]
    assert found == [(1, ""), (2, fault), (3, "")]


@pytest.mark.parametrize(
    ("name", "content", "cause"),
    [
        ("a.jsonl", "smiles\nCCO\n", "not JSON; one JSON object a row is expected"),
        ("a.jsonl", json.dumps(TWO), "not a JSON object; one JSON object a row"),
        ("a.jsonl", "\n\n", "no rows"),
        ("a.jsonl", '{"x": 1}\n', "no column of SMILES.* Its columns: x"),
        ("a.json", json.dumps(TWO)[:-9], r"not JSON: .*\(char \d+\); is it cut off\?"),
        ("a.json", "[]", "no rows"),
        ("a.json", '"CCO"', "an array of objects is expected"),
        ("a.json", "[" * 100_000, "not JSON"),
        ("a.json", json.dumps([1, 2]), "not a JSON object; one JSON object a row"),
        ("a.json", pd.DataFrame(TWO).to_json(), r"pandas writes one by to_json\(orient='records'"),
    ],
)
def test_what_is_no_such_json_is_called_by_its_name(
    tmp_path: Path, name: str, content: str, cause: str
) -> None:
    with pytest.raises(InputError, match=cause):
        open_table(write(tmp_path / name, content))


def test_json_too_large_to_be_read_whole_is_told_of_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_records, "MAX_FILE", 100)
    with pytest.raises(InputError, match=r"write one object a line and name it \.jsonl"):
        open_table(write(tmp_path / "a.json", json.dumps(TWO * 9)))


def test_text_that_is_no_unicode_is_written_as_text(tmp_path: Path) -> None:
    write_table(tmp_path / "a.jsonl", ("smiles", "x"), [("C", "caf\udce9"), ("C", "\ud800")])
    lines = (tmp_path / "a.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["x"] for line in lines] == ["caf\ufffd", "?"]
