"""Ctrl-C and SIGTERM as a request: finish the step, keep what is done, then go."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def stop_signals() -> Iterator[list[int]]:
    """Collect the first SIGINT or SIGTERM, so that work is saved; a second one stops at once."""
    stopped: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM)
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
