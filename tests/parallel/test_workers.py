import multiprocessing
import os
import resource
import signal
import stat
import struct
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

from molvae.errors import MolvaeError, Rejected, UsageError
from molvae.parallel.pool import FALSE_STARTS, Lost, WorkerPool
from molvae.parallel.workers import CHUNKS_AHEAD, map_chunks


def double(items: list[int]) -> list[int]:
    return [2 * item for item in items]


def slow_when_small(items: list[int]) -> list[int]:
    time.sleep(0.2 if items[0] == 0 else 0.0)
    return items


def hostile(guilty: dict[int, str], items: list[int]) -> list[int]:
    for item in items:
        match guilty.get(item):
            case "die":
                os._exit(3)
            case "crash":
                os.kill(os.getpid(), signal.SIGSEGV)
            case "sleep":
                time.sleep(600)
            case "nap":
                time.sleep(2)
            case "fail":
                raise ZeroDivisionError("one over zero")
            case "exit":
                sys.exit("enough")
            case "interrupt":
                raise KeyboardInterrupt
            case "hunger":
                resource.setrlimit(resource.RLIMIT_AS, (2**32, 2**32))
                bytearray(2**40)
            case "shorten":
                return items[1:]
            case "forget":
                return None  # type: ignore[return-value]
            case "lambda":
                return [lambda: 0] * len(items)  # type: ignore[list-item]
            case "half an answer":
                for name in os.listdir("/proc/self/fd"):
                    with suppress(OSError):  # the length of an answer, and not much of it
                        if stat.S_ISSOCK(os.stat(int(name)).st_mode):
                            os.write(int(name), struct.pack("!i", 1000) + b"half")
                os._exit(3)
            case "refuse":
                raise UsageError("not meant like this")
    return items


def reject(items: list[int]) -> list[Rejected]:
    return [Rejected("odd", str(item), field="label") for item in items]


def run(
    guilty: dict[int, str], count: int, *, jobs: int = 2, timeout: float = 30.0
) -> list[object]:
    results = map_chunks(
        partial(hostile, guilty), range(count), jobs=jobs, chunk_size=16, timeout=timeout
    )
    return [result for _, result in results]


@pytest.mark.parametrize("jobs", [0, 1, 3])
@pytest.mark.parametrize("items", [range(100), []])
def test_every_item_comes_back_with_its_result_in_order(jobs: int, items: list[int]) -> None:
    pairs = list(map_chunks(double, items, jobs=jobs, chunk_size=7))
    assert pairs == [(item, 2 * item) for item in items]


def test_a_slow_chunk_does_not_change_the_order() -> None:
    results = map_chunks(slow_when_small, range(20), jobs=2, chunk_size=2)
    assert [result for _, result in results] == list(range(20))


@pytest.mark.parametrize(
    ("way", "timeout", "lost"),
    [
        ("die", 30.0, Lost("worker died", "exit 3")),
        ("crash", 30.0, Lost("worker died", "exit -11")),
        ("sleep", 1.0, Lost("over its time", "1 s")),
    ],
)
def test_a_guilty_item_is_named_and_costs_no_other(way: str, timeout: float, lost: Lost) -> None:
    start = time.monotonic()
    assert run({21: way}, 60, timeout=timeout) == [*range(21), lost, *range(22, 60)]
    assert time.monotonic() - start < 30


def test_a_worker_that_waits_for_a_core_is_not_over_its_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As on a machine that is busy with other work: the clock runs, the process hardly does."""
    monkeypatch.setattr("molvae.parallel.pool._cpu_seconds", lambda pid: (0.0, True))
    assert run({5: "nap"}, 12, timeout=0.2) == list(range(12))


def test_a_closed_pool_takes_no_work_and_may_be_closed_again() -> None:
    with WorkerPool(1, module=__name__) as pool:
        assert pool.submit(abs, -1).result(timeout=60) == 1
    pool.shutdown()
    with pytest.raises(RuntimeError, match="after shutdown"):
        pool.submit(abs, -1)


def test_the_interpreter_ends_while_results_are_still_held(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from functools import partial\n"
        "from molvae.parallel.workers import map_chunks\n"
        "from tests.parallel.test_workers import hostile\n"
        "if __name__ == '__main__':\n"
        "    work = partial(hostile, {9: 'nap'})\n"
        "    results = map_chunks(work, range(1000), jobs=2, chunk_size=5)\n"
        "    print(next(results))\n",
        encoding="utf-8",
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, str(script)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env=environment,
    )
    assert done.stdout == "(0, 0)\n"


def test_every_item_of_a_chunk_may_be_guilty() -> None:
    guilty = {item: "die" for item in range(16, 20)} | {20: "fail"}
    lost = [place for place, found in enumerate(run(guilty, 32)) if isinstance(found, Lost)]
    assert lost == [*range(16, 21)]


@pytest.mark.parametrize(
    ("way", "detail"),
    [
        ("fail", "ZeroDivisionError: one over zero"),
        ("exit", "SystemExit: enough"),
        ("interrupt", "KeyboardInterrupt:"),
        ("hunger", "MemoryError:"),
        ("shorten", "ValueError: 0 results for 1 items"),
        ("forget", "TypeError: 'NoneType' object is not iterable"),
        ("lambda", "AttributeError: Can't pickle local object"),
    ],
)
def test_whatever_goes_wrong_inside_is_told_by_name(
    way: str, detail: str, capfd: pytest.CaptureFixture[str]
) -> None:
    results = run({3: way}, 20, jobs=1)
    lost = results.pop(3)
    assert isinstance(lost, Lost)
    assert (lost.reason, lost.detail[: len(detail)]) == ("worker failed", detail)
    assert results == [*range(3), *range(4, 20)]
    assert capfd.readouterr() == ("", "")  # no traceback of a worker


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="looks at /proc")
def test_a_worker_that_dies_while_it_answers_costs_one_item() -> None:
    results = run({3: "half an answer"}, 20, jobs=1)
    assert results == [*range(3), Lost("worker died", "exit 3"), *range(4, 20)]


def enlarge(items: list[int]) -> list[bytes]:
    return [bytes([item]) * 2**25 for item in items]


def test_a_huge_result_arrives_whole() -> None:
    for item, result in map_chunks(enlarge, range(3), jobs=2, chunk_size=1):
        assert result == bytes([item]) * 2**25


class Stumble(NamedTuple):
    """Something that a worker cannot take in, the first few times."""

    counter: Path
    times: int

    def __reduce__(self) -> tuple[object, ...]:
        return stumble, (self.counter, self.times)


def stumble(counter: Path, times: int) -> Stumble:
    with counter.open("ab") as file:
        file.write(b"x")
    if counter.stat().st_size <= times:
        os._exit(9)
    return Stumble(counter, times)


def past(obstacle: Stumble, items: list[int]) -> list[int]:
    return items


def test_a_worker_that_dies_before_it_works_is_replaced(tmp_path: Path) -> None:
    work = partial(past, Stumble(tmp_path / "counter", FALSE_STARTS - 1))
    assert list(map_chunks(work, range(4), jobs=1)) == [(item, item) for item in range(4)]


def test_workers_that_never_begin_are_given_up(tmp_path: Path) -> None:
    work = partial(past, Stumble(tmp_path / "counter", 99))
    with pytest.raises(MolvaeError, match=r"cannot be started \(worker died, exit 9\)"):
        list(map_chunks(work, range(4), jobs=2))
    assert (tmp_path / "counter").stat().st_size <= FALSE_STARTS + 1


def add_up(jobs: int) -> int | str:
    try:
        return sum(result for _, result in map_chunks(same, range(4), jobs=jobs))
    except MolvaeError as error:
        return str(error)


def same(items: list[int]) -> list[int]:
    return items


def test_a_pool_whose_processes_may_have_no_workers_is_told_what_works() -> None:
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        refused, here = pool.map(add_up, [1, 0])
    assert str(refused).startswith("worker processes cannot be started (daemonic processes")
    for advice in ("jobs=0", "ProcessPoolExecutor"):
        assert advice in str(refused)
    with ProcessPoolExecutor(1, context) as executor:
        there = executor.submit(add_up, 1).result()
    assert (here, there) == (6, 6)


def spell(items: list[str]) -> list[str]:
    """Do what the checks on molecules are there to prevent, on a stack of half a MiB.

    On the usual one of 8 MiB it takes 20,000 atoms, and half a minute.
    """
    from rdkit import Chem

    resource.setrlimit(resource.RLIMIT_STACK, (2**19, resource.RLIM_INFINITY))
    return [Chem.MolToSmiles(Chem.MolFromSmiles(text)) for text in items]


def test_a_molecule_that_kills_rdkit_costs_itself_alone() -> None:
    """Its stack overflows while the atoms are spelled: no `except` hears of it."""
    molecules = ["OCC", "C" * 3000, "C1CC1", "N" * 3000, "CN"]
    results = [result for _, result in map_chunks(spell, molecules, jobs=2, chunk_size=5)]
    lost = Lost("worker died", f"exit {-signal.SIGSEGV}")
    assert results == ["CCO", lost, "C1CC1", lost, "CN"]


def test_a_mistake_of_the_user_ends_the_run_with_its_words() -> None:
    with pytest.raises(UsageError, match="not meant like this"):
        run({9: "refuse"}, 20)


def test_rejections_cross_the_process_border_whole() -> None:
    ((_, rejected),) = map_chunks(reject, [7], jobs=1)
    assert (rejected.reason, rejected.detail, rejected.field) == ("odd", "7", "label")


def test_only_a_few_chunks_are_read_ahead() -> None:
    taken = 0

    def endless() -> object:
        nonlocal taken
        while True:
            taken += 1
            yield taken

    with closing(map_chunks(double, endless(), jobs=2, chunk_size=10)) as results:  # type: ignore
        for _ in range(50):
            next(results)
    assert taken <= 50 + (2 * CHUNKS_AHEAD + 1) * 10


def test_closing_ends_a_worker_that_is_busy() -> None:
    results = map_chunks(partial(hostile, {40: "sleep"}), range(64), jobs=2, chunk_size=16)
    next(results)
    start = time.monotonic()
    results.close()
    assert time.monotonic() - start < 5


INTERRUPTED = """
import sys
from functools import partial
from tests.parallel.test_workers import running
from molvae.parallel.pool import WorkerPool
from molvae.parallel.workers import map_chunks

if __name__ == "__main__":
    guilty = dict.fromkeys(range(1, 100), sys.argv[2])
    if sys.argv[1] == "executor":
        with WorkerPool(2, module="tests.parallel.test_workers") as pool:
            for _ in pool.map(partial(running, guilty), [[0], [1], [2]]):
                print("working", flush=True)
    for _ in map_chunks(partial(running, guilty), range(64), jobs=2, chunk_size=1):
        print("working", flush=True)
"""
UNGUARDED = """
from tests.parallel.test_workers import double
from molvae.parallel.workers import map_chunks

print(list(map_chunks(double, range(4), jobs=1)))
"""


def running(guilty: dict[int, str], items: list[int]) -> list[int]:
    if guilty.get(items[0]) == "scaffold":
        from rdkit import Chem
        from rdkit.Chem.Scaffolds import MurckoScaffold

        chain = Chem.MolFromSmiles("C" * 4000)
    sys.stderr.write(f"{os.getpid()}\n")
    sys.stderr.flush()
    if guilty.get(items[0]) == "scaffold":
        MurckoScaffold.GetScaffoldForMol(chain)
    return hostile(guilty, items)


def start(folder: Path, script: str, *arguments: str) -> "subprocess.Popen[str]":
    path = folder / "script.py"
    path.write_text(script)
    return subprocess.Popen(
        [sys.executable, str(path), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except (ProcessLookupError, FileNotFoundError):
        return True


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at /proc")
@pytest.mark.parametrize(
    ("way", "item", "through"),
    [
        (signal.SIGINT, "sleep", "map_chunks"),
        (signal.SIGKILL, "sleep", "map_chunks"),
        (signal.SIGKILL, "scaffold", "map_chunks"),  # a minute in RDKit, where no Python runs
        (signal.SIGKILL, "sleep", "executor"),
    ],
)
def test_an_ended_run_leaves_no_worker_behind(
    tmp_path: Path, way: signal.Signals, item: str, through: str
) -> None:
    with start(tmp_path, INTERRUPTED, through, item) as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline() == "working\n"
        workers = {int(process.stderr.readline()) for _ in range(3)}
        assert len(workers) == 2
        process.send_signal(way)
        process.wait(10)
    deadline = time.monotonic() + 10
    while not all(map(gone, workers)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert all(map(gone, workers))


def test_a_script_without_a_main_guard_is_told_what_to_do(tmp_path: Path) -> None:
    with start(tmp_path, UNGUARDED) as process:
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "put the work under if __name__ == '__main__':" in errors.splitlines()[-1]
