"""Decides which requests the console answers: those of its own page, and nobody else's.

A page of another site can make a browser send requests to 127.0.0.1, and can give 127.0.0.1 a name of its own; another
user of the machine can connect. They lack the token in the path, and cannot change what a browser says in its headers.
"""

from __future__ import annotations

import hmac
import json
import secrets
import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from auto_lambda_cli.running_stacks import HOST

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
AsgiApp = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]

OWN_HEADER, OWN_VALUE = "x-auto-lambda", "console"
"""The header of every request that changes something. Another origin's page may not send it without asking first."""
ADDRESS = "AUTO_LAMBDA_CONSOLE_ADDRESS"
"""The variable by which a local stack tells its console where it is to be."""
_READS = frozenset({"GET", "HEAD"})
HEADERS: Mapping[str, str] = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
"""Of every response, whoever asked."""


def make_token() -> str:
    """Make the part of the address that nobody can guess."""
    return secrets.token_urlsafe(24)


@dataclass(frozen=True, slots=True)
class ConsoleAddress:
    """Where a console is. ``port`` of the loopback address."""

    port: int
    token: str

    @classmethod
    def free(cls) -> ConsoleAddress:
        """Choose a port that is free now, and a token."""
        with socket.socket() as probe:
            probe.bind((HOST, 0))
            return cls(probe.getsockname()[1], make_token())

    @classmethod
    def of(cls, url: str) -> ConsoleAddress:
        """Read what `url` returns."""
        parts = urlsplit(url)
        return cls(int(parts.port or 0), parts.path.strip("/"))

    @property
    def url(self) -> str:
        """What a person opens."""
        return f"http://{HOST}:{self.port}/{self.token}/"

    @property
    def hosts(self) -> frozenset[str]:
        """The names by which a browser may call it."""
        return frozenset({f"{HOST}:{self.port}", f"localhost:{self.port}"})

    @property
    def origins(self) -> frozenset[str]:
        """The origins of its own page."""
        return frozenset(f"http://{host}" for host in self.hosts)


@dataclass(frozen=True, slots=True)
class ForeignRequest:
    """A request that is not answered, and why."""

    status: int
    code: str
    message: str


_NOTHING = ForeignRequest(404, "no-such-page", "there is nothing here: use the address that the console printed")


def judge(method: str, path: str, headers: Mapping[str, str], address: ConsoleAddress) -> ForeignRequest | None:
    """Judge a request by its path and headers, whose names are in lower case; None lets it in."""
    if headers.get("host", "").lower() not in address.hosts:
        return ForeignRequest(403, "foreign", "the console is called by the address that it printed only")
    token = path[1:].partition("/")[0] if path.startswith("/") else ""  # `OPTIONS *` names no path
    if not hmac.compare_digest(token.encode(), address.token.encode()):
        return _NOTHING
    site = headers.get("sec-fetch-site", "same-origin")
    if method in _READS:
        opened = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
        own = site in {"same-origin", "none"} and headers.get("origin", "") in {"", *address.origins}
        if own or opened:
            return None
        return ForeignRequest(403, "foreign", "only the console's own page may read this")
    if headers.get("origin") not in address.origins or site != "same-origin" or headers.get(OWN_HEADER) != OWN_VALUE:
        return ForeignRequest(403, "foreign", "only the console's own page may change something")
    return None


class ConsoleGuard:
    """An ASGI application that lets through to another one what may reach it, without the token in its path.

    Args:
        app: the console.
        address: where it is.
    """

    def __init__(self, app: AsgiApp, address: ConsoleAddress) -> None:
        self._app = app
        self._address = address

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            return
        guarded = _with_headers(send)
        refusal = judge(scope["method"], scope["path"], _headers(scope), self._address)
        if refusal:
            await _refuse(refusal, guarded)
            return
        prefix = f"/{self._address.token}"
        rest = scope["path"].removeprefix(prefix)
        if not rest:  # relative addresses in the page begin behind the slash
            await _send_on(f"{prefix}/", guarded)
            return
        raw = scope.get("raw_path", b"").removeprefix(prefix.encode())
        await self._app({**scope, "path": rest, "raw_path": raw}, receive, guarded)


def _headers(scope: Mapping[str, Any]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        headers[key] = f"{headers[key]},{text}" if key in headers else text  # two of one kind match nothing
    return headers


def _with_headers(send: Send) -> Send:
    ours = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
    names = {name for name, _ in ours}

    async def guarded(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            kept = [(name, value) for name, value in message.get("headers", ()) if name.lower() not in names]
            message = {**message, "headers": [*kept, *ours]}
        await send(message)

    return guarded


async def _refuse(refusal: ForeignRequest, send: Send) -> None:
    error = {"code": refusal.code, "message": refusal.message, "hint": None, "retry": False}
    body = json.dumps({"error": error}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _send_on(location: str, send: Send) -> None:
    headers = [(b"location", location.encode()), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 307, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
