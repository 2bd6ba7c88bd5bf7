"""The only way out of the sandbox: a proxy on a unix socket that reaches the package indexes and nothing else.

Public indexes are reached by CONNECT to an allow-listed ``host:port``. Private ones are asked for under a made-up host
in plain HTTP; the proxy asks the real one over TLS, with the credentials that the build never sees.
"""

from __future__ import annotations

import selectors
import socket
import socketserver
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urljoin, urlsplit, urlunsplit

import urllib3

from builder.protocol.messages import INDEX_FAILURES
from worker.index.hosts import Indexes, PrivateIndex
from worker.index.pages import PAGES, Links, links
from worker.index.upstream import Upstream, pool, proxy_for

_CHUNK = 64 * 1024
_IDLE_SECONDS = 120.0
_TOO_MANY_REQUESTS, _SERVER_ERROR = 429, 500
_REDIRECTS = 5
_POLL_SECONDS = 0.02  # how long leaving may take
_PASSED_ON = ("Content-Type", "ETag", "Last-Modified", "Cache-Control", "Content-Range", "Accept-Ranges")
_ASKED_WITH = ("Accept", "Range", "If-None-Match", "If-Modified-Since", "User-Agent")


class IndexProxy:
    """Runs while a command of the untrusted side runs; a context manager.

    Args:
        socket_path: where the unix socket is made; at most 107 bytes long (the kernel's limit).
        indexes: what may be reached.
        refused: told ``host:port`` of each refused tunnel.
        upstream: opens the tunnels; shared by proxies, as it remembers hosts.
        seen: what the pages of private indexes have led to; shared as well, as a page may be asked for once only.
    """

    def __init__(
        self,
        socket_path: Path,
        indexes: Indexes,
        refused: Callable[[str], None],
        upstream: Upstream | None = None,
        seen: Links | None = None,
    ) -> None:
        self.socket_path = socket_path
        self._server = _Server(str(socket_path), indexes, refused, upstream or Upstream(), seen or Links())
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_POLL_SECONDS,), name="index-proxy", daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self.socket_path.unlink(missing_ok=True)


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    block_on_close = False

    def __init__(
        self, path: str, indexes: Indexes, refused: Callable[[str], None], upstream: Upstream, seen: Links
    ) -> None:
        super().__init__(path, _Handler)
        self.links = seen
        self.upstream = upstream
        self.reachable = indexes.reachable
        self.private = {private.alias: private for private in indexes.private}
        self.refused = refused
        self.failures = 0
        self._counting = threading.Lock()
        self.pools: dict[str | None, urllib3.PoolManager] = {}

    def fail(self) -> None:
        """Count a failure of an index, or of the way to it: no fault of whoever asked."""
        with self._counting:
            self.failures += 1

    def offers(self, private: PrivateIndex, path: str) -> bool:
        """Whether a path is the index's: below its prefix, or of a file that one of its pages has led to."""
        return private.holds(path) or self.links.lead_to(private, path)

    def pool(self, host: str) -> urllib3.PoolManager:
        """Connections to an index, through the proxy that leads to it if there is one."""
        proxy = proxy_for(host)
        if proxy not in self.pools:
            self.pools[proxy] = pool(proxy)
        return self.pools[proxy]

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore builds that close the connection early."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    timeout = _IDLE_SECONDS

    def do_CONNECT(self) -> None:
        """Open a tunnel to an allow-listed host and port."""
        target = self.path.lower()
        if target not in self.server.reachable:
            self._refuse(self.path)
            return
        host, _, port = target.rpartition(":")
        try:
            upstream = self.server.upstream.connect(host, int(port))
        except OSError as error:
            self.server.fail()
            self.send_error(502, f"cannot reach {host}: {error}")
            return
        with upstream:
            self.send_response(200, "Connection established")
            self.end_headers()
            if not _relay(self.connection, upstream):
                self.server.fail()
        self.close_connection = True

    def do_GET(self) -> None:
        """Ask a private index on the build's behalf."""
        if self.path == INDEX_FAILURES:
            self._send_page(200, {}, str(self.server.failures).encode())
            return
        address = urlsplit(self.path)
        private = self.server.private.get(address.hostname or "")
        if private is None:
            self._refuse(address.netloc or self.path)
            return
        if not self.server.offers(private, address.path):
            self._refuse(f"{private.alias}{address.path}")
            return
        target = private.base + urlunsplit(("", "", address.path, address.query, ""))
        try:
            self._pass_on(target, private)
        except urllib3.exceptions.HTTPError as error:
            self.server.fail()
            self.send_error(502, f"the index did not answer: {type(error).__name__}")

    def do_HEAD(self) -> None:
        """Do as `do_GET`, without the body."""
        self.do_GET()

    def _pass_on(self, target: str, private: PrivateIndex) -> None:
        answer = self._follow(target, private)
        if answer is None:
            return
        if answer.status == _TOO_MANY_REQUESTS or answer.status >= _SERVER_ERROR:
            self.server.fail()
        try:
            passed_on = {name: answer.headers[name] for name in _PASSED_ON if name in answer.headers}
            kind = answer.headers.get("Content-Type", "").split(";")[0]
            if kind in PAGES and self.command == "GET":
                body = answer.read()
                self.server.links.add(private, links(body, kind, target))
                self._send_page(answer.status, passed_on, _rewrite(body, private))
            else:
                self._send_stream(answer, passed_on)
        finally:
            answer.release_conn()

    def _follow(self, target: str, private: PrivateIndex) -> urllib3.BaseHTTPResponse | None:
        """Ask, and where the index sends us on, ask there: without credentials if it is another host.

        Some indexes keep their files in a store that signed addresses lead to. None, and refused, when it leads to
        another part of the index's host, or out of TLS, where a machine's metadata would be.
        """
        asked = {name: value for name in _ASKED_WITH if (value := self.headers.get(name))}
        signed = {**asked, "Authorization": private.authorization}
        answer = self._ask(target, signed)
        for _ in range(_REDIRECTS):
            location = answer.get_redirect_location()
            if not isinstance(location, str):
                break
            answer.release_conn()
            target = urljoin(target, location)
            own, to = target.startswith(f"{private.base}/"), urlsplit(target)
            if not (self.server.offers(private, to.path) if own else to.scheme == "https"):
                self._refuse(f"{private.alias}{to.path}" if own else to.netloc)
                return None
            answer = self._ask(target, signed if own else asked)
        return answer

    def _ask(self, target: str, headers: dict[str, str]) -> urllib3.BaseHTTPResponse:
        """Send a request without following a redirect: it might lead credentials away from their index."""
        connections = self.server.pool(urlsplit(target).hostname or "")
        return connections.request(self.command, target, headers=headers, preload_content=False, redirect=False)

    def _send_page(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _send_stream(self, answer: urllib3.BaseHTTPResponse, headers: dict[str, str]) -> None:
        self.send_response(answer.status)
        for name, value in {**headers, "Connection": "close"}.items():
            self.send_header(name, value)
        if length := answer.headers.get("Content-Length"):
            self.send_header("Content-Length", length)
        self.end_headers()
        for chunk in answer.stream(_CHUNK, decode_content=False):
            self.wfile.write(chunk)
        self.close_connection = True

    def _refuse(self, target: str) -> None:
        self.server.refused(target)
        self.send_error(403, "only the configured package indexes can be reached from a build")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Nothing: refused targets are told to the caller, the rest is the index client's own business."""


def _rewrite(page: bytes, private: PrivateIndex) -> bytes:
    """Absolute links to the private host go through the proxy as well."""
    return page.replace(private.base.encode() + b"/", f"http://{private.alias}/".encode())


def _relay(build: socket.socket, index: socket.socket) -> bool:
    """Copy bytes both ways until either side ends or nothing has moved for a while.

    Returns:
        False if the index broke the connection off.
    """
    peer = {build: index, index: build}
    with selectors.DefaultSelector() as selector:
        for end in peer:
            selector.register(end, selectors.EVENT_READ)
        while ready := selector.select(_IDLE_SECONDS):
            for key, _ in ready:
                source = build if key.fileobj is build else index
                try:
                    data = source.recv(_CHUNK)
                except OSError:
                    return source is build
                if not data:
                    return True
                peer[source].sendall(data)
    return True
