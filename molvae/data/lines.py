"""Physical lines of text out of a file, gzipped or not, or the true cause why there are none."""

import gzip
import hashlib
import io
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

from molvae.errors import InputError

MAX_LINE = 1 << 20  # characters; a gzip bomb without line ends must not fill the memory
_HEAD = 1 << 13  # bytes looked at before anything is read as text
_GZIP = b"\x1f\x8b"

# What people feed by mistake, told by how it begins.
_MAGIC = (
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"PK\x03\x04", "a zip archive or an Excel workbook; save the sheet as CSV"),
    (b"\xd0\xcf\x11\xe0", "an Excel workbook; save the sheet as CSV"),
    (b"%PDF", "a PDF document"),
    (b"\x89HDF", "an HDF5 file"),
    (b"PAR1", "a Parquet file"),
    (b"BZh", "compressed with bzip2; unpack it first"),
    (b"\xfd7zXZ", "compressed with xz; unpack it first"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd; unpack it first"),
    (
        b"version https://git-lfs",
        "a Git LFS pointer, not the data; run 'git lfs pull' where it came from",
    ),
)
_HTML = re.compile(rb"\s*<(?:!doctype html|html|head|\?xml)", re.IGNORECASE)


class _Hashing(io.RawIOBase):
    """A raw stream that keeps the sha256 of what went through."""

    def __init__(self, raw: BinaryIO) -> None:
        self._raw = raw
        self.sha256 = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        content = self._raw.read(len(buffer))
        self.sha256.update(content)
        buffer[: len(content)] = content
        return len(content)

    def close(self) -> None:
        self._raw.close()
        super().close()


class Lines(NamedTuple):
    """An open text file.

    Attributes:
        path: where it is, for messages.
        text: lines with their ends; an undecodable byte is a lone surrogate (`is_text`).
        raw: the stream below, as stored.
    """

    path: Path
    text: Iterator[str]
    raw: _Hashing

    @property
    def sha256(self) -> str:
        """The sha256 of the file as stored; complete once all lines are read."""
        return self.raw.sha256.hexdigest()

    def close(self) -> None:
        """Close the file; reading it to its end does so as well."""
        self.raw.close()


def is_text(cell: str) -> bool:
    """Tell whether a piece of a line had only bytes that mean characters."""
    return cell.isascii() or not any("\udc80" <= letter <= "\udcff" for letter in cell)


def open_lines(path: Path) -> Lines:
    """Open a text file: UTF-8 with or without BOM, UTF-16 with one, gzipped or not.

    Raises:
        InputError: when it cannot be opened or is not text, naming what it is. Damage further on
            raises while the lines are read.
    """
    try:
        raw = _Hashing(cast(BinaryIO, path.open("rb", buffering=0)))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}.") from error
    stored = io.BufferedReader(raw, 1 << 16)
    head = stored.peek(_HEAD)[:_HEAD]
    _refuse(path, head)
    content: io.BufferedIOBase = stored
    if head.startswith(_GZIP):
        content = io.BufferedReader(cast(io.RawIOBase, gzip.GzipFile(fileobj=stored)), 1 << 16)
        with _Damage(path):
            head = cast(io.BufferedReader, content).peek(_HEAD)[:_HEAD]
        _refuse(path, head)
    elif path.suffix == ".gz":
        raise InputError(f"{path}: named .gz, but its content is not gzip.")
    encoding = "utf-16" if head[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    if b"\0" in head and encoding != "utf-16":
        raise InputError(f"{path}: binary, not a table of text.")
    errors = "strict" if encoding == "utf-16" else "surrogateescape"
    text = io.TextIOWrapper(cast(BinaryIO, content), encoding=encoding, errors=errors, newline="")
    return Lines(path, _lines(path, text), raw)


def count_lines(path: Path) -> int:
    """Count the lines of a text file, which also finds gzip data that is damaged further on.

    Raises:
        InputError: as `open_lines`, and for damage anywhere in the file.
    """
    return sum(1 for _ in open_lines(path).text)


def _refuse(path: Path, head: bytes) -> None:
    if not head:
        raise InputError(f"{path}: empty.")
    for magic, what in _MAGIC:
        if head.startswith(magic):
            raise InputError(f"{path}: {what}.")
    if _HTML.match(head.removeprefix(b"\xef\xbb\xbf")):
        raise InputError(f"{path}: a web page, not the data; download it again.")


class _Damage:
    """Turn what gzip and codecs raise into one line with the cause."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> None:
        """Nothing is needed to begin."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, EOFError):
            raise InputError(
                f"{self.path}: truncated: the gzip data ends too early; get it again."
            ) from error
        if isinstance(error, gzip.BadGzipFile | zlib.error):
            raise InputError(f"{self.path}: damaged gzip data: {error}; get it again.") from error
        if isinstance(error, UnicodeDecodeError):
            raise InputError(f"{self.path}: not valid {error.encoding} text.") from error
        if isinstance(error, OSError):
            raise InputError(f"{self.path}: cannot be read: {error.strerror}.") from error


def _lines(path: Path, text: io.TextIOWrapper) -> Iterator[str]:
    number = 0
    with text:
        while True:
            with _Damage(path):
                line = text.readline(MAX_LINE)
            if not line:
                return
            number += 1
            if len(line) >= MAX_LINE:
                raise InputError(f"{path}:{number}: a line of over {MAX_LINE:,} characters.")
            yield line
