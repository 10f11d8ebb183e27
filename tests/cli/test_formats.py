"""Tables of every format through the commands: files, stdin, stdout."""

import gzip
import io
import json
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from molvae.chem.smiles import canonicalize
from molvae.cli import options
from molvae.cli.main import cli
from molvae.config import DataConfig
from molvae.data.prepare import prepare
from molvae.data.tables.files import STDIO
from molvae.data.tables.sdf import draw
from molvae.data.tables.tables import READERS, WRITERS, open_table, write_table
from molvae.dataset import MoleculeDataset
from tests.cli.running import invoke
from tests.drugs import DRUGS
from tests.tables import column

QUICK = ("--properties", "MW,LogP", "--min-count", "1", "-j", "1")
COLUMNS = ("name", "smiles", "pKa")
TABLE = [(name, smiles, len(name) / 2) for name, smiles in DRUGS[:50]]


def content(kind: str) -> bytes:
    if kind == "parquet":
        pytest.importorskip("pyarrow", reason="the extra `parquet` is not installed")
    stream = io.BytesIO()
    write_table(stream, COLUMNS, TABLE, format=kind)
    return stream.getvalue()


def test_the_options_name_what_there_is() -> None:
    assert list(options.FORMATS) == list(READERS) == list(WRITERS)


def test_an_option_of_another_name_can_say_the_output() -> None:
    seen = []

    @click.command()
    @options.input_format
    @options.output_format("--output-format")
    def command(input_format: str, output_format: str) -> None:
        seen.append((input_format, output_format))

    for words in ([], ["--format", "sdf", "--output-format", "json"]):
        assert CliRunner().invoke(command, words).exit_code == 0
    assert seen == [("", ""), ("sdf", "json")]
    for name in ("generate", "neighbors", "augment", "predict", "decode"):  # the same word in all
        found = cli.get_command(click.Context(cli), name)
        assert found is not None
        assert any("--output-format" in parameter.opts for parameter in found.params)
    done = invoke("evaluate", "x.csv", "--format", "xlsx", code=2)
    assert "'smi', 'csv', 'tsv', 'sdf', 'parquet', 'json', 'jsonl'" in done.stderr


CONFIG = DataConfig(properties=("MW",), labels=("PKA",), min_count=1, stereo=True)


def prepared(path: Path) -> tuple[list[str], bytes, bytes]:
    dataset = prepare([path], CONFIG, jobs=0).dataset
    return dataset.vocabulary.symbols, dataset.ids.tobytes(), dataset.properties.tobytes()


def test_a_dataset_is_the_same_whatever_it_was_read_from(tmp_path: Path) -> None:
    write_table(tmp_path / "drugs.csv", COLUMNS, TABLE)
    expected = prepared(tmp_path / "drugs.csv")
    for kind in ("tsv", "sdf", "json", "jsonl", "parquet"):
        path = tmp_path / f"drugs.{kind}"
        path.write_bytes(content(kind))
        assert prepared(path) == expected, kind


@pytest.mark.parametrize(
    ("kind", "more"),
    [("sdf", ("--format", "sdf")), ("jsonl", ("-s", "SMILES", "--label", "pKa"))],
)
def test_stdin_is_a_file_like_any_other(tmp_path: Path, kind: str, more: tuple[str, ...]) -> None:
    words = ("prepare", "-", *more, "-o", tmp_path / "d", *QUICK, "--json")
    done = invoke(*words, input=gzip.compress(content(kind)))
    assert json.loads(done.stdout)["rows"] == 50
    assert "stdin: 50 rows, SMILES in column" in done.stderr


def test_stdin_stands_beside_files_and_its_bad_rows_are_named(tmp_path: Path) -> None:
    other = tmp_path / "other.smi"
    other.write_text("C\nCC(\n")
    words = ("prepare", other, "-", "-o", tmp_path / "d", *QUICK, "--rejects", "-")
    done = invoke(*words, input="CCO\nC1CC\nCCN\n")
    rejects = done.stdout.splitlines()
    assert rejects[0] == "file,row,field,smiles,reason"
    assert [line.split(",")[:2] for line in rejects[1:]] == [["other.smi", "2"], ["stdin", "2"]]
    assert "stdin:2: not a molecule" in done.stderr


@pytest.mark.parametrize("kind", ["csv", "tsv"])
def test_an_open_quote_costs_one_row_of_every_command(
    tiny_model_file: Path, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / f"in.{kind}"
    lines = [["smiles", "name"], ["CCOC", "a"], ["CCNC", '"b'], ["CC=O", "c"], ["CCCC", '"d']]
    path.write_text("\n".join(("," if kind == "csv" else "\t").join(line) for line in lines))
    commands = {
        "prepare": (path, "-o", tmp_path / "d", *QUICK),
        "score": (path, tiny_model_file, "-o", tmp_path / "scores.csv", "-j", "1"),
        "encode": (path, tiny_model_file, "-o", tmp_path / "codes.csv", "-j", "1"),
    }
    for command, words in commands.items():
        done = invoke(command, *words, "--json", "--force")
        assert f"in.{kind}:3: a quote opens and does not close" in done.stderr, command
        found = json.loads(done.stdout)["rejected"]
        assert found == {"a quote opens and does not close": 2}, command
        invoke(command, *words, "--strict", "--force", code=3)
    done = invoke("evaluate", path, "-j", "1", "--json")
    assert f"in.{kind}: 4 rows" in done.stderr
    assert f"in.{kind}: 2 rows are damaged and count as invalid." in done.stderr


def test_a_damaged_record_is_named_by_its_line_and_the_rest_is_kept(tmp_path: Path) -> None:
    records = [f"{name}{draw(smiles)}$$$$\n" for name, smiles in DRUGS[:5]]
    records[1] = records[1].replace("M  END\n", "")
    records[3] = f"query{draw('CC').replace(' C   0', ' A   0', 1)}$$$$\n"
    path = tmp_path / "x.sdf"
    path.write_text("".join(records))
    line = [1 + sum(record.count("\n") for record in records[:n]) for n in range(5)]
    done = invoke("prepare", path, "-o", tmp_path / "d", *QUICK, "--rejects", tmp_path / "r.json")
    assert f"x.sdf:{line[1]}: no M  END" in done.stderr
    assert f"x.sdf:{line[3]}: unknown atom: atom 1 stands for several" in done.stderr
    assert [row["row"] for row in json.loads((tmp_path / "r.json").read_text())] == line[1::2]
    assert MoleculeDataset.load(tmp_path / "d").size == 3


@pytest.mark.parametrize("kind", READERS)
def test_evaluate_reads_stdin(kind: str) -> None:
    for more in ((), ("--format", kind)):
        done = invoke("evaluate", "-", "-j", 1, "--json", *more, input=content(kind))
        found = json.loads(done.stdout)
        assert (found["counts"]["generated"], found["values"]["validity"]) == (50, 1)
        assert "stdin: 50 rows, SMILES in column" in done.stderr


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("prepare {csv} -o -", "a dataset is no table; name a file"),
        ("prepare {csv} -o d --rejects - --json", "stdout can take one of"),
        ("prepare {csv} -o d --rejects r.pdf", "no known format: .smi, .csv"),
        ("prepare {csv} -o d -s drug", "no column 'drug'"),
        ("prepare {csv} -o d --rejects r.parquet.gz", "leave .gz away"),
        ("evaluate {csv} -s drug", "no column 'drug'"),
        ("generate -o x.xlsx", "no known format: .smi, .csv"),
        ("generate -o x.csv --format pdf", "'pdf' is not one of"),
    ],
)
def test_what_cannot_be_meant_exits_2_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("drugs.csv").write_bytes(content("csv"))
    done = invoke(*command.format(csv="drugs.csv").split(), code=2)
    assert message in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["drugs.csv"]


def test_without_pyarrow_nothing_is_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    done = invoke("generate", "no-such-model", "-o", tmp_path / "a.parquet", code=2)
    assert done.stderr.count("\n") == 1
    assert "pip install 'molvae[parquet]'" in done.stderr


@pytest.mark.parametrize("kind", [*WRITERS, "csv.gz", "sdf.gz", "jsonl.gz"])
def test_generate_writes_the_same_molecules_in_every_format(
    tiny_model_file: Path, tmp_path: Path, kind: str
) -> None:
    if kind == "parquet":
        pytest.importorskip("pyarrow", reason="the extra `parquet` is not installed")
    words = ("generate", tiny_model_file, "--tier", "raw", "-n", 5, "--seed", 3, "-t", "LogP=2")
    expected = invoke(*words).stdout.splitlines()
    header, first = (line.split(",") for line in expected[:2])
    path = tmp_path / f"a.{kind}"
    invoke(*words, "-o", path)
    rows = list(open_table(path).rows)
    assert [row.id for row in rows] == [line.split(",")[0] for line in expected[1:]]
    assert canonicalize(rows[0].smiles, stereo=False) == canonicalize(first[1], stereo=False)
    if kind != "smi":
        cells = {name: column(path, name)[0] for name in header}
        same = dict(zip(header, first, strict=True))
        assert cells.pop("LogP").rstrip("0").rstrip(".") == same.pop("LogP")
        numbers = {name: float(cell) for name, cell in cells.items() if name in ("MW", "nll")}
        assert numbers == {name: float(same[name]) for name in numbers}
        assert [cells[name] for name in ("SMILES", "target_LogP", "novel", "ood", "model")] == [
            same[name] for name in ("SMILES", "target_LogP", "novel", "ood", "model")
        ]


def test_a_reader_that_takes_one_line_ends_it_quietly(tiny_model_file: Path) -> None:
    words = [sys.executable, "-m", "molvae", "generate", str(tiny_model_file), "--tier", "raw"]
    words += ["-n", "300", "-q", "-o", "-", "--format", "jsonl"]
    line = f"{shlex.join(words)} | head -1"
    done = subprocess.run(line, shell=True, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["SMILES"]


def test_a_pipe_of_two_commands_needs_no_file(tiny_model_file: Path) -> None:
    words = ("generate", tiny_model_file, "--tier", "raw", "-n", 5, "-q")
    for more in (("--format", "sdf"), ("--json",), ("--format", "smi")):
        made = invoke(*words, *more)
        done = invoke("evaluate", STDIO, "-j", 1, "--json", "-q", input=made.stdout_bytes)
        assert json.loads(done.stdout)["counts"]["generated"] == 5
