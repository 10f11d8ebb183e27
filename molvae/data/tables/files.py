"""The bytes of a file, a pipe or stdin, uncompressed, or the cause why they cannot be read."""

import atexit
import gzip
import hashlib
import io
import re
import shutil
import sys
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

from molvae.errors import InputError

STDIO = Path("-")  # stdin for reading, stdout for writing
_BUFFER = 1 << 16  # bytes read at once; the first of them show the kind of file
_GZIP = b"\x1f\x8b"
MAX_RATIO = 200  # of gzip; tables of molecules are packed to a fifth, those with few values to 1/60
MAX_PIPE = 16 * 2**30  # bytes: PubChem has 9 GiB of SMILES
MAX_FREE = 16 * 2**20  # bytes that may be unpacked whatever the ratio

# Files that are no tables, by their first bytes.
_MAGIC = (
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"PK\x03\x04", "a zip archive or an Excel workbook; save the sheet as CSV"),
    (b"\xd0\xcf\x11\xe0", "an Excel workbook; save the sheet as CSV"),
    (b"%PDF", "a PDF document"),
    (b"\x89HDF", "an HDF5 file"),
    (b"BZh", "compressed with bzip2; unpack it first"),
    (b"\xfd7zXZ", "compressed with xz; unpack it first"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd; unpack it first"),
    (b"ARROW1", "an Arrow or Feather file; write it as Parquet"),
    (b"SQLite format 3", "an SQLite database; export the table as CSV"),
    (b"\x80\x04\x95", "a pickle, which may run code when it is opened; write the table as CSV"),
    (b"\x80\x05\x95", "a pickle, which may run code when it is opened; write the table as CSV"),
    (b"$RDFILE", "an RD file; save its molecules as an SD file"),
    (b"$RXN", "a reaction file, not a table of molecules"),
    (b"@<TRIPOS>", "a mol2 file; save its molecules as an SD file"),
    (b"<datawarrior", "a DataWarrior file; save it there as a text file or an SD file"),
    (b"\xff\xfe\0\0", "UTF-32 text; save it as UTF-8"),
    (b"\0\0\xfe\xff", "UTF-32 text; save it as UTF-8"),
    (
        b"version https://git-lfs",
        "a Git LFS pointer, not the data; run 'git lfs pull' where it came from",
    ),
)
_HTML = re.compile(rb"\s*<(?:!doctype html|html|head|table|\?xml)", re.IGNORECASE)

_copies: dict[object, BinaryIO] = {}  # of pipes, which some commands open twice


class _Hashing(io.RawIOBase):
    """A raw stream that computes the sha256 of the bytes read.

    Args:
        raw: the stream to read.
        shared: whether others read it too: this one then keeps its own position and does not close
            the stream.
    """

    def __init__(self, raw: BinaryIO | io.FileIO, *, shared: bool) -> None:
        self._raw = raw
        self._shared = shared
        self.place = 0
        self.sha256 = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if self._shared:
            self._raw.seek(self.place)
        content = self._raw.read(len(buffer)) or b""
        self.place += len(content)
        self.sha256.update(content)
        buffer[: len(content)] = content
        return len(content)

    def close(self) -> None:
        if not self._shared:
            self._raw.close()
        super().close()


class _Unpacked(io.RawIOBase):
    """The bytes of a gzip stream, as long as they could be a table."""

    def __init__(self, packed: "io.BufferedReader[_Hashing]", stored: _Hashing, where: str) -> None:
        self._gzip = gzip.GzipFile(fileobj=packed)
        self._stored, self._where, self._place = stored, where, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        content = self._gzip.read(len(buffer))
        self._place += len(content)
        if self._place > max(MAX_FREE, MAX_RATIO * self._stored.place):
            raise InputError(
                f"{self._where}: becomes over {MAX_RATIO} times as large when it is unpacked, which"
                " no table of molecules does. If it is one, unpack it first: gunzip -k FILE."
            )
        buffer[: len(content)] = content
        return len(content)


class OpenFile(NamedTuple):
    """An open file.

    Attributes:
        path: where it is; `STDIO` for stdin.
        content: its bytes, uncompressed.
        head: the first of them, which `content` returns too.
        stored: the stream of the bytes as stored.
        is_gzip: whether they are gzip.
    """

    path: Path
    content: io.BufferedIOBase
    head: bytes
    stored: _Hashing
    is_gzip: bool

    @property
    def where(self) -> str:
        """The path for messages."""
        return "stdin" if self.path == STDIO else str(self.path)

    @property
    def sha256(self) -> str:
        """The sha256 of the file as stored, when all of it is read."""
        return self.stored.sha256.hexdigest()

    @property
    def position(self) -> int:
        """Bytes of the file as stored that have been read."""
        return self.stored.place

    def close(self) -> None:
        """Close the file; reading it to its end closes it too."""
        self.stored.close()


def name_of(path: Path) -> str:
    """Return the base name of a file, for `name:row`; "stdin" for `-`."""
    return "stdin" if path == STDIO else path.name


def is_pipe(path: Path) -> bool:
    """Return whether a path can be read only once: stdin, a named pipe, a device."""
    return path == STDIO or (path.exists() and not path.is_file() and not path.is_dir())


def open_file(path: Path) -> OpenFile:
    """Open a file, a pipe, or stdin for `-`; gzip is recognized by its content.

    A pipe is copied to the temporary folder first, so that it can be opened as often as a file.

    Raises:
        InputError: when it cannot be opened, is empty, or is a kind of file that is no table.
            Later damage raises `InputError` within `damage`.
    """
    where = "stdin" if path == STDIO else str(path)
    if path.is_dir():
        raise InputError(f"{where}: a folder; name a file in it.")
    with damage(where), ExitStack() as unusable:
        shared = is_pipe(path)
        raw = _copy_of(path) if shared else path.open("rb", buffering=0)
        stored = _Hashing(raw, shared=shared)
        unusable.callback(stored.close)
        whole = io.BufferedReader(stored, _BUFFER)
        content: io.BufferedIOBase = whole
        head = whole.peek()
        _refuse(where, head)
        if is_gzip := head.startswith(_GZIP):
            unpacked = io.BufferedReader(_Unpacked(whole, stored, where), _BUFFER)
            content = unpacked
            head = unpacked.peek()
            _refuse(where, head)
        elif path.suffix == ".gz":
            raise InputError(f"{where}: named .gz, but its content is not gzip.")
        unusable.pop_all()
    return OpenFile(path, content, head, stored, is_gzip)


def seekable(file: OpenFile) -> BinaryIO:
    """Return the content for reading in any order; gzip and pipes are copied to the disk.

    Raises:
        InputError: when the content is damaged or the temporary folder is full.
    """
    with damage(file.where):
        if file.path.is_file() and not file.is_gzip:
            while file.content.read(_BUFFER):
                pass  # for the digest
            file.close()
            return file.path.open("rb")
        copy = cast(BinaryIO, tempfile.TemporaryFile(prefix="molvae."))
        with ExitStack() as unusable:
            unusable.callback(copy.close)
            shutil.copyfileobj(file.content, copy)
            copy.seek(0)
            unusable.pop_all()
        file.close()
        return copy


def _copy_of(pipe: Path) -> BinaryIO:
    """Return the content of a pipe, in a file without a name that ends with this process."""
    if pipe == STDIO and sys.stdin is None:
        raise InputError("stdin: closed; give it a table, or name a file.")
    source = sys.stdin.buffer if pipe == STDIO else pipe
    if source not in _copies:
        copy = cast(BinaryIO, tempfile.TemporaryFile(prefix="molvae."))
        atexit.register(copy.close)
        stream = source.open("rb") if isinstance(source, Path) else nullcontext(source)
        try:
            with stream as content:
                _copy(content, copy, name_of(pipe))
        except OSError as error:
            raise InputError(
                f"{name_of(pipe)}: cannot be kept in {tempfile.gettempdir()}: {error.strerror};"
                " the variable TMPDIR names another folder."
            ) from error
        _copies[source] = copy
    return _copies[source]


def _copy(content: BinaryIO, copy: BinaryIO, where: str) -> None:
    """Copy a pipe that may be a table and takes at most half of what is free for the copy."""
    folder = tempfile.gettempdir()
    left = limit = min(MAX_PIPE, shutil.disk_usage(folder).free // 2)
    while piece := content.read(_BUFFER):
        if left == limit:
            _refuse(where, piece)
        left -= len(piece)
        if left < 0:
            raise InputError(
                f"{where}: over {limit >> 20:,} MiB came through a pipe, of which a copy is kept in"
                f" {folder}. Name a file instead, or another folder in the variable TMPDIR."
            )
        copy.write(piece)


@contextmanager
def damage(where: str) -> Iterator[None]:
    """Turn errors of gzip, codecs and the system into one line with the cause."""
    try:
        yield
    except EOFError as error:
        cause = "truncated: the gzip data ends too early; get it again"
        raise InputError(f"{where}: {cause}.") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{where}: damaged gzip data: {error}; get it again.") from error
    except UnicodeDecodeError as error:
        cause = f"not valid {error.encoding} text; is it cut off? Save it as UTF-8"
        raise InputError(f"{where}: {cause}.") from error
    except OSError as error:
        raise InputError(f"{where}: cannot be read: {error.strerror or error}.") from error


def _refuse(where: str, head: bytes) -> None:
    if not head:
        raise InputError(f"{where}: empty.")
    for magic, what in _MAGIC:
        if head.startswith(magic):
            raise InputError(f"{where}: {what}.")
    if not any(head):
        raise InputError(f"{where}: begins with {len(head):,} zero bytes; get it again.")
    if _HTML.match(head.removeprefix(b"\xef\xbb\xbf")):
        raise InputError(f"{where}: a web page, not the data; download it again.")
