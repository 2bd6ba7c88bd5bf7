"""HTTP to registries, bounded: no redirect is followed by itself, answers are small, and nothing waits long."""

from __future__ import annotations

import io
import json
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message
from http.client import HTTPConnection, HTTPException, HTTPMessage, HTTPResponse, HTTPSConnection
from typing import IO, Any

_SECONDS = 5.0  # for each read
_MOST_SECONDS = 15.0  # from the connection to the last byte
_MOST_BYTES = 4_000_000


class Unreachable(Exception):
    """No answer came, or one that says to come later."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer; header names are in lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def json(self) -> Any:
        """Return the body's JSON.

        Raises:
            Unreachable: it holds none.
        """
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise Unreachable(f"the answer is not JSON: {error}") from None


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        del req, fp, code, msg, headers, newurl


class _Until(io.RawIOBase):
    """Reads until a deadline: a server that sends a byte now and then never exceeds the time of one read."""

    def __init__(self, raw: io.RawIOBase, seconds: float) -> None:
        self._raw = raw
        self._end = time.monotonic() + seconds

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if time.monotonic() > self._end:
            raise TimeoutError("the answer takes too long")
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(HTTPResponse):
    def __init__(self, sock: Any, *arguments: Any, **named: Any) -> None:
        super().__init__(sock, *arguments, **named)
        self.fp = io.BufferedReader(_Until(self.fp.detach(), _MOST_SECONDS))


class _Connection(HTTPConnection):
    response_class = _Response


class _SecureConnection(HTTPSConnection):
    response_class = _Response


class _Http(urllib.request.HTTPHandler):
    def http_open(self, req: urllib.request.Request) -> HTTPResponse:
        return self.do_open(_Connection, req)


class _Https(urllib.request.HTTPSHandler):
    def https_open(self, req: urllib.request.Request) -> HTTPResponse:
        return self.do_open(_SecureConnection, req)


_OPENER = urllib.request.build_opener(_NoRedirect, _Http, _Https)


def ask(
    url: str, *, method: str = "GET", headers: Mapping[str, str] | None = None, body: bytes | None = None
) -> Answer:
    """Send one request and return the answer, whatever its status below 500 is.

    Raises:
        Unreachable: there was none, it is too large, or the server is in trouble or wants fewer requests.
    """
    request = urllib.request.Request(url, body, dict(headers or {}), method=method)  # noqa: S310 - made of a registry's host
    try:
        with _open(request) as answer:
            found = _read(answer.status, answer.headers, answer.read(_MOST_BYTES + 1))
    except (OSError, HTTPException, ValueError) as error:
        raise Unreachable(f"no answer: {error}") from None
    if found.status == 429 or found.status >= 500:
        raise Unreachable(f"it answers {found.status}")
    return found


def _open(request: urllib.request.Request) -> Any:
    """Return the answer, also one that is an error's."""
    try:
        return _OPENER.open(request, timeout=_SECONDS)
    except urllib.error.HTTPError as error:
        return error


def _read(status: int, headers: Message, body: bytes) -> Answer:
    if len(body) > _MOST_BYTES:
        raise Unreachable(f"the answer is larger than {_MOST_BYTES:,} bytes")
    return Answer(status, {name.lower(): value for name, value in headers.items()}, body)
