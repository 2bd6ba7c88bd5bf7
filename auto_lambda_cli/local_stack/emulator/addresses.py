"""Gives each deployed app a host name, under which it has the root of the path as on AWS, and leads back to it.

``<api id>.execute-api.localhost:<port>/<stage>/`` and ``127.0.0.1:<port>/_aws/execute-api/<api id>/<stage>/`` are the
same. Clients that do not know that ``*.localhost`` is this machine need the second form, below which an app's links to
its own root would lead astray. So redirects are rewritten, and requests that a page of an app sends to the root are
sent on.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

_HOST = re.compile(
    r"(?P<id>[a-z0-9-]+)\.(?P<kind>execute-api|lambda-url)(?:\.[a-z0-9-]+)?\.localhost(?P<port>:\d+)?", re.IGNORECASE
)
_PATH = re.compile(r"/_aws/(?P<kind>execute-api|lambda-url)/(?P<id>[^/]+)(?P<rest>/.*)", re.DOTALL)
_FORWARDED = frozenset({b"host", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-port", b"x-forwarded-proto"})

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
App = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class AppAddress:
    """Where an app is.

    Attributes:
        kind: ``execute-api`` or ``lambda-url``.
        id: of the API or the function's URL.
        origin: host and port that the client used.
        by_name: whether the host names the app.
    """

    kind: str
    id: str
    origin: str
    by_name: bool

    @property
    def folder(self) -> str:
        """The path of the app on the emulator."""
        return f"/_aws/{self.kind}/{self.id}"

    def redirect(self, location: str) -> str:
        """Return where a redirect of the app's leads for this client."""
        parts = urlsplit(location)
        its_own = parts.netloc == self.origin or (parts.hostname or "").startswith(f"{self.id}.{self.kind}.".lower())
        if parts.netloc and not its_own:
            return location
        if not (parts.netloc or (location.startswith("/") and not location.startswith("//"))):
            return location  # relative to the page
        rest = parts._replace(scheme="", netloc="").geturl() or "/"
        if not (self.by_name or rest.startswith(f"{self.folder}/")):
            rest = f"{self.folder}{rest}"
        return f"http://{self.origin}{rest}" if parts.netloc else rest


def of_host(host: str) -> AppAddress | None:
    """Return the app that a host names; None if it names none."""
    found = _HOST.fullmatch(host)
    return AppAddress(found["kind"].lower(), found["id"].lower(), host, by_name=True) if found else None


def of_path(host: str, path: str) -> AppAddress | None:
    """Return the app that a path is below; None if it is none's."""
    found = _PATH.fullmatch(path)
    return AppAddress(found["kind"], found["id"], host, by_name=False) if found else None


def of_page(host: str, referer: str) -> AppAddress | None:
    """Return the app whose page, on this very host, sent a request; None if none did."""
    parts = urlsplit(referer)
    return of_path(host, parts.path) if parts.netloc.lower() == host.lower() else None


class AppAddresses:
    """An ASGI application that hands requests for apps to another one in the form that it knows.

    Args:
        app: the embedded AWS.
    """

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        host = dict(scope["headers"]).get(b"host", b"").decode("latin-1")
        address = of_host(host) or of_path(host, scope["path"])
        if address is None:
            await self._app(scope, receive, send)
            return
        await self._app(_scope_for(address, scope), receive, _redirecting(address, send))


def _scope_for(address: AppAddress, scope: Mapping[str, Any]) -> dict[str, Any]:
    prefix = address.folder if address.by_name else ""
    raw = scope.get("raw_path") or scope["path"].encode("latin-1", "replace")
    client = scope["client"][0] if scope.get("client") else "127.0.0.1"
    kept = [(name, value) for name, value in scope["headers"] if name.lower() not in _FORWARDED]
    told = {
        "host": address.origin,
        "x-forwarded-for": client,
        "x-forwarded-port": str(urlsplit(f"//{address.origin}").port or 80),
        "x-forwarded-proto": "http",
    }
    headers = [*kept, *((name.encode(), value.encode("latin-1")) for name, value in told.items())]
    return {**scope, "path": prefix + scope["path"], "raw_path": prefix.encode() + raw, "headers": headers}


def _redirecting(address: AppAddress, send: Send) -> Send:
    async def redirect(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            headers = [
                (name, address.redirect(value.decode("latin-1")).encode("latin-1"))
                if name.lower() == b"location"
                else (name, value)
                for name, value in message["headers"]
            ]
            message = {**message, "headers": headers}
        await send(message)

    return redirect
