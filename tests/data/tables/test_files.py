import gzip
import hashlib
import io
import os
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from molvae.data.tables import files, lines
from molvae.data.tables.files import STDIO
from molvae.data.tables.lines import MAX_LINE
from molvae.data.tables.tables import READERS, open_table, write_table
from molvae.errors import InputError, UsageError
from tests.drugs import DRUGS
from tests.tables import PARQUET, rows, write

TEXTS = [kind for kind in READERS if kind != "parquet"]
SOME = DRUGS[:20]
NAMES = [name for name, _ in SOME]


def content(kind: str) -> bytes:
    stream = io.BytesIO()
    write_table(stream, ("ID", "SMILES"), SOME, format=kind)
    return stream.getvalue()


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch):
    """Feed bytes to stdin."""

    def feed(fed: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(fed)))

    return feed


def ids(path: Path, *, format: str = "") -> list[str]:
    return [row.id for row in open_table(path, format=format).rows]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("said", [False, True])
@pytest.mark.parametrize("kind", [*TEXTS, PARQUET])
def test_stdin_tells_its_format_and_compression(pipe, kind: str, said: bool, packed: bool) -> None:
    fed = gzip.compress(content(kind)) if packed else content(kind)
    pipe(fed)
    format = kind if said else ""
    assert ids(STDIO, format=format) == NAMES
    table = open_table(STDIO, format=format)  # and again: some work takes two passes
    assert {row.file for row in table.rows} == {"stdin"}
    assert table.file.sha256 == hashlib.sha256(fed).hexdigest()
    assert table.file.position == len(fed)
    assert table.total == (20 if kind in ("json", "parquet") else 0)


@pytest.mark.parametrize(
    ("fed", "expected"),
    [
        ("CCO\n", ["CCO"]),
        ("CCO ethanol\nCCN 1,2;3\n", ["CCO", "CCN"]),
        ("CCO\tethanol, pure, dry\n", ["CCO"]),
        ("smiles zinc_id\nCCO 1\n", ["CCO"]),
        ("smiles;name\nCCO;1,2-x\n", ["CCO"]),
        ("name\tstructure\nx, y\tCCO\n", ["CCO"]),
        ("ethanol,CCO\namine,CCN\n", ["CCO", "CCN"]),
        ("\n[Na+].[Cl-]\n", ["[Na+].[Cl-]"]),
        ('{"found": 1,\n "molecules": [{"smiles": "CCO"}]}', ["CCO"]),
        ('[{"smiles": "CCO"}]', ["CCO"]),
        ('{"smiles": "CCO"}\n{"smiles": "CCN"}\n', ["CCO", "CCN"]),
    ],
)
def test_the_content_of_stdin_tells_what_it_is(pipe, fed: str, expected: list[str]) -> None:
    for encoding in ("utf-8", "utf-16"):
        pipe(fed.encode(encoding))
        assert [row.smiles for row in open_table(STDIO).rows] == expected


@pytest.mark.parametrize("kind", TEXTS)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_line_ends_marks_and_gzip_members_change_nothing(
    tmp_path: Path, kind: str, end: str, encoding: str
) -> None:
    path = tmp_path / f"a.{kind}"
    starts = [row.line for row in rows(write(path, content(kind)))]
    text = content(kind).decode().replace("\n", end)
    for stored in (text.encode(encoding), text.removesuffix(end).encode(encoding)):
        write(path, gzip.compress(stored[:150]) + gzip.compress(stored[150:]))
        table = open_table(path)
        assert [(row.id, row.line) for row in table.rows] == list(zip(NAMES, starts, strict=True))
        assert table.file.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("kind", TEXTS)
def test_a_byte_that_is_no_utf_8_costs_its_row_whatever_the_format(
    tmp_path: Path, kind: str
) -> None:
    spoiled = content(kind).replace(b"ibuprofen", b"ibuprof\xe8ne")
    found = [(row.id, row.fault) for row in rows(write(tmp_path / f"a.{kind}", spoiled))]
    name, fault = found.pop(2)
    assert name == "ibuprof\udce8ne"
    assert fault.startswith(r"not UTF-8: b'ibuprof\xe8ne', in Windows-1252 'ibuprofène'; save the")
    assert found == [(name, "") for name in (*NAMES[:2], *NAMES[3:])]


@pytest.mark.parametrize("kind", ["smi", "csv", "tsv", PARQUET, "json", "jsonl"])
def test_words_that_pandas_takes_for_missing_stay_words(tmp_path: Path, kind: str) -> None:
    words = ["N", "NO", "[Na]", "NA", "nan", "null", "None", "NaN"]
    write_table(tmp_path / f"a.{kind}", ("smiles",), [[word] for word in words])
    assert [row.smiles for row in open_table(tmp_path / f"a.{kind}").rows] == words


def test_messages_speak_of_stdin(pipe) -> None:
    pipe(b"")
    with pytest.raises(InputError, match=r"^stdin: empty"):
        open_table(STDIO)
    pipe(gzip.compress(content("csv"))[:-9])
    with pytest.raises(InputError, match=r"^stdin: truncated"):
        list(open_table(STDIO).rows)
    pipe(content("csv"))
    with pytest.raises(UsageError, match=r"^stdin: no column 'x'"):
        open_table(STDIO, smiles_column="x")


def test_a_closed_stdin_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(InputError, match="stdin: closed"):
        open_table(STDIO)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full here")
def test_no_room_for_what_comes_by_a_pipe_is_one_sentence(
    pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe(content("csv"))
    with open("/dev/full", "wb", buffering=0) as full:
        monkeypatch.setattr(files.tempfile, "TemporaryFile", lambda prefix: full)
        with pytest.raises(InputError, match=r"stdin: cannot be kept in /.*: No space left"):
            open_table(STDIO)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
@pytest.mark.parametrize("name", ["pipe", "pipe.smi"])
def test_a_named_pipe_is_read_like_a_file(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(content("smi"),))
    writer.start()
    assert ids(path) == NAMES
    writer.join()
    assert len(ids(path)) == 20


def test_stdout_takes_any_format(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    for kind in TEXTS:
        write_table(STDIO, ("ID", "SMILES"), SOME, format=kind)
        assert capfdbinary.readouterr().out == content(kind)
    write_table(STDIO, ("ID", "SMILES"), SOME)
    assert capfdbinary.readouterr().out == content("csv")


@pytest.mark.parametrize("kind", TEXTS)
def test_a_file_whose_name_fills_the_folder_entry_is_no_matter(tmp_path: Path, kind: str) -> None:
    name = "ü" * 100 + "x" * (250 - 200 - len(kind) - 4) + f".{kind}.gz"
    assert len(name.encode()) == 250
    write_table(tmp_path / name, ("ID", "SMILES"), SOME)
    assert ids(tmp_path / name) == NAMES


PAGE = b"\n<!DOCTYPE html><html><body>404</body></html>"
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"


@pytest.mark.parametrize("kind", READERS)
@pytest.mark.parametrize(
    ("fed", "cause"),
    [
        (b"", "empty"),
        (gzip.compress(b""), "empty"),
        (PAGE, "a web page"),
        (gzip.compress(PAGE), "a web page"),
        (POINTER, "Git LFS pointer"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "a PNG picture"),
        (b"ARROW1\0\0\xff", "an Arrow or Feather file; write it as Parquet"),
        (b"\x80\x04\x95\x00", "a pickle, which may run code"),
        (b"$RDFILE 1\n$DATM\n", "an RD file; save its molecules as an SD file"),
        (b"\x00\x01\x02\x03\x00\xff", "binary|not a Parquet"),
    ],
    # Named here: gzip writes the time, and workers that begin in two seconds would not agree.
    ids=["empty", "empty.gz", "html", "html.gz", "lfs", "png", "arrow", "pickle", "rdf", "binary"],
)
def test_what_is_never_a_table_is_named_whatever_the_format(
    tmp_path: Path, kind: str, fed: bytes, cause: str
) -> None:
    with pytest.raises(InputError, match=cause):
        rows(write(tmp_path / f"a.{kind}", fed))


@pytest.mark.parametrize("kind", TEXTS)
@pytest.mark.parametrize("at", [20, -20, -4])
def test_a_gzip_cut_off_is_named_whatever_the_format(tmp_path: Path, kind: str, at: int) -> None:
    path = tmp_path / f"a.{kind}.gz"
    write_table(path, ("ID", "SMILES"), SOME)
    with pytest.raises(InputError, match="truncated: the gzip data ends too early"):
        rows(write(path, path.read_bytes()[:at]))


@pytest.mark.parametrize("kind", [*TEXTS, PARQUET])
@pytest.mark.parametrize("filling", [b"\n", b"C", b" ", b"C\n"])
def test_a_gzip_bomb_is_refused_before_it_fills_the_memory(
    tmp_path: Path, kind: str, filling: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MAX_FREE", 2**16)
    head = {"json": b'[{"smiles":"', "jsonl": b'{"smiles":"C"}\n', "parquet": b"PAR1"}
    bomb = head.get(kind, b"smiles\n") + filling * (2**18 // len(filling))
    path = write(tmp_path / f"a.{kind}.gz", gzip.compress(bomb))
    with pytest.raises(InputError, match=r"becomes over 200 times as large .* gunzip -k FILE"):
        rows(path)


def test_a_table_of_few_values_is_no_gzip_bomb(tmp_path: Path) -> None:
    text = "smiles," + "x," * 300 + "\n" + "".join(f"{s},{'0,' * 300}\n" for _, s in DRUGS)
    path = write(tmp_path / "a.csv.gz", gzip.compress(text.encode() * 10))
    assert len(text) * 10 > 30 * path.stat().st_size
    assert len(rows(path)) == 10 * (len(DRUGS) + 1) - 1


@pytest.mark.parametrize("kind", TEXTS)
def test_an_endless_line_costs_its_row_whatever_the_format(tmp_path: Path, kind: str) -> None:
    table = [("x" * (MAX_LINE + 9) if name == NAMES[2] else name, s) for name, s in SOME]
    write_table(tmp_path / f"a.{kind}", ("ID", "SMILES"), table)
    faults = [row.fault.partition(":")[0] for row in rows(tmp_path / f"a.{kind}")]
    reason = {"sdf": "record too long", "json": ""}.get(kind, "line too long")
    assert faults == ["", "", reason, *[""] * 17]


@pytest.mark.parametrize("kind", ["smi", "csv", "tsv", "jsonl", "sdf"])
def test_a_line_that_never_ends_is_one_sentence(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "MAX_SKIPPED", 2)
    path = write(tmp_path / f"a.{kind}", content(kind) + b"C" * (4 << 20))
    with pytest.raises(InputError, match=r"a\.\w+:\d+: a line of over 2 MiB, which no table has"):
        rows(path)


def test_a_pipe_that_never_ends_is_one_sentence(pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files.shutil, "disk_usage", lambda folder: SimpleNamespace(free=2**24))
    pipe(b"smiles\n" + b"C\n" * 2**23)
    with pytest.raises(InputError, match=r"stdin: over 8 MiB came through a pipe.* TMPDIR"):
        open_table(STDIO)


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no device of zero bytes here")
def test_a_device_of_zero_bytes_is_one_sentence() -> None:
    with pytest.raises(InputError, match=r"zero: begins with 65,536 zero bytes"):
        open_table(Path("/dev/zero"))


ZEROS = "zero bytes"
CONTENTS = {  # what is no table, and its name
    "zeros": (bytes(999), f"begins with 999 {ZEROS}; get it again"),
    "zeros at the end": (b"smiles\nCCO\n" + bytes(4096), f"a block of {ZEROS} in it; get it again"),
    "zeros within": (b"smiles\nCCO\n" + bytes(512) + b"\nCCN\n", f"a block of {ZEROS} in it"),
    "UTF-16LE": ("smiles\nCCO\n".encode("utf-16-le"), "UTF-16LE without its mark.* iconv -f"),
    "UTF-16BE": ("smiles\nCCO\n".encode("utf-16-be"), "UTF-16BE without its mark.* iconv -f"),
    "UTF-16 cut off": ("smiles\nCCO\n".encode("utf-16")[:-1], "not valid utf-16.* is it cut off"),
    "UTF-32": ("smiles\nCCO\n".encode("utf-32"), "UTF-32 text; save it as UTF-8"),
}


@pytest.mark.parametrize("kind", ["smi", "csv", "tsv", "jsonl", "sdf", "json"])
@pytest.mark.parametrize("name", CONTENTS)
def test_bytes_that_are_no_utf_8_are_called_by_their_name(
    tmp_path: Path, kind: str, name: str
) -> None:
    fed, cause = CONTENTS[name]
    with pytest.raises(InputError, match=cause):
        rows(write(tmp_path / f"a.{kind}", fed))


@pytest.mark.parametrize("kind", ["smi", "csv", "tsv", "json", "jsonl", "sdf"])
def test_a_heading_that_is_no_utf_8_is_shown_with_its_encoding(tmp_path: Path, kind: str) -> None:
    if kind == "smi":
        fed = b"smiles\tID\tIC50 (X)\nC\tx\t5\n"
    else:
        stream = io.BytesIO()
        write_table(stream, ("SMILES", "IC50 (X)"), [("CCO", 5)], format=kind)
        fed = stream.getvalue()
    path = write(tmp_path / f"a.{kind}", fed.replace(b"(X)", b"(\xb5M)"))
    mended = write(tmp_path / f"b.{kind}", path.read_bytes().decode("cp1252"))
    with pytest.raises(InputError) as error:
        open_table(path)
    assert r"a heading is not UTF-8: b'IC50 (\xb5M)', in Windows-1252 'IC50 (µM)'" in str(
        error.value
    )
    assert "iconv -f WINDOWS-1252 -t UTF-8 FILE > NEW" in str(error.value)
    assert "IC50 (µM)" in open_table(mended).columns  # as the sentence advises
