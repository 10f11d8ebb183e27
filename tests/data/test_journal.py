import math
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from molvae.cli.main import cli
from molvae.config import DataConfig
from molvae.data import journal, prepare
from molvae.data.journal import Journal
from molvae.data.molecules import Molecule, Recipe, prepare_rows
from molvae.data.prepare import Prepared
from molvae.data.tables.records import Row
from molvae.errors import MolvaeError, Rejected, UsageError
from molvae.parallel.workers import Lost
from tests.drugs import DRUGS

CONFIG = DataConfig(properties=("MW", "LogP"), min_count=1)
ROWS = [Row("a.csv", line, "CCO", "", ()) for line in range(1, 5)]
RESULTS: list[Molecule | Rejected | Lost] = [
    Molecule(2**64 - 1, ["[C]", "[C]"], (46.069, math.nan, 1 / 3), 7, b"\0\xff", ("C1CC1",)),
    Rejected("not a molecule", "\ud800 at character 1", field="label"),
    Rejected("rare", "", field=""),
    Molecule(0, [], (), 0, b"", ()),
]
PAIRS = list(zip(ROWS, RESULTS, strict=True))
# molvae prepare, which tells its parent when rows are saved, and then takes its time.
SLOW = """
import sys, time
from molvae.data import journal, prepare
journal.SECONDS_BETWEEN_SAVES, prepare.CHUNK = 0.0, 8
save, waits = journal.Journal.save, sys.argv.pop()
def slow(self):
    save(self)
    if waits == "wait":
        print("saved", flush=True)
        time.sleep(60)
journal.Journal.save = slow
from molvae.cli.main import main
if __name__ == "__main__":
    main()
"""


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "SECONDS_BETWEEN_SAVES", 0.0)
    monkeypatch.setattr(prepare, "CHUNK", 8)


@pytest.fixture
def worked(monkeypatch: pytest.MonkeyPatch) -> list[Row]:
    """The rows that chemistry was done on."""
    seen: list[Row] = []

    def spy(recipe: Recipe, given: Sequence[Row]) -> list[Molecule | Rejected]:
        seen.extend(given)
        return prepare_rows(recipe, given)

    monkeypatch.setattr(prepare, "prepare_rows", spy)
    return seen


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "drugs.csv"
    lines = [f"{smiles},{name}" for name, smiles in DRUGS[:60]]
    lines[11], lines[30] = "CC(,bad", lines[3]  # a row that is none, one that is merged
    path.write_text("\n".join(["smiles,name", *lines]), encoding="utf-8")
    return path


def run(table: Path, config: DataConfig = CONFIG, **settings: Any) -> Prepared:
    return prepare.prepare([table], config, jobs=0, **settings)


def cut_short(table: Path, after: int) -> Path:
    """Prepare until some rows are done; return what is kept of them."""

    def stop(done: int, read: int) -> None:
        if done == after:
            raise KeyboardInterrupt

    kept = table.with_name(".unfinished")
    with pytest.raises(KeyboardInterrupt):
        run(table, unfinished=kept, progress=stop)
    return kept


def kept_in(folder: Path) -> Journal:
    return Journal(folder / "kept", identity="a")


def same(one: Prepared, other: Prepared, folder: Path) -> bool:
    files = [folder / "one", folder / "other"]
    for prepared, file in zip((one, other), files, strict=True):
        prepared.dataset.save(file)
    return files[0].read_bytes() == files[1].read_bytes() and one.rejects == other.rejects


def test_a_run_that_was_cut_short_is_gone_on_with(
    table: Path, worked: list[Row], tmp_path: Path
) -> None:
    whole = run(table)
    kept = cut_short(table, 30)
    worked.clear()
    again = run(table, unfinished=kept)
    assert same(again, whole, tmp_path)
    assert (whole.recalled, again.recalled) == (0, 32)  # four chunks, of which the last was begun
    assert [row.line for row in worked] == list(range(34, 62))
    assert again.tally == whole.tally


def test_a_row_that_has_changed_is_worked_on_anew_and_so_is_what_follows(
    table: Path, worked: list[Row], tmp_path: Path
) -> None:
    kept = cut_short(table, 40)
    table.write_text(table.read_text().replace(f"{DRUGS[20][1]},", "CCCCCCO,"), encoding="utf-8")
    worked.clear()
    again = run(table, unfinished=kept)
    assert again.recalled == 16  # row 21 stands in the third chunk
    assert same(again, run(table), tmp_path)


@pytest.mark.parametrize("change", [{"properties": ("MW",)}, {"stereo": True}, {"max_symbols": 20}])
def test_another_recipe_recalls_nothing(table: Path, change: dict[str, Any]) -> None:
    kept = cut_short(table, 40)
    config = DataConfig(**({"properties": ("MW", "LogP"), "min_count": 1} | change))
    assert run(table, config, unfinished=kept).recalled == 0


def test_another_reading_of_the_labels_recalls_all(table: Path) -> None:
    lines = table.read_text().splitlines()
    cells = ["y", *("1" if n % 2 else "active" for n in range(len(lines) - 1))]
    text = "".join(f"{line},{cell}\n" for line, cell in zip(lines, cells, strict=True))
    table.write_text(text, encoding="utf-8")
    kept = table.with_name(".unfinished")
    with pytest.raises(UsageError, match="--label 'y:class'"):
        run(table, DataConfig(properties=("MW",), labels=("y",)), unfinished=kept)
    config = DataConfig(properties=("MW",), labels=("y:class",))
    assert run(table, config, unfinished=kept).recalled == 60


def test_other_versions_recall_nothing(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = cut_short(table, 40)
    monkeypatch.setattr(prepare, "versions", lambda: {"rdkit": "1"})
    assert run(table, unfinished=kept).recalled == 0


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"not a database" * 100,
        lambda data: data[:1500],
        lambda data: b"",
        lambda data: data[:-600] + bytes(600),
        lambda data: data.replace(b"x\x01", b"x\x02"),  # where results begin
    ],
    ids=["something else", "torn", "empty", "zeros at the end", "flipped"],
)
def test_damage_costs_work_and_nothing_else(
    table: Path, damage: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    kept = cut_short(table, 60)
    kept.write_bytes(damage(kept.read_bytes()))
    again = run(table, unfinished=kept)
    assert again.recalled < 60
    assert same(again, run(table), tmp_path)


def test_every_kind_of_result_comes_back_as_it_was(tmp_path: Path) -> None:
    first = kept_in(tmp_path)
    first.keep(0, PAIRS)
    first.close()
    second = kept_in(tmp_path)
    found = second.recall(0, ROWS)
    second.close()
    assert repr(found) == repr(RESULTS)  # NaN is not equal to itself, rejections are neither
    assert second.recalled == 4


def test_what_another_run_has_open_is_left_to_it(tmp_path: Path) -> None:
    first = kept_in(tmp_path)
    first.keep(0, PAIRS)
    with pytest.raises(MolvaeError, match="another run has it open"):
        kept_in(tmp_path)
    first.close()
    again = kept_in(tmp_path)  # which has written nothing yet
    with pytest.raises(MolvaeError, match="another run has it open"):
        kept_in(tmp_path)
    again.keep(1, PAIRS)
    again.close()


def test_a_lost_row_is_tried_again_and_what_follows_it_is_recalled(
    table: Path, worked: list[Row], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    spied = prepare.prepare_rows

    def losing(recipe: Recipe, given: Sequence[Row]) -> list[Any]:
        return [
            Lost("worker died", "") if row.line == 20 else result
            for row, result in zip(given, spied(recipe, given), strict=True)
        ]

    monkeypatch.setattr(prepare, "prepare_rows", losing)
    kept = cut_short(table, 55)
    monkeypatch.setattr(prepare, "prepare_rows", spied)
    worked.clear()
    again = run(table, unfinished=kept)
    assert [row.line for row in worked][:8] == list(range(18, 26)), "its chunk, and then the rest"
    assert again.recalled == 48
    assert same(again, run(table), tmp_path)


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    kept = kept_in(tmp_path)
    kept.keep(0, PAIRS)
    assert kept._file is not None
    kept._file.execute("PRAGMA max_page_count = 1")  # no page more, as where there is no room
    many = [(Row("a.csv", n, "C", "", ()), Rejected("a", os.urandom(99).hex())) for n in range(400)]
    with pytest.raises(MolvaeError, match=r"kept: 0\.1 MiB could not be written: .*full"):
        kept.keep(1, many)
    kept.close()  # which tries nothing more
    chunks = sqlite3.connect(tmp_path / "kept").execute("SELECT number FROM chunk").fetchall()
    assert chunks == [(0,)]


@pytest.mark.skipif(sys.platform == "win32", reason="no limit on the size of files there")
def test_a_disk_that_is_full_from_the_beginning_is_told_and_left_as_it_was(tmp_path: Path) -> None:
    import resource

    kept = kept_in(tmp_path)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        with pytest.raises(
            MolvaeError, match=r"kept: 0\.1 MiB could not be written: .* MiB are free"
        ):
            kept.keep(0, PAIRS)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_kept_beside_a_device(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Journal, "save", lambda self: pytest.fail(f"{self.path} is written"))
    done = CliRunner().invoke(cli, ["prepare", str(table), "-o", os.devnull, "-j", "1", "-q"])
    assert done.exit_code == 0, done.stderr


def test_a_short_run_leaves_no_trace(
    table: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(journal, "SECONDS_BETWEEN_SAVES", 60.0)
    run(table, unfinished=tmp_path / "kept")
    assert list(tmp_path.iterdir()) == [table]


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL there")
def test_a_killed_command_is_gone_on_with_and_leaves_nothing_behind(
    table: Path, tmp_path: Path
) -> None:
    script = tmp_path / "slow.py"
    script.write_text(SLOW)
    out = tmp_path / "out.molvae"
    command = [sys.executable, str(script), "prepare", str(table), "-o", str(out), "-j", "1"]
    command += ["--properties", "MW,LogP", "--min-count", "1"]
    killed = subprocess.Popen([*command, "wait"], stdout=subprocess.PIPE, text=True)
    assert killed.stdout is not None
    assert killed.stdout.readline() == "saved\n"
    killed.kill()
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    assert not out.exists()
    assert out.with_name(".out.molvae.unfinished").exists()
    done = subprocess.run([*command, "go"], capture_output=True, text=True, check=True)
    assert "8 rows were prepared by an interrupted run." in done.stderr
    expected = run(table)
    expected.dataset.save(tmp_path / "expected")
    assert out.read_bytes() == (tmp_path / "expected").read_bytes()
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == ["drugs.csv", "expected", "out.molvae", "slow.py"]
