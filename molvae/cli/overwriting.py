"""Files that a command writes: none that it reads, none of anybody else's, and no two at once."""

import hashlib
import os
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import ExitStack
from functools import wraps
from pathlib import Path
from typing import Any

import click

from molvae.cli import options
from molvae.errors import UsageError

STDIO = Path("-")
PACKAGE = Path(__file__).resolve().parents[1]
# What a training writes into its folder; another file in it is the user's.
TRAINING_FILES = (
    *("model.safetensors", "state.safetensors", "initial.safetensors", "log.csv"),
    *("config.toml", "tensorboard", ".lock"),
)
TABLE = "table.sha256"  # in the folder of an optimization: of the table that it wrote last
RUN_FILES = (*TRAINING_FILES, "calls.jsonl", TABLE)  # and what an optimization writes
SIGNS = ("model.safetensors", "state.safetensors", "calls.jsonl")  # that a folder is one of a run
# The kind of file that an output may replace, of those that only molvae writes.
KINDS = {options.OUTPUT: "", options.DATASET: "dataset"}


def guarded(callback: Callable[..., Any]) -> Callable[..., Any]:
    """Check and lock the files that a command writes, then call it.

    These are its parameters of a type of `KINDS`; it reads what the other ones name.
    """

    @wraps(callback)
    def call(*arguments: Any, **parameters: Any) -> Any:
        from molvae.files.atomic import only_writer

        context = click.get_current_context()
        runs = _named(context, (options.RUN,))
        inputs = [*named_inputs(context), *runs]
        force = bool(context.params.get("force"))
        with ExitStack() as locks:
            written: list[Path] = []
            for path, kind in _outputs(context):
                _check_apart(path, (*inputs, *written))
                locks.enter_context(only_writer(path))  # first, or the other run may end between
                own = context.info_name == "optimize" and _is_own(path, runs)
                check_output(path, force=force or own, kind=kind)
                written.append(path)
            return callback(*arguments, **parameters)

    return call


def folder_beside(table: Path) -> Path:
    """Return the folder that keeps an optimization whose table has this name."""
    return table.with_suffix(".run")


def note_table(run: Path, table: Path) -> None:
    """Write into the folder of a run which table it wrote: as it goes on, it may replace it."""
    from molvae.files.atomic import write_atomically

    if table.is_file():  # to read a pipe would wait for ever
        write_atomically(run / TABLE, _digest(table))


def _is_own(table: Path, runs: Iterable[Path]) -> bool:
    """Return whether a run wrote a table last, and nobody has changed it since."""
    if not table.is_file():
        return False
    notes = [run / TABLE for run in (*runs, folder_beside(table))]
    return any(_is_there(note) and note.read_bytes() == _digest(table) for note in notes)


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return f"{hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode()


def named_inputs(context: click.Context) -> list[Path]:
    """Return the files and folders that the parameters of a command name, but for its outputs."""
    types = {each.type for each in context.command.params} - {*KINDS, options.RUN}
    named = _named(context, types)
    return [path for path in named if _is_there(path) and not is_device(path)]


def _named(context: click.Context, types: Collection[click.ParamType[Any]]) -> list[Path]:
    return [
        Path(each)
        for parameter in context.command.params
        if parameter.type in types
        for each in _values(context.params.get(parameter.name or ""))
        if isinstance(each, str | Path)
    ]


def _outputs(context: click.Context) -> Iterator[tuple[Path, str]]:
    """Yield each file that a command writes, and the kind of file that it may replace."""
    for parameter in context.command.params:
        value = context.params.get(parameter.name or "")
        if parameter.type in KINDS and value not in (None, STDIO):
            yield value, KINDS[parameter.type]


def _values(value: object) -> Iterable[object]:
    return value if isinstance(value, tuple | list) else (value,)


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # no name of a file: too long, or with a zero byte
        return False


def is_device(path: Path) -> bool:
    """Return whether a file is a device or a pipe, which hold nothing that could be lost."""
    return path.exists() and not path.is_file() and not path.is_dir()


def check_output(
    path: Path, *, force: bool, inputs: Iterable[Path | None] = (), kind: str = ""
) -> None:
    """Check that a file can be written, and that nothing is lost by it.

    Args:
        path: the file.
        force: an existing file may be overwritten, if it is none of the others.
        inputs: other files of the command; of a model in the folder of its training, or such a
            folder, all files of the run count.
        kind: the kind of molvae file that it may replace; "" for none.

    Raises:
        UsageError: with the reason, and the flag that helps.
    """
    _check_apart(path, inputs)
    if path.is_dir():
        raise UsageError(f"{path}: is a folder; name a file in it.")
    if is_device(path):
        return
    if Path(os.path.realpath(path)).is_relative_to(PACKAGE):
        raise UsageError(f"{path}: belongs to the installed molvae; name another file.")
    if path.exists() and not force:
        raise UsageError(f"{path}: exists; --force overwrites it.")
    if path.exists() and (found := _kind_of(path)) and found != kind:
        raise UsageError(f"{path}: holds a {found}, which is not overwritten; name another file.")
    if not os.access(os.path.dirname(os.path.realpath(path)), os.W_OK | os.X_OK):
        raise UsageError(f"{path.parent}: no such folder, or no right to write there.")


def check_run(run: Path, *, force: bool, inputs: Iterable[Path]) -> None:
    """Check that a training can write its files into a folder, and that nothing is lost by it.

    Raises:
        UsageError: as `check_output`.
    """
    for path in (run / name for name in TRAINING_FILES):
        _check_apart(path, inputs)
        # What an older training has locked is free, or the lock itself says so.
        if path.exists() and path.name != ".lock" and not force:
            raise UsageError(f"{path}: exists; --force overwrites it.")


def _check_apart(path: Path, inputs: Iterable[Path | None]) -> None:
    others = [other for other in inputs if other is not None]
    if any(_is_same(path, other) for other in others):
        raise UsageError(
            f"{path}: is read or written already by the same command; name another file."
        )
    if any(_is_same(path, own) for other in others for own in _run_files(other)):
        raise UsageError(f"{path}: belongs to the run that is read; name another file.")


def _is_same(path: Path, other: Path) -> bool:
    """Return whether two names are of one file, also through links, or before it exists."""
    if os.path.realpath(path) == os.path.realpath(other):
        return True
    try:
        return os.path.samefile(path, other)
    except (OSError, ValueError):
        return False


def _run_files(path: Path) -> list[Path]:
    """Return the files of the run that wrote a model or that has a folder; none for other files."""
    place = Path(os.path.realpath(path))
    folder = place if place.is_dir() else place.parent if place.name in RUN_FILES else None
    if folder is None or not any((folder / name).is_file() for name in SIGNS):
        return []
    return [folder / name for name in RUN_FILES]


def _kind_of(path: Path) -> str:
    """Return the kind of an existing file that was trained or prepared; "" for any other."""
    from molvae.errors import ArtifactError
    from molvae.files.store import find_kind

    try:
        return find_kind(path) or ""
    except ArtifactError:
        return "safetensors file"
