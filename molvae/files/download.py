"""Download one file over HTTP, whole and right, or not at all.

Received bytes are kept in `NAME.part` beside the target. After a broken connection or a killed
process the download continues there, if the server still has the same file (`If-Range`, RFC 9110
13.1.5). The file is moved into place only when it has the known size and checksum. Nothing from a
server is trusted: neither its length, its status nor its redirects, nor that it will ever end.
"""

import json
import os
import re
import ssl
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Any, BinaryIO, cast
from urllib import request
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

from filelock import FileLock, Timeout

from molvae.errors import MolvaeError, UsageError
from molvae.files.atomic import require_space, write_atomically
from molvae.files.checksums import Expected, checksum, is_right
from molvae.version import __version__

PAUSES = (1.0, 2.0, 4.0, 8.0)  # seconds before each further try
SILENCE = 30.0  # seconds without a byte after which a connection is given up
CHUNK = 1 << 16  # bytes
HEAD = 1 << 13  # bytes of a wrong file that are checked to name its type
SPARE = 16 << 20  # bytes of disk left free
PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})  # statuses that may be better next time

# Content that servers send instead of a file, with a status of success.
_INSTEAD = (
    (re.compile(rb"\s*<(?:!doctype html|html|head|\?xml)", re.IGNORECASE), "a web page"),
    (re.compile(rb"version https://git-lfs"), "a Git LFS pointer, not what it points to"),
)
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


class _Broken(Exception):
    """A failed attempt; another attempt may succeed."""


def download(
    address: str,
    target: Path,
    expected: Expected,
    *,
    progress: Callable[[int], None] = lambda done: None,
    notify: Callable[[str], None] = lambda line: None,
) -> None:
    """Download a file unless it exists and is right.

    Args:
        address: http or https.
        target: the path of the file; its folder exists.
        expected: its size and checksum.
        progress: called with the number of bytes received.
        notify: called with a line of text: a wait, another attempt.

    Raises:
        UsageError: when the address is neither http nor https.
        MolvaeError: when the download fails, naming the cause and the remedy.
    """
    if urlsplit(address).scheme not in ("http", "https") or not urlsplit(address).netloc:
        raise UsageError(f"'{address}': an address begins with https:// or http://.")
    part = target.with_name(f"{target.name}.part")
    try:
        if is_right(target, expected):  # before the lock: a shared cache may be read-only
            notify(f"{target.name}: already there, {expected.checksum} verified")
            return
        with _alone(target, notify):
            if is_right(target, expected):
                return
            if target.exists():
                notify(f"{target}: damaged; fetching it again")
            if not is_right(part, expected):
                _check_space(part, expected.size)
                _fetch(address, part, expected, progress, notify)
            if not is_right(part, expected):
                raise _wrong(address, part, expected)
            os.replace(part, target)
            _note(part).unlink(missing_ok=True)
    except OSError as error:
        raise MolvaeError(
            f"{error.filename or target}: cannot be written: {error.strerror or error}."
        ) from error


def _alone(target: Path, notify: Callable[[str], None]) -> AbstractContextManager[object]:
    """Lock the part against other processes; the lock dies with its process."""
    lock = FileLock(target.with_name(f"{target.name}.lock"))
    try:
        return lock.acquire(timeout=0)
    except Timeout:
        notify(f"{target.name}: another process is fetching it; waiting")
        return lock.acquire()


def _check_space(part: Path, size: int) -> None:
    needed = size - (part.stat().st_size if part.exists() else 0) + SPARE
    instead = "set MOLVAE_CACHE to another folder"
    require_space(part.parent, needed, purpose="for this download", instead=instead)


def _fetch(
    address: str,
    part: Path,
    expected: Expected,
    progress: Callable[[int], None],
    notify: Callable[[str], None],
) -> None:
    """Repeat attempts until all bytes are received."""
    for pause in (*PAUSES, None):
        try:
            _try(address, part, expected, progress)
            return
        except _Broken as broken:
            if is_right(part, expected):
                return  # only the end of the response is missing
            if pause is None:
                have = part.stat().st_size if part.exists() else 0
                raise MolvaeError(
                    f"{address}: {broken}; given up after {len(PAUSES) + 1} tries."
                    f" {have:,} of {expected.size:,} bytes are kept: the same command goes on."
                ) from broken
            notify(f"{address}: {broken}; trying again in {pause:g} s")
            time.sleep(pause)


def _try(address: str, part: Path, expected: Expected, progress: Callable[[int], None]) -> None:
    """Request the missing bytes once, and keep those that arrive; `_Broken` if not all do."""
    have, validator = _kept(part, address, expected.size)
    headers = {"User-Agent": f"molvae/{__version__}", "Accept-Encoding": "identity"}
    if have:
        headers |= {"Range": f"bytes={have}-", "If-Range": validator}
    with _open(request.Request(address, headers=headers), part) as response:
        if response.status == 206 and have:
            _check_continues(response, have, expected.size, part)
        elif response.status == 200:
            have = 0  # the file changed, or the server cannot start in the middle
        else:
            raise MolvaeError(f"{address}: {_status(response)}, not the file. {_mend(part)}")
        with part.open("ab" if have else "wb") as file:
            if not have:
                _write_note(part, address, response)
            if response.length not in (None, expected.size - have):
                file.write(_read(response, HEAD))
                file.close()
                raise _wrong(address, part, expected)
            have += _copy(response, file, have, expected.size, progress)
    if have > expected.size or (have < expected.size and _what_it_is(part)):
        raise _wrong(address, part, expected)
    if have < expected.size:
        raise _Broken(f"broke off after {have:,} of {expected.size:,} bytes")


def _open(asked: request.Request, part: Path) -> HTTPResponse:
    """Send a request; redirects lead to http and https only, whatever else Python can open."""
    opener = request.OpenerDirector()
    for handler in (
        request.ProxyHandler,
        request.HTTPHandler,
        request.HTTPSHandler,
        request.HTTPRedirectHandler,
        request.HTTPErrorProcessor,
        request.HTTPDefaultErrorHandler,
        request.UnknownHandler,
    ):
        opener.add_handler(handler())
    try:
        return cast(HTTPResponse, opener.open(asked, timeout=SILENCE))
    except HTTPError as error:
        error.close()
        if error.code == 416:  # the file is shorter than the part
            part.unlink(missing_ok=True)
        if error.code == 416 or error.code in PASSING:
            raise _Broken(_status(error)) from error
        raise MolvaeError(f"{asked.full_url}: {_status(error)}. {_mend(part)}") from error
    except URLError as error:
        if isinstance(error.reason, ConnectionError | TimeoutError):
            raise _Broken(_in_words(error.reason)) from error
        raise MolvaeError(f"{asked.full_url}: {_in_words(error.reason)}. {_mend(part)}") from error
    except (HTTPException, ConnectionError, TimeoutError) as error:
        raise _Broken(_in_words(error)) from error


def _check_continues(response: HTTPResponse, have: int, size: int, part: Path) -> None:
    found = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
    if found is None or int(found[1]) != have or found[2] not in ("*", str(size)):
        part.unlink(missing_ok=True)
        raise _Broken("answers with another piece than the one asked for; starting over")


def _copy(
    response: HTTPResponse, file: BinaryIO, have: int, size: int, progress: Callable[[int], None]
) -> int:
    """Write the received bytes, one past the end at most; return their number."""
    copied = 0
    while have + copied <= size:
        piece = _read(response, min(CHUNK, size - have - copied + 1))
        if not piece:
            break
        file.write(piece)
        copied += len(piece)
        progress(min(have + copied, size))
    file.flush()
    os.fsync(file.fileno())
    return copied


def _read(response: HTTPResponse, limit: int) -> bytes:
    """Read the available bytes, at most `limit`; wait for the first one."""
    try:
        return response.read1(limit)
    except (HTTPException, ConnectionError, TimeoutError, ssl.SSLError) as error:
        raise _Broken(_in_words(error)) from error


def _note(part: Path) -> Path:
    """Return the path of the note that identifies the file of a part."""
    return part.with_name(f"{part.name}.json")


def _write_note(part: Path, address: str, response: HTTPResponse) -> None:
    """Write which file the part belongs to; a weak tag does not guarantee equal bytes."""
    tag = response.headers.get("ETag", "")
    if not tag or tag.startswith("W/"):
        tag = response.headers.get("Last-Modified", "")
    note = json.dumps({"address": address, "validator": tag})
    write_atomically(_note(part), note.encode())


def _kept(part: Path, address: str, size: int) -> tuple[int, str]:
    """Return how many bytes are kept, and the server's tag of the file that they belong to."""
    note: dict[str, Any] = {}
    with suppress(OSError, ValueError):
        note = dict(json.loads(_note(part).read_text(encoding="utf-8")))
    have = part.stat().st_size if part.exists() else 0
    validator = str(note.get("validator", ""))
    if note.get("address") != address or not validator or have >= size:
        return 0, ""
    return have, validator


def _wrong(address: str, part: Path, expected: Expected) -> MolvaeError:
    """Remove a wrong file and return an error that explains how it is wrong."""
    what = _what_it_is(part)
    got = checksum(part, expected.checksum.partition(":")[0])
    size = part.stat().st_size
    part.unlink()
    _note(part).unlink(missing_ok=True)
    if what:
        seen = f"what came is {what}"
    elif size != expected.size:
        seen = f"it has not the {expected.size:,} bytes expected"
    else:
        seen = f"expected {expected.checksum}, got {got}"
    return MolvaeError(f"{address}: not the file it should be: {seen}. {_mend(part)}")


def _what_it_is(part: Path) -> str:
    """Return the type of a file that cannot be a table, by its beginning; "" otherwise."""
    with part.open("rb") as file:
        head = file.read(HEAD)
    return next((what for begin, what in _INSTEAD if begin.match(head)), "")


def _mend(part: Path) -> str:
    target = part.with_suffix("")
    return f"Name a mirror with --from, or get the file by hand, put it at {target}, and ask again."


def _status(answer: HTTPResponse | HTTPError) -> str:
    return f"the server answers {answer.status} {answer.reason}"


def _in_words(error: object) -> str:
    if isinstance(error, TimeoutError):
        return f"nothing came for {SILENCE:g} s"
    return " ".join(str(error).split()) or type(error).__name__
