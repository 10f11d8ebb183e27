"""The one file format: named arrays and a JSON header, as safetensors lays them out.

A reader needs no molvae: the first 8 bytes give the length of a JSON text, its `__metadata__`
holds ours (https://huggingface.co/docs/safetensors). Nothing is pickled, so opening a file from
a stranger runs no code. A digest over header and arrays is checked on every load, because
safetensors itself accepts flipped bits.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from molvae.errors import ArtifactError, MolvaeError

MAX_HEADER = 32 * 1024 * 1024  # bytes of JSON; a real one is far below 1 MiB


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file whole or not at all; an existing one stays intact until the new one is safe.

    A unique temporary beside the target, fsync, rename, fsync of the folder: a kill at any point
    leaves either the old file or the new one.

    Raises:
        MolvaeError: when the folder cannot be written to or the disk is full.
    """
    if path.exists() and not path.is_file():
        raise MolvaeError(f"{path}: a folder or a device, where a file is to be written.")
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name[:32]}.", dir=path.parent)
    except OSError as error:
        raise MolvaeError(f"{path}: cannot be written: {error.strerror}.") from error
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
        _sync_folder(path.parent)
    except OSError as error:
        raise MolvaeError(
            f"{path}: {len(content) / 2**20:.1f} MiB could not be written: {error.strerror}."
            " What was there before is unchanged."
        ) from error
    finally:
        Path(temporary).unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _sync_folder(folder: Path) -> None:
    """Make the rename last through a power cut, on file systems that know how."""
    with suppress(OSError):  # the new file is in place by now, whatever happens here
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


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
    """
    header = {**header, "kind": kind, "format": format}
    sha256 = digest(arrays, header)
    # One key only: safetensors writes several in an order of chance, and files could not be equal.
    metadata = {"molvae": json.dumps({"header": header, "sha256": sha256}, sort_keys=True)}
    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    write_atomically(path, safetensors.numpy.save(contiguous, metadata=metadata))
    return sha256


def read_header(path: Path, *, kind: str, format: int) -> dict[str, Any]:
    """Read only the JSON header of a file, with the standard library.

    Raises:
        ArtifactError: when the file is none of ours, of another kind, or of a newer format.
    """
    header: dict[str, Any] = _ours(path)["header"]
    if header.get("kind") != kind:
        raise ArtifactError(f"{path}: a molvae {header.get('kind')}, where a {kind} is expected.")
    version = header.get("format")
    if not isinstance(version, int) or version < 1:
        raise ArtifactError(f"{path}: damaged: its format is {version!r}.")
    if version > format:
        raise ArtifactError(
            f"{path}: written by format {version}, this molvae reads up to {format}."
            " pip install --upgrade molvae"
        )
    return header


def read_kind(path: Path) -> str:
    """Return what a file of ours holds: "dataset", "checkpoint", ...

    Raises:
        ArtifactError: when the file is none of ours.
    """
    return str(_ours(path)["header"].get("kind"))


def _ours(path: Path) -> dict[str, Any]:
    """Return what `write` put beside the arrays: "header", a dict, and "sha256"."""
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise ArtifactError(f"{path}: a folder or a pipe, where a file is expected.")
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if size < 8 or length > min(size - 8, MAX_HEADER):
                raise ArtifactError(f"{path}: not a molvae file (no safetensors header).")
            text = file.read(length)
    except OSError as error:
        raise ArtifactError(f"{path}: cannot be read: {error.strerror}.") from error
    try:
        ours = json.loads(json.loads(text)["__metadata__"]["molvae"])
        good = isinstance(ours["header"], dict) and isinstance(ours["sha256"], str)
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise ArtifactError(f"{path}: not a molvae file (no molvae header inside).") from error
    if not good:
        raise ArtifactError(f"{path}: not a molvae file (no molvae header inside).")
    return dict(ours)


def read_sha256(path: Path) -> str:
    """Return the sha256 that was written with the file's content."""
    return str(_ours(path)["sha256"])


def read(path: Path, *, kind: str, format: int) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read arrays and header, and check them against the digest that was written with them.

    Returns:
        The arrays by name, and the header.

    Raises:
        ArtifactError: when the file is damaged, foreign, of another kind, or too new.
    """
    header = read_header(path, kind=kind, format=format)
    try:
        arrays = safetensors.numpy.load_file(path)
    except (safetensors.SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        raise ArtifactError(f"{path}: damaged: {error}") from error
    if digest(arrays, header) != read_sha256(path):
        raise ArtifactError(
            f"{path}: damaged or altered: its content does not match its sha256."
            " Get the file again, or train again."
        )
    return arrays, header
