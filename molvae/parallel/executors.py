"""The workers of a Dask scheduler, on any machines, as an executor.

A scheduler and its workers run what their clients send them, and their answers are unpickled: name
only one that you trust.
"""

import asyncio
import logging
import os
import platform
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from threading import Lock
from typing import Any, TypeVar

from molvae.errors import MolvaeError, UsageError

ADDRESS = re.compile(r"dask(\+tls)?://([^/\s]+:\d+)/?")
ANSWER_SECONDS = 10.0  # for a scheduler to answer, and for its first worker to be there
# Results depend on these: their versions must be the same wherever work is done.
PACKAGES = ("molvae", "rdkit", "selfies", "numpy")
_TURN = Lock()  # held by the one task that runs in this process

Task = TypeVar("Task")
Result = TypeVar("Result")


@contextmanager
def dask_executor(address: str, *, packages: Sequence[str] = PACKAGES) -> Iterator[Executor]:
    """Connect to the workers of a Dask scheduler, which may come and go while they work.

    When a worker vanishes, Dask gives its task to another one.

    Args:
        address: "dask://HOST:PORT", or "dask+tls://HOST:PORT" with the certificates that Dask's
            configuration names.
        packages: those whose versions must be the same there and here.

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
            with ThreadPoolExecutor(1) as aside:  # a notebook runs a loop in this thread
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
    """Connect once: a client would wait forever where something else than Dask listens."""
    from distributed.comm import connect
    from distributed.security import Security

    with_certificates = Security().get_connection_args("client")
    connecting = connect(url, timeout=ANSWER_SECONDS, **with_certificates)
    connection = await asyncio.wait_for(connecting, ANSWER_SECONDS)
    await connection.close()


def _check_workers(client: Any, address: str, packages: Sequence[str]) -> None:
    """Compare the packages of the scheduler, which unpickles tasks too, and of all workers."""
    try:
        client.wait_for_workers(1, timeout=ANSWER_SECONDS)
    except TimeoutError as error:
        raise MolvaeError(
            f"{address}: the scheduler has no workers."
            f" Start some: dask worker {address.rpartition('/')[2]} --nthreads 1"
        ) from error
    ours = versions(tuple(packages))
    theirs: dict[str, dict[str, str]] = {}
    for name in packages:  # by the standard library: molvae itself may be missing there
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
    """Refuse a worker whose packages differ from those of the machine that sends the work."""
    for name, here in ours.items():
        there = theirs.get(name, "")
        if there != here:
            raise MolvaeError(
                f"worker {worker} has {f'{name} {there}' if there else f'no {name}'}, this machine"
                f" {here or 'none'}: its results could be others. Install the same versions of"
                f" {', '.join(ours)} there and here."
            )


def work_in_turn(work: Callable[[Task], Result], ours: Mapping[str, str], task: Task) -> Result:
    """Work in an executor's worker, which may have joined after the others were checked.

    One task at a time in each process: neither the switches of RDKit and selfies nor Python's
    warning filters are made for several threads, and RDKit lets only one of them run.

    Raises:
        MolvaeError: when the packages of this worker differ from `ours`.
    """
    with _TURN:
        _check_versions(versions(), ours, worker=f"{platform.node()}, process {os.getpid()}")
        return work(task)


@contextmanager
def _without_log(name: str) -> Iterator[None]:
    """Silence a library that logs to stderr the errors that it raises."""
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)
