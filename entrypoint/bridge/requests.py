"""A request as the bridge has it, between the web server and an event."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import parse_qsl

from entrypoint.edge import Receive, Scope, client

MOST_BYTES = 6 * 1024 * 1024  # of Lambda: the largest event


MOST_WAITING = 96 * 1024 * 1024  # of all bodies that are on their way, or wait for a handler


class TooLarge(Exception):
    """A body that no function would be sent."""


class TooMany(Exception):
    """More bodies at the same time than a task has memory for."""


class Gone(Exception):
    """The client left before it had sent everything: nobody asks for what it had begun to say."""


class HeldBodies:
    """Counts the bytes of all bodies that a task holds, so that slow clients do not fill its memory.

    Args:
        most: bytes.
    """

    def __init__(self, most: int = MOST_WAITING) -> None:
        self.bytes = 0
        self._most = most

    @contextmanager
    def one(self) -> Iterator[Callable[[int], None]]:
        """Hand out what counts the bytes of one body, until it is no longer held."""
        own = 0

        def grow(by: int) -> None:
            nonlocal own
            own += by
            self.bytes += by
            if self.bytes > self._most:
                raise TooMany

        try:
            yield grow
        finally:
            self.bytes -= own


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request.

    Attributes:
        path: as sent, percent-encoded.
        query: as sent.
        headers: names in lower case, repeated ones in the order in which they came.
    """

    method: str
    path: str
    query: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    client: str

    def header(self, name: str) -> str | None:
        """Return the last value of a header."""
        return next((value for one, value in reversed(self.headers) if one == name), None)

    def grouped(self) -> Mapping[str, list[str]]:
        """Return all values of each header."""
        found: dict[str, list[str]] = {}
        for name, value in self.headers:
            found.setdefault(name, []).append(value)
        return found

    def parameters(self) -> Mapping[str, list[str]]:
        """Return all values of each parameter of the query, decoded."""
        found: dict[str, list[str]] = {}
        for name, value in parse_qsl(self.query, keep_blank_values=True):
            found.setdefault(name, []).append(value)
        return found


async def read(scope: Scope, receive: Receive, grow: Callable[[int], None]) -> HttpRequest:
    """Take a request from the web server.

    Args:
        scope: of the request.
        receive: its body.
        grow: is told how many bytes have come.

    Raises:
        TooLarge: more than an event holds.
        TooMany: `grow` says so.
        Gone: the client has left.
    """
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Gone
        chunk = message.get("body", b"")
        grow(len(chunk))
        body += chunk
        if len(body) > MOST_BYTES:
            raise TooLarge
        if not message.get("more_body"):
            break
    headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"])
    path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
    return HttpRequest(
        scope["method"], path, scope["query_string"].decode("latin-1"), headers, bytes(body), client(scope)
    )
