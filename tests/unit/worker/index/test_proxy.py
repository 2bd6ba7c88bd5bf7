"""The proxy reaches the indexes and nothing else, and keeps their credentials to itself."""

from __future__ import annotations

import contextlib
import http.client
import http.server
import socket
import ssl
import struct
import threading
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from failing_index import failing_index

from builder.sandbox.sandbox import IndexAccess
from worker.index.hosts import Indexes, discover
from worker.index.proxy import IndexProxy
from worker.index.upstream import Upstream

TOKEN = "Basic " + b64encode(b"reader:s3cret").decode()


class _Index(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.headers.get("Authorization") != TOKEN:
            self.send_error(401)
            return
        host = self.headers["Host"]
        body = b"wheel bytes"
        kind = "application/octet-stream"
        if self.path.startswith("/simple/"):
            scheme = "https" if isinstance(self.connection, ssl.SSLSocket) else "http"
            body = f'<a href="{scheme}://{host}/files/demo-1.0.whl">demo</a>'.encode()
            kind = "text/html"
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def index() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Index) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def tls_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The same over TLS, by a certificate that this process trusts."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("index.example").configure_cert(context)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Index) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


class _Gateway(http.server.BaseHTTPRequestHandler):
    """A company's proxy: opens a tunnel to wherever the index really listens, and sees what is said in the clear."""

    target = ""
    seen: list[bytes]

    def do_CONNECT(self) -> None:
        self.seen.append(f"{self.requestline}\r\n{self.headers}".encode())
        host, port = self.target.split(":")
        with socket.create_connection((host, int(port))) as upstream:
            self.send_response(200)
            self.end_headers()
            back = threading.Thread(target=_copy, args=(upstream, self.connection, []), daemon=True)
            back.start()
            _copy(self.connection, upstream, self.seen)
        self.close_connection = True

    def log_message(self, *args: object) -> None:
        pass


def _copy(source: socket.socket, target: socket.socket, seen: list[bytes]) -> None:
    try:
        while data := source.recv(65536):
            seen.append(data)
            target.sendall(data)
    except OSError:
        pass


@pytest.fixture(autouse=True)
def _no_proxy_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def refused() -> list[str]:
    return []


def _connection(path: Path) -> http.client.HTTPConnection:
    connection = http.client.HTTPConnection("proxy", timeout=10)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(str(path))
    return connection


def _status(connection: http.client.HTTPConnection) -> int:
    with connection.getresponse() as answer:
        answer.read()
        return answer.status


def test_a_tunnel_to_a_listed_host_carries_bytes_both_ways(tmp_path: Path, index: str, refused: list[str]) -> None:
    proxy = IndexProxy(tmp_path / "s", Indexes((), frozenset({index})), refused.append)
    with proxy, socket.socket(socket.AF_UNIX) as tunnel:
        tunnel.connect(str(proxy.socket_path))
        tunnel.sendall(f"CONNECT {index} HTTP/1.1\r\n\r\n".encode())
        assert tunnel.recv(4096).startswith(b"HTTP/1.1 200")
        tunnel.sendall(f"GET /files/x HTTP/1.0\r\nAuthorization: {TOKEN}\r\n\r\n".encode())
        with tunnel.makefile("rb") as answer:
            assert answer.read().endswith(b"wheel bytes")
    assert refused == []


@pytest.mark.parametrize("target", ["169.254.169.254:80", "127.0.0.1:22", "example.com:443", "nonsense"])
def test_a_tunnel_to_anything_else_is_refused_and_told(tmp_path: Path, target: str, refused: list[str]) -> None:
    with IndexProxy(tmp_path / "s", Indexes((), frozenset({"index.example:443"})), refused.append) as proxy:
        connection = _connection(proxy.socket_path)
        connection.request("CONNECT", target)
        assert _status(connection) == 403
        connection.close()
    assert refused == [target]


def test_plain_requests_to_unknown_hosts_are_refused(tmp_path: Path, index: str, refused: list[str]) -> None:
    with IndexProxy(tmp_path / "s", Indexes((), frozenset({index})), refused.append) as proxy:
        connection = _connection(proxy.socket_path)
        connection.request("GET", f"http://{index}/simple/")
        assert _status(connection) == 403
        connection.close()
    assert refused == [index]


def test_a_private_index_answers_without_the_build_seeing_its_credentials(
    tmp_path: Path, index: str, refused: list[str]
) -> None:
    found = discover({"UV_DEFAULT_INDEX": f"http://reader:s3cret@{index}/simple/"})
    assert found.urls == ("http://index-0.internal/simple/",)
    assert "s3cret" not in repr(found.environment())
    assert index not in found.reachable
    with IndexProxy(tmp_path / "s", found, refused.append) as proxy:
        connection = _connection(proxy.socket_path)
        connection.request("GET", "http://index-0.internal/simple/demo/")
        page = connection.getresponse().read()
        assert page == b'<a href="http://index-0.internal/files/demo-1.0.whl">demo</a>'
        connection.request("GET", "http://index-0.internal/files/demo-1.0.whl")
        assert connection.getresponse().read() == b"wheel bytes"
        connection.close()
    assert refused == []


def _ask(proxy: IndexProxy, path: str) -> int:
    connection = _connection(proxy.socket_path)
    connection.request("GET", f"http://index-0.internal{path}")
    status = _status(connection)
    connection.close()
    return status


def test_a_private_index_over_tls_is_reached_through_a_proxy_that_sees_no_credentials(
    tmp_path: Path, tls_index: str, refused: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bytes] = []
    handler = type("Handler", (_Gateway,), {"target": tls_index, "seen": seen})
    found = discover({"UV_DEFAULT_INDEX": "https://reader:s3cret@index.example/simple/"})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as gateway:
        threading.Thread(target=gateway.serve_forever, daemon=True).start()
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:pass@127.0.0.1:{gateway.server_port}")
        with IndexProxy(tmp_path / "s", found, refused.append) as proxy:
            connection = _connection(proxy.socket_path)
            connection.request("GET", "http://index-0.internal/simple/demo/")
            page = connection.getresponse().read()
            connection.close()
        gateway.shutdown()
    assert page == b'<a href="http://index-0.internal/files/demo-1.0.whl">demo</a>'
    assert seen[0].startswith(b"CONNECT index.example:443 ")
    assert b64encode(b"me:pass") in seen[0]
    assert TOKEN.encode() not in b"".join(seen)


def test_a_private_index_with_a_certificate_that_nobody_trusts_is_not_told_the_credentials(
    tmp_path: Path, tls_index: str, refused: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    found = discover({"UV_DEFAULT_INDEX": f"https://reader:s3cret@{tls_index}/simple/"})
    with IndexProxy(tmp_path / "s", found, refused.append) as proxy:
        connection = _connection(proxy.socket_path)
        connection.request("GET", "http://index-0.internal/simple/demo/")
        assert _status(connection) == 502
        connection.close()


def _failures(path: Path) -> int:
    return IndexAccess(path, {}).failures()


@pytest.mark.parametrize(("status", "failures"), [(200, 0), (404, 0), (403, 0), (429, 1), (500, 1), (503, 1)])
def test_an_index_that_fails_is_counted_and_one_that_refuses_is_not(
    tmp_path: Path, refused: list[str], status: int, failures: int
) -> None:
    with failing_index() as address:
        found = discover({"UV_DEFAULT_INDEX": f"http://reader:s3cret@{address}/simple/"})
        with IndexProxy(tmp_path / "s", found, refused.append) as proxy:
            assert _failures(proxy.socket_path) == 0
            assert _ask(proxy, f"/simple/status-{status}/") == status
            assert _failures(proxy.socket_path) == failures


@pytest.mark.parametrize(("target", "status", "failures"), [("127.0.0.1:9", 502, 1), ("127.0.0.1:22", 403, 0)])
def test_a_host_that_cannot_be_reached_is_counted_and_one_that_is_refused_is_not(
    tmp_path: Path, refused: list[str], target: str, status: int, failures: int
) -> None:
    with IndexProxy(tmp_path / "s", Indexes((), frozenset({"127.0.0.1:9"})), refused.append) as proxy:
        connection = _connection(proxy.socket_path)
        connection.request("CONNECT", target)
        assert _status(connection) == status
        connection.close()
        assert _failures(proxy.socket_path) == failures


def test_an_index_that_resets_a_tunnel_is_counted(tmp_path: Path, refused: list[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        proxy = IndexProxy(tmp_path / "s", Indexes((), frozenset({address})), refused.append)
        with proxy, socket.socket(socket.AF_UNIX) as tunnel:
            tunnel.connect(str(proxy.socket_path))
            tunnel.sendall(f"CONNECT {address} HTTP/1.1\r\n\r\n".encode())
            assert tunnel.recv(4096).startswith(b"HTTP/1.1 200")
            client, _ = listener.accept()
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()
            assert tunnel.recv(4096) == b""
            assert _failures(proxy.socket_path) == 1


def test_a_host_is_remembered_however_it_is_spelt(tmp_path: Path, index: str, refused: list[str]) -> None:
    port, asked = index.partition(":")[2], list[str]()

    def look_up(host: str) -> tuple[str, ...]:
        asked.append(host)
        return ("127.0.0.1",)

    reachable = Indexes((), frozenset({f"index.example:{port}"}))
    with IndexProxy(tmp_path / "s", reachable, refused.append, Upstream(look_up)) as proxy:
        for host in ("index.example", "INDEX.example", "Index.Example"):
            connection = _connection(proxy.socket_path)
            connection.request("CONNECT", f"{host}:{port}")
            with connection.getresponse() as answer:
                assert answer.status == 200
            connection.close()
    assert asked == ["index.example"]


def test_the_socket_is_gone_afterwards(tmp_path: Path) -> None:
    with IndexProxy(tmp_path / "s", Indexes((), frozenset()), print):
        assert (tmp_path / "s").exists()
    assert not (tmp_path / "s").exists()


def test_a_tunnel_goes_through_the_proxy_that_the_worker_itself_sits_behind(
    tmp_path: Path, index: str, refused: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bytes] = []

    def gateway(listener: socket.socket) -> None:
        client, _ = listener.accept()
        with client:
            asked.append(client.recv(4096))
            client.sendall(b"HTTP/1.1 200 Go\r\n\r\nhello from behind")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=gateway, args=(listener,), daemon=True).start()
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:pass%21@127.0.0.1:{listener.getsockname()[1]}")
        proxy = IndexProxy(tmp_path / "s", Indexes((), frozenset({"index.example:443"})), refused.append)
        with proxy, socket.socket(socket.AF_UNIX) as tunnel:
            tunnel.connect(str(proxy.socket_path))
            tunnel.sendall(b"CONNECT index.example:443 HTTP/1.1\r\n\r\n")
            with tunnel.makefile("rb") as answer:
                said = answer.read()
    assert said.startswith(b"HTTP/1.1 200")
    assert said.endswith(b"hello from behind")
    assert asked[0].startswith(b"CONNECT index.example:443 HTTP/1.1\r\n")
    assert b64encode(b"me:pass!") in asked[0]


def test_no_proxy_is_heeded(tmp_path: Path, index: str, refused: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with IndexProxy(tmp_path / "s", Indexes((), frozenset({index})), refused.append) as proxy:
        connection = _connection(proxy.socket_path)
        connection.request("CONNECT", index)
        with connection.getresponse() as answer:
            assert answer.status == 200
        connection.close()


def test_many_may_come_at_once(tmp_path: Path) -> None:
    path = tmp_path / "index.sock"
    proxy = IndexProxy(path, Indexes((), frozenset()), lambda _: None)
    with contextlib.ExitStack() as callers:
        for _ in range(100):  # before it has begun to answer
            caller = callers.enter_context(socket.socket(socket.AF_UNIX))
            caller.settimeout(5)
            caller.connect(str(path))
    with proxy:
        pass
