"""Programs that score molecules: what they may answer, and how they may fail."""

import json
import os
import stat
import time
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from molvae.adapters.answers import read_answer
from molvae.adapters.programs import Failed, Program, Service
from molvae.adapters.scorers import scored_by
from molvae.errors import UsageError

SMILES = ["CCO", "CCCC", "c1ccccc1O"]
Write = Callable[[str], str]


@pytest.fixture
def script(tmp_path: Path) -> Write:
    """Write a shell script, and return its path."""

    def write(text: str) -> str:
        path = tmp_path / "my dock.sh"
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return f"'{path}'"

    return write


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("3\n4\n9\n", [3, 4, 9]),
        ("3\nnan\n\n", [3, None, None]),
        ("3\n4\n9\n\n", [3, 4, 9]),
        ("-1.5e1\nNone\nN/A", [-15, None, None]),
        ("score\n3\n4\n9\n", [3, 4, 9]),
        ("SMILES,dock\nCCCC,4\nCCO,3\n", [3, 4, None]),
        ("SMILES\tdock\nCCO\t3\nc1ccccc1O\t9\nCCCC\t\n", [3, None, 9]),
        ('{"version": 1, "payload": {"predictions": [3, 4.5, NaN]}}', [3, 4.5, None]),
        ("[3, null, 9]", [3, None, 9]),
    ],
)
def test_numbers_tables_and_reinvents_json_are_read(
    answer: str, expected: list[float | None]
) -> None:
    assert read_answer(answer, SMILES) == expected


def test_a_column_is_chosen_by_name() -> None:
    assert read_answer("a,b\n1,2\n", ["C"], column="b") == [2]
    assert read_answer('{"payload": {"a": [1], "b": [2]}}', ["C"], column="b") == [2]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("3\n4\n", "2 scores for 3 molecules"),
        ("1\n2\n3\n4\n", "4 scores for 3 molecules"),
        ("", "the answer has nothing"),
        ("Docking 3 molecules ...\n1\n2\n3\n4\n", "4 scores for 3 molecules"),
        ("3\nhigh\n9\n", "'high' is no number"),
        ("a,b\n1,2\n", "columns a, b, where one column of scores"),
        ("SMILES,s\nCCN,1\n", "'CCN', which was not asked for"),
        ('{"payload": {"a": [1], "b": [2]}}', "2 lists, a, b: name one"),
        ('{"payload": 3}', "JSON that is no list"),
        ("[1, 2", "JSON that is no list"),
    ],
)
def test_another_answer_is_refused_with_what_it_was(answer: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_answer(answer, SMILES)


def test_a_program_gets_a_molecule_a_line_and_is_started_once(
    script: Write, tmp_path: Path
) -> None:
    command = script(f'echo >> "{tmp_path}/starts"; while read x; do echo "${{#x}}"; done')
    objective = scored_by(Program(f"{command} --fast"), takes="list")
    assert objective(SMILES).tolist() == [3, 4, 9]
    assert (tmp_path / "starts").read_text() == "\n"
    assert objective.name == "my dock"


def test_a_molecule_that_kills_the_program_costs_only_its_own_score(script: Write) -> None:
    command = script('while read x; do [ "$x" = CCCC ] && exit 3; echo "${#x}"; done')
    objective = scored_by(Program(command), takes="list")
    np.testing.assert_equal(objective(SMILES), [3, np.nan, 9])
    np.testing.assert_equal(objective(["CCCC"]), [np.nan])
    assert objective.failures == {"no score": 2}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("echo no license >&2; exit 7", "ended with exit code 7. It wrote: no license"),
        ("kill -9 $$", "was killed by signal 9"),
        ("yes flood | head -c 5000000 >&2; exit 1", "flood\nflood"),
    ],
)
def test_a_program_that_always_fails_is_shown_with_its_words(
    script: Write, body: str, message: str
) -> None:
    with pytest.raises(Failed) as caught:
        Program(script(body))(SMILES)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 3000


def test_a_program_that_hangs_dies_with_all_that_it_started(script: Write, tmp_path: Path) -> None:
    command = script(f'sleep 60 & echo $! > "{tmp_path}/child"; sleep 60')
    begun = time.monotonic()
    with pytest.raises(Failed, match=r"took more than 0.3 s. --timeout gives it longer"):
        Program(command, timeout=0.3)(SMILES)
    assert time.monotonic() - begun < 20
    child = int((tmp_path / "child").read_text())
    for _ in range(100):
        if not _runs(child):
            return
        time.sleep(0.05)
    raise AssertionError("the child of the program is alive")


def _runs(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().split()[2] not in "ZX"
    except (OSError, ValueError):
        try:
            os.kill(process, 0)
        except OSError:
            return False
        return not Path("/proc/self").exists()


def test_a_program_that_cannot_be_is_refused() -> None:
    with pytest.raises(UsageError, match="cannot be started"):
        Program("./no-such-program")(SMILES)
    for command, message in (("", "an empty command"), ("'dock", "No closing quotation")):
        with pytest.raises(UsageError, match=message):
            Program(command)


def test_an_answer_that_cannot_be_read_comes_with_the_programs_words(script: Write) -> None:
    with pytest.raises(UsageError, match=r"1 scores for 3 molecules(.|\n)*It wrote: careful"):
        Program(script("echo careful >&2; echo 1"))(SMILES)


def test_a_service_answers_what_is_posted_to_it() -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked: Sequence[str] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))[
                "smiles"
            ]
            self.send_response(500 if "CCCC" in asked else 200)
            self.end_headers()
            self.wfile.write(json.dumps([len(each) for each in asked]).encode())

        def log_message(self, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        address = f"http://127.0.0.1:{server.server_port}/score"
        found = scored_by(Service(address), takes="list")(SMILES)
        np.testing.assert_equal(found, [3, np.nan, 9])
    finally:
        server.shutdown()
        server.server_close()
    with pytest.raises(Failed, match="no answer"):
        Service(address, timeout=5)(SMILES)
