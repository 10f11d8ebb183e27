"""Fan work out over processes such that one bad item costs one item.

RDKit can kill its process (a segmentation fault) and can be busy for minutes without hearing a
signal. Neither can be caught where it happens, so chemistry on foreign molecules runs in worker
processes. Each worker has one chunk at a time and a pipe of its own; when it dies or runs over
its time, the chunk in its hands is known, is taken apart, and the one guilty item is named.

An executor, such as that of a Dask scheduler, may do the work instead. What its workers died of
is done once more in a process of this machine, so that the same item is named for the same reason.
"""

import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from functools import partial
from itertools import islice
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext, SpawnContext
from multiprocessing.process import BaseProcess
from typing import Any, NamedTuple, cast

from molvae.errors import MolvaeError
from molvae.parallel.executors import settle, starting, submit_all

START_SECONDS = 120.0  # for a worker to import what it needs; on a loaded machine 10 s are real
FALSE_STARTS = 3  # in a row, of workers that die before they work, until it is no accident
CHUNKS_AHEAD = 4  # chunks read for each worker before the oldest is finished

DIED = "worker died"

Work = Callable[[list[Any]], Sequence[Any]]
Jobs = int | Executor  # worker processes of this machine, 0 for none; or workers of any machine


class Lost(NamedTuple):
    """What is left of an item that took its worker down.

    Attributes:
        reason: "worker died", "over its time" or "worker failed".
        detail: the exit code, the seconds, or the exception.
    """

    reason: str
    detail: str


def map_chunks(
    function: Work,
    items: Iterable[Any],
    *,
    jobs: Jobs,
    chunk_size: int = 256,
    timeout: float = 60.0,
) -> Generator[tuple[Any, Any], None, None]:
    """Apply a function to items, in chunks, and yield each item with its result, in order.

    Memory is bounded: at most `CHUNKS_AHEAD` chunks for each worker process are read ahead of what
    was yielded, and 256 for an executor, which begins at once, before the
    first is asked for. Close the iterator (`contextlib.closing`) to stop all worker processes at
    once.

    Args:
        function: takes a list of items, returns as many results; defined in a module (or a
            `functools.partial` of such), because workers import it.
        items: anything that can be pickled, as many as you like.
        jobs: worker processes; 0 works in this process: for a few items, and nothing is caught.
            An executor, for example that of `executors.dask_executor`, does it with its workers.
        chunk_size: items that a worker is handed at once.
        timeout: seconds for a chunk; a single item that takes as long is lost. An executor's
            workers have the time that it gives them.

    Yields:
        (item, result) in the order of `items`; the result of a guilty item is `Lost`.

    Raises:
        MolvaeError: what `function` raised of it, that workers cannot be started, or that those
            of an executor are gone or have other versions of what the results depend on.
    """
    chunks = iter(partial(_next_chunk, iter(items), chunk_size), [])
    if jobs == 0:
        return ((item, found) for c in chunks for item, found in zip(c, function(c), strict=True))
    if isinstance(jobs, Executor):
        here = partial(map_chunks, function, jobs=1, chunk_size=chunk_size, timeout=timeout)
        return _answers(submit_all(jobs, partial(_attempt, function), chunks), here)
    return _run_and_stop(_Crew(function, jobs, timeout), chunks)


def _answers(
    answers: Iterable[tuple[list[Any], Any]],
    here: Callable[[list[Any]], Iterable[tuple[Any, Any]]],
) -> Generator[tuple[Any, Any], None, None]:
    """Yield items with their results; what no worker of the executor brings back is done here."""
    for chunk, answer in answers:
        if isinstance(answer, MolvaeError):
            raise answer
        if answer is None or isinstance(answer, Lost):
            yield from here(chunk)
        else:
            yield from zip(chunk, answer, strict=True)


def _run_and_stop(
    crew: "_Crew", chunks: Iterator[list[Any]]
) -> Generator[tuple[Any, Any], None, None]:
    try:
        yield from _run(crew, chunks)
    finally:
        crew.stop()


def _next_chunk(items: Iterator[Any], size: int) -> list[Any]:
    return list(islice(items, size))


class _Task(NamedTuple):
    """Consecutive items of one chunk, and where their results belong."""

    chunk: int
    start: int
    items: list[Any]


class _Chunk:
    """A chunk whose results arrive in any order."""

    def __init__(self, items: list[Any]) -> None:
        self.items = items
        self.results: list[Any] = [None] * len(items)
        self.missing = len(items)

    def add(self, task: _Task, results: Sequence[Any]) -> None:
        self.results[task.start : task.start + len(results)] = results
        self.missing -= len(results)


def _run(crew: "_Crew", chunks: Iterator[list[Any]]) -> Iterator[tuple[Any, Any]]:
    window: dict[int, _Chunk] = {}  # read and not yet yielded, in order
    waiting: deque[_Task] = deque()
    read = 0
    while True:
        while len(window) < CHUNKS_AHEAD * crew.size and (items := next(chunks, None)):
            window[read] = _Chunk(items)
            waiting.append(_Task(read, 0, items))
            read += 1
        if not window:
            return
        crew.hand_out(waiting)
        for task, answer in crew.collect():
            if not isinstance(answer, Lost):
                window[task.chunk].add(task, answer)
            elif len(task.items) == 1:
                window[task.chunk].add(task, [answer])
            else:
                alone = enumerate(task.items, task.start)
                waiting.extendleft([_Task(task.chunk, at, [item]) for at, item in alone][::-1])
        while window and not (first := window[next(iter(window))]).missing:
            del window[next(iter(window))]
            crew.hand_out(waiting)  # before the reader takes its time with these results
            yield from zip(first.items, first.results, strict=True)


class _Worker:
    """One process, its pipe, and what it is working on."""

    def __init__(
        self, context: ForkServerContext | SpawnContext, function: Work, parent: Connection
    ) -> None:
        self.connection, theirs = context.Pipe()
        self.process: BaseProcess = context.Process(
            target=_serve, args=(theirs, function, parent), daemon=True
        )
        self.process.start()
        theirs.close()
        self.ready = False
        self.task: _Task | None = None
        self.deadline = time.monotonic() + START_SECONDS

    def kill(self) -> None:
        self.process.kill()
        self.process.join()
        self.connection.close()


class _Crew:
    """The workers; a lost one is replaced."""

    def __init__(self, function: Work, size: int, timeout: float) -> None:
        self.function = function
        self.size = size
        self.timeout = timeout
        self.context = starting(getattr(function, "func", function).__module__)
        self.lifeline = self.context.Pipe(duplex=False)  # the second end is nobody else's
        self.workers: list[_Worker] = []
        self.false_starts = 0

    def hand_out(self, waiting: deque[_Task]) -> None:
        """Give every idle worker a task; start workers as long as there is work for them."""
        for worker in self.workers:
            if waiting and worker.ready and worker.task is None:
                worker.task = waiting.popleft()
                worker.deadline = time.monotonic() + self.timeout
                try:
                    worker.connection.send(worker.task.items)
                except (BrokenPipeError, ConnectionResetError):
                    pass  # it died idle; `collect` finds out and the task is tried again
        starting = sum(not worker.ready for worker in self.workers)
        while len(self.workers) < self.size and starting < len(waiting):
            self.workers.append(_Worker(self.context, self.function, self.lifeline[0]))
            starting += 1

    def collect(self) -> list[tuple[_Task, Any]]:
        """Wait until something happens; return finished and lost tasks with their results."""
        now = time.monotonic()
        busy = [worker for worker in self.workers if worker.task or not worker.ready]
        patience = max(0.0, min(worker.deadline for worker in busy) - now)
        by_connection = {worker.connection: worker for worker in busy}
        heard = cast("list[Connection]", wait(list(by_connection), patience))
        done = []
        for connection in heard:
            done += self._hear(by_connection[connection])
        now = time.monotonic()
        for worker in busy:
            if worker.connection not in heard and worker.deadline <= now:
                done += self._lose(worker, Lost("over its time", f"{self.timeout:g} s"))
        return done

    def _hear(self, worker: _Worker) -> list[tuple[_Task, Any]]:
        try:
            answer = worker.connection.recv()
        except (EOFError, OSError):  # also in the middle of an answer
            worker.process.join(5.0)
            return self._lose(worker, Lost(DIED, f"exit {worker.process.exitcode}"))
        if isinstance(answer, MolvaeError):
            raise answer
        if worker.task is None:
            worker.ready = True
            self.false_starts = 0
            return []
        task, worker.task = worker.task, None
        return [(task, answer)]

    def _lose(self, worker: _Worker, lost: Lost) -> list[tuple[_Task, Any]]:
        worker.kill()
        self.workers.remove(worker)
        self.false_starts += not worker.ready
        if not worker.ready and (self.false_starts == FALSE_STARTS or lost.reason != DIED):
            raise MolvaeError(
                f"worker processes cannot be started ({lost.reason}, {lost.detail})."
                " In a script of your own, put the work under if __name__ == '__main__':"
                " or say jobs=0."
            )
        return [(worker.task, lost)] if worker.task else []

    def stop(self) -> None:
        """Kill all workers, whatever they are at."""
        for worker in self.workers:
            worker.process.kill()
        for worker in self.workers:
            worker.kill()
        self.workers.clear()
        for end in self.lifeline:
            end.close()


def _serve(connection: Connection, function: Work, parent: Connection) -> None:
    """Work until the parent hangs up."""
    settle(parent)
    with suppress(EOFError, OSError):
        connection.send("ready")
        while True:
            _answer(connection, function, connection.recv())


def _answer(connection: Connection, function: Work, items: list[Any]) -> None:
    """Work on items and send their results, or what went wrong."""
    answer = _attempt(function, items)
    try:
        connection.send(answer)
    except BaseException as error:  # it cannot be sent, and nothing of it was
        connection.send(_failed(error))


def _attempt(function: Work, items: list[Any]) -> list[Any] | Lost | MolvaeError:
    """Return the results, or what went wrong: an error of ours as it is."""
    try:
        results = list(function(items))
        if len(results) != len(items):
            raise ValueError(f"{len(results)} results for {len(items)} items")
        return results
    except MolvaeError as error:
        return error
    except BaseException as error:  # here ends a process: whatever it was, it is told by name
        return _failed(error)


def _failed(error: BaseException) -> Lost:
    detail = " ".join(f"{type(error).__name__}: {error}".split())
    return Lost("worker failed", detail[:200])
