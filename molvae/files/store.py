"""The one file format: named arrays and a JSON header, as safetensors lays them out.

A reader needs no molvae: the first 8 bytes give the length of a JSON text, its `__metadata__`
holds ours (https://huggingface.co/docs/safetensors). Nothing is pickled, so opening a file from
a stranger runs no code. A digest over header and arrays is checked on every load, because
safetensors itself accepts flipped bits.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import safetensors
import safetensors.numpy

from molvae.errors import ArtifactError, MolvaeError
from molvae.files.atomic import write_atomically
from molvae.files.schema import SCHEMAS, misfits

# Limits of the JSON header; a usual one has 50 KiB and 500 parts. The worst is refused in a second.
MAX_HEADER = 8 * 2**20  # bytes
MAX_PARTS = 250_000  # lists and objects, which take many times the memory of their text
_FAILURES = (safetensors.SafetensorError, OSError, LookupError, TypeError, ValueError)


def digest(arrays: Mapping[str, np.ndarray], header: Mapping[str, Any]) -> str:
    """Return the sha256 over names, types, shapes, values and header."""
    total = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        total.update(f"{name} {array.dtype.str} {array.shape}".encode())
        total.update(array.data if array.size else b"")
    return total.hexdigest()


def write(
    path: Path,
    arrays: Mapping[str, np.ndarray],
    header: Mapping[str, Any],
    *,
    kind: str,
    format: int,
) -> str:
    """Write arrays and header to `path` atomically.

    Args:
        path: the file.
        arrays: named arrays of any shape.
        header: anything that JSON can hold.
        kind: "dataset" or "checkpoint": what a reader may expect inside.
        format: version of that kind's layout.

    Returns:
        The sha256 of the content.

    Raises:
        MolvaeError: when the file cannot be written, or no reader would take so long a header.
    """
    header = json.loads(json.dumps({**header, "kind": kind, "format": format}))  # as it is read
    sha256 = digest(arrays, header)
    # One key only: safetensors writes several in an order of chance, and files could not be equal.
    metadata = {"molvae": json.dumps({"header": header, "sha256": sha256}, sort_keys=True)}
    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    content = safetensors.numpy.save(contiguous, metadata=metadata)
    if _header_text(BytesIO(content)) is None:
        length = int.from_bytes(content[:8], "little")
        raise MolvaeError(
            f"{path}: not written: its header of {length / 2**20:.1f} MiB would be too large to be"
            " read again. Use fewer properties, files or epochs."
        )
    write_atomically(path, content)
    return sha256


class Stored(NamedTuple):
    """A file of molvae of which only the header has been read."""

    path: Path
    header: dict[str, Any]  # as it was written with the arrays
    sha256: str  # of header and arrays, as written; `load` checks it
    # Each array's type, in the words of safetensors ("F32"), and shape, as declared.
    layout: dict[str, tuple[str, tuple[int, ...]]]
    # The header is spelled as `write` spells it. A flipped bit can leave its meaning, as in the
    # last digit of a number, and so its digest.
    exact: bool
    stamp: tuple[int, ...]  # identifies the file, so that one put in its place is noticed


def look(path: Path, *, kind: str, format: int) -> Stored:
    """Read the header of a file, in little memory.

    Raises:
        ArtifactError: when the file is not from molvae, of another kind, or of a newer format, or
            its header holds what none of its kind holds; see `schema`.
    """
    stored = _look(path)
    if stored.header.get("kind") != kind:
        found = str(stored.header.get("kind"))[:40]
        raise ArtifactError(f"{path}: a molvae {found}, where a {kind} is expected.")
    version = stored.header.get("format")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise ArtifactError(f"{path}: damaged: its format is {version!r:.40}.")
    if version > format:
        raise ArtifactError(
            f"{path}: written by format {version}, this molvae reads up to {format}."
            " pip install --upgrade molvae"
        )
    if not stored.exact:
        raise _altered(path)
    for problem in misfits(stored.header, SCHEMAS.get(kind, dict)):
        raise ArtifactError(f"{path}: damaged: its {problem}.")
    return stored


def load(stored: Stored) -> dict[str, np.ndarray]:
    """Read the arrays of a file and check them and its header against their digest.

    Raises:
        ArtifactError: when the file is damaged or was altered.
    """
    path = stored.path
    try:
        arrays: dict[str, np.ndarray] = safetensors.numpy.load_file(path)
        stamp = _stamp(os.stat(path))
    except _FAILURES as error:
        raise ArtifactError(f"{path}: damaged: {error}") from error
    if stamp != stored.stamp:
        raise ArtifactError(f"{path}: was replaced while it was read; try again.")
    if digest(arrays, stored.header) != stored.sha256:
        raise _altered(path)
    return arrays


def _altered(path: Path) -> ArtifactError:
    return ArtifactError(
        f"{path}: damaged or altered: its content does not match its sha256."
        " Get the file again, or train again."
    )


def read(path: Path, *, kind: str, format: int) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Return the arrays by name and the header, checked as `look` and `load` do."""
    stored = look(path, kind=kind, format=format)
    return load(stored), stored.header


def read_header(path: Path, *, kind: str, format: int) -> dict[str, Any]:
    """Return the header of a file, checked as `look` does."""
    return look(path, kind=kind, format=format).header


def read_kind(path: Path) -> str:
    """Return the kind of a molvae file: "dataset", "checkpoint", ...; raise as `look` does."""
    return str(_look(path).header.get("kind"))


def find_kind(path: Path) -> str | None:
    """Return the kind of a molvae file, whatever its name; None for any other file, as a table.

    Raises:
        ArtifactError: when the file begins as a safetensors file but is not from molvae.
    """
    start = b""
    with suppress(OSError):
        if path.is_file():
            with path.open("rb") as file:
                start = file.read(9)
    return read_kind(path) if start[7:] == b"\0{" else None  # a length below 2^56, then JSON


def read_sha256(path: Path) -> str:
    """Return the sha256 that was written with the file's content."""
    return _look(path).sha256


def _look(path: Path) -> Stored:
    try:
        if path.exists() and not path.is_file():
            raise ArtifactError(f"{path}: a folder or a pipe, where a file is expected.")
        with path.open("rb") as file:
            stamp = _stamp(os.fstat(file.fileno()))
            text = _header_text(file)
    except (OSError, ValueError) as error:  # a name with a zero byte is a ValueError
        reason = error.strerror if isinstance(error, OSError) else error
        raise ArtifactError(f"{path}: cannot be read: {reason}.") from error
    if text is None:
        raise ArtifactError(f"{path}: not a molvae file (no safetensors header).")
    try:
        with safetensors.safe_open(path, framework="numpy") as opened:
            inner = opened.metadata()["molvae"]
            arrays = {name: opened.get_slice(name) for name in opened.keys()}
            layout = {
                name: (array.get_dtype(), tuple(array.get_shape()))
                for name, array in arrays.items()
            }
        ours = json.loads(inner)
        header, sha256 = ours["header"], ours["sha256"]
        if not (isinstance(header, dict) and isinstance(sha256, str)):
            raise TypeError("another program's header")
        exact = json.dumps(ours, sort_keys=True) == inner
    except safetensors.SafetensorError as error:
        what = "damaged" if b'"molvae"' in text else "not a molvae file"
        raise ArtifactError(f"{path}: {what}: {error}") from error
    except OSError as error:
        raise ArtifactError(f"{path}: cannot be read: {error.strerror}.") from error
    except (*_FAILURES, AttributeError, RecursionError) as error:
        raise ArtifactError(f"{path}: not a molvae file (no molvae header inside).") from error
    return Stored(path, header, sha256, layout, exact, stamp)


def _header_text(file: BinaryIO) -> bytes | None:
    """Read the JSON in front of a file; None where there is none, or more than is read."""
    length = int.from_bytes(file.read(8), "little")
    text = file.read(length) if length <= MAX_HEADER else b""
    parts = text.count(b"[") + text.count(b"{")  # a bound: some may be inside of strings
    return text if 0 < length == len(text) and parts <= MAX_PARTS else None


def _stamp(status: os.stat_result) -> tuple[int, ...]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
