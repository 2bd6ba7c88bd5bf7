"""A double of the instance metadata service, version 2: a token, 404 for what is not set, and any notice wanted.

The local fleet tells its workers by it which machine they are.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Imds:
    """What the service says.

    Attributes:
        values: by path below ``meta-data/``.
        answers: the same, for what changes.
        tokens: how many were asked for.
        refuse_once: whether the next token is taken for an old one.
        url: where it is.
    """

    values: dict[str, str] = field(default_factory=lambda: {"instance-id": "i-0123456789abcdef0"})
    answers: dict[str, Callable[[], str | None]] = field(default_factory=dict)
    tokens: int = 0
    refuse_once: bool = False
    url: str = ""

    @property
    def environ(self) -> dict[str, str]:
        """What leads an AWS program here."""
        return {"AWS_EC2_METADATA_SERVICE_ENDPOINT": self.url}


@contextmanager
def imds() -> Iterator[Imds]:
    """One, on a free port of the loopback address, as long as this lasts."""
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
            with suppress(ConnectionError):  # who asks does not wait for long
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
