"""What every request meets before the app: the health check, the access log, and the end of connections in a drain."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from entrypoint import logs
from entrypoint.task import HEALTH_PATH

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
_MOST_HEADERS = 64 * 1024  # of a load balancer
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
QUIET_SECONDS = 5.0  # a load balancer sends for some seconds more to a task that it has been told to leave


class Edge:
    """An ASGI application around another.

    Args:
        app: the inner one; set later where it is loaded later.
        drain_seconds: how long a drain may take.
        quiet: seconds without a request after which a drain is over.
    """

    def __init__(self, app: Application | None, drain_seconds: float, quiet: float = QUIET_SECONDS) -> None:
        self.app = app
        self._drain_seconds = drain_seconds
        self._quiet = min(quiet, drain_seconds / 3)
        self._active = 0
        self._busy_until = 0.0  # when the last request ended
        self._drain_began: float | None = None

    def drain(self) -> None:
        """Turn unhealthy, and let each connection end with its next answer."""
        if self._drain_began is None:
            self._drain_began = time.monotonic()
            logs.say("draining", seconds=self._drain_seconds, requests=self._active)

    @property
    def drained(self) -> bool:
        """Whether no request has come for a while, or the time is nearly over."""
        if self._drain_began is None:
            return False
        now = time.monotonic()
        idle = not self._active and now - max(self._busy_until, self._drain_began) >= self._quiet
        return idle or self.seconds_left <= 1

    @property
    def seconds_left(self) -> float:
        """How long requests that are under way may still take."""
        began = self._drain_began
        return self._drain_seconds if began is None else began + self._drain_seconds - time.monotonic()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if why := _refused(scope):
            await _answer(send, 400, why.encode(), (b"connection", b"close"))
            return
        if scope["path"] == HEALTH_PATH:
            await self._health(send)
            return
        self._active += 1
        try:
            await self._logged(scope, receive, send)
        finally:
            self._active -= 1
            self._busy_until = time.monotonic()

    async def _health(self, send: Send) -> None:
        status, word = (200, b"ok") if self._drain_began is None else (503, b"draining")
        await _answer(send, status, word)

    async def _logged(self, scope: Scope, receive: Receive, send: Send) -> None:
        began, status, size = time.monotonic(), 0, 0

        async def noting(message: Message) -> None:
            nonlocal status, size
            if message["type"] == "http.response.start":
                status = message["status"]
                if self._drain_began is not None:
                    message = {**message, "headers": [*message["headers"], (b"connection", b"close")]}
            else:
                size += len(message.get("body", b""))
            await send(message)

        assert self.app  # noqa: S101 - for the type checker: nothing is accepted before
        try:
            await self.app(scope, receive, noting)
        finally:
            # No query: people put secrets there.
            logs.say(
                "request",
                method=scope["method"],
                path=scope["path"],
                status=status or 500,
                bytes=size,
                milliseconds=round((time.monotonic() - began) * 1000, 1),
                client=client(scope),
            )


def _refused(scope: Scope) -> str | None:
    """Return why a request is refused that two servers could read as two different ones; None if it is sound."""
    names = [name for name, _ in scope["headers"]]
    if b"transfer-encoding" in names and b"content-length" in names:
        return "The request has two lengths."
    if sum(len(name) + len(value) for name, value in scope["headers"]) > _MOST_HEADERS:
        return "The request's headers are too long."
    if scope["method"] == "CONNECT" or not scope["path"].startswith("/"):
        return "The request's target is no path."
    return None


async def _answer(send: Send, status: int, body: bytes, *more: tuple[bytes, bytes]) -> None:
    headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode()), *more]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def client(scope: Scope) -> str:
    """Return the address that the load balancer saw, the last that it added; without one, the peer's."""
    for name, value in reversed(scope["headers"]):
        if name == b"x-forwarded-for" and (address := value.decode("latin-1").rpartition(",")[2].strip()):
            return str(address)
    return str(scope["client"][0]) if scope.get("client") else ""
