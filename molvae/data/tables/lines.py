"""The text of an open file, line by line, or the cause why it has none."""

import io
import re
from collections.abc import Iterator
from functools import partial
from typing import BinaryIO, cast

from molvae.data.tables.files import OpenFile, damage
from molvae.errors import InputError

MAX_LINE = 1 << 20  # characters; a gzip bomb without line ends must not fill the memory
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_ORDINARY = bytes(range(32, 127)) + b"\t\n\r"  # most bytes of a table
_SURROGATE = re.compile("[\ud800-\udfff]")


def is_text(cell: str) -> bool:
    """Return whether all bytes of a piece of text were valid UTF-8."""
    return cell.isascii() or _SURROGATE.search(cell) is None


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

    An undecodable byte becomes a lone surrogate (`is_text`).

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
        if max(head[0::2].count(0), head[1::2].count(0)) > 0.4 * len(head):
            raise InputError(f"{file.where}: UTF-16 without its mark; save it as UTF-8.")
        odd = head.translate(None, _ORDINARY)
        if len(odd) > 0.1 * len(head):  # fewer cost their own rows
            raise InputError(f"{file.where}: binary, not a table of text.")
    errors = "strict" if encoding == "utf-16" else "surrogateescape"
    content = cast(BinaryIO, file.content)
    return io.TextIOWrapper(content, encoding=encoding, errors=errors, newline="")


def _lines(where: str, text: io.TextIOWrapper) -> Iterator[str]:
    with text, damage(where):
        for number, line in enumerate(iter(partial(text.readline, MAX_LINE), ""), 1):
            if len(line) >= MAX_LINE:
                raise InputError(f"{where}:{number}: a line of over {MAX_LINE:,} characters.")
            yield line
