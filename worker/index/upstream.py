"""How the index proxy itself gets out: directly, or through the proxy that the worker's environment names."""

from __future__ import annotations

import os
import socket
import time
from base64 import b64encode
from collections.abc import Callable
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3

from auto_lambda.index_settings import certificates

_SECONDS = 15.0
_LONGEST_ANSWER = 16 * 1024
_REMEMBERED = 60.0  # seconds: as long as the shortest-lived records that indexes are found by


def proxy_for(host: str) -> str | None:
    """Return the proxy for HTTPS to a host, by ``HTTPS_PROXY`` (or ``ALL_PROXY``) and ``NO_PROXY``; None for none."""
    known = getproxies()
    address = known.get("https") or known.get("all")
    return None if not address or proxy_bypass(host) else address


def pool(proxy: str | None) -> urllib3.PoolManager:
    """Connections through a proxy, or directly without one."""
    timeout, retries = urllib3.Timeout(connect=10, read=60), urllib3.Retry(2)
    trusted = certificates(os.environ).get("SSL_CERT_FILE")  # None: what OpenSSL trusts, or is told to
    if proxy is None:
        return urllib3.PoolManager(timeout=timeout, retries=retries, ca_certs=trusted)
    signed = {"Proxy-Authorization": value} if (value := credentials(urlsplit(proxy))) else None
    return urllib3.ProxyManager(proxy, proxy_headers=signed, timeout=timeout, retries=retries, ca_certs=trusted)


class Upstream:
    """Opens connections, and remembers for a while where hosts are.

    A build opens dozens to two or three hosts. Each look-up is a question that may get lost on the way to the name
    server, and asking again is seconds later (resolv.conf(5), ``timeout``).

    Args:
        look_up: from a host's name to its addresses.
        clock: seconds, monotonic.
    """

    def __init__(
        self, look_up: Callable[[str], tuple[str, ...]] | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._look_up = look_up or _look_up
        self._clock = clock
        self._known: dict[str, tuple[float, tuple[str, ...]]] = {}

    def connect(self, host: str, port: int) -> socket.socket:
        """Connect to the host and port of an index.

        Raises:
            OSError: it or the proxy before it cannot be reached, or that proxy refuses.
        """
        address = proxy_for(host)
        if address is None:
            return self._open(host, port)
        proxy = urlsplit(address)
        if proxy.scheme != "http" or not proxy.hostname:
            raise OSError("only proxies at http://... addresses are known")
        through = self._open(proxy.hostname, proxy.port or 80)
        try:
            _ask(through, f"{host}:{port}", proxy)
        except OSError:
            through.close()
            raise
        return through

    def _open(self, host: str, port: int) -> socket.socket:
        """To the first address that answers, which is tried first from then on; where none does, all are forgotten."""
        until, places = self._addresses(host)
        failure = OSError(f"{host} has no address")
        for place in places:
            try:
                connection = socket.create_connection((place, port), timeout=_SECONDS)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # it relays what comes as it comes
            except OSError as error:
                failure = error
                continue
            self._known[host] = until, (place, *(other for other in places if other != place))
            return connection
        self._known.pop(host, None)
        raise failure

    def _addresses(self, host: str) -> tuple[float, tuple[str, ...]]:
        until, places = self._known.get(host, (0.0, ()))
        if places and until >= self._clock():
            return until, places
        return self._clock() + _REMEMBERED, self._look_up(host)


def _look_up(host: str) -> tuple[str, ...]:
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(place[0]) for *_, place in found))


def credentials(proxy: SplitResult) -> str | None:
    """Return the value of ``Proxy-Authorization``, None for a proxy without credentials."""
    if proxy.username is None:
        return None
    pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return "Basic " + b64encode(pair.encode()).decode()


def _ask(through: socket.socket, target: str, proxy: SplitResult) -> None:
    signed = f"Proxy-Authorization: {value}\r\n" if (value := credentials(proxy)) else ""
    through.sendall(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{signed}\r\n".encode())
    answer = b""
    # Byte by byte: what follows the empty line is the other side's already.
    while not answer.endswith(b"\r\n\r\n") and len(answer) < _LONGEST_ANSWER and (byte := through.recv(1)):
        answer += byte
    status = answer.split(b"\r\n", 1)[0].decode(errors="replace")
    if status.split()[1:2] != ["200"]:
        raise OSError(f"the proxy before it says {status or 'nothing'!r}")
