"""Fan work out over processes such that one bad item costs one item.

RDKit can kill its process (a segmentation fault) and can be busy for minutes without noticing a
signal. Neither can be caught where it happens, so chemistry on foreign molecules runs in worker
processes (`molvae.parallel.pool`). A chunk whose worker dies or exceeds its time is repeated item
by item, and the guilty item is named.

Another executor, such as that of a Dask scheduler, may do the work instead. A chunk that fails
there is repeated in a process of this machine, so that the same item is named for the same reason.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from functools import partial
from itertools import islice
from typing import Any

from molvae.arguments import MAX_JOBS, whole_number
from molvae.errors import MolvaeError
from molvae.parallel.executors import versions, work_in_turn
from molvae.parallel.pool import Lost as Lost
from molvae.parallel.pool import WorkerLost, WorkerPool, failure

CHUNKS_AHEAD = 4  # chunks submitted for each worker before the oldest is finished
# Chunks submitted to an executor, for all its workers together, which may be many and come and go.
# One process takes in the results of some twenty workers: each of them then has ten chunks to come.
SUBMITTED = 256

Work = Callable[[list[Any]], Sequence[Any]]
Jobs = int | Executor  # worker processes of this machine, 0 for none; or workers of any machine
Results = Generator[tuple[Any, Any], None, None]
Repeat = Callable[[list[Any], Lost], list[Any]]


def map_chunks(
    function: Work,
    items: Iterable[Any],
    *,
    jobs: Jobs,
    chunk_size: int = 256,
    timeout: float = 60.0,
) -> Results:
    """Apply a function to items, in chunks, and yield each item with its result, in order.

    Memory is bounded: `CHUNKS_AHEAD` chunks for each worker process are read ahead of the results,
    and `SUBMITTED` for an executor, which begins at once, before the first result is requested.
    Close the iterator (`contextlib.closing`) to stop all worker processes at once.

    Args:
        function: takes a list of items, returns as many results; defined in a module (or a
            `functools.partial` of such), because workers import it.
        items: anything that can be pickled, in any number.
        jobs: worker processes; 0 works in this process: for a few items, and nothing is caught.
            An executor, for example that of `executors.dask_executor`, does it with its workers.
        chunk_size: items in one task.
        timeout: seconds for a chunk; a single item that takes as long is lost. An executor has a
            limit of its own.

    Yields:
        (item, result) in the order of `items`; the result of a guilty item is `Lost`.

    Raises:
        UsageError: for a number of jobs that is none.
        MolvaeError: raised by `function`, or when workers cannot be started, or those of an
            executor are gone or have other versions of the packages that results depend on.
    """
    if not isinstance(jobs, Executor):
        jobs = whole_number("jobs", jobs, 0, MAX_JOBS)
    source = iter(items)
    chunks = iter(lambda: list(islice(source, chunk_size)), [])
    if jobs == 0:
        return ((item, found) for c in chunks for item, found in zip(c, function(c), strict=True))
    if isinstance(jobs, WorkerPool):
        return _fan_out(jobs, function, chunks, SUBMITTED, partial(_repeat, jobs, function))
    if isinstance(jobs, Executor):
        work = partial(work_in_turn, function, versions())
        return _fan_out(jobs, work, chunks, SUBMITTED, partial(_repeat_here, function, timeout))
    return _run_and_stop(function, chunks, jobs, timeout)


def _run_and_stop(
    function: Work, chunks: Iterator[list[Any]], jobs: int, timeout: float
) -> Results:
    module = getattr(function, "func", function).__module__
    with WorkerPool(jobs, module=module, timeout=timeout) as pool:
        ahead = CHUNKS_AHEAD * jobs
        yield from _fan_out(pool, function, chunks, ahead, partial(_repeat, pool, function))


def _fan_out(
    executor: Executor, work: Work, chunks: Iterator[list[Any]], ahead: int, repeat: Repeat
) -> Results:
    """Submit the first chunks now, and return the results of all, in order."""
    submit = partial(_submit, executor, work)
    submitted = deque((chunk, submit(chunk)) for chunk in islice(chunks, ahead))

    def results() -> Results:
        try:
            while submitted:
                chunk, future = submitted.popleft()
                found = _results(chunk, future)
                submitted.extend((chunk, submit(chunk)) for chunk in islice(chunks, 1))
                found = repeat(chunk, found) if isinstance(found, Lost) else found
                yield from zip(chunk, found, strict=True)
        finally:
            for _, future in submitted:
                future.cancel()

    return results()


def _submit(executor: Executor, work: Work, chunk: list[Any]) -> "Future[Any]":
    try:
        return executor.submit(work, chunk)
    except BrokenExecutor as error:  # a pool of `concurrent.futures` that an earlier task broke
        broken: Future[Any] = Future()
        broken.set_exception(error)
        return broken


def _results(chunk: list[Any], future: "Future[Any]") -> list[Any] | Lost:
    """Return the results of a chunk, or why it has none.

    Raises:
        MolvaeError: raised by the function, or when the executor is gone.
    """
    try:
        error = future.exception()
    except CancelledError as cancelled:
        raise MolvaeError(
            "the executor has dropped its work: its scheduler has ended or cannot be reached."
            " Start it and the run again."
        ) from cancelled
    if isinstance(error, MolvaeError):
        raise error
    if error is not None:
        failed = Lost("worker failed", repr(error)[:200])
        return error.lost if isinstance(error, WorkerLost) else failed
    try:
        results = list(future.result())
        if len(results) != len(chunk):
            raise ValueError(f"{len(results)} results for {len(chunk)} items")
    except (TypeError, ValueError) as wrong:
        return failure(wrong)
    return results


def _repeat(pool: WorkerPool, function: Work, chunk: list[Any], lost: Lost) -> list[Any]:
    """Work on the items of a lost chunk one by one; a guilty one is `Lost`."""
    if len(chunk) == 1:
        return [lost]
    futures = [_submit(pool, function, [item]) for item in chunk]
    results = [_results([item], future) for item, future in zip(chunk, futures, strict=True)]
    return [found if isinstance(found, Lost) else found[0] for found in results]


def _repeat_here(function: Work, timeout: float, chunk: list[Any], _: Lost) -> list[Any]:
    return [result for _, result in map_chunks(function, chunk, jobs=1, timeout=timeout)]
