import gzip
import hashlib
import json
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from molvae.config import DataConfig
from molvae.data.prepare import prepare
from molvae.data.public_sets import SETS, PublicFile, cached, get, named, place
from molvae.errors import MolvaeError, UsageError
from molvae.files import download as downloading
from molvae.files.checksums import Expected, checksum
from molvae.files.download import download
from tests.drugs import DRUGS
from tests.serving import Server, serving

SHARED = Path(__file__).parents[3] / "shared" / "data" / "labelled"

# About 1.3 MB: many more bytes than a socket holds, so that a server can stop in the middle.
CONTENT = "".join(f"{smiles},{name}\n" for name, smiles in DRUGS * 100).encode()
OTHER = b"C,methane\n" * (len(CONTENT) // 10)
EXPECTED = Expected(len(CONTENT), f"sha256:{hashlib.sha256(CONTENT).hexdigest()}")
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:49fe1aae\nsize 67916778\n"
PAGE = b"<!DOCTYPE html><html><body>Please sign in.</body></html>"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(downloading, "PAUSES", (0.0, 0.0, 0.0, 0.0))
    monkeypatch.setattr(downloading, "SILENCE", 5.0)
    monkeypatch.setenv("MOLVAE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(CONTENT) as server:
        yield server


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "drugs.csv"


def leftovers(target: Path) -> set[str]:
    """What lies beside the target besides the lock, which a next run takes again."""
    return {path.name for path in target.parent.iterdir()} - {target.name, f"{target.name}.lock"}


def fetch(server: Server, target: Path, expected: Expected = EXPECTED) -> list[str]:
    """Fetch the file; return what was said on the way."""
    said: list[str] = []
    download(server.address, target, expected, notify=said.append)
    assert target.read_bytes() == CONTENT
    assert leftovers(target) <= {"cache"}
    return said


def test_a_file_comes_whole_and_is_not_fetched_twice(server: Server, target: Path) -> None:
    counts: list[int] = []
    download(server.address, target, EXPECTED, progress=counts.append)
    assert counts == sorted(counts)
    assert counts[-1] == len(CONTENT)
    assert "already there" in fetch(server, target)[0]
    assert len(server.requests) == 1


def test_what_broke_off_is_gone_on_with(server: Server, target: Path) -> None:
    server.plan = ["break", "break"]
    said = fetch(server, target)
    assert len(said) == 2
    assert "broke off after" in said[0]
    assert [request.status for request in server.requests] == [200, 206, 206]
    assert server.sent < 1.1 * len(CONTENT)  # no byte twice, but for those lost in a socket


@pytest.mark.parametrize(
    ("changes", "plan", "statuses", "ranges"),
    [
        # The server cannot begin in the middle.
        ({"ranges": False}, ["break"], [200, 200], [False, True]),
        # Nothing proves that it is the same file.
        ({"tag": 'W/"weak"'}, ["break"], [200, 200], [False, False]),
        ({"tag": ""}, ["break"], [200, 200], [False, False]),
        # The file changes between two tries.
        (
            {"content": OTHER, "tag": '"old"', "change_to": (CONTENT, '"new"')},
            ["break", "change"],
            [200, 200],
            [False, True],
        ),
        # The server cannot continue this part.
        ({}, ["break", "416"], [200, 416, 200], [False, True, False]),
    ],
    ids=["no ranges", "weak tag", "no tag", "changed", "416"],
)
def test_what_cannot_be_continued_begins_anew(
    server: Server,
    target: Path,
    changes: dict[str, Any],
    plan: list[str],
    statuses: list[int],
    ranges: list[bool],
) -> None:
    vars(server).update(changes, plan=plan.copy())
    fetch(server, target)
    assert [request.status for request in server.requests] == statuses
    assert [request.range != "" for request in server.requests] == ranges


def test_a_new_process_goes_on_where_the_last_one_gave_up(server: Server, target: Path) -> None:
    server.plan = ["break", *["503"] * 4]
    with pytest.raises(MolvaeError, match=r"503.*given up after 5 tries.*the same command goes on"):
        fetch(server, target)
    assert 0 < target.with_name("drugs.csv.part").stat().st_size < len(CONTENT)
    assert fetch(server, target) == []
    assert server.requests[-1].status == 206


def test_another_address_does_not_go_on_from_the_first_ones_part(
    server: Server, target: Path
) -> None:
    server.plan = ["break", *["503"] * 4]
    with pytest.raises(MolvaeError, match="given up"):
        fetch(server, target)
    download(f"{server.address}?mirror", target, EXPECTED)
    assert server.requests[-1].range == ""


def test_another_piece_than_the_one_asked_for_is_not_used(server: Server, target: Path) -> None:
    server.plan = ["break", "elsewhere"]
    assert "another piece" in fetch(server, target)[1]


def test_a_part_longer_than_the_file_is_dropped(server: Server, target: Path) -> None:
    target.with_name("drugs.csv.part").write_bytes(CONTENT * 2)
    note = {"address": server.address, "validator": server.tag}
    target.with_name("drugs.csv.part.json").write_text(json.dumps(note))
    fetch(server, target)
    assert server.requests[0].range == ""


@pytest.mark.parametrize("note", ["", "[]", "{", '{"address": 1}', '"x"', "\0"])
def test_a_note_that_says_nothing_costs_a_new_beginning(
    server: Server, target: Path, note: str
) -> None:
    target.with_name("drugs.csv.part").write_bytes(CONTENT[:1000])
    target.with_name("drugs.csv.part.json").write_text(note)
    fetch(server, target)
    assert server.requests[0].range == ""


def test_a_part_that_was_complete_needs_no_server(server: Server, target: Path) -> None:
    target.with_name("drugs.csv.part").write_bytes(CONTENT)
    fetch(server, target)
    assert server.requests == []


def test_silence_is_given_up_and_tried_again(
    server: Server, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloading, "SILENCE", 0.3)
    server.plan = ["stall"]
    start = time.monotonic()
    said = fetch(server, target)
    assert said == [f"{server.address}: nothing came for 0.3 s; trying again in 0 s"]
    assert time.monotonic() - start < 5
    assert server.requests[1].status == 206


def test_an_answer_without_an_end_is_right_when_the_file_is(
    server: Server, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloading, "SILENCE", 0.3)
    server.plan = ["endless chunks"]
    assert fetch(server, target) == []
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [429, 500, 503])
def test_an_answer_that_may_pass_is_asked_again(server: Server, target: Path, status: int) -> None:
    server.plan = [str(status)]
    assert fetch(server, target)[0].startswith(f"{server.address}: the server answers {status}")


@pytest.mark.parametrize("status", [202, 204, 401, 403, 404, 410])
def test_an_answer_that_will_stay_is_told_at_once_with_what_to_do(
    server: Server, target: Path, status: int
) -> None:
    server.plan = [str(status)] * 9
    with pytest.raises(MolvaeError, match=f"answers {status}") as told:
        fetch(server, target)
    assert "--from" in str(told.value)
    assert str(target) in str(told.value)
    assert len(server.requests) == 1
    assert leftovers(target) == set()


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (PAGE, "a web page"),
        (PAGE.ljust(len(CONTENT)), "a web page"),
        (POINTER, "a Git LFS pointer"),
        (CONTENT[:-1] + b"?", "expected sha256:[0-9a-f]{64}, got sha256:[0-9a-f]{64}"),
        (CONTENT[:-20], "has not the .* bytes expected"),
        (CONTENT + b"C,methane\n", "has not the .* bytes expected"),
        (b"", "has not the .* bytes expected"),
    ],
)
@pytest.mark.parametrize("framing", ["", "chunks"])
def test_another_content_is_refused_with_what_it_is_and_not_kept(
    server: Server, target: Path, content: bytes, cause: str, framing: str
) -> None:
    server.content = content
    server.plan = [framing] * 9
    if framing and (not content or content == CONTENT[:-20]):
        cause = "broke off"  # an answer of unknown length may have been cut
    with pytest.raises(MolvaeError, match=cause):
        fetch(server, target)
    assert not target.exists()
    if cause != "broke off":
        assert leftovers(target) == set()
        assert len(server.requests) == 1


@pytest.mark.parametrize("plan", ["flood", "lie"])
def test_an_answer_longer_than_the_file_is_cut_off(server: Server, target: Path, plan: str) -> None:
    server.plan = [plan]
    with pytest.raises(MolvaeError, match=r"has not the .* bytes expected"):
        fetch(server, target)
    assert server.sent < len(CONTENT) + (16 << 20)  # what was on its way in sockets
    assert leftovers(target) == set()


def test_a_redirect_to_http_is_followed(server: Server, target: Path) -> None:
    server.plan = ["break", f"to {server.address}"]
    fetch(server, target)
    assert [request.status for request in server.requests] == [200, 302, 206]


@pytest.mark.parametrize("elsewhere", ["file:///etc/passwd", "ftp://127.0.0.1/x", "data:,CCO"])
def test_a_redirect_to_anything_but_http_is_refused(
    server: Server, target: Path, elsewhere: str
) -> None:
    server.plan = [f"to {elsewhere}"]
    with pytest.raises(MolvaeError, match=r"not allowed|unknown url type"):
        fetch(server, target)
    assert leftovers(target) == set()


@pytest.mark.parametrize(
    "address", ["file:///etc/passwd", "ftp://host/x", "drugs.csv", "http:///x"]
)
def test_an_address_other_than_http_is_a_usage_error(target: Path, address: str) -> None:
    with pytest.raises(UsageError, match="begins with https://"):
        download(address, target, EXPECTED)


def test_a_server_that_is_not_there_is_told_with_what_to_do(target: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    with pytest.raises(MolvaeError, match=r"refused.*given up after 5 tries"):
        download(f"http://127.0.0.1:{port}/drugs.csv", target, EXPECTED)


def test_a_server_that_speaks_no_http_is_told(target: Path) -> None:
    class Babel(BaseHTTPRequestHandler):
        def handle_one_request(self) -> None:
            self.connection.recv(1 << 16)
            self.wfile.write(b"220 mail.example ESMTP\r\n")
            self.close_connection = True

    server = ThreadingHTTPServer(("127.0.0.1", 0), Babel)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with pytest.raises(MolvaeError, match="220 mail"):
            download(f"http://127.0.0.1:{server.server_port}/x", target, EXPECTED)
    finally:
        server.shutdown()
        server.server_close()


def test_too_little_space_is_found_before_the_first_byte(
    server: Server, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type("usage", (), {"free": len(CONTENT)})
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)
    with pytest.raises(MolvaeError, match=r"MiB are free.*MOLVAE_CACHE"):
        fetch(server, target)
    assert server.requests == []


def test_a_damaged_file_is_fetched_again(server: Server, target: Path) -> None:
    target.write_bytes(CONTENT[:-1] + b"?")
    assert "damaged" in fetch(server, target)[0]


def test_two_at_once_fetch_it_once(server: Server, target: Path) -> None:
    server.plan = ["slow"]
    said: list[str] = []
    with ThreadPoolExecutor(4) as pool:
        for _ in range(4):
            pool.submit(download, server.address, target, EXPECTED, notify=said.append)
    assert target.read_bytes() == CONTENT
    assert len(server.requests) == 1
    assert sum("another process is fetching it" in line for line in said) == 3


def test_a_checksum_is_what_sha256_md5_and_git_say(target: Path) -> None:
    target.write_bytes(b"hello\n")
    assert checksum(target, "md5") == "md5:b1946ac92492d2347c6235b4d2611184"
    assert checksum(target, "git") == "git:ce013625030ba8dba906f756967f9e9ca394464a"
    assert checksum(target, "sha256").startswith("sha256:5891b5b522d5df08")


def test_every_set_is_told_apart_and_can_be_verified() -> None:
    files = [file for one in SETS for file in one.files]
    for values in ([f.name for f in files], [f.file for f in files], [f.address for f in files]):
        assert len(set(values)) == len(files)
    digits = {"sha256": 64, "md5": 32, "git": 40}
    for file in files:
        algorithm, _, rest = file.expected.checksum.partition(":")
        assert len(rest) == digits[algorithm]
        assert int(rest, 16)
        assert file.expected.size > file.rows
        assert urlsplit(file.address).scheme == "https"


def test_a_name_is_a_set_or_one_of_its_files() -> None:
    moses = ["moses-train", "moses-test", "moses-test-scaffolds"]
    for name, files in (("moses", moses), ("MOSES-test", ["moses-test"]), ("esol", ["esol"])):
        assert [file.name for file in named(name)] == files
    with pytest.raises(UsageError, match="did you mean 'guacamol'"):
        named("guacamole")


@pytest.mark.skipif(not SHARED.exists(), reason="the measured sets are not on this machine")
@pytest.mark.parametrize("name", ["esol", "bace"])
def test_the_real_file_has_the_stated_size_and_checksum_and_prepares(name: str) -> None:
    content = gzip.decompress((SHARED / f"{name}.csv.gz").read_bytes())
    if name == "bace":  # as published: line ends of Windows, and another name of the first column
        content = content.replace(b"smiles,", b"mol,", 1).replace(b"\n", b"\r\n")
    (file,) = named(name)
    with serving(content) as server:
        path = get(file, mirror=server.address.rpartition("/")[0])
    assert cached(file) == path == place(file)
    if name == "esol":
        prepared = prepare([path], DataConfig(properties=("MW",)), jobs=0)
        assert prepared.tally.rows == file.rows


def test_a_file_of_another_size_does_not_count_as_cached() -> None:
    file = PublicFile("drugs", "drugs.csv", 3, "https://example.org/drugs.csv", EXPECTED)
    assert cached(file) is None
    place(file).write_bytes(CONTENT[:-1])
    assert cached(file) is None
    place(file).write_bytes(CONTENT)
    assert cached(file) == place(file)
