import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from itertools import chain, count
from pathlib import Path
from typing import NamedTuple

import pytest
from click.testing import CliRunner

from molvae.cli.main import cli
from molvae.errors import MolvaeError, UsageError
from molvae.parallel import executors, workers
from molvae.parallel.executors import dask_executor
from molvae.parallel.pool import NICENESS, Lost, WorkerPool
from molvae.parallel.workers import SUBMITTED, map_chunks
from tests.parallel.test_workers import double, hostile

DRAWN = Path(__file__).parents[2] / "datasets" / "druglike-10k.csv"
# Kills its worker, as `kill -9` from outside would, when it has done a task and begun another.
MORTAL = """
import os, signal
from distributed import WorkerPlugin

class Mortal(WorkerPlugin):
    begun = 0
    def transition(self, key, start, finish, **more):
        self.begun += finish == "executing"
        if self.begun == 2:
            os.kill(os.getpid(), signal.SIGKILL)

async def dask_setup(worker):
    await worker.plugin_add(Mortal())
"""


class Cluster(NamedTuple):
    """A scheduler and what it takes to start workers for it; all of it on this machine alone."""

    address: str
    folder: Path

    @property
    def executor(self) -> str:
        return f"dask://{self.address}"

    @contextmanager
    def worker(self, *options: object, path: str = "") -> Iterator["subprocess.Popen[bytes]"]:
        """Start a worker that nobody starts again."""
        more = ("--nthreads", "1", "--no-nanny", "--memory-limit", "0", *options)
        with started(self.folder, "worker", self.address, *more, path=path) as process:
            yield process

    def wait_for(self, workers: int) -> None:
        from distributed import Client

        with Client(self.address, set_as_default=False) as client:
            client.wait_for_workers(workers, timeout=60)


@contextmanager
def started(folder: Path, *words: object, path: str = "") -> Iterator["subprocess.Popen[bytes]"]:
    command = [sys.executable, "-m", "dask", *words, "--host", "127.0.0.1", "--no-dashboard"]
    with (folder / "log.txt").open("ab") as log:
        process = subprocess.Popen(
            [str(word) for word in command],
            cwd=folder,
            stdout=log,
            stderr=log,
            env={**os.environ, **({"PYTHONPATH": path} if path else {})},
        )
    with process:
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A scheduler with one worker, which lives as long as it does."""
    pytest.importorskip("distributed", reason="needs the extra: pip install 'molvae[dask]'")
    folder = tmp_path_factory.mktemp("dask")
    told = folder / "scheduler.json"
    with started(folder, "scheduler", "--port", 0, "--scheduler-file", told) as process:
        deadline = time.monotonic() + 60
        while not told.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        assert told.exists(), (folder / "log.txt").read_text()
        address = json.loads(told.read_text())["address"].removeprefix("tcp://")
        found = Cluster(address, folder)
        with found.worker():
            yield found


@pytest.fixture
def alike(cluster: Cluster, tmp_path: Path) -> Callable[..., None]:
    """Run a command here, then on two workers of which one dies, and compare what it writes."""
    (tmp_path / "mortal.py").write_text(MORTAL)

    def compare(*words: object, **written: str) -> None:
        with cluster.worker("--preload", tmp_path / "mortal.py") as mortal:
            for name, who in (("here", ("-j", 1)), ("there", ("--executor", cluster.executor))):
                (folder := tmp_path / name).mkdir()
                if name == "there":
                    cluster.wait_for(2)
                files = [(f"--{option}", folder / file) for option, file in written.items()]
                arguments = map(str, (*words, *chain.from_iterable(files), *who))
                result = CliRunner().invoke(cli, list(arguments), catch_exceptions=False)
                assert result.exit_code == 0, result.output
            assert mortal.wait(10) == -signal.SIGKILL
        for file in written.values():
            here, there = (tmp_path / name / file for name in ("here", "there"))
            assert here.read_bytes() == there.read_bytes()

    return compare


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """600 molecules, the first 50 twice, and rows that are none among them."""
    _, *rows = DRAWN.read_text(encoding="utf-8").splitlines()[:601]
    smiles = [row.split(",")[1] for row in rows]
    smiles[300:300] = ["C1CC", "", "\u0421\u0421O", *smiles[:50]]
    path = tmp_path / "table.smi"
    path.write_text("\n".join(smiles), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("words", "written"),
    [
        ("prepare TABLE", {"output": "data.molvae", "rejects": "bad.csv"}),
        ("evaluate TABLE --training druglike --no-fcd", {"output": "report.json"}),
        ("generate -n 100 -t LogP=2..4 --seed 1", {"output": "drawn.csv"}),
    ],
)
def test_a_command_writes_the_same_when_a_worker_is_killed(
    words: str, written: dict[str, str], alike: Callable[..., None], table: Path
) -> None:
    alike(*[table if word == "TABLE" else word for word in words.split()], **written)


def test_a_worker_with_other_versions_is_named(cluster: Cluster, tmp_path: Path) -> None:
    older = tmp_path / "older" / "rdkit-2020.1.dist-info"
    older.mkdir(parents=True)
    (older / "METADATA").write_text("Name: rdkit\nVersion: 2020.1\n")
    with cluster.worker(path=str(older.parent)), ExitStack() as stack:
        cluster.wait_for(2)
        with pytest.raises(MolvaeError, match=r"worker tcp://127.* has rdkit 2020.1, this machine"):
            stack.enter_context(dask_executor(cluster.executor))


def test_a_worker_with_other_versions_that_comes_later_is_named_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    met = count(2020)  # here it is asked first, there second
    for module in (executors, workers):
        monkeypatch.setattr(module, "versions", lambda: {"rdkit": f"{next(met)}.1"})
    with ThreadPoolExecutor(1) as pool, pytest.raises(MolvaeError) as caught:
        list(map_chunks(double, range(4), jobs=pool))
    assert f"process {os.getpid()} has rdkit 2021.1, this machine 2020.1" in str(caught.value)


@pytest.mark.parametrize("who", ["nobody", "something else"])
def test_a_scheduler_that_does_not_answer_is_told(
    who: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("distributed", reason="needs the extra: pip install 'molvae[dask]'")
    monkeypatch.setattr(executors, "ANSWER_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as listening, ExitStack() as stack:
        port = listening.getsockname()[1] if who == "something else" else 9
        with pytest.raises(MolvaeError, match="no Dask scheduler answers"):
            stack.enter_context(dask_executor(f"dask://127.0.0.1:{port}"))


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("127.0.0.1:8786", "write dask://HOST:PORT"),
        ("tcp://127.0.0.1:8786", "write dask://HOST:PORT"),
        ("dask://here", "write dask://HOST:PORT"),
        ("dask://127.0.0.1:9", r"pip install 'molvae\[dask\]'"),
    ],
)
def test_a_wrong_address_and_a_missing_extra_are_named(
    address: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with ExitStack() as stack, pytest.raises(UsageError, match=words):
        stack.enter_context(dask_executor(address))


@pytest.mark.parametrize("command", ["prepare", "evaluate"])
def test_workers_are_here_or_there(command: str, table: Path, tmp_path: Path) -> None:
    words = f"{command} {table} -o {tmp_path / 'out'} -j 2 --executor dask://a:1"
    result = CliRunner().invoke(cli, words.split())
    assert result.exit_code == 2
    assert "give only one of them" in result.stderr


def test_an_executor_gives_every_item_its_result_in_order() -> None:
    with ThreadPoolExecutor(3) as pool:
        pairs = list(map_chunks(double, range(100), jobs=pool, chunk_size=7))
    assert pairs == [(item, 2 * item) for item in range(100)]


@pytest.mark.skipif(sys.platform == "win32", reason="no niceness there")
def test_processes_of_a_pool_stand_back_for_the_one_that_feeds_them() -> None:
    with WorkerPool(1, module="molvae.chem.candidates") as pool:
        assert pool.submit(os.nice, 0).result() == min(os.nice(0) + NICENESS, 19)


def test_only_so_much_is_handed_to_an_executor_ahead() -> None:
    taken = count()
    with ThreadPoolExecutor(1) as pool:
        with closing(map_chunks(double, taken, jobs=pool, chunk_size=10)) as results:
            for _ in range(50):
                next(results)
    assert next(taken) <= 50 + SUBMITTED * 10


@pytest.mark.parametrize("way", ["die", "fail"])
def test_an_item_that_kills_a_worker_of_a_pool_is_named_and_costs_no_other(way: str) -> None:
    items = list(range(60))
    guilty = {21: way, 22: way}
    with WorkerPool(2, module="tests.parallel.test_workers") as pool:
        there = list(map_chunks(partial(hostile, guilty), items, jobs=pool, chunk_size=16))
    assert there == list(map_chunks(partial(hostile, guilty), items, jobs=1, chunk_size=16))
    assert [item for item, result in there if isinstance(result, Lost)] == [21, 22]


class Killing(Executor):
    """Does tasks at once, and says of the one that holds an item what Dask says of it."""

    def __init__(self, item: int) -> None:
        self.item = item

    def submit(self, work, items):  # type: ignore[no-untyped-def, override]
        from distributed import KilledWorker

        future: Future[object] = Future()
        if self.item in items:
            future.set_exception(KilledWorker("a task", None, 3))
        else:
            future.set_result(work(items))
        return future


def test_a_chunk_that_workers_of_dask_died_of_is_done_here() -> None:
    pytest.importorskip("distributed", reason="needs the extra: pip install 'molvae[dask]'")
    work = partial(hostile, {21: "die"})
    results = [result for _, result in map_chunks(work, range(40), jobs=Killing(21), chunk_size=16)]
    assert results == [*range(21), Lost("worker died", "exit 3"), *range(22, 40)]


def test_an_executor_that_is_gone_is_told() -> None:
    class Gone(Executor):
        def submit(self, *task):  # type: ignore[no-untyped-def, override]
            future: Future[object] = Future()
            future.cancel()
            return future

    with pytest.raises(MolvaeError, match="its scheduler has ended or cannot be reached"):
        list(map_chunks(double, range(4), jobs=Gone()))
