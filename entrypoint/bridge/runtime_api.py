"""The Runtime API for one process: hands it an event at a time, and takes what it answers.

docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import queue
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MOST_BYTES = 6 * 1024 * 1024 + 100
"""Of what a handler returns; Lambda takes no more."""

_TOO_LARGE = b'{"errorType":"Function.ResponseSizeTooLarge","errorMessage":"the answer has more than 6 MB"}'
_CHUNK = 1 << 16
_ACCEPTED = b'{"status":"OK"}'


@dataclass(frozen=True, slots=True)
class HandlerOutcome:
    """What a function returned, or that it failed."""

    failed: bool
    body: bytes


class LoopbackRuntimeApi(ThreadingHTTPServer):
    """Listens on a loopback port.

    Args:
        function_arn: the name that the function's context has.
        ready: called when the process asks for an event.
        ended: called with what became of an event.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, function_arn: str, ready: Callable[[], None], ended: Callable[[HandlerOutcome], None]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.function_arn = function_arn
        self.ready = ready
        self.ended = ended
        self.events: queue.SimpleQueue[tuple[bytes, float] | None] = queue.SimpleQueue()
        threading.Thread(target=self.serve_forever, name="runtime API", daemon=True).start()

    @property
    def address(self) -> str:
        """The address, in the form of AWS_LAMBDA_RUNTIME_API."""
        return f"127.0.0.1:{self.server_address[1]}"

    def end(self) -> None:
        """Answer no more."""
        self.events.put(None)
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: LoopbackRuntimeApi
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body of an answer in one packet

    def do_GET(self) -> None:
        self.server.ready()
        event = self.server.events.get()
        if event is None:
            self.close_connection = True
            return
        body, seconds = event
        self._answer(200, body, {
            "Lambda-Runtime-Aws-Request-Id": str(uuid.uuid4()),
            "Lambda-Runtime-Deadline-Ms": str(int((time.time() + seconds) * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": self.server.function_arn,
        })  # fmt: skip

    def do_POST(self) -> None:
        body = bytearray()
        for piece in self._pieces():
            if len(body) <= MOST_BYTES:
                body += piece
        self._answer(202, _ACCEPTED, {})
        if len(body) > MOST_BYTES:
            self.server.ended(HandlerOutcome(failed=True, body=_TOO_LARGE))
        elif self.path.endswith("/response"):
            self.server.ended(HandlerOutcome(failed=False, body=bytes(body)))
        elif self.path.endswith("/error"):
            self.server.ended(HandlerOutcome(failed=True, body=bytes(body)))

    def _pieces(self) -> Iterator[bytes]:
        length = self.headers.get("Content-Length")
        if length:
            yield from self._read(int(length))
            return
        while size := int(self.rfile.readline().split(b";")[0], 16):
            yield from self._read(size)
            self.rfile.readline()
        self.rfile.readline()

    def _read(self, size: int) -> Iterator[bytes]:
        while size > 0 and (piece := self.rfile.read(min(size, _CHUNK))):
            size -= len(piece)
            yield piece

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, *_: object) -> None:
        """Log nothing: the edge does."""
