import datetime
import decimal
import hashlib
import io
import math
import sys
from pathlib import Path

import pandas as pd
import pytest

from molvae.data.tables.parquet import write
from molvae.data.tables.records import find_column
from molvae.data.tables.tables import open_table, write_table
from molvae.errors import InputError, MolvaeError, UsageError
from tests.tables import ASPIRIN, CAFFEINE, column, rows

pyarrow = pytest.importorskip("pyarrow", reason="the extra `parquet` is not installed")
parquet = pytest.importorskip("pyarrow.parquet")
COLUMNS = ("ID", "SMILES", "LogP", "HBD", "novel", "note")
TABLE = [
    ("m1", ASPIRIN, 1.25, 1, True, None),
    ("m2", CAFFEINE, math.nan, 0, False, None),
    ("m3", "N", None, 2, None, "a \ud800"),
]


def test_what_is_written_pandas_reads_with_its_types(tmp_path: Path) -> None:
    write_table(tmp_path / "a.parquet", COLUMNS, TABLE)
    frame = pd.read_parquet(tmp_path / "a.parquet")
    assert tuple(frame.columns) == COLUMNS
    assert [str(frame[name].dtype) for name in ("LogP", "HBD")] == ["float64", "int64"]
    assert frame["novel"].tolist() == [True, False, None]
    assert frame["LogP"].isna().tolist() == [False, True, True]
    assert frame["note"].fillna("").tolist() == ["", "", "a ?"]
    write_table(tmp_path / "none.parquet", COLUMNS, [])
    assert tuple(pd.read_parquet(tmp_path / "none.parquet").columns) == COLUMNS


def test_what_pandas_writes_is_read_by_row_number(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "smiles": [ASPIRIN, "nan", None],
            "pIC50": [5.5, math.nan, 7.0],
            "n": [1, 2, 3],
            "small": pd.array([0.1, 2, math.nan], dtype="float32"),
            "class": pd.Categorical(["active", None, "inactive"]),
            "day": [datetime.date(2020, 1, 2)] * 3,
            "fingerprint": [[0, 1], [1], []],
            "raw": [b"\xff\x00", b"a", b""],
        },
        index=[7, 8, 9],
    )
    frame.to_parquet(tmp_path / "a.parquet")
    back = rows(tmp_path / "a.parquet")
    assert [(row.line, row.smiles) for row in back] == [(1, ASPIRIN), (2, "nan"), (3, "")]
    cells = {name: column(tmp_path / "a.parquet", name) for name in frame.columns}
    assert cells["pIC50"] == ["5.5", "", "7"]
    assert cells["n"] == ["1", "2", "3"]
    assert cells["small"] == ["0.1", "2", ""]
    assert cells["class"] == ["active", "", "inactive"]
    assert cells["day"] == ["2020-01-02"] * 3
    assert cells["fingerprint"] == ["[0, 1]", "[1]", "[]"]
    assert cells["raw"] == ["0xff00", "a", ""]
    assert [row.fault for row in back] == [""] * 3


@pytest.mark.parametrize(
    ("values", "kind", "texts"),
    [
        ([b"\xef\xbe\xad\xde", b"CCO", None], "binary", ["0xefbeadde", "CCO", ""]),
        ([b"\xff", b"\0", b"caf\xc3\xa9"], "large_binary", ["0xff", "0x00", "caf\xe9"]),
        ([["a", None], [], None], "list_string", ['["a", null]', "[]", ""]),
        ([[b"\xff"], [], None], "list_binary", ['["0xff"]', "[]", ""]),
        ([{"a": 1}, {"a": None}, None], "struct", ['{"a": 1}', '{"a": null}', ""]),
        (["a", "b", None], "dictionary", ["a", "b", ""]),
        (["a", "b", None], "large_string", ["a", "b", ""]),
        ([decimal.Decimal("1.50"), None, None], "decimal", ["1.50", "", ""]),
        (
            [datetime.datetime(2020, 1, 2, 3), None, None],
            "timestamp",
            ["2020-01-02 03:00:00", "", ""],
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_column_of_any_type_is_text_and_costs_no_row(
    tmp_path: Path, values: list[object], kind: str, texts: list[str]
) -> None:
    kinds = {
        "list_string": pyarrow.list_(pyarrow.string()),
        "list_binary": pyarrow.list_(pyarrow.binary()),
        "struct": pyarrow.struct([("a", pyarrow.int64())]),
        "dictionary": pyarrow.dictionary(pyarrow.int32(), pyarrow.string()),
        "decimal": pyarrow.decimal128(9, 2),
        "timestamp": pyarrow.timestamp("s"),
    }
    found = kinds[kind] if kind in kinds else getattr(pyarrow, kind)()
    table = pyarrow.table({"smiles": ["C", "CC", "N"], "x": pyarrow.array(values, found)})
    parquet.write_table(table, tmp_path / "a.parquet")
    cells = [cell.removesuffix(".000") for cell in column(tmp_path / "a.parquet", "x")]
    assert cells == texts  # a second is stored as milliseconds
    assert [row.fault for row in rows(tmp_path / "a.parquet")] == [""] * 3


def test_many_row_groups_are_read_and_written_in_order(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    write_table(path, ("SMILES", "n"), (("C" * (1 + n % 9), n) for n in range(50_000)))
    assert pd.read_parquet(path)["n"].tolist() == list(range(50_000))
    numbers = list(map(int, column(path, "n")))
    assert numbers == list(range(50_000))
    assert open_table(path).total == 50_000


def test_groups_are_written_as_they_come_and_not_kept() -> None:
    pieces = write(["n"], ([number] for number in range(40_000)))
    assert next(pieces).startswith(b"PAR1")
    assert len(list(pieces)) == 3


def test_the_digest_is_that_of_the_file_as_stored(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    write_table(path, COLUMNS, TABLE)
    table = open_table(path)
    assert len(list(table.rows)) == 3
    assert table.file.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_byte_that_is_no_utf_8_costs_its_row(tmp_path: Path) -> None:
    texts = [b"a", "caf\xe9".encode("latin-1"), b"b"]
    ends = b"".join(len(b"".join(texts[:n])).to_bytes(4, "little") for n in range(4))
    buffers = [None, pyarrow.py_buffer(ends), pyarrow.py_buffer(b"".join(texts))]
    names = pyarrow.Array.from_buffers(pyarrow.string(), 3, buffers)
    table = pyarrow.table({"smiles": ["C", "CC", "N"], "name": names})
    parquet.write_table(table, tmp_path / "a.parquet")
    faults = [row.fault.partition(":")[0] for row in rows(tmp_path / "a.parquet")]
    assert faults == ["", "not UTF-8", ""]


def test_nan_is_a_missing_label_as_null_is(tmp_path: Path) -> None:
    values = pyarrow.array([1.5, math.nan, None, math.inf])
    table = pyarrow.table({"smiles": ["C", "N", "O", "nan"], "x": values})
    parquet.write_table(table, tmp_path / "a.parquet")
    back = rows(tmp_path / "a.parquet")
    assert column(tmp_path / "a.parquet", "x") == ["1.5", "", "", "inf"]
    assert back[3].smiles == "nan"


def test_a_column_that_stands_twice_is_refused_when_it_matters(tmp_path: Path) -> None:
    arrays = [pyarrow.array(["CCO"]), pyarrow.array([1]), pyarrow.array([2])]
    table = pyarrow.Table.from_arrays(arrays, names=["smiles", "x", "x"])
    parquet.write_table(table, tmp_path / "a.parquet")
    opened = open_table(tmp_path / "a.parquet")
    with pytest.raises(InputError, match="2 columns are named 'x'"):
        find_column(opened, "x")
    assert [row.smiles for row in opened.rows] == ["CCO"]


def test_damage_anywhere_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    write_table(path, COLUMNS, TABLE)
    whole = path.read_bytes()
    for content in (whole[: len(whole) // 2], whole[:4], whole[:40] + b"\xff" + whole[41:]):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"a\.parquet: damaged Parquet"):
            rows(path)
    path.write_text("smiles\nCCO\n")
    with pytest.raises(InputError, match="not a Parquet file"):
        rows(path)


def test_a_flipped_bit_in_what_we_wrote_is_found_or_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    write_table(path, COLUMNS, TABLE)
    whole, expected = path.read_bytes(), [row.cells for row in rows(path)]
    pages = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")  # before the footer
    found = 0
    for position in range(4, len(whole), 5):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 4]) + whole[position + 1 :])
        try:
            assert [row.cells for row in rows(path)] == expected or position >= pages
        except InputError:
            found += position < pages
    assert found > pages / 5 / 2


def test_a_value_that_does_not_fit_its_column_is_named(tmp_path: Path) -> None:
    many = [(1,)] * 20_000
    for odd in ("word", 1.5, 2**70):
        with pytest.raises(MolvaeError, match=r"column 'x': .* values of one type; write .csv"):
            write_table(tmp_path / "a.parquet", ("x",), [*many, (odd,)])
    assert list(tmp_path.iterdir()) == []


def test_a_stream_takes_parquet_though_it_cannot_be_rewound(tmp_path: Path) -> None:
    class Pipe(io.BytesIO):
        def seek(self, *arguments: object) -> int:
            raise io.UnsupportedOperation

        tell = seek

    pipe = Pipe()
    write_table(pipe, COLUMNS, TABLE, format="parquet")
    (tmp_path / "a.parquet").write_bytes(pipe.getvalue())
    assert [row.id for row in rows(tmp_path / "a.parquet")] == ["m1", "m2", "m3"]


def test_parquet_within_gzip_is_read_and_not_written(tmp_path: Path) -> None:
    import gzip

    write_table(tmp_path / "a.parquet", COLUMNS, TABLE)
    packed = tmp_path / "b.parquet.gz"
    packed.write_bytes(gzip.compress((tmp_path / "a.parquet").read_bytes()))
    assert [row.id for row in rows(packed)] == ["m1", "m2", "m3"]
    with pytest.raises(UsageError, match=r"leave \.gz away"):
        write_table(tmp_path / "c.parquet.gz", COLUMNS, TABLE)


def test_a_text_that_many_rows_repeat_is_in_memory_once(tmp_path: Path) -> None:
    text, count = "x" * 2**20, 5000
    places = pyarrow.array([0] * count, pyarrow.int32())
    column = pyarrow.DictionaryArray.from_arrays(places, pyarrow.array([text]))
    table = pyarrow.table({"smiles": ["CCO"] * count, "x": column})
    parquet.write_table(table, tmp_path / "a.parquet", store_schema=False)  # as other programs
    cells = [row.cells[1] for row in open_table(tmp_path / "a.parquet").rows]
    assert set(cells) == {text}
    assert len(set(map(id, cells))) < 9


def test_a_parquet_bomb_is_refused(tmp_path: Path) -> None:
    table = pyarrow.table({"smiles": ["CCO"] * 200, "x": ["x" * 2**17] * 200})
    path = tmp_path / "a.parquet"
    parquet.write_table(table, path, compression="zstd", use_dictionary=False)
    with pytest.raises(InputError, match="becomes over 200 times as large"):
        open_table(path)


def test_without_pyarrow_the_command_that_installs_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_table(tmp_path / "a.parquet", COLUMNS, TABLE)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    for action in (rows, lambda path: write_table(path, COLUMNS, TABLE)):
        with pytest.raises(UsageError, match=r"pip install 'molvae\[parquet\]'"):
            action(tmp_path / "a.parquet")
