"""One question to a registry ends, however slowly the registry answers."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from ecs_updater.chalicelib import http

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"
MISSING = HEAD.replace(b"200 OK", b"404 Not Found")


@contextmanager
def dripping(at_once: bytes, dripped: bytes) -> Iterator[str]:
    """A server that answers to one request with a byte every few milliseconds."""

    def serve() -> None:
        connection, _ = listening.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(at_once)
            for byte in dripped:
                time.sleep(0.005)
                try:
                    connection.sendall(bytes([byte]))
                except OSError:
                    return

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
        thread.join()


@pytest.mark.parametrize(
    ("at_once", "dripped"),
    [(b"", HEAD + b"x" * 100), (HEAD, b"x" * 100), (MISSING, b"x" * 100)],
    ids=["headers", "body", "body of an error"],
)
def test_an_answer_that_drips_ends_in_time(at_once: bytes, dripped: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    with dripping(at_once, dripped) as url:
        assert http.ask(url).body == b"x" * 100, "slow, but in time"
    monkeypatch.setattr(http, "_MOST_SECONDS", 0.2)
    with dripping(at_once, dripped) as url, pytest.raises(http.Unreachable, match="takes too long"):
        http.ask(url)
