"""A web server on this machine that serves one file well, or badly as planned."""

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

PIECE = 1 << 14  # bytes written at once


class Request(NamedTuple):
    """One request and what was answered."""

    path: str
    range: str
    status: int


class Server(ThreadingHTTPServer):
    """Serves `content`; answers by what `plan` says next, well when it says nothing.

    break: stops after a third. stall: falls silent after a third. slow: takes a second.
    chunks: of unknown length. endless chunks: all of it, but no end. flood: never ends.
    lie: states twice the length. elsewhere: another range than asked for. change: first changes
    to `change_to`. to ADDRESS: redirects. A number: that status.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, content: bytes) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.content = content
        self.tag = '"tag"'
        self.ranges = True
        self.plan: list[str] = []
        self.change_to = content, self.tag
        self.requests: list[Request] = []
        self.sent = 0
        self.closing = threading.Event()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/drugs.csv"


@contextmanager
def serving(content: bytes) -> Iterator[Server]:
    """Serve a file while the block runs."""
    server = Server(content)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        server = self.server
        plan = server.plan.pop(0) if server.plan else ""
        if plan == "change":
            server.content, server.tag = server.change_to
        if plan.isdigit() or plan.startswith("to "):
            self._begin(302 if plan.startswith("to ") else int(plan))
            if plan.startswith("to "):
                self.send_header("Location", plan.removeprefix("to "))
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        start = self._start()
        body = server.content[start:]
        self._begin(206 if start else 200)
        if start:
            told = start + 1 if plan == "elsewhere" else start
            last = len(server.content) - 1
            self.send_header("Content-Range", f"bytes {told}-{last}/{last + 1}")
        if server.tag:
            self.send_header("ETag", server.tag)
        chunked = plan in ("chunks", "endless chunks", "flood")
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(len(body) * (2 if plan == "lie" else 1)))
        self.end_headers()
        with suppress(BrokenPipeError, ConnectionResetError):
            self._send(body, plan, chunked)

    def _begin(self, status: int) -> None:
        self.protocol_version = "HTTP/1.1"
        self.close_connection = True
        asked = Request(self.path, self.headers.get("Range", ""), status)
        self.server.requests.append(asked)
        self.send_response(status)

    def _start(self) -> int:
        """Where to begin: only for the same file, as the standard demands."""
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        same = self.headers.get("If-Range", "") == self.server.tag
        return int(asked[1]) if asked and same and self.server.ranges else 0

    def _send(self, body: bytes, plan: str, chunked: bool) -> None:
        end = len(body) // 3 if plan in ("break", "stall") else len(body)
        for begin in range(0, end, PIECE):
            self._write(body[begin : min(begin + PIECE, end)], chunked)
            if plan == "slow":
                time.sleep(PIECE / len(body))
        if plan == "flood":
            while not self.server.closing.is_set():
                self._write(b"C" * PIECE, chunked)
        if plan in ("stall", "endless chunks"):
            self.server.closing.wait(30)
        elif chunked:
            self.wfile.write(b"0\r\n\r\n")

    def _write(self, piece: bytes, chunked: bool) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
        self.server.sent += len(piece)
