"""Signals that stop the work after its current step, so that finished work is kept."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

# A batch system's warning, as in Slurm's `--signal=USR1@120`; Windows knows no such signal.
WARNING = getattr(signal, "SIGUSR1", signal.SIGTERM)


@contextmanager
def stop_signals(*more: int) -> Iterator[list[int]]:
    """Record the first signal, so that the work can save and end; a second one stops at once.

    Args:
        more: signals besides SIGINT and SIGTERM.
    """
    stopped: list[int] = []
    numbers = {signal.SIGINT, signal.SIGTERM, *map(signal.Signals, more)}
    before = {number: signal.getsignal(number) for number in numbers}

    def remember(number: int, frame: FrameType | None) -> None:
        if stopped:
            signal.signal(number, before[signal.Signals(number)])
            signal.raise_signal(number)
        stopped.append(number)

    for number in numbers:
        signal.signal(number, remember)
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
