"""A request as the bridge has it, between the web server and an event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from entrypoint.edge import Receive, Scope, client

MOST_BYTES = 6 * 1024 * 1024  # of Lambda: the largest event


class TooLarge(Exception):
    """A body that no function would be sent."""


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


async def read(scope: Scope, receive: Receive) -> HttpRequest:
    """Take a request from the web server.

    Raises:
        TooLarge: more than an event holds.
    """
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > MOST_BYTES:
            raise TooLarge
        if not message.get("more_body"):
            break
    headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"])
    path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
    return HttpRequest(
        scope["method"], path, scope["query_string"].decode("latin-1"), headers, bytes(body), client(scope)
    )
