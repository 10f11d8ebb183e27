"""Programs and services that score molecules: SMILES in, one a line, numbers out; see `answers`.

from molvae.adapters.programs import Program
from molvae.adapters.scorers import scored_by

objective = scored_by(Program("./dock.sh --fast"), takes="list", minimize=True)
"""

import json
import math
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from tempfile import TemporaryFile
from typing import BinaryIO
from urllib.error import URLError
from urllib.request import Request, urlopen

from molvae.adapters.answers import read_answer
from molvae.arguments import real_number
from molvae.errors import MolvaeError, UsageError

TIMEOUT = 3600.0  # seconds for a batch
MAX_TIMEOUT = 30 * 24 * 3600.0
SHOWN = 2000  # bytes of what a program wrote to stderr
MAX_ANSWER = 2**26  # bytes
SCRIPTS = (".py", ".sh", ".R", ".pl", ".jl")  # `python score.py` is called by its script, score
PROBE = "c1ccccc1"
FAULT = math.inf  # in place of a score, which is finite

Scores = list[float | None]


class Failed(MolvaeError):
    """A program or a service that gave no answer."""


class Program:
    """A program that scores molecules, started once for each batch, without a shell.

    When it dies or hangs on a batch, each molecule is tried alone, so that the one at fault costs
    no other its score; unless it fails on benzene, too: then the program is at fault.

    Args:
        command: the program and its arguments.
        timeout: seconds for each start.
        column: of its answer; see `read_answer`.

    Raises:
        UsageError: for no command, a quote that does not close, or a timeout out of its range.
    """

    def __init__(self, command: str, *, timeout: float = TIMEOUT, column: str = "") -> None:
        try:
            self.words = shlex.split(command)
        except ValueError as error:
            raise UsageError(f"'{command:.80}': {error}.") from error
        if not self.words:
            raise UsageError("an empty command: name a program, such as './dock.sh --fast'.")
        self.timeout = real_number("timeout", timeout, 0.001, MAX_TIMEOUT)
        self.column = column
        script = next((word for word in self.words if word.endswith(SCRIPTS)), self.words[0])
        self.__name__ = os.path.basename(script).partition(".")[0] or script

    def __call__(self, smiles: list[str]) -> Scores:
        """Return the scores of N molecules, None for those without one.

        Raises:
            UsageError: for an answer that cannot be read.
            Failed: when the program fails on any molecule.
        """
        return score_apart(self._ask, smiles)

    def _ask(self, smiles: Sequence[str]) -> Scores:
        text = "".join(f"{each}\n" for each in smiles).encode()
        with TemporaryFile() as asked, TemporaryFile() as answer, TemporaryFile() as complaint:
            asked.write(text)
            asked.seek(0)
            code = self._run(asked, answer, complaint)
            if code:
                how = (
                    f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
                )
                raise Failed(*_with_tail(f"{self.words[0]} {how}.", complaint))
            answer.seek(0)
            found = answer.read(MAX_ANSWER).decode("utf-8", "replace")
            try:
                return read_answer(found, smiles, column=self.column)
            except UsageError as error:
                raise UsageError(*_with_tail(f"{self.words[0]}: {error}", complaint)) from error

    def _run(self, asked: BinaryIO, answer: BinaryIO, complaint: BinaryIO) -> int:
        """Run the program to its end, and return its exit code; all that it started dies with it.

        Files in place of pipes: a program that reads nothing, or floods a stream, blocks nobody.
        """
        try:
            started = subprocess.Popen(
                self.words,
                stdin=asked,
                stdout=answer,
                stderr=complaint,
                start_new_session=sys.platform != "win32",
            )
        except OSError as error:
            raise UsageError(
                f"{self.words[0]}: cannot be started: {error.strerror}. A program in this folder is"
                f" ./NAME, `chmod +x NAME` makes it one, and its first line names what runs it,"
                " such as #!/usr/bin/env python3."
            ) from error
        try:
            return started.wait(self.timeout)
        except subprocess.TimeoutExpired:
            raise Failed(
                *_with_tail(
                    f"{self.words[0]} took more than {self.timeout:g} s. --timeout gives it longer,"
                    " a smaller --batch less to do.",
                    complaint,
                )
            ) from None
        finally:
            if started.poll() is None:
                _kill(started)


class Service:
    """An address that scores molecules: `{"smiles": [...]}` is posted there as JSON.

    Args:
        address: http:// or https://.
        timeout: seconds for each batch.
        column: of its answer; see `read_answer`.
    """

    def __init__(self, address: str, *, timeout: float = TIMEOUT, column: str = "") -> None:
        if not address.startswith(("http://", "https://")):
            raise UsageError(f"'{address:.80}': an address begins with http:// or https://.")
        self.address, self.column = address, column
        self.timeout = real_number("timeout", timeout, 0.001, MAX_TIMEOUT)
        self.__name__ = address.partition("//")[2].rstrip("/").rpartition("/")[2]

    def __call__(self, smiles: list[str]) -> Scores:
        """Return the scores of N molecules, None for those without one; see `Program`."""
        return score_apart(self._ask, smiles)

    def _ask(self, smiles: Sequence[str]) -> Scores:
        body = json.dumps({"smiles": list(smiles)}).encode()
        request = Request(self.address, body, {"Content-Type": "application/json"})
        try:
            with urlopen(request, timeout=self.timeout) as answer:
                found = answer.read(MAX_ANSWER).decode("utf-8", "replace")
        except (OSError, URLError) as error:
            raise Failed(f"{self.address}: no answer: {error}.") from error
        try:
            return read_answer(found, smiles, column=self.column)
        except UsageError as error:
            raise UsageError(f"{self.address}: {error}") from error


def score_apart(ask: Callable[[Sequence[str]], Scores], smiles: Sequence[str]) -> Scores:
    """Return the scores of a batch; where it fails as a whole, those of each molecule alone.

    Raises:
        Failed: when it fails on benzene, too: no molecule is at fault.
    """
    try:
        return ask(smiles)
    except Failed as failure:
        if _alone(ask, PROBE) is FAULT:
            raise failure from None
    if len(smiles) == 1:
        return [None]
    scores = (_alone(ask, each) for each in smiles)
    return [None if score is FAULT else score for score in scores]


def _alone(ask: Callable[[Sequence[str]], Scores], smiles: str) -> float | None:
    """Return the score of one molecule, `FAULT` where nothing is answered."""
    try:
        return ask([smiles])[0]
    except Failed:
        return FAULT


def _kill(started: "subprocess.Popen[bytes]") -> None:
    """End a program with all that it started."""
    if sys.platform == "win32":
        started.kill()
    else:
        os.killpg(started.pid, signal.SIGKILL)
    started.wait()


def _with_tail(sentence: str, complaint: BinaryIO) -> list[str]:
    """Return the lines of a message: a sentence, and the end of what a program wrote to stderr."""
    size = complaint.seek(0, os.SEEK_END)
    complaint.seek(max(0, size - SHOWN))
    first, *others = complaint.read().decode("utf-8", "replace").strip().splitlines() or [""]
    return [f"{sentence} It wrote: {first}", *others] if first else [sentence]
