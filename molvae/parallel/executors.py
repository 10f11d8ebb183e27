"""Who takes work: processes of this machine, or the workers of a Dask scheduler on any machines.

Both come as a `concurrent.futures.Executor`, for those who bring tasks one by one;
`workers.map_chunks` fans whole tables out over either.

Worker processes start from a clean server process (or anew, where the system has no `fork`),
never from this one, so that its threads, torch's among them, are harmless. They end with this
process, however it ends.

A scheduler and its workers run what their clients send them, and what they answer is taken in as
it comes: name only one that you trust.
"""

import asyncio
import logging
import multiprocessing
import os
import platform
import re
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import (
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
)
from contextlib import contextmanager, suppress
from functools import cache, partial
from importlib.metadata import PackageNotFoundError, version
from itertools import islice
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext, SpawnContext
from threading import Lock
from typing import Any, TypeVar

from molvae.errors import MolvaeError, UsageError

if sys.platform == "linux":
    import fcntl

ADDRESS = re.compile(r"dask(\+tls)?://([^/\s]+:\d+)/?")
ANSWER_SECONDS = 10.0  # for a scheduler to answer, and for its first worker to be there
# What molecules look like depends on these: they must be the same wherever work is done.
PACKAGES = ("molvae", "rdkit", "selfies", "numpy")
# Tasks ahead of the results taken, for all workers together, who may be many and come and go. One
# process takes in what some twenty workers make: each of them then has ten tasks to come.
SUBMITTED = 256
# What numpy and torch ask for the number of threads of a matrix product.
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
STAND_BACK = 5  # steps of niceness that the processes of a pool give way by
_TURN = Lock()  # held by the task that is worked on in this process

Task = TypeVar("Task")
Result = TypeVar("Result")


@contextmanager
def process_pool(jobs: int, *, module: str) -> Iterator[Executor]:
    """Give a pool of worker processes.

    A task that kills its worker breaks the pool; `workers.map_chunks` tells which one it was.

    Args:
        jobs: worker processes.
        module: what they need to import, done once for all.
    """
    context = starting(module)
    theirs, ours = context.Pipe(duplex=False)
    pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=_serve, initargs=(theirs,))
    with theirs, ours, pool:
        yield pool


def _serve(parent: Connection) -> None:
    """Settle, and stand back: the process that all of these wait for must not wait for a core."""
    settle(parent)
    if sys.platform != "win32":
        os.nice(STAND_BACK)


@contextmanager
def dask_executor(address: str, *, packages: Sequence[str] = PACKAGES) -> Iterator[Executor]:
    """Give the workers of a Dask scheduler, which may come and go while they work.

    A task whose worker vanishes is given to another one by Dask itself.

    Args:
        address: "dask://HOST:PORT", or "dask+tls://HOST:PORT" with the certificates that Dask's
            configuration names.
        packages: those whose versions must be the same there and here, so that the results are.

    Raises:
        UsageError: when the address cannot be read or the extra `dask` is missing.
        MolvaeError: when no scheduler answers, it has no worker, or versions differ.
    """
    parts = ADDRESS.fullmatch(address)
    if parts is None:
        raise UsageError(f"executor '{address}': write dask://HOST:PORT, or dask+tls://HOST:PORT.")
    try:
        from distributed import Client
    except ImportError as error:
        raise UsageError("a Dask scheduler needs an extra: pip install 'molvae[dask]'") from error
    url = f"{'tls' if parts[1] else 'tcp'}://{parts[2]}"
    with _without_log("distributed.client"):
        try:
            with ThreadPoolExecutor(1) as aside:  # in a notebook this thread has a loop of its own
                aside.submit(asyncio.run, _knock(url)).result()
            client = Client(url, timeout=ANSWER_SECONDS, set_as_default=False)
        except OSError as error:  # a TimeoutError is one
            raise MolvaeError(
                f"{address}: no Dask scheduler answers there. Is it running, and is this the port"
                " that `dask scheduler` named?"
            ) from error
        with client:
            _check_workers(client, address, packages)
            yield client.get_executor()


async def _knock(url: str) -> None:
    """Connect once: where something else than Dask listens, a client would wait for ever."""
    from distributed.comm import connect
    from distributed.security import Security

    with_certificates = Security().get_connection_args("client")
    connecting = connect(url, timeout=ANSWER_SECONDS, **with_certificates)
    connection = await asyncio.wait_for(connecting, ANSWER_SECONDS)
    await connection.close()


def _check_workers(client: Any, address: str, packages: Sequence[str]) -> None:
    """Hold the scheduler, which reads the tasks as well, and all workers against this machine.

    Raises:
        MolvaeError: naming the worker and what it has, or that there is none.
    """
    try:
        client.wait_for_workers(1, timeout=ANSWER_SECONDS)
    except TimeoutError as error:
        raise MolvaeError(
            f"{address}: the scheduler has no workers."
            f" Start some: dask worker {address.rpartition('/')[2]} --nthreads 1"
        ) from error
    ours = versions(tuple(packages))
    theirs: dict[str, dict[str, str]] = {}
    for name in packages:  # asked with what every Python has: molvae itself may be missing there
        found = client.run(version, name, on_error="return")
        with suppress(PackageNotFoundError):
            found["scheduler"] = client.run_on_scheduler(version, name)
        for worker, answer in found.items():
            theirs.setdefault(worker, {})[name] = answer if isinstance(answer, str) else ""
    for worker, their in sorted(theirs.items()):
        _check_versions(their, ours, worker=worker)


@cache
def versions(packages: tuple[str, ...] = PACKAGES) -> dict[str, str]:
    """Return the installed version of each package, "" for one that is not there."""
    found = dict.fromkeys(packages, "")
    for name in packages:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def _check_versions(theirs: Mapping[str, str], ours: Mapping[str, str], *, worker: str) -> None:
    """Refuse a worker whose packages are others than those of the machine that asks.

    Raises:
        MolvaeError: naming the worker and the difference.
    """
    for name, here in ours.items():
        there = theirs.get(name, "")
        if there != here:
            raise MolvaeError(
                f"worker {worker} has {f'{name} {there}' if there else f'no {name}'}, this machine"
                f" {here or 'none'}: its results could be others. Install the same versions of"
                f" {', '.join(ours)} there and here."
            )


def submit_all(
    executor: Executor, work: Callable[[Task], Result], tasks: Iterable[Task]
) -> Iterator[tuple[Task, Result | None]]:
    """Have an executor do tasks, from now on, and give each with its result, in order.

    Args:
        executor: its workers must be able to import `work`.
        work: what is done, one task at a time in each process.
        tasks: taken from as results are, `SUBMITTED` of them ahead.

    Returns:
        (task, result); None for a result whose worker died.

    Raises:
        MolvaeError: when the executor is gone, or a worker has other versions than this machine.
    """
    submit = partial(_submit, executor, partial(_work_in_turn, work, versions()))
    coming = iter(tasks)
    submitted = deque((task, submit(task)) for task in islice(coming, SUBMITTED))
    return _in_order(submitted, coming, submit)


def _in_order(
    submitted: deque[tuple[Task, Future[Result]]],
    coming: Iterator[Task],
    submit: Callable[[Task], Future[Result]],
) -> Iterator[tuple[Task, Result | None]]:
    try:
        while submitted:
            task, future = submitted.popleft()
            result = _result(future)
            submitted.extend((task, submit(task)) for task in islice(coming, 1))
            yield task, result
    finally:
        for _, future in submitted:
            future.cancel()


def _submit(executor: Executor, take: Callable[[Task], Result], task: Task) -> Future[Result]:
    try:
        return executor.submit(take, task)
    except BrokenExecutor as error:  # a pool of processes that an earlier task broke
        broken: Future[Result] = Future()
        broken.set_exception(error)
        return broken


def _result(future: Future[Result]) -> Result | None:
    try:
        error = future.exception()
    except CancelledError as cancelled:
        raise MolvaeError(
            "the executor has dropped its work: its scheduler has ended or cannot be reached."
            " Start it and the run again."
        ) from cancelled
    dask = sys.modules.get("distributed")  # whose errors come from nowhere else
    died = (BrokenExecutor,) if dask is None else (BrokenExecutor, dask.KilledWorker)
    return None if isinstance(error, died) else future.result()


def _work_in_turn(work: Callable[[Task], Result], ours: Mapping[str, str], task: Task) -> Result:
    """Work in an executor's worker, which may have joined when the others were looked at.

    One task at a time in each process: neither the switches of RDKit and selfies nor Python's
    warning filters are made for several threads, and RDKit would let only one of them run.
    """
    with _TURN:
        _check_versions(versions(), ours, worker=f"{platform.node()}, process {os.getpid()}")
        return work(task)


def starting(module: str) -> ForkServerContext | SpawnContext:
    """Return how processes start here; the server imports the module once for all."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([module])
    from multiprocessing import forkserver  # which only systems with `fork` can import

    with _one_thread_each():
        forkserver.ensure_running()
    return context


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Let what starts within take one thread for its matrix products, unless the user said more.

    Processes side by side, each with a thread for every core, would only fight.
    """
    added = [name for name in THREADS if name not in os.environ]
    os.environ |= dict.fromkeys(added, "1")
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]


def settle(parent: Connection) -> None:
    """Leave Ctrl-C to the parent and end with it, even inside RDKit, which lets no Python run.

    Args:
        parent: one end of a pipe of which the parent alone has the other.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        # The kernel signals the owner of a descriptor when the other end goes; what is not
        # handled kills. Opened anew, since all that is passed on shares one owner.
        signal.signal(signal.SIGIO, signal.SIG_DFL)
        with suppress(OSError):  # without /proc a worker ends when it has done its item
            own = os.open(f"/proc/self/fd/{parent.fileno()}", os.O_RDONLY | os.O_NONBLOCK)
            fcntl.fcntl(own, fcntl.F_SETOWN, os.getpid())
            fcntl.fcntl(own, fcntl.F_SETFL, os.O_ASYNC)
        if parent.poll():  # it was gone before
            sys.exit()


@contextmanager
def _without_log(name: str) -> Iterator[None]:
    """Keep a library from writing to stderr what it raises as well."""
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)
