"""The only way out of the sandbox: a proxy on a unix socket that reaches the package indexes and nothing else.

Public indexes are reached by CONNECT to an allow-listed ``host:port``. Private ones are asked for under a made-up host
in plain HTTP; the proxy asks the real one over TLS, with the credentials that the build never sees.
"""

from __future__ import annotations

import selectors
import socket
import socketserver
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, suppress
from http.server import BaseHTTPRequestHandler
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import SplitResult, urlsplit

import urllib3

from builder.protocol.messages import INDEX_FAILURES, INDEX_TOO_LARGE
from worker.index.hosts import Indexes, PrivateIndex
from worker.index.links import Links
from worker.index.pages import PAGES, PageTooLarge
from worker.index.signed import NotOffered, SignedRequests, pieces
from worker.index.upstream import Upstream

_CHUNK = 64 * 1024
_IDLE_SECONDS = 120.0
_EMPTY = (204, 304)  # answers without a body
_POLL_SECONDS = 0.5  # how long leaving may take if nobody can wake it
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
        ending = threading.Thread(target=self._server.shutdown, name="index-proxy-end")
        ending.start()
        with suppress(OSError), socket.socket(socket.AF_UNIX) as caller:
            caller.connect(str(self.socket_path))  # or the server would look up from its sleep, while a build waits
        ending.join()
        self._server.server_close()
        self.socket_path.unlink(missing_ok=True)


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128  # who comes while a unix socket's queue is full is refused at once, not kept waiting

    def __init__(
        self, path: str, indexes: Indexes, refused: Callable[[str], None], upstream: Upstream, seen: Links
    ) -> None:
        super().__init__(path, _Handler)
        self.signed = SignedRequests(seen)
        self.upstream = upstream
        self.reachable = indexes.reachable
        self.private = {private.alias: private for private in indexes.private}
        self.refused = refused
        self.failures = 0
        self.too_large = 0
        self.large_pages: set[str] = set()
        self._counting = threading.Lock()

    def fail(self) -> None:
        """Count a failure of an index, or of the way to it: no fault of whoever asked."""
        with self._counting:
            self.failures += 1

    def pass_over(self, page: str) -> None:
        """Count a failure of an index that another try would not cure, and remember the page that is too large."""
        self.fail()
        with self._counting:
            self.too_large += 1
            self.large_pages.add(page)

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore builds that close the connection early."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    timeout = _IDLE_SECONDS
    _begun = False  # with a body that has not ended

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
        counts = {INDEX_FAILURES: self.server.failures, INDEX_TOO_LARGE: self.server.too_large}
        if self.path in counts:
            self._send(200, {}, iter([str(counts[self.path]).encode()]))
            return
        address = urlsplit(self.path)
        private = self.server.private.get(address.hostname or "")
        if private is None:
            self._refuse(address.netloc or self.path)
            return
        try:
            self._pass_on(address, private)
        except NotOffered as error:
            self._refuse(str(error))
        except PageTooLarge as error:
            self.server.pass_over(self.path)
            self._break_off(f"a page of the index is too large: {error}")
        except urllib3.exceptions.HTTPError as error:
            self.server.fail()
            self._break_off(f"the index did not answer: {type(error).__name__}")

    def do_HEAD(self) -> None:
        """Do as `do_GET`, without the body."""
        self.do_GET()

    def _pass_on(self, address: SplitResult, private: PrivateIndex) -> None:
        if self.path in self.server.large_pages:  # it would be no smaller now
            raise PageTooLarge("as it was before")
        signed = self.server.signed
        asked = {name: value for name in _ASKED_WITH if (value := self.headers.get(name))}
        with signed.open(private, address, self.command, asked) as answer:
            response = answer.response
            if answer.failed:
                self.server.fail()
            headers = {name: response.headers[name] for name in _PASSED_ON if name in response.headers}
            if answer.kind in PAGES and self.command == "GET":
                with closing(signed.page(private, answer)) as page:
                    self._send(response.status, headers, _rewritten(page, private))
                return
            if length := response.headers.get("Content-Length"):
                headers["Content-Length"] = length
            self._send(response.status, headers, pieces(response, unpack=False))

    def _send(self, status: int, headers: Mapping[str, str], body: Iterator[bytes]) -> None:
        """IndexAnswer with a body as it comes, so that one that broke off can be told from one that has ended."""
        first = next(body, b"")  # before anything is said: it may fail
        empty = self.command == "HEAD" or status in _EMPTY
        chunked = not empty and "Content-Length" not in headers and self.request_version == "HTTP/1.1"
        self.close_connection |= not (empty or chunked or "Content-Length" in headers)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        self._begun = True
        self.end_headers()
        for piece in filter(None, chain([first], body)):
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
        if chunked:
            self.wfile.write(b"0\r\n\r\n")
        self._begun = False

    def _break_off(self, why: str) -> None:
        if self._begun:
            self.close_connection = True
        else:
            self.send_error(502, why)

    def _refuse(self, target: str) -> None:
        self.server.refused(target)
        self.send_error(403, "only the configured package indexes can be reached from a build")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Nothing: refused targets are told to the caller, the rest is the index client's own business."""


def _rewritten(page: Iterable[bytes], private: PrivateIndex) -> Iterator[bytes]:
    """Absolute links to the private host go through the proxy as well."""
    real, made_up = f"{private.base}/".encode(), f"http://{private.alias}/".encode()
    rest = b""
    for piece in page:
        *before, last = (rest + piece).split(real)
        sure = max(len(last) - len(real) + 1, 0)  # the beginning of a link may be at the end of a piece
        yield made_up.join([*before, last[:sure]])
        rest = last[sure:]
    yield rest


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
