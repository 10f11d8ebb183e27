import csv
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from molvae.data import public_sets
from molvae.data.public_sets import PublicFile, PublicSet
from molvae.files import download
from molvae.files.checksums import Expected
from tests.cli.running import invoke
from tests.drugs import DRUGS
from tests.serving import Server, serving

# Drugs, many times over: more bytes than a socket holds, so that a kill comes in the middle.
_TEXT = io.StringIO()
csv.writer(_TEXT).writerows([("name", "smiles"), *DRUGS * 100])
CONTENT = _TEXT.getvalue().encode()
# The command line as it is, but for one more public set whose content the tests have.
WITH_DRUGS = """
import sys
from molvae.cli.main import main
from molvae.data import public_sets
from tests.cli.test_data import drugs_at
public_sets.SETS += (drugs_at(sys.argv.pop(1)),)
main()
"""


def drugs_at(address: str) -> PublicSet:
    expected = Expected(len(CONTENT), f"sha256:{hashlib.sha256(CONTENT).hexdigest()}")
    file = PublicFile("drugs-train", "drugs_train.csv", len(DRUGS) * 100, address, expected)
    other = file._replace(name="drugs-test", file="drugs_test.csv", address=f"{address}?test")
    return PublicSet("drugs", "approved drugs", "smiles", "none", "10.1/1", (file, other))


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MOLVAE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "*")
    return tmp_path / "cache" / "datasets"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with serving(CONTENT) as server:
        monkeypatch.setattr(public_sets, "SETS", (*public_sets.SETS, drugs_at(server.address)))
        monkeypatch.setattr(download, "PAUSES", (0.0,))
        yield server


data = partial(invoke, "data")


def start(server: Server, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", WITH_DRUGS, server.address, "data", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.usefixtures("cache")
def test_the_list_names_every_set_and_what_is_cached(server: Server) -> None:
    lines = data("list").stdout.splitlines()
    assert lines[0].split() == ["name", "rows", "MiB", "cached", "license", "what", "cite"]
    (moses,) = (line for line in lines if line.startswith("moses-train "))
    assert moses.split()[:5] == ["moses-train", "1,584,663", "64.8", "no", "MIT"]
    data("get", "-q", "drugs-train")
    (drugs,) = (line for line in data("list").stdout.splitlines() if "drugs-train" in line)
    assert drugs.split()[3] == "yes"


def test_the_list_as_json_has_all_that_is_known(cache: Path) -> None:
    by_name = {row["name"]: row for row in json.loads(data("list", "--json").stdout)}
    zinc = by_name["zinc-250k"]
    assert zinc["address"].startswith("https://raw.githubusercontent.com/aspuru-guzik-group/")
    assert zinc["checksum"] == "git:d31726bf929d35cb52fa109db90411c90a000dfe"
    assert (zinc["rows"], zinc["cached"]) == (249_455, False)
    assert zinc["path"] == str(cache / "zinc_250k.csv")


def test_get_prints_paths_alone_on_stdout(cache: Path, server: Server) -> None:
    done = data("get", "drugs")
    assert done.stdout == f"{cache / 'drugs_train.csv'}\n{cache / 'drugs_test.csv'}\n"
    assert (cache / "drugs_train.csv").read_bytes() == CONTENT
    again = data("get", "drugs-train", "drugs")
    assert again.stdout == done.stdout
    assert again.stderr.count("already there, sha256:") == 2
    assert len(server.requests) == 2
    quiet = data("get", "-q", "--json", "drugs-test")
    assert quiet.stderr == ""
    (found,) = json.loads(quiet.stdout)
    assert found["path"] == str(cache / "drugs_test.csv")


def test_a_mirror_is_asked_for_the_file_as_the_cache_names_it(
    cache: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = server.address.rpartition("/")[0]
    data("get", "drugs-train", "--from", f"{base}/sets/")
    monkeypatch.setenv("MOLVAE_MIRROR", f"{base}/other")
    data("get", "drugs-test")
    paths = [request.path for request in server.requests]
    assert paths == ["/sets/drugs_train.csv", "/other/drugs_test.csv"]


@pytest.mark.usefixtures("cache", "server")
def test_mistakes_are_one_line_and_a_code() -> None:
    unknown = data("get", "mosess", code=2)
    assert unknown.stderr == (
        "Error: no public set is named 'mosess'; did you mean 'moses'? molvae data list shows"
        " all.\n"
    )
    local = data("get", "drugs", "--from", "file:///tmp", code=2)
    assert local.stdout == ""
    assert "begins with https://" in local.stderr
    data("gett", code=2)


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize("address", ["http://127.0.0.1:1/\x1b[31m", "ftp://x/\x9b31m"])
def test_what_a_server_says_cannot_steer_the_terminal(server: Server, address: str) -> None:
    server.plan = [f"to {address}"] * 2
    done = data("get", "drugs-train", code=1)
    assert not {"\x1b", "\x9b"} & set(done.stderr)


@pytest.mark.parametrize("subcommand", ["list", "get"])
def test_every_subcommand_has_what_every_command_has(subcommand: str) -> None:
    text = data(subcommand, "--help").stdout
    assert text.startswith(f"Usage: molvae data {subcommand}")
    assert "--debug" in text
    assert "--json" in text
    assert data().stdout.startswith("Usage: molvae data")


@pytest.mark.usefixtures("server")
def test_debug_shows_where_an_error_came_from(cache: Path) -> None:
    cache.parent.write_text("in the way")
    assert "Traceback" not in data("get", "drugs", code=1).stderr
    assert "Traceback" in data("get", "--debug", "drugs", code=1).stderr


def wait_for(path: Path, size: int) -> None:
    for _ in range(1000):
        if path.exists() and path.stat().st_size >= size:
            return
        time.sleep(0.02)
    pytest.fail(f"{path} did not grow")


def test_a_killed_download_is_gone_on_with(cache: Path, server: Server) -> None:
    server.plan = ["stall"]
    killed = start(server, "get", "drugs-train")
    wait_for(cache / "drugs_train.csv.part", 100_000)
    killed.kill()
    assert killed.communicate()[0] == ""
    assert killed.returncode == -signal.SIGKILL
    assert not (cache / "drugs_train.csv").exists()

    done = start(server, "get", "drugs-train")
    output, errors = done.communicate(timeout=60)
    assert (done.returncode, output) == (0, f"{cache / 'drugs_train.csv'}\n"), errors
    assert (cache / "drugs_train.csv").read_bytes() == CONTENT
    assert [request.status for request in server.requests] == [200, 206]
    assert {path.name for path in cache.iterdir()} <= {"drugs_train.csv", "drugs_train.csv.lock"}


def test_two_processes_at_once_fetch_it_once(cache: Path, server: Server) -> None:
    server.plan = ["slow"]
    both = [start(server, "get", "drugs-train") for _ in range(2)]
    ended = [process.communicate(timeout=60) for process in both]
    assert [process.returncode for process in both] == [0, 0], ended
    assert {output for output, _ in ended} == {f"{cache / 'drugs_train.csv'}\n"}
    assert (cache / "drugs_train.csv").read_bytes() == CONTENT
    assert len(server.requests) == 1


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C is another thing there")
def test_ctrl_c_leaves_what_came(cache: Path, server: Server) -> None:
    server.plan = ["stall"]
    stopped = start(server, "get", "drugs-train")
    wait_for(cache / "drugs_train.csv.part", 100_000)
    stopped.send_signal(signal.SIGINT)
    _, errors = stopped.communicate(timeout=30)
    assert stopped.returncode == 130
    assert errors.splitlines()[-1] == "Interrupted."
    assert (cache / "drugs_train.csv.part").stat().st_size >= 100_000
