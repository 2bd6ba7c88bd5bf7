from __future__ import annotations

import contextlib
import http.server
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest
import trustme

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
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
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


@pytest.fixture(autouse=True)
def _no_proxy_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


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


class Proxy(http.server.BaseHTTPRequestHandler):
    """A company's proxy, which answers in the place of each host that it is asked to connect to."""

    context: ClassVar[ssl.SSLContext]
    asked: ClassVar[list[str]] = []

    def do_CONNECT(self) -> None:
        self.asked.append(f"{self.path} {self.headers['Proxy-Authorization']}")
        self.send_response(200)
        self.end_headers()
        with contextlib.suppress(OSError), self.context.wrap_socket(self.connection, server_side=True) as inside:
            Site(inside, self.client_address, self.server)
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    authority, Proxy.context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    authority.issue_cert("app.example").configure_cert(Proxy.context)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    Proxy.asked.clear()
    Site.asked.clear()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:pass@127.0.0.1:{server.server_port}")
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        yield
        server.shutdown()


def unknown(_host: str, _port: int) -> list[str]:
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


@pytest.mark.usefixtures("proxy")
def test_a_proxy_that_the_environment_names_leads_to_the_app() -> None:
    for resolve in (unknown, lambda _host, _port: ["93.184.215.14"]):
        assert get_public("https://app.example/big?x=1", resolve).status == 200
    assert Site.asked == ["/big?x=1"] * 2
    assert Proxy.asked == ["app.example:443 Basic bWU6cGFzcw=="] * 2


@pytest.mark.usefixtures("proxy")
def test_the_proxy_has_to_show_the_apps_certificate() -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        get_public("https://other.example/", unknown)
    assert Site.asked == []


@pytest.mark.usefixtures("proxy")
def test_what_is_private_here_is_not_asked_through_a_proxy_either() -> None:
    with pytest.raises(NotPublic):
        get_public("https://app.example/", lambda _host, _port: ["10.1.2.3"])
    assert Proxy.asked == []


@pytest.mark.usefixtures("proxy")
def test_a_host_that_needs_no_proxy_is_asked_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", ".example")
    with pytest.raises(socket.gaierror):
        get_public("https://app.example/", unknown)
    assert Proxy.asked == []
