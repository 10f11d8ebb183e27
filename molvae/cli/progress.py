"""Progress on stderr: a bar on a terminal, a plain line every ten seconds elsewhere."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from typing import TYPE_CHECKING, Protocol

from molvae.cli.terminal import say
from molvae.errors import printable

if TYPE_CHECKING:
    from molvae.evaluate.work import Progress

SECONDS_BETWEEN_LINES = 10.0
SECONDS_BETWEEN_FRAMES = 0.1

Show = Callable[[int, str], None]  # (number done, the same with rate and notes in words)


class Report(Protocol):
    """Called by the work as often as it likes: most calls only read the clock."""

    def __call__(self, done: int, note: str = "") -> None:
        """Report how many are done in all, and a few words on the work."""


@contextmanager
def progress(
    title: str,
    *,
    total: int | None = None,
    begun: int = 0,
    unit: str = "molecules",
    quiet: bool = False,
) -> Iterator[Report]:
    """Show the progress of the work within, on stderr.

    Args:
        title: of the work: "Preparing".
        total: how many there will be; None when that is not known.
        begun: how many an earlier run has done, which this run continues.
        unit: of the numbers.
        quiet: show nothing.

    >>> with progress("Preparing", total=2, quiet=True) as report:
    ...     report(1)
    """
    if quiet:
        yield lambda done, note="": None
        return
    on_terminal = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    with _bar(title, total, begun) if on_terminal else nullcontext(_line(title)) as show:
        start = time.monotonic()
        wait = SECONDS_BETWEEN_FRAMES if on_terminal else SECONDS_BETWEEN_LINES
        shown = start - wait if on_terminal else start

        def report(done: int, note: str = "") -> None:
            nonlocal shown
            now = time.monotonic()
            if now - shown < wait and not (on_terminal and done == total):
                return
            shown = now
            rate = (done - begun) / max(now - start, 1e-9)
            show(done, ", ".join(_parts(done, total, unit, rate, note)))

        yield report


@contextmanager
def stages(*, quiet: bool) -> Iterator["Progress"]:
    """Show the progress of work in several stages, one after the other."""
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
def _bar(title: str, total: int | None, begun: int) -> Iterator[Show]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    bar = Progress(
        TextColumn(printable(title), markup=False),
        BarColumn(),
        TextColumn("{task.fields[words]}", markup=False),
        console=Console(stderr=True),
        transient=True,
        auto_refresh=False,  # `report` draws the frames; a thread for them is not needed
        # Rich would send rows meant for stdout to the bar's console, which is stderr.
        redirect_stdout=False,
    )
    task = bar.add_task(title, total=total, completed=begun, words="")

    def show(done: int, words: str) -> None:
        bar.update(task, completed=done, words=printable(words))
        bar.refresh()

    with bar:
        yield show


def _line(title: str) -> Show:
    return lambda done, words: say(f"{title}: {words}")


def _parts(done: int, total: int | None, unit: str, rate: float, note: str) -> Iterator[str]:
    """Yield `1,200 of 5,000 molecules`, `310/s`, `0:12 left` and the note."""
    yield f"{done:,} {unit}" if total is None else f"{done:,} of {total:,} {unit}"
    yield f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.2g}/s"
    if total and rate:
        yield f"{_clock(max(total - done, 0) / rate)} left"
    if note:
        yield note


def _clock(seconds: float) -> str:
    """Return `1:05:09`, or `5:09` within the hour."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
