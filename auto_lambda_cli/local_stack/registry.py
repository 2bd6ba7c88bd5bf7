"""An image registry on the loopback address: as much of the distribution API as clients that only ask need."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

_INDEX = "application/vnd.oci.image.index.v1+json"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"


@dataclass
class RegistryServer:
    """What it holds, and how it behaves.

    Attributes:
        host: its address, as images name it.
        asked: each request's method and path.
        user: credentials that it wants, as ``user:password``; a token for anybody if empty; None: it wants none.
        realm: where it sends clients for tokens; its own address if None.
        status: what it answers to everything; 0: the truth.
        page: how many tags it tells at once.
        pushed: when tags were pushed, as Docker Hub's own API tells it.
        elsewhere: an address that blobs are redirected to; None: they are here.
        odd: what it answers to everything, with status 200; None: the truth.
    """

    host: str = ""
    asked: list[str] = field(default_factory=list)
    blobs: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    tags: dict[str, dict[str, str]] = field(default_factory=dict)
    user: str | None = None
    realm: str | None = None
    status: int = 0
    page: int = 1000
    elsewhere: str | None = None
    odd: bytes | None = None
    pushed: dict[str, str] = field(default_factory=dict)

    def push(self, repository: str, tag: str, created: str = "2026-11-28T12:00:00Z", *, architectures: int = 1) -> str:
        """Push an image that is like no other, and return the digest that its tag has from now on."""
        manifests = []
        for number in range(architectures):
            config = self._keep(
                "application/json", {"created": created, "for": [repository, tag, number, len(self.blobs)]}
            )
            manifests.append(self._keep(_MANIFEST, {"mediaType": _MANIFEST, "config": {"digest": config}}))
        digest = manifests[0]
        if architectures > 1:
            digest = self._keep(_INDEX, {"mediaType": _INDEX, "manifests": [{"digest": one} for one in manifests]})
        self.tags.setdefault(repository, {})[tag] = digest
        return digest

    def _keep(self, kind: str, content: Any) -> str:
        data = json.dumps(content).encode()
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        self.blobs[digest] = (kind, data)
        return digest


@contextmanager
def serving(registry: RegistryServer) -> Iterator[RegistryServer]:
    """Serve a registry on a free port until the end of the context."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            """Answer."""
            status, headers, body = _answer(registry, self.path, dict(self.headers.items()))
            registry.asked.append(f"{self.command} {self.path}")
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        registry.host = f"127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield registry
        finally:
            server.shutdown()


Found = tuple[int, dict[str, str], bytes]


def _answer(registry: RegistryServer, target: str, headers: dict[str, str]) -> Found:
    parts = urlsplit(target)
    if registry.status:
        return registry.status, {"Location": "http://127.0.0.1:9/"}, b"{}"
    if registry.odd is not None:
        return 200, {}, registry.odd
    if parts.path.startswith("/v2/namespaces/"):
        results = [{"name": tag, "tag_last_pushed": when} for tag, when in registry.pushed.items()]
        return (200, {}, json.dumps({"results": results}).encode()) if results else (404, {}, b"{}")
    if parts.path == "/token":
        wanted = f"Basic {base64.b64encode((registry.user or '').encode()).decode()}"
        given = headers.get("Authorization", "")
        return (200, {}, b'{"token": "open"}') if not registry.user or given == wanted else (401, {}, b"{}")
    if registry.user is not None and headers.get("Authorization") != "Bearer open":
        realm = registry.realm or f"http://{registry.host}/token"
        return 401, {"WWW-Authenticate": f'Bearer realm="{realm}",service="s",scope="pull"'}, b"{}"
    repository, kind, name = parts.path.removeprefix("/v2/").rsplit("/", 2)
    tags = registry.tags.get(repository, {})
    if (kind, name) == ("tags", "list"):
        return _list(registry, repository, parse_qs(parts.query)) if tags else (404, {}, b"{}")
    digest = tags.get(name, name)
    if digest not in registry.blobs:
        return 404, {}, b"{}"
    if kind == "blobs" and registry.elsewhere:
        return 307, {"Location": registry.elsewhere + target}, b""
    media, data = registry.blobs[digest]
    return 200, {"Content-Type": media, "Docker-Content-Digest": digest}, data


def _list(registry: RegistryServer, repository: str, query: dict[str, list[str]]) -> Found:
    rest = [name for name in sorted(registry.tags[repository]) if name > query.get("last", [""])[0]]
    page, more = rest[: registry.page], len(rest) > registry.page
    link = f'<http://example.com/v2/{repository}/tags/list?n=1&last={page[-1]}>; rel="next"'
    return 200, {"Link": link} if more else {}, json.dumps({"name": repository, "tags": page}).encode()
