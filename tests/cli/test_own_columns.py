"""Columns without a name, or named twice, through every command that writes a table again."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from molvae.chem.smiles import as_smiles, canonicalize
from molvae.data.tables import records
from molvae.data.tables.tables import open_table, write_table
from tests.cli.running import invoke
from tests.tables import column

ASPIRIN, ETHANOL = "CC(=O)Oc1ccccc1C(=O)O", "CCO"
COLUMNS = ("Name", "SMILES", "pIC50", "", "pIC50", "", "µ M")
ROWS = (
    ("aspirin", ASPIRIN, "5.10", "a", "7.1", "", "x, y"),
    ("ethanol", ETHANOL, "", "b", "7.2", "c", '"z"'),
)
COMMANDS = {"score": (), "predict": ("-p", "LogP"), "encode": (), "reconstruct": ()}

Invoke = Callable[..., Result]


@pytest.fixture
def run(tiny_model_file: Path, tmp_path: Path) -> Invoke:
    """Run a command on the table in a format: `run("score", "csv", "-o", "out.csv")`."""

    def run(command: str, kind: str, *arguments: object) -> Result:
        path = tmp_path / f"in.{kind}"
        _write(path)
        return invoke(command, path, tiny_model_file, "-j", 1, *COMMANDS[command], *arguments)

    return run


def _write(path: Path) -> None:
    if path.suffix == ".parquet":
        pyarrow = pytest.importorskip("pyarrow", reason="the extra `parquet` is not installed")
        parquet = pytest.importorskip("pyarrow.parquet")
        arrays = [pyarrow.array(cells) for cells in zip(*ROWS, strict=True)]
        parquet.write_table(pyarrow.Table.from_arrays(arrays, names=COLUMNS), path)
    elif path.suffix == ".smi":
        lines = ["\t".join(cells) for cells in (COLUMNS, *ROWS)]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    else:
        write_table(path, COLUMNS, ROWS)


@pytest.mark.parametrize("target", ["csv", "tsv"])
@pytest.mark.parametrize("source", ["csv", "tsv", "smi", "parquet"])
@pytest.mark.parametrize("command", COMMANDS)
def test_every_cell_stays_in_its_column_where_a_format_holds_any_heading(
    run: Invoke, tmp_path: Path, command: str, source: str, target: str
) -> None:
    path = tmp_path / f"out.{target}"
    done = run(command, source, "-o", path)
    table = open_table(path)
    rows = [row.cells for row in table.rows]
    assert table.columns[: len(COLUMNS)] == COLUMNS
    assert [cells[: len(COLUMNS)] for cells in rows] == list(ROWS)
    assert "is written to" not in done.stderr
    assert "own columns" not in done.stderr


@pytest.mark.parametrize("target", ["sdf", "json", "jsonl", "parquet"])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_heading_that_a_format_cannot_hold_is_renamed_aloud(
    run: Invoke, tmp_path: Path, command: str, target: str
) -> None:
    path = tmp_path / f"out.{target}"
    if target == "parquet":
        pytest.importorskip("pyarrow", reason="the extra `parquet` is not installed")
    done = run(command, "csv", "-o", path)
    named = [name for name in open_table(path).columns if name.startswith("column_")]
    renamed = dict(zip((*named, "pIC50_2"), ("without a name",) * 2 + ("'pIC50'",), strict=True))
    for name, heading in renamed.items():
        assert f", {heading}, is written to {target} as '{name}'." in done.stderr
    places = {"pIC50": 2, named[0]: 3, "pIC50_2": 4, named[1]: 5, "µ M": 6}
    for name, place in places.items():
        assert column(path, name) == [cells[place] for cells in ROWS]


@pytest.mark.parametrize("command", COMMANDS)
def test_no_heading_is_lost_in_a_summary_with_rows(run: Invoke, command: str) -> None:
    done = run(command, "csv", "--json")
    rows = json.loads(done.stdout)["rows"]
    assert [(row["pIC50"], row["pIC50_2"]) for row in rows] == [("5.10", "7.1"), ("", "7.2")]
    assert "is written to json as 'pIC50_2'." in done.stderr


NAMESAKES = {  # of columns that a command writes, as a chemist may have named own ones
    "score": ("ELBO", "ood"),
    "predict": ("predicted_LogP", "ood_reason"),
    "encode": ("logP", "MW", "z1", "standardized_smiles", "model"),
    "reconstruct": ("exact", "Tanimoto", "model"),
}


@pytest.mark.parametrize("target", ["csv", "jsonl", "sdf"])
@pytest.mark.parametrize("command", COMMANDS)
def test_own_columns_keep_the_names_of_new_ones(
    tiny_model_file: Path, tmp_path: Path, command: str, target: str
) -> None:
    names = NAMESAKES[command]
    first, second, third = (tmp_path / f"{number}.{target}" for number in (1, 2, 3))
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


@pytest.mark.parametrize("heading", ["z1", "LogP", "model"])
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
