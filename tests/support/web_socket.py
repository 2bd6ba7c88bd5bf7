"""The least of a WebSocket client: text frames, short ones, one at a time."""

from __future__ import annotations

import base64
import os
import socket
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit


class WebSocket:
    """An open connection. Use it as a context manager."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._socket = socket.create_connection((parts.hostname or "", parts.port or 80), timeout=30)
        key = base64.b64encode(os.urandom(16)).decode()
        lines = (
            f"GET {parts.path} HTTP/1.1", f"Host: {parts.netloc}", "Upgrade: websocket", "Connection: Upgrade",
            f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13", "", "",
        )  # fmt: skip
        self._socket.sendall("\r\n".join(lines).encode())
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            answer += self._read(1)
        assert answer.startswith(b"HTTP/1.1 101"), answer

    def send(self, text: str) -> None:
        """Send a text of at most 125 bytes, masked with zeros as clients must mask."""
        body = text.encode()
        self._socket.sendall(bytes([0x81, 0x80 | len(body)]) + bytes(4) + body)

    def receive(self) -> str:
        """Return the next text."""
        while True:
            kind, length = self._read(2)
            if length == 126:
                length = int.from_bytes(self._read(2))
            body = self._read(length)
            if kind & 0x0F == 1:
                return body.decode()

    def _read(self, size: int) -> bytes:
        found = b""
        while len(found) < size:
            more = self._socket.recv(size - len(found))
            assert more, "the connection was closed"
            found += more
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.sendall(bytes([0x88, 0x80]) + bytes(4))
        self._socket.close()
