import sys

import pytest

from molvae.cli import progress as module
from molvae.cli.progress import progress


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that shows the last number of the list."""
    seconds = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: seconds[-1])
    return seconds


def pretend_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Call it in the test itself: a fixture would patch another stderr than the test sees."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")


def test_plain_line_every_ten_seconds(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with progress("Preparing", total=4000) as report:
        for done in range(1, 2501):
            clock.append(100.0 + done / 100)
            report(done, "2 rejected")
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.splitlines() == [
        "Preparing: 1,000 of 4,000 molecules, 100/s, 0:30 left, 2 rejected",
        "Preparing: 2,000 of 4,000 molecules, 100/s, 0:20 left, 2 rejected",
    ]


def test_total_may_be_unknown(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    with progress("Reading", unit="rows") as report:
        clock.append(120.0)
        report(3)
    assert capsys.readouterr().err == "Reading: 3 rows, 0.15/s\n"


def test_short_work_and_quiet_work_say_nothing(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with progress("Preparing", total=2) as report:
        report(2)
    with progress("Preparing", total=2, quiet=True) as report:
        clock.append(900.0)
        report(2)
    assert capsys.readouterr() == ("", "")


def test_nothing_done_has_no_time_left(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with progress("Preparing", total=2) as report:
        clock.append(900.0)
        report(0)
    assert capsys.readouterr().err == "Preparing: 0 of 2 molecules, 0/s\n"


def test_terminal_gets_a_bar_on_stderr_and_rows_stay_on_stdout(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pretend_terminal(monkeypatch)
    with progress("Preparing [bold]", total=2) as report:
        report(1, "[red]\x1b[31mnote")
        print("CCO")
        report(2)
    shown = capsys.readouterr()
    assert shown.out == "CCO\n"
    assert "Preparing [bold]" in shown.err
    assert "[red]\\x1b[31mnote" in shown.err
    assert "1 of 2 molecules" in shown.err


def test_dumb_terminal_gets_lines(
    clock: list[float], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pretend_terminal(monkeypatch)
    monkeypatch.setenv("TERM", "dumb")
    with progress("Preparing") as report:
        clock.append(120.0)
        report(5)
    assert capsys.readouterr().err == "Preparing: 5 molecules, 0.25/s\n"


def test_work_gone_on_with_does_not_count_what_was_done_before(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with progress("Training", total=3000, begun=1000) as report:
        clock.append(110.0)
        report(2000)
    assert capsys.readouterr().err == "Training: 2,000 of 3,000 molecules, 100/s, 0:10 left\n"
