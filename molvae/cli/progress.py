"""How far along: a bar on a terminal, a plain line every ten seconds elsewhere."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Protocol

from molvae.cli.terminal import printable, say

if TYPE_CHECKING:
    from molvae.evaluate.work import Progress

SECONDS_BETWEEN_LINES = 10.0
SECONDS_BETWEEN_FRAMES = 0.1


class Report(Protocol):
    """Called by the work as often as it likes; most calls cost a look at the clock."""

    def __call__(self, done: int, note: str = "") -> None:
        """Say how many are done in all, and a few words on how it goes."""


@contextmanager
def progress(
    title: str,
    *,
    total: int | None = None,
    begun: int = 0,
    unit: str = "molecules",
    quiet: bool = False,
) -> Iterator[Report]:
    """Show how far the work within is, on stderr.

    Args:
        title: what is being done: "Preparing".
        total: how many there will be; None when that is not known.
        begun: how many were done before, by a run that this one goes on with.
        unit: what is counted.
        quiet: show nothing.

    >>> with progress("Preparing", total=2, quiet=True) as report:
    ...     report(1)
    """
    if quiet:
        yield lambda done, note="": None
    elif sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        with _bar(title, total, begun, unit) as report:
            yield report
    else:
        yield _lines(title, total, begun, unit)


@contextmanager
def stages(*, quiet: bool) -> Iterator["Progress"]:
    """Show how far work is that has several parts, each with a bar of its own."""
    shown: dict[str, Report] = {}
    with ExitStack() as stack:

        def report(stage: str, done: int, total: int) -> None:
            if stage not in shown:
                stack.close()
                shown.clear()
                shown[stage] = stack.enter_context(progress(stage, total=total, quiet=quiet))
            shown[stage](done)

        yield report


@contextmanager
def _bar(title: str, total: int | None, begun: int, unit: str) -> Iterator[Report]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    bar = Progress(
        TextColumn(printable(title), markup=False),
        BarColumn(),
        TextColumn("{task.fields[count]}", markup=False),
        TimeRemainingColumn(compact=True),
        TextColumn("{task.fields[note]}", markup=False),
        console=Console(stderr=True),
        transient=True,
        # No thread of its own: worker processes are forked while the bar is up.
        auto_refresh=False,
        # Rich would send rows meant for stdout to the bar's console, which is stderr.
        redirect_stdout=False,
    )
    task = bar.add_task(title, total=total, completed=begun, count="", note="")
    start = time.monotonic()
    drawn = 0.0

    def report(done: int, note: str = "") -> None:
        nonlocal drawn
        now = time.monotonic()
        if now - drawn < SECONDS_BETWEEN_FRAMES and done != total:
            return
        drawn = now
        count = _count(done, total, unit, (done - begun) / max(now - start, 1e-9))
        bar.update(task, completed=done, count=count, note=printable(note))
        bar.refresh()

    with bar:
        yield report


def _lines(title: str, total: int | None, begun: int, unit: str) -> Report:
    start = spoken = time.monotonic()

    def report(done: int, note: str = "") -> None:
        nonlocal spoken
        now = time.monotonic()
        if now - spoken < SECONDS_BETWEEN_LINES:
            return
        spoken = now
        rate = (done - begun) / (now - start)
        parts = [_count(done, total, unit, rate)]
        if total and rate:
            parts.append(f"{_clock(max(total - done, 0) / rate)} left")
        say(f"{title}: {', '.join([*parts, *([note] if note else [])])}")

    return report


def _count(done: int, total: int | None, unit: str, rate: float) -> str:
    """Return `1,200 of 5,000 molecules, 310/s`."""
    of = "" if total is None else f" of {total:,}"
    return (
        f"{done:,}{of} {unit}, {rate:,.0f}/s"
        if rate >= 10
        else f"{done:,}{of} {unit}, {rate:.2g}/s"
    )


def _clock(seconds: float) -> str:
    """Return `1:05:09`, or `5:09` within the hour."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
