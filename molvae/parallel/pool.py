"""A pool of worker processes in which a task that kills its worker costs that task alone.

Worker processes start from a clean server process (or anew, where the system has no `fork`),
never from this one, so that its threads, torch's among them, are harmless. They end with this
process, however it ends. Each has a thread here that hands it one task at a time and waits for the
answer. When a worker dies or exceeds its time, the next task gets a new one; the pool of
`concurrent.futures` breaks instead.
"""

import atexit
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext, SpawnContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import Any, NamedTuple

from molvae.errors import MolvaeError

if sys.platform == "linux":
    import fcntl

START_SECONDS = 120.0  # for a worker to import what it needs; on a loaded machine 10 s are real
FALSE_STARTS = 3  # workers in a row that die before they work, until the pool gives up
DIED = "worker died"
NICENESS = 5  # of workers: the process that feeds them must not wait for a core
# Numbers of threads of a matrix product, in numpy and torch: 1 unless the user set them.
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
# Held while a process starts or is waited for: `multiprocessing` does both for all processes.
_PROCESSES = Lock()


class Lost(NamedTuple):
    """The reason why an item has no result."""

    reason: str  # "worker died", "over its time" or "worker failed"
    detail: str  # the exit code, the seconds, or the exception


class WorkerLost(BrokenExecutor):
    """A task has no result; the arguments are those of `Lost`."""

    @property
    def lost(self) -> Lost:
        """Return the reason."""
        return Lost(*self.args)


class _Task(NamedTuple):
    future: "Future[Any]"
    function: Callable[..., Any]
    arguments: tuple[Any, ...]


class WorkerPool(Executor):
    """An executor of worker processes; use it in a `with`, at whose end all workers are killed.

    A task that kills its worker, exceeds its time or raises an error that is not molvae's has a
    `WorkerLost` for a result. The others go on.

    Args:
        size: worker processes, started as tasks come.
        module: imported once for all workers.
        timeout: seconds for a task: of CPU time, where the system tells it.
    """

    def __init__(self, size: int, *, module: str, timeout: float = 60.0) -> None:
        context = _context(module)
        self._lifeline = context.Pipe(duplex=False)  # no other process has the second end
        self._tasks: SimpleQueue[_Task | None] = SimpleQueue()
        self._workers = [_Worker(context, self._lifeline[0], timeout) for _ in range(size)]
        self._threads = [
            Thread(target=self._work, args=(worker,), daemon=True) for worker in self._workers
        ]
        for thread in self._threads:
            thread.start()
        self._closing, self._closed = Lock(), False
        atexit.register(self.shutdown)  # else the interpreter's end could wait for a frozen thread

    def submit(self, function: Callable[..., Any], /, *arguments: Any) -> "Future[Any]":  # type: ignore[override]
        """Queue a call; the function must be defined in a module, because workers import it.

        A worker keeps the last function, so a large `functools.partial` is sent once.

        Raises:
            RuntimeError: after `shutdown`, as of any executor.
        """
        future: Future[Any] = Future()
        with self._closing:
            if self._closed:
                raise RuntimeError("cannot schedule new futures after shutdown")
            self._tasks.put(_Task(future, function, arguments))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = True) -> None:
        """Kill all workers at once, whatever they work on; a second call does nothing."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
        atexit.unregister(self.shutdown)
        for worker in self._workers:
            worker.close()
        with suppress(Empty):
            while task := self._tasks.get_nowait():
                task.future.cancel()
        for _ in self._threads:
            self._tasks.put(None)
        for thread in self._threads:
            thread.join()
        for end in self._lifeline:
            end.close()

    def _work(self, worker: "_Worker") -> None:
        """Have a worker do tasks, one at a time: a thread runs this."""
        while task := self._tasks.get():
            if task.future.set_running_or_notify_cancel():
                try:
                    task.future.set_result(worker.run(task.function, task.arguments))
                except BaseException as error:  # the caller gets it, whatever it is
                    task.future.set_exception(error)
        worker.close()


class _Worker:
    """One process after the other, and a pipe to it; only `close` may be called by any thread."""

    def __init__(
        self, context: ForkServerContext | SpawnContext, lifeline: Connection, timeout: float
    ) -> None:
        self.context, self.lifeline, self.timeout = context, lifeline, timeout
        self.process: BaseProcess | None = None
        self.function: Callable[..., Any] | None = None  # that the process has
        self.closed = False

    def run(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        """Call a function in the process.

        Raises:
            WorkerLost: when the process dies, takes too long, or the function fails.
            MolvaeError: raised by the function, or when no process can be started.
        """
        false_starts = 0
        while self.process is None or self.function is not function:
            self._start()
            try:
                self._ask((function, None), START_SECONDS)
                self.function = function
            except WorkerLost as error:
                false_starts += 1
                if not self.closed and (false_starts == FALSE_STARTS or error.lost.reason != DIED):
                    raise MolvaeError(
                        f"worker processes cannot be started ({', '.join(error.lost)})."
                        " In a script of your own, put the work under"
                        " if __name__ == '__main__': or say jobs=0."
                    ) from error
        result, raised = self._ask((None, arguments), self.timeout)
        if raised is not None:
            raise raised
        return result

    def close(self) -> None:
        """Kill the process and start no other."""
        with _PROCESSES:
            self.closed = True
            if self.process is not None:
                self.process.kill()
                self.process.join()

    def _start(self) -> None:
        with _PROCESSES:
            if self.closed:
                raise WorkerLost(DIED, "its pool was closed")
            if self.process is not None:
                return
            self.connection, theirs = self.context.Pipe()
            process = self.context.Process(target=_serve, args=(theirs, self.lifeline), daemon=True)
            try:
                process.start()
            except (AssertionError, OSError) as error:  # in a daemonic process, or a full machine
                self.connection.close()
                raise MolvaeError(
                    f"worker processes cannot be started ({error}). Say jobs=0 to work in this"
                    " process, without protection against molecules that end it. The processes of"
                    " a concurrent.futures.ProcessPoolExecutor may have workers, those of a"
                    " multiprocessing.Pool may not."
                ) from error
            finally:
                theirs.close()
            self.process = process

    def _answers_within(self, seconds: float) -> bool:
        """Wait for an answer while the process is at work, for so many seconds of its CPU time.

        On a busy machine the clock runs faster: it alone would take good molecules for hung ones.
        """
        assert self.process is not None
        begun, left = _cpu_seconds(self.process.pid)[0], seconds
        while not self.connection.poll(left):
            now, busy = _cpu_seconds(self.process.pid)
            left = seconds - (now - begun)
            if not busy or left <= 0.0:
                return False
        return True

    def _ask(self, message: tuple[object, object], seconds: float) -> Any:
        """Send a function, or arguments for the last one, and return the answer.

        Raises:
            WorkerLost: when the process died or took too long; it is gone then.
        """
        reason, detail = "over its time", f"{seconds:g} s"
        try:
            self.connection.send(message)
            if self._answers_within(seconds):
                return self.connection.recv()
        except (EOFError, OSError):  # also in the middle of an answer
            reason = DIED
        with _PROCESSES:
            process, self.process = self.process, None
            assert process is not None
            if reason == DIED:
                process.join(5.0)
                detail = f"exit {process.exitcode}"
            process.kill()
            process.join()
            self.connection.close()
        raise WorkerLost(reason, detail)


def _cpu_seconds(pid: int | None) -> tuple[float, bool]:
    """Return the CPU time of a process, and whether it has work to do; (0, False) if unknown."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
        ticks = int(fields[11]) + int(fields[12])  # in user and in system mode
        return ticks / os.sysconf("SC_CLK_TCK"), fields[0] == "R"
    except (OSError, ValueError, IndexError):  # no such file on this system
        return 0.0, False


def _serve(connection: Connection, parent: Connection) -> None:
    """Receive functions, and arguments for the last one, until the parent hangs up."""
    _end_with(parent)
    if sys.platform != "win32":
        os.nice(NICENESS)
    function: Callable[..., Any] = print
    with suppress(EOFError, OSError):
        while True:
            given, arguments = connection.recv()
            function = given or function
            answer: tuple[Any, MolvaeError | None] = (None, None)
            try:
                try:
                    answer = (None if given else function(*arguments), None)
                except MolvaeError as error:
                    answer = (None, error)
                connection.send(answer)
            except BaseException as error:  # whatever it is: what cannot be pickled was not sent
                connection.send((None, WorkerLost(*failure(error))))


def failure(error: BaseException) -> Lost:
    """Return what a worker reports of an unforeseen exception."""
    detail = " ".join(f"{type(error).__name__}: {error}".split())
    return Lost("worker failed", detail[:200])


def _context(module: str) -> ForkServerContext | SpawnContext:
    """Return how processes start on this system; the server imports the module once for all."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([module])
    from multiprocessing import forkserver  # which only systems with `fork` can import

    # Side by side, processes with a thread for every core would only slow each other down.
    added = [name for name in THREADS if name not in os.environ]
    os.environ |= dict.fromkeys(added, "1")
    try:
        forkserver.ensure_running()
    finally:
        for name in added:
            del os.environ[name]
    return context


def _end_with(parent: Connection) -> None:
    """Leave Ctrl-C to the parent and end with it, even inside RDKit, where no Python code runs.

    Only the parent has the other end of the pipe.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        # The kernel signals the owner of a descriptor when the other end closes, and an unhandled
        # signal kills. It is opened anew, since inherited descriptors share one owner.
        signal.signal(signal.SIGIO, signal.SIG_DFL)
        with suppress(OSError):  # without /proc a worker ends after its task
            own = os.open(f"/proc/self/fd/{parent.fileno()}", os.O_RDONLY | os.O_NONBLOCK)
            fcntl.fcntl(own, fcntl.F_SETOWN, os.getpid())
            fcntl.fcntl(own, fcntl.F_SETFL, os.O_ASYNC)
        if parent.poll():  # it ended before
            sys.exit()
