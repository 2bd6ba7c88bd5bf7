from __future__ import annotations

import http.server
import socket
import threading
from collections.abc import Iterator
from typing import ClassVar

import pytest

from worker.deploy.http_get import NotPublic, get, get_public


class Site(http.server.BaseHTTPRequestHandler):
    """``/`` leads elsewhere, anything else gives much."""

    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(302 if self.path == "/" else 200)
        self.send_header("Location", "/secret")
        self.end_headers()
        self.wfile.write(b"x" * 100_000)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def site() -> Iterator[str]:
    Site.asked.clear()
    with http.server.HTTPServer(("127.0.0.1", 0), Site) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_get_follows_no_redirect(site: str) -> None:
    assert get(site).status == 302
    assert Site.asked == ["/"]


def test_get_reads_the_beginning_only(site: str) -> None:
    answer = get(f"{site}/big?x=1")
    assert answer.status == 200
    assert 0 < len(answer.text) <= 300
    assert Site.asked == ["/big?x=1"]


def test_get_of_nobody() -> None:
    with pytest.raises(OSError, match="refused"):
        get("http://127.0.0.1:1/")


PRIVATE = ("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
           "::1", "fd00::1", "fe80::1", "::ffff:127.0.0.1", "fd00:ec2::254")  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_no_private_address_is_connected_to(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setattr(socket, "create_connection", None)  # nothing may try
    with pytest.raises(NotPublic, match=r"app\.example has no public address"):
        get_public("https://app.example/", lambda _host, _port: [address])


def test_the_address_that_was_checked_is_the_one_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([["93.184.215.14", "127.0.0.1"], ["127.0.0.1"]])  # the name changes its meaning
    tried: list[object] = []

    def connect(address: object, _timeout: float) -> socket.socket:
        tried.append(address)
        raise OSError("unreachable")

    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(OSError, match="unreachable"):
        get_public("https://app.example/", lambda _host, _port: next(answers))
    assert tried == [("93.184.215.14", 443)]


def test_nothing_is_asked_without_tls() -> None:
    with pytest.raises(NotPublic):
        get_public("http://app.example/", lambda _host, _port: ["93.184.215.14"])
