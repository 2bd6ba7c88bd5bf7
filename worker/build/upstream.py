"""How the index proxy itself gets out: directly, or through the proxy that the worker's environment names."""

from __future__ import annotations

import socket
from base64 import b64encode
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

_SECONDS = 15.0
_LONGEST_ANSWER = 16 * 1024


def proxy_for(host: str) -> str | None:
    """The proxy for https to a host, by ``HTTPS_PROXY`` (or ``ALL_PROXY``) and ``NO_PROXY``; None for none."""
    known = getproxies()
    address = known.get("https") or known.get("all")
    return None if not address or proxy_bypass(host) else address


def connect(host: str, port: int) -> socket.socket:
    """A connection to the host and port of an index.

    Raises:
        OSError: it or the proxy before it cannot be reached, or that proxy refuses.
    """
    address = proxy_for(host)
    if address is None:
        return socket.create_connection((host, port), timeout=_SECONDS)
    proxy = urlsplit(address)
    if proxy.scheme != "http" or not proxy.hostname:
        raise OSError("only proxies at http://... addresses are known")
    through = socket.create_connection((proxy.hostname, proxy.port or 80), timeout=_SECONDS)
    try:
        _ask(through, f"{host}:{port}", proxy)
    except OSError:
        through.close()
        raise
    return through


def credentials(proxy: SplitResult) -> str | None:
    """What ``Proxy-Authorization`` says, None for a proxy that asks for nothing."""
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
