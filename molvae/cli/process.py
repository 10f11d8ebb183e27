"""The process of a command: its streams, its signals, and the warnings of libraries."""

import logging
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable
from functools import partial
from io import TextIOWrapper
from types import FrameType
from typing import Any, BinaryIO, NoReturn, TextIO, cast

from molvae.cli.terminal import drop, say
from molvae.errors import MolvaeWarning

TERMINATED = 143
SECONDS_TO_RETRY = 0.05  # after a signal that comes during an import


def prepare_streams() -> None:
    """Open what the caller has closed (`>&-`) in a way that nothing is written to a file instead.

    Otherwise the next file would get the number of the closed stream. What is written to stderr is
    lost, and writing to stdout fails.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:  # the lowest free number is the one that is opened
            os.open(os.devnull, os.O_WRONLY if number == 2 else os.O_RDONLY)
    # The types do not say that they are None where the caller has closed them.
    streams: list[Any] = [sys.stdin, sys.stdout, sys.stderr]
    if streams[1] is None:  # without a buffer, which would fail later, and elsewhere
        raw = cast(BinaryIO, open(1, "wb", buffering=0, closefd=False))
        sys.stdout = TextIOWrapper(raw, write_through=True)
    if streams[2] is None:
        sys.stderr = open(2, "w", closefd=False)


def drop_streams() -> None:
    """Make stdout and stderr such that they can be flushed, though nobody reads them."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            drop(stream)


def handle_signals() -> None:
    """Make SIGINT and SIGTERM end the work through every `finally` and `with`."""
    signal.signal(signal.SIGINT, _after_imports(signal.default_int_handler))
    signal.signal(signal.SIGTERM, _after_imports(_terminate))
    if hasattr(os, "register_at_fork"):
        # A worker busy inside RDKit runs no Python handler: there, SIGTERM must simply kill.
        restore = partial(signal.signal, signal.SIGTERM, signal.SIG_DFL)
        os.register_at_fork(after_in_child=restore)


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    sys.exit(TERMINATED)


def _after_imports(handle: Callable[[int, FrameType | None], Any]) -> Callable[..., None]:
    """Return a handler that waits while a library is imported.

    Some libraries swallow an exception that is raised then, and are half there; others abort.
    """

    def wait(number: int, frame: FrameType | None) -> None:
        if not _is_importing(frame):
            handle(number, frame)
            return
        again = threading.Timer(SECONDS_TO_RETRY, os.kill, (os.getpid(), number))
        again.daemon = True
        again.start()

    return wait


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def hide_library_warnings() -> None:
    """Keep the warnings and logs of libraries off stderr, in worker processes as well.

    Only a `MolvaeWarning` is shown. Python's own options show all of them (`-W`, PYTHONWARNINGS).
    """
    if sys.warnoptions:
        return
    os.environ["PYTHONWARNINGS"] = "ignore"
    warnings.simplefilter("ignore")
    warnings.simplefilter("always", MolvaeWarning)
    warnings.showwarning = _show
    logging.getLogger().addHandler(logging.NullHandler())


def _show(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    if issubclass(category, MolvaeWarning):
        say(f"Warning: {message}")
