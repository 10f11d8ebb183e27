"""Is every altered file refused? Mutated checkpoints, datasets, training states and configurations.

    .venv/bin/python benchmarks/tampering.py [--count 2000] [--bits 20000] [--only KIND] [-j 2]

damaged: bits and bytes flipped, cut, moved, doubled, another length of the header, one part of the
header exchanged for something odd. What is not refused must be what was written.
forged: parts and arrays exchanged in the same way, and a digest made to fit, as whoever means harm
would. What is not refused must be usable: a model draws molecules, a training begins.
walked: each part of the header, one after the other, exchanged for each of a dozen wrong values,
and a digest made to fit.
bits: every bit of the header of the bundled model, and so many of its arrays, flipped one by one.

crashes: files that took their process down, or blocked it for a minute. untyped: exceptions that
are no refusal. accepted: damaged files that were read as something else. seconds: the most
CPU time that a refusal took. MiB: the most memory that a process took, the 300 MiB of its libraries
and what was drawn from forged models included.
Each file depends on its number and the seed alone. Writes results/tampering.json; `--only` replaces
one part of it.
"""

import argparse
import json
import os
import platform
import random
import resource
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from molvae.checkpoint import FORMAT, Checkpoint
from molvae.config import DataConfig, GenerateConfig, ModelConfig, PriorConfig, TrainConfig, updated
from molvae.data.prepare import prepare
from molvae.dataset import MoleculeDataset
from molvae.errors import ArtifactError, ConfigError, MolvaeError
from molvae.files import store
from molvae.generator import MoleculeGenerator
from molvae.parallel.workers import Lost, map_chunks
from molvae.presets import Preset, read_toml, to_toml
from molvae.train.trainer import Trainer

ROOT = Path(__file__).resolve().parent.parent
MODEL = ROOT / "molvae" / "weights" / "druglike.safetensors"
SMALL = ModelConfig(
    symbol_size=8, encoder_size=8, decoder_size=16, decoder_layers=1, latent_size=4,
    condition_size=8,
)  # fmt: skip
BRIEF = TrainConfig(epochs=1, batch_size=64, precision="fp32")
# What no part of a header is, or few are.
WRONG = (None, True, -1, 2.5, 10**30, float("nan"), "", "x", [], [None], {}, {"a": 1})
SHOWN = 20  # examples of each kind of defect that are written down
# What may stand in a header in place of something else.
ODD = (
    None, True, 0, 1, -1, 1.5, 10**9, 2**63, -(2**63) - 1, 10**400, float("nan"), float("inf"), "",
    "x", "[C]", "\x1b[31m", "\0", "\ud800", "é" * 1000, "[" * 99, [], {}, [[]], [None], [[[[[1]]]]],
    {"": {}}, {"kind": 1}, list(range(5000)),
)  # fmt: skip


class Case(NamedTuple):
    """One altered file: "refused", "the same", "usable" or "accepted", and what it took."""

    outcome: str
    seconds: float
    mebibytes: float


def main() -> None:
    """Tamper, and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=2000, help="of checkpoints, damaged or forged")
    parser.add_argument("--bits", type=int, default=20_000, help="of the arrays")
    parser.add_argument("--only", choices=[*READERS, "bits"])
    parser.add_argument("-j", "--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks/results/tampering.json")
    arguments = parser.parse_args()
    count, jobs, seed = arguments.count, arguments.jobs, arguments.seed
    kept = arguments.only is not None and arguments.output.exists()
    results = json.loads(arguments.output.read_text("utf-8"))["results"] if kept else {}
    with tempfile.TemporaryDirectory() as folder:
        for kind, path in {"checkpoint": MODEL, **make_files(Path(folder))}.items():
            if arguments.only in (None, kind):
                number = count if kind == "checkpoint" else count // 2
                results[kind] = tamper(kind, path, number, jobs=jobs, seed=seed)
                if kind != "config":
                    results[kind]["walked"] = walk(kind, path, Path(folder), each=len(WRONG))
    if arguments.only in (None, "bits"):
        results["bits"] = flip_bits(MODEL, arguments.bits, jobs=jobs, seed=seed)
    report = {
        "command": f"benchmarks/tampering.py --count {arguments.count} --bits {arguments.bits}"
        f" --seed {arguments.seed}",
        "results": results,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "versions": {p: version(p) for p in ("molvae", "safetensors", "torch", "numpy")},
    }
    text = json.dumps(report, indent=1)
    arguments.output.write_text(text + "\n", encoding="utf-8")
    print(text)


def make_files(folder: Path, molecules: int = 300) -> dict[str, Path]:
    """Make a dataset, train on it for an epoch, and write a configuration."""
    table = folder / "table.csv"
    lines = (ROOT / "datasets" / "druglike-10k.csv").read_text(encoding="utf-8").splitlines()
    table.write_text("\n".join(lines[: molecules + 1]) + "\n", encoding="utf-8")
    dataset, config = folder / "dataset.safetensors", folder / "config.toml"
    prepare([table], DataConfig(validation=0.1, min_count=1), jobs=1).dataset.save(dataset)
    Trainer(MoleculeDataset.load(dataset), folder / "run", Preset(SMALL, BRIEF)).fit()
    config.write_text(to_toml(Preset(SMALL, BRIEF)), encoding="utf-8")
    return {"dataset": dataset, "state": folder / "run" / "state.safetensors", "config": config}


def tamper(kind: str, path: Path, count: int, *, jobs: int, seed: int) -> dict[str, Any]:
    """Alter a file in `count` ways, a third of them forged, and count what becomes of it."""
    with tempfile.TemporaryDirectory() as folder:
        work = partial(judge_all, kind, path, Path(folder), seed)
        return tally(map_chunks(work, range(count), jobs=jobs, chunk_size=16), count)


def flip_bits(path: Path, count: int, *, jobs: int, seed: int) -> dict[str, Any]:
    """Flip every bit of a file's header and `count` bits of its arrays, one at a time."""
    header = 8 * (8 + int.from_bytes(path.read_bytes()[:8], "little"))
    chance = random.Random(f"bits {seed}")
    bits = [*range(header), *sorted(chance.sample(range(header, 8 * path.stat().st_size), count))]
    with tempfile.TemporaryDirectory() as folder:
        work = partial(flip_all, path, Path(folder))
        return tally(map_chunks(work, bits, jobs=jobs, chunk_size=128), len(bits))


def tally(results: Iterable[tuple[int, Case | Lost]], count: int) -> dict[str, Any]:
    """Count outcomes; keep numbers of the files that were not refused as they should be."""
    outcomes: Counter[str] = Counter()
    defects: dict[str, list[str]] = {"crashes": [], "untyped": [], "accepted": []}
    seconds = mebibytes = 0.0
    for number, case in results:
        if isinstance(case, Lost):
            sort = "untyped" if case.reason == "worker failed" else "crashes"
            defects[sort].append(f"number {number}: {case.reason}: {case.detail}")
            continue
        outcomes[case.outcome] += 1
        mebibytes = max(mebibytes, case.mebibytes)
        if case.outcome == "refused":
            seconds = max(seconds, case.seconds)
        if case.outcome == "accepted":
            defects["accepted"].append(f"number {number}")
    return {
        "count": count,
        **{sort: len(found) for sort, found in defects.items()},
        "outcomes": dict(outcomes.most_common()),
        "examples": {sort: found[:SHOWN] for sort, found in defects.items() if found},
        "seconds": round(seconds, 2),
        "MiB": round(mebibytes),
    }


def judge_all(kind: str, path: Path, folder: Path, seed: int, numbers: list[int]) -> list[Case]:
    """Alter and read files: the work of a worker process."""
    warm_up(kind, path, folder)
    return [judge(kind, path, folder, f"{kind} {seed} {number}") for number in numbers]


@cache
def warm_up(kind: str, path: Path, folder: Path) -> None:
    """Read the file as it is, so that no other one is charged with what is imported for it."""
    copy = folder / f"{os.getpid()}{path.suffix}"
    copy.write_bytes(content(path))
    if READERS[kind](copy, path) is not None:
        raise ValueError(f"{path} is taken for another file")


def judge(kind: str, path: Path, folder: Path, key: str) -> Case:
    """Alter a file and look what comes of it; a third of those with a digest are forged."""
    altered, chance = folder / f"{os.getpid()}{path.suffix}", random.Random(key)
    forged = kind != "config" and chance.random() < 1 / 3
    if forged:
        forge(path, altered, chance)
    else:
        sound = new = content(path)
        while new == sound:
            new = damaged(sound, chance, header=kind != "config")
        altered.write_bytes(new)
    begun = time.process_time()
    try:
        use = READERS[kind](altered, path)
        same = use is None
        outcome = "the same" if same else "usable" if forged or kind == "config" else "accepted"
    except (ArtifactError, ConfigError):
        use, outcome = None, "refused"
    seconds = time.process_time() - begun
    if use is not None and outcome == "usable":
        with suppress(MolvaeError):
            use()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Case(outcome, seconds, peak)


def flip_all(path: Path, folder: Path, bits: list[int]) -> list[Case]:
    """Flip bits of a copy of a checkpoint, one after another, and try to load it."""
    copy = folder / f"{os.getpid()}{path.suffix}"
    if not copy.exists():
        copy.write_bytes(content(path))
    return [flip(copy, content(path), bit) for bit in bits]


def flip(copy: Path, sound: bytes, bit: int) -> Case:
    """Flip one bit of a file, try to load it, and flip it back."""
    place = bit // 8
    with copy.open("r+b") as file:
        os.pwrite(file.fileno(), bytes([sound[place] ^ 1 << bit % 8]), place)
        begun = time.process_time()
        try:
            Checkpoint.load(copy)
            outcome = "accepted"
        except ArtifactError:
            outcome = "refused"
        seconds = time.process_time() - begun
        os.pwrite(file.fileno(), sound[place : place + 1], place)
    return Case(outcome, seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


@cache
def content(path: Path) -> bytes:
    return path.read_bytes()


def damaged(sound: bytes, chance: random.Random, *, header: bool) -> bytes:
    """Return a file's content after one alteration, in the header half of the times."""
    length = 8 + int.from_bytes(sound[:8], "little") if header else len(sound)
    if header and chance.random() < 0.25:
        return with_odd_header(sound, length, chance)
    limit = length if chance.random() < 0.5 else len(sound)
    begin, size = chance.randrange(limit), chance.choice((1, 1, 2, 4, 8, 64, 4096))
    before, piece, after = sound[:begin], sound[begin : begin + size], sound[begin + size :]
    return chance.choice(
        (
            lambda: before + bytes([piece[0] ^ 1 << chance.randrange(8)]) + piece[1:] + after,
            lambda: before + chance.randbytes(len(piece)) + after,
            lambda: before + bytes(len(piece)) + after,
            lambda: before,
            lambda: before + after,
            lambda: before + piece + piece + after,
            lambda: before + chance.randbytes(size) + piece + after,
            lambda: before + after[:size] + piece + after[size:],
            lambda: (
                chance.choice((0, 1, length, 2**62, 2**64 - 1)).to_bytes(8, "little") + sound[8:]
            ),
        )
    )()


def with_odd_header(sound: bytes, length: int, chance: random.Random) -> bytes:
    """Exchange one part of the outer or the inner JSON of a header, and correct its length."""
    outer = json.loads(sound[8:length])
    if chance.random() < 0.5:
        inner = exchanged(json.loads(outer["__metadata__"]["molvae"]), chance)
        outer["__metadata__"]["molvae"] = json.dumps(inner, sort_keys=chance.random() < 0.5)
    else:
        outer = exchanged(outer, chance)
    text = json.dumps(outer, separators=(",", ":")).encode()
    return len(text).to_bytes(8, "little") + text + sound[length:]


def exchanged(plain: Any, chance: random.Random) -> Any:
    """Return a tree of lists and objects with one of its parts exchanged, gone or doubled."""
    if isinstance(plain, dict) and plain and chance.random() < 0.9:
        key = chance.choice(list(plain))
        others = {name: part for name, part in plain.items() if name != key}
        if chance.random() < 0.1:
            return others | chance.choice(({}, {key + "x": plain[key]}))
        return others | {key: exchanged(plain[key], chance)}
    if isinstance(plain, list) and plain and chance.random() < 0.9:
        at = chance.randrange(len(plain))
        part = chance.choice(([], plain[at : at + 1] * 2, [exchanged(plain[at], chance)]))
        return [*plain[:at], *part, *plain[at + 1 :]]
    if isinstance(plain, int | float) and not isinstance(plain, bool) and chance.random() < 0.5:
        return plain + chance.choice((-1, 1, 1000, 0.5))
    return chance.choice(ODD)


def forge(path: Path, altered: Path, chance: random.Random) -> None:
    """Write a file with one part or array exchanged, and a digest that fits."""
    kind = store.read_kind(path)
    arrays, header = store.read(path, kind=kind, format=FORMAT)
    if chance.random() < 0.5:
        header = exchanged(header, chance)
        if not isinstance(header, dict):
            header = {"header": header}
    else:
        name = chance.choice(list(arrays))
        new = ODD_ARRAYS[chance.randrange(len(ODD_ARRAYS))](arrays.pop(name), chance)
        if new is not None:
            arrays[name if chance.random() < 0.8 else f"{name}x"] = new
    version = header.get("format") if isinstance(header.get("format"), int) else 1
    store.write(altered, arrays, header, kind=str(header.get("kind", kind)), format=version or 1)


def walk(kind: str, path: Path, folder: Path, *, each: int) -> dict[str, Any]:
    """Exchange every part of a header for `each` of the wrong values, and use what is read."""
    altered = folder / f"walked{path.suffix}"
    stored_as = store.read_kind(path)
    arrays, header = store.read(path, kind=stored_as, format=FORMAT)
    version = header.pop("format")
    del header["kind"]
    outcomes: Counter[str] = Counter()
    untyped = []
    for number, place in enumerate(places(header)):
        for turn in range(each):
            wrong = WRONG[(number * each + turn) % len(WRONG)]
            forged = exchanged_at(header, place, wrong)
            store.write(altered, arrays, forged, kind=stored_as, format=version)
            try:
                use = READERS[kind](altered, path)
                outcomes["usable" if use else "the same"] += 1
                with suppress(MolvaeError):
                    (use or (lambda: None))()
            except (ArtifactError, ConfigError):
                outcomes["refused"] += 1
            except Exception as error:
                untyped.append(f"{place}: {wrong!r}: {error!r}")
    return {"untyped": untyped, "outcomes": dict(outcomes.most_common())}


def places(plain: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the place of each part of a header, of a list only the first item's."""
    parts = plain.items() if isinstance(plain, dict) else enumerate(plain[:1])
    for key, part in parts:
        yield (*before, key)
        if isinstance(part, dict | list):
            yield from places(part, (*before, key))


def exchanged_at(plain: Any, place: tuple[Any, ...], wrong: object) -> Any:
    """Return a header with one of its parts exchanged."""
    if not place:
        return wrong
    changed = dict(plain) if isinstance(plain, dict) else list(plain)
    changed[place[0]] = exchanged_at(plain[place[0]], place[1:], wrong)
    return changed


def with_value(array: np.ndarray, chance: random.Random) -> np.ndarray:
    """Set one number to something that is none, or too large, or only another one."""
    array = array.copy()
    floats, whole = (np.nan, np.inf, 1e4, -1e4, 0.0), (0, 1, 2, 5, 100)
    if array.size:
        chosen = chance.choice(floats if array.dtype.kind == "f" else whole)
        array.flat[chance.randrange(array.size)] = chosen
    return array


ODD_ARRAYS: tuple[Callable[[np.ndarray, random.Random], np.ndarray | None], ...] = (
    with_value,
    with_value,
    with_value,
    lambda array, chance: None,
    lambda array, chance: array[:-1] if array.ndim else array[None],
    lambda array, chance: array[:0] if array.ndim else array[None],
    lambda array, chance: array.T.copy() if array.ndim > 1 else array[None],
    lambda array, chance: array.reshape(-1)[:1].reshape(()),
    lambda array, chance: np.concatenate([array, array]) if array.ndim else array[None],
    lambda array, chance: array.astype(chance.choice(("f8", "f4", "f2", "i8", "u1", "?"))),
    lambda array, chance: np.zeros_like(array),
    lambda array, chance: array[::-1].copy() if array.ndim else array[None],
)


Use = Callable[[], object]  # makes use of what was read


def read_checkpoint(path: Path, sound: Path) -> Use | None:
    """Load a model; None when it is what was written."""
    checkpoint = Checkpoint.load(path)
    generator = MoleculeGenerator(checkpoint)
    if checkpoint.sha256 == store.read_sha256(sound):
        return None

    return partial(generator.generate, 2, config=GenerateConfig(max_tries=1), seed=0)


def read_dataset(path: Path, sound: Path) -> Use | None:
    """Load a dataset; None when it is what was written."""
    dataset = MoleculeDataset.load(path)
    if store.read_sha256(path) == store.read_sha256(sound):
        return None
    return partial(begin, dataset, path.with_suffix(".run"), resume=False)


def read_state(path: Path, sound: Path) -> Use | None:
    """Go on from a state; None when it is what was written."""
    run = path.with_suffix(".run")
    run.mkdir(exist_ok=True)
    path.replace(run / "state.safetensors")
    begin(MoleculeDataset.load(sound.parents[1] / "dataset.safetensors"), run, resume=True)
    same = store.read_sha256(run / "state.safetensors") == store.read_sha256(sound)
    return None if same else lambda: None


def begin(dataset: MoleculeDataset, run: Path, *, resume: bool) -> None:
    """Get a training ready; what it says against it is a refusal."""
    try:
        Trainer(dataset, run, Preset(SMALL, BRIEF), resume=resume)
    except MolvaeError as error:
        raise ArtifactError(str(error)) from error


def read_config(path: Path, sound: Path) -> Use | None:
    """Read a configuration; None when it is what was written."""
    tables = read_toml(path)
    model = updated(ModelConfig(), tables.get("model", {}))
    train = updated(TrainConfig(), tables.get("train", {}))
    prior = updated(PriorConfig(), tables.get("prior", {}))
    return None if (model, train, prior) == Preset(SMALL, BRIEF) else lambda: None


READERS: dict[str, Callable[[Path, Path], Use | None]] = {
    "checkpoint": read_checkpoint,
    "dataset": read_dataset,
    "state": read_state,
    "config": read_config,
}

if __name__ == "__main__":
    main()
