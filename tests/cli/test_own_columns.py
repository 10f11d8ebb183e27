"""Columns without a name, or named twice, through every command that writes a table again."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from molvae.chem.smiles import as_smiles, canonicalize
from molvae.cli.outputs import tell_names
from molvae.data.tables import records
from molvae.data.tables.tables import names_in, open_table, write_table
from tests.cli.running import invoke
from tests.tables import PARQUET, column

ASPIRIN, ETHANOL = "CC(=O)Oc1ccccc1C(=O)O", "CCO"
# With columns without a name, of the same name, of several scripts, named as new ones, over-long.
COLUMNS = ("Name", "SMILES", "pIC50", "", "pIC50", "", "µ M", "logP", "Model", "x" * 300)
ROWS = (
    ("aspirin", ASPIRIN, "5.10", "a", "7.1", "", "x, y", "9", "mine", "007"),
    ("ethanol", ETHANOL, "", "b", "7.2", "c", '"z"', "1e400", "", " NA "),
)
COMMANDS = {"score": (), "predict": ("-p", "LogP"), "encode": (), "reconstruct": ()}
# Each command, and each format in and out; a Parquet file needs an extra.
WAYS = [
    *(("score", "csv", "sdf"), ("score", "parquet", "jsonl"), ("predict", "sdf", "parquet")),
    *(("predict", "tsv", "json"), ("encode", "json", "tsv"), ("encode", "smi", "csv")),
    *(("reconstruct", "jsonl", "csv"), ("reconstruct", "csv", "smi")),
]

PARQUET_WAY = pytest.param("parquet", "parquet", marks=PARQUET.marks)

Invoke = Callable[..., Result]


@pytest.fixture
def run(tiny_model_file: Path, tmp_path: Path) -> Invoke:
    """Run a command on the table in a format: `run("score", "csv", "-o", "out.csv")`."""

    def run(command: str, kind: str, *arguments: object) -> Result:
        path = tmp_path / f"in.{kind}"
        if kind == "smi":
            lines = ["\t".join(cells) for cells in (COLUMNS, *ROWS)]
            path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        else:
            write_table(path, COLUMNS, ROWS, smiles=1)
        return invoke(command, path, tiny_model_file, "-j", 1, *COMMANDS[command], *arguments)

    return run


@pytest.mark.parametrize(("command", "source", "target"), WAYS)
def test_every_own_cell_comes_back(
    run: Invoke, tmp_path: Path, command: str, source: str, target: str
) -> None:
    if "parquet" in (source, target):
        pytest.importorskip("pyarrow", reason="the extra `parquet` is not installed")
    path = tmp_path / f"out.{target}"
    done = run(command, source, "-o", path)
    if target == "smi":
        assert "out.smi: a .smi file holds SMILES and ID only." in done.stderr
        assert [row.cells for row in open_table(path).rows] == [row[1::-1] for row in ROWS]
        return
    given = names_in(source, COLUMNS)
    for name, cells in zip(names_in(target, given), zip(*ROWS, strict=True), strict=True):
        places = [place for place, each in enumerate(open_table(path).columns) if each == name]
        found = [tuple(row.cells[place] for row in open_table(path).rows) for place in places]
        assert cells in found, name
    assert ("is written to" in done.stderr) == (names_in(target, given) != given)
    if command == "encode":
        assert "new ones of the same name are 'LogP_molvae', 'model_molvae'." in done.stderr


@pytest.mark.parametrize("target", ["sdf", "json", "jsonl", "parquet"])
def test_a_heading_that_a_format_cannot_hold_is_renamed_aloud(
    capsys: pytest.CaptureFixture[str], target: str
) -> None:
    found = tell_names(COLUMNS, target, quiet=False)
    assert found[2:6] == ("pIC50", "column_4", "pIC50_2", "column_6")
    said = capsys.readouterr().err.splitlines()
    assert said == [
        f"Column 4, without a name, is written to {target} as 'column_4'.",
        f"Column 5, 'pIC50', is written to {target} as 'pIC50_2'.",
        f"Column 6, without a name, is written to {target} as 'column_6'.",
    ]


@pytest.mark.parametrize(("source", "target"), [("jsonl", "json"), ("json", "jsonl"), PARQUET_WAY])
def test_own_numbers_stay_numbers_where_formats_have_types(
    tiny_model_file: Path, tmp_path: Path, source: str, target: str
) -> None:
    path, out = tmp_path / f"in.{source}", tmp_path / f"out.{target}"
    columns = ("SMILES", "pIC50", "n", "ok", "code")
    rows = [(ASPIRIN, 5.123456789, 3, True, "007"), (ETHANOL, None, -2, False, "5")]
    write_table(path, columns, rows)
    invoke("score", path, tiny_model_file, "-o", out, "-j", 1)
    invoke("score", out, tiny_model_file, "-o", tmp_path / "again.json", "-j", 1)
    found = json.loads((tmp_path / "again.json").read_text())
    assert [tuple(row[name] for name in columns) for row in found] == rows
    assert isinstance(found[0]["n"], int)


def test_what_an_sd_file_cannot_hold_is_counted_aloud(
    tiny_model_file: Path, tmp_path: Path
) -> None:
    source = tmp_path / "in.csv"
    write_table(
        source, ("SMILES", "note"), [(ASPIRIN, "a\n\nb"), (ETHANOL, "$$$$"), ("CCN", "a\nb")]
    )
    done = invoke("score", source, tiny_model_file, "-o", tmp_path / "out.sdf", "-j", 1)
    assert "2 cells have blank lines, or lines that begin with $$$$" in done.stderr
    assert column(tmp_path / "out.sdf", "note") == ["a\nb", " $$$$", "a\nb"]


def test_no_heading_is_lost_in_a_summary_with_rows(run: Invoke) -> None:
    done = run("score", "csv", "--json")
    rows = json.loads(done.stdout)["rows"]
    assert [(row["pIC50"], row["pIC50_2"]) for row in rows] == [("5.10", "7.1"), ("", "7.2")]
    assert "is written to json as 'pIC50_2'." in done.stderr


NAMESAKES = {  # of columns that a command writes, as a chemist may have named own ones
    "score": ("ELBO", "ood"),
    "predict": ("predicted_LogP", "ood_reason"),
    "encode": ("logP", "MW", "z1", "standardized_smiles", "model"),
    "reconstruct": ("exact", "Tanimoto", "model"),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_own_columns_keep_the_names_of_new_ones(
    tiny_model_file: Path, tmp_path: Path, command: str
) -> None:
    names = NAMESAKES[command]
    first, second, third = (tmp_path / f"{number}.csv" for number in (1, 2, 3))
    write_table(tmp_path / "in.csv", ("SMILES", *names), [(ASPIRIN, *("own" for _ in names))])
    for source, path in ((tmp_path / "in.csv", first), (first, second), (second, third)):
        words = (command, source, tiny_model_file, "-o", path, "-j", 1, "-q", *COMMANDS[command])
        done = invoke(*words)
        assert f"{source.name}: its own columns stay; new ones of the same name are" in done.stderr
    for name in names:
        assert column(third, name) == ["own"]
    table = open_table(third)
    found = {column.lower() for column in table.columns}
    expected = {f"{name.lower()}_molvae{more}" for name in names for more in ("", "_2", "_3")}
    assert expected <= found


def test_codes_that_were_encoded_beside_own_columns_are_decoded(
    tiny_model_file: Path, tmp_path: Path
) -> None:
    own, codes, plain = (tmp_path / f"{name}.csv" for name in ("own", "codes", "plain"))
    write_table(own, ("SMILES", "z1", "LogP", "model"), [(ASPIRIN, "9", "9", "mine")])
    write_table(plain, ("SMILES",), [(ASPIRIN,)])
    decoded = []
    for source in (own, plain):
        invoke("encode", source, tiny_model_file, "-o", codes, "-j", 1, "--force")
        decoded.append(invoke("decode", codes, tiny_model_file).stdout)
    assert decoded[0] == decoded[1]


def test_a_doubled_column_that_is_to_be_filled_in_is_refused(
    tiny_model_file: Path, tmp_path: Path
) -> None:
    path = tmp_path / "in.csv"
    write_table(path, ("SMILES", "LOGP", "logp"), [(ASPIRIN, "", "1")])
    done = invoke("predict", path, tiny_model_file, "-p", "LogP", "--fill", "-j", 1, code=3)
    assert "2 columns are named 'LogP': rename one." in done.stderr


@pytest.mark.parametrize("heading", ["z1", "LogP_molvae", "model_molvae"])
def test_a_doubled_column_that_decode_reads_is_refused(
    tiny_model_file: Path, run: Invoke, tmp_path: Path, heading: str
) -> None:
    codes, doubled = tmp_path / "codes.csv", tmp_path / "doubled.csv"
    run("encode", "csv", "-o", codes)
    table = open_table(codes)
    cells = [(*row.cells, "0") for row in table.rows]
    write_table(doubled, (*table.columns, heading), cells)
    done = invoke("decode", doubled, tiny_model_file, code=3)
    assert f"2 columns are named '{heading}': rename one." in done.stderr
    invoke("decode", codes, tiny_model_file)


@pytest.mark.parametrize("target", ["csv", "jsonl"])
def test_a_map_keeps_the_column_that_colors_it_beside_its_own(
    tiny_model_file: Path, tmp_path: Path, target: str
) -> None:
    pytest.importorskip("matplotlib", reason="the extra `report` is not installed")
    path, picture = tmp_path / "in.csv", tmp_path / "map.svg"
    write_table(
        path, ("SMILES", "PC1", ""), [(ASPIRIN, "5", ""), (ETHANOL, "6", ""), ("CCN", "7", "")]
    )
    out = tmp_path / f"out.{target}"
    words = ["map", path, tiny_model_file, "-o", picture, "--table", out, "-c", "PC1", "-j", 1]
    done = invoke(*words)
    assert [float(cell) for cell in column(out, "PC1")] == [5, 6, 7]
    assert (
        "in.csv: its own columns stay; new ones of the same name are 'PC1_molvae'." in done.stderr
    )
    assert len(column(out, "PC1_molvae")) == 3


@pytest.mark.parametrize("command", COMMANDS)
def test_the_structure_of_an_sd_file_stays_beside_a_field_of_smiles(
    tiny_model_file: Path, tmp_path: Path, command: str
) -> None:
    source = tmp_path / "in.sdf"
    write_table(source, ("parent_smiles", "structure"), [(ETHANOL, ASPIRIN)], smiles=1)
    for kind in ("sdf", "smi"):
        if (command, kind) == ("encode", "smi"):
            continue  # has no room for codes
        path = tmp_path / f"out.{kind}"
        words = [command, source, tiny_model_file, "-o", path, "-j", 1, *COMMANDS[command]]
        invoke(*words)
        (row,) = open_table(path).rows
        assert canonicalize(as_smiles(row.smiles)) == canonicalize(ASPIRIN)


def test_a_field_that_begins_too_late_for_a_column_is_named(
    tiny_model_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "PREVIEW", 1)
    path = tmp_path / "in.jsonl"
    path.write_text(f'{{"smiles": "{ASPIRIN}"}}\n{{"smiles": "{ETHANOL}", "pIC50": 5}}\n')
    done = invoke("score", path, tiny_model_file, "-j", 1)
    assert "in.jsonl: fields that begin behind its first rows are left out: pIC50." in done.stderr


def test_two_columns_of_requests_for_the_same_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    write_table(path, ("SMILES", "target_LogP", "target_LogP"), [(ASPIRIN, "1", "2")])
    done = invoke("evaluate", str(path), "-j", "1", code=3)
    assert "both ask for LogP" in done.stderr
