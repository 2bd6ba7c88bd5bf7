"""A small metadata service: a token, 404 for what is not set, and whatever notice a test wants."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Imds:
    values: dict[str, str] = field(default_factory=lambda: {"instance-id": "i-0123456789abcdef0"})
    tokens: int = 0
    refuse_once: bool = False
    url: str = ""

    @property
    def environ(self) -> dict[str, str]:
        return {"AWS_EC2_METADATA_SERVICE_ENDPOINT": self.url}


@contextmanager
def imds() -> Iterator[Imds]:
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
            value = state.values.get(self.path.removeprefix("/latest/meta-data/"))
            self.answer(404 if value is None else 200, value or "")

        def answer(self, status: int, text: str) -> None:
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
