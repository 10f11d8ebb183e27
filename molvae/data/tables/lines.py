"""The text of an open file, line by line, or the cause why it has none."""

import io
import re
from collections.abc import Iterator
from functools import partial
from typing import BinaryIO, cast

from molvae.data.tables.files import OpenFile, damage
from molvae.errors import InputError

MAX_LINE = 1 << 20  # characters of a row; a longer one is cut, which costs it
MAX_SKIPPED = 64  # such pieces of one line: a file without line ends is no table
MAX_SHOWN = 400  # characters of a line that is not parsed
LONG_LINE = f"line too long: over {MAX_LINE:,} characters"
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_BLOCK = 512  # zero bytes: what a disk that was full, or a copy that broke off, leaves in a file
_ORDINARY = bytes(range(32, 127)) + b"\t\n\r"  # most bytes of a table
_SURROGATE = re.compile("[\ud800-\udfff]")


def is_text(cell: str) -> bool:
    """Return whether all bytes of a piece of text were valid UTF-8."""
    return cell.isascii() or _SURROGATE.search(cell) is None


def not_utf8(cell: str) -> str:
    """Return why a cell is no text, the encoding that it may have, and how to mend the file."""
    found = _SURROGATE.search(cell)
    start = found.start() if found else 0
    around = cell[max(0, start - 20) : start + 20].splitlines()
    content = to_bytes(next((line for line in around if not is_text(line)), ""))
    try:
        guess = f", in Windows-1252 '{content.decode('cp1252')}'"
    except UnicodeDecodeError:
        guess = ""
    return (
        f"not UTF-8: {content!r}{guess}; save the file as UTF-8, or convert it:"
        " iconv -f WINDOWS-1252 -t UTF-8 FILE > NEW"
    )


def to_bytes(text: str) -> bytes:
    """Return text as UTF-8; a byte that was not valid UTF-8 becomes itself again."""
    try:
        return text.encode("utf-8", errors="surrogateescape")
    except UnicodeEncodeError:  # half of a surrogate pair, which JSON can contain
        return text.encode("utf-8", errors="replace")


def peek_text(file: OpenFile) -> str:
    """Return the beginning of a file as text, without reading on; the last character may be cut."""
    return file.head.decode(_encoding(file.head), errors="replace")


def text_lines(file: OpenFile) -> Iterator[str]:
    """Return the lines of a file with their ends: UTF-8 with or without BOM, UTF-16 with one.

    An undecodable byte becomes a lone surrogate (`is_text`). A line of over `MAX_LINE` characters
    is cut (`is_cut`).

    Raises:
        InputError: at once when it is no text; for later damage, while lines are read.
    """
    return _lines(file.where, _decoded(file))


def read_text(file: OpenFile, *, limit: int) -> str | None:
    """Return all of a file as text; None when it has more than `limit` characters.

    Raises:
        InputError: when it is no text or damaged.
    """
    with _decoded(file) as text, damage(file.where):
        content = text.read(limit + 1)
    return content if len(content) <= limit else None


def _encoding(head: bytes) -> str:
    return "utf-16" if head.startswith(_UTF_16) else "utf-8-sig"


def _decoded(file: OpenFile) -> io.TextIOWrapper:
    head = file.head
    encoding = _encoding(head)
    if head.startswith(b"PAR1"):
        raise InputError(f"{file.where}: a Parquet file; name it .parquet or say --format parquet.")
    if b"\0" in head and encoding != "utf-16":
        _refuse_binary(file.where, head)
    errors = "strict" if encoding == "utf-16" else "surrogateescape"
    content = cast(BinaryIO, file.content)
    return io.TextIOWrapper(content, encoding=encoding, errors=errors, newline="")


def _refuse_binary(where: str, head: bytes) -> None:
    """Refuse content with zero bytes, but for a few, which cost their own rows."""
    zeros = head[0::2].count(0), head[1::2].count(0)  # the higher bytes of UTF-16 in ASCII
    if max(zeros) > 0.4 * len(head) and min(zeros) < 0.1 * len(head):
        name = "UTF-16BE" if zeros[0] > zeros[1] else "UTF-16LE"
        raise InputError(
            f"{where}: {name} without its mark; save it as UTF-8: iconv -f {name} -t UTF-8 FILE."
        )
    if bytes(_BLOCK) in head:
        raise InputError(f"{where}: a block of zero bytes in it; get it again.")
    if len(head.translate(None, _ORDINARY)) > 0.1 * len(head):
        raise InputError(f"{where}: binary, not a table of text.")


def _lines(where: str, text: io.TextIOWrapper) -> Iterator[str]:
    with text, damage(where):
        for number, line in enumerate(iter(partial(text.readline, MAX_LINE), ""), 1):
            if is_cut(line):
                _skip(text, f"{where}:{number}")
            yield line


def is_cut(line: str) -> bool:
    """Return whether a line is only the beginning of a longer one, and so `LONG_LINE`."""
    return len(line) == MAX_LINE and not line.endswith(("\n", "\r"))


def _skip(text: io.TextIOWrapper, where: str) -> None:
    for _ in range(MAX_SKIPPED):
        piece = text.readline(MAX_LINE)
        if not is_cut(piece):
            return
    raise InputError(
        f"{where}: a line of over {MAX_SKIPPED} MiB, which no table has; is its end of lines lost?"
    )
