"""A fake instance metadata service, version 2: tokens, 404 for what is not set, and notices on request.

The local fleet uses it to tell its workers which instance they run on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Imds:
    """The answers of the service.

    Attributes:
        values: fixed values by path below ``meta-data/``.
        answers: functions that return changing values, by path.
        tokens: the number of tokens that were requested.
        refuse_once: whether the next token is treated as expired.
        url: the service's URL.
    """

    values: dict[str, str] = field(default_factory=lambda: {"instance-id": "i-0123456789abcdef0"})
    answers: dict[str, Callable[[], str | None]] = field(default_factory=dict)
    tokens: int = 0
    refuse_once: bool = False
    url: str = ""

    @property
    def environ(self) -> dict[str, str]:
        """The environment variables that point an AWS program to it."""
        return {"AWS_EC2_METADATA_SERVICE_ENDPOINT": self.url}


@contextmanager
def imds() -> Iterator[Imds]:
    """Run the service on a free loopback port as long as this lasts."""
    state = Imds()

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            good = self.path == "/latest/api/token" and self.headers.get("X-aws-ec2-metadata-token-ttl-seconds")
            state.tokens += 1
            self.answer(200 if good else 400, f"token-{state.tokens}")

        def do_GET(self) -> None:
            refused, state.refuse_once = state.refuse_once, False
            if refused or self.headers.get("X-aws-ec2-metadata-token") != f"token-{state.tokens}":
                self.answer(401, "")
                return
            path = self.path.removeprefix("/latest/meta-data/")
            value = state.answers[path]() if path in state.answers else state.values.get(path)
            self.answer(404 if value is None else 200, value or "")

        def answer(self, status: int, text: str) -> None:
            with suppress(ConnectionError):  # clients have short time-outs
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            """Silence."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
