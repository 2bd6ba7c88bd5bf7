"""Sends the one kind of request that the worker sends to an app."""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import socket
import ssl
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from worker.index.upstream import Upstream, proxy_for

_TIMEOUT = 30.0  # seconds; API Gateway's own limit is 29
_SHOWN = 300  # bytes of a body
_HTTPS = 443

Resolve = Callable[[str, int], Iterable[str]]
"""Returns the addresses of a host and port."""


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """The status and the beginning of the body of a response."""

    status: int
    text: str


class NotPublic(Exception):
    """The host has no public address; the message names the host."""


def get(url: str) -> HttpAnswer:
    """Send one GET without following redirects: an app must not make the worker read and show other addresses.

    Raises:
        OSError: no connection, or no answer in time.
        http.client.HTTPException: the answer is not HTTP.
    """
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    return _asked(kind(parts.netloc, timeout=_TIMEOUT), parts)


def get_public(url: str, resolve: Resolve | None = None) -> HttpAnswer:
    """Send one GET as `get` does, over TLS and to a public address only.

    The address that is checked is the one that is connected to, so a name that changes its meaning gains nothing.
    If ``HTTPS_PROXY`` is set, the request goes through that proxy, which looks up the name itself.

    Raises:
        NotPublic: the host has private addresses only.
        OSError: no connection, or no answer in time.
        http.client.HTTPException: the answer is not HTTP.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme != "https":
        raise NotPublic(f"{host} is not asked without TLS")
    connection, known = http.client.HTTPSConnection(host, timeout=_TIMEOUT), resolve or _resolved
    plain = _through_a_proxy(host, known) if proxy_for(host) else _connected(_public(host, known(host, _HTTPS)))
    try:
        connection.sock = ssl.create_default_context().wrap_socket(plain, server_hostname=host)
    except OSError:
        plain.close()
        raise
    return _asked(connection, parts)


def _asked(connection: http.client.HTTPConnection, parts: SplitResult) -> HttpAnswer:
    try:
        path = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
        connection.request("GET", path, headers={"User-Agent": "auto-lambda"})
        response = connection.getresponse()
        return HttpAnswer(response.status, response.read1(_SHOWN).decode(errors="replace"))
    finally:
        connection.close()


def _resolved(host: str, port: int) -> list[str]:
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def _public(host: str, addresses: Iterable[str]) -> list[str]:
    public = [one for one in addresses if ipaddress.ip_address(one).is_global]
    if not public:
        raise NotPublic(f"{host} has no public address")
    return public


def _through_a_proxy(host: str, resolve: Resolve) -> socket.socket:
    # A network that reaches the internet by a proxy only need not know the internet's names.
    with contextlib.suppress(OSError):
        _public(host, resolve(host, _HTTPS))
    tunnel = Upstream().connect(host, _HTTPS)
    tunnel.settimeout(_TIMEOUT)
    return tunnel


def _connected(addresses: Iterable[str]) -> socket.socket:
    failure: OSError | None = None
    for address in addresses:
        try:
            return socket.create_connection((address, _HTTPS), _TIMEOUT)
        except OSError as error:
            failure = error
    raise failure or OSError("no address")
