"""JSON lines over a stream socket, with open files beside them (unix(7), ``SCM_RIGHTS``)."""

from __future__ import annotations

import contextlib
import json
import math
import os
import select
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

MAX_MESSAGE = 16 * 1024 * 1024
"""Bytes of one message."""

MAX_DEPTH = 100
"""How deeply the values of one message may be nested."""

MAX_VALUES = 200_000
"""Values in one message, about: a parsed value takes up to thirty times the bytes that it was sent in."""

_CHUNK = 256 * 1024
_MAX_FILES = 16  # open files that are on their way at once


class BadMessage(Exception):
    """The other side does not keep to the protocol; the message says how."""


@dataclass(frozen=True, slots=True)
class WireMessage:
    """A JSON object and the open files that came with it. Whoever takes the message closes the files."""

    content: Mapping[str, Any]
    files: tuple[int, ...] = ()

    def close(self) -> None:
        """Close its files."""
        for file in self.files:
            os.close(file)


class Channel:
    """One end of a connection between a worker and a builder.

    Sending is safe from several threads, receiving is for one at a time. What the other side sends is bounded and
    parsed as JSON, and not trusted otherwise.

    Args:
        connection: a connected stream socket of the unix family; closed with the channel.
        max_message: bytes of one message that the other side may send.
        max_total: bytes that the other side may send in all.
        send_seconds: how long the other side may take nothing of what is sent to it; None waits for ever.
    """

    def __init__(
        self,
        connection: socket.socket,
        *,
        max_message: int = MAX_MESSAGE,
        max_total: int | None = None,
        send_seconds: float | None = None,
    ) -> None:
        connection.setblocking(True)
        if send_seconds is not None:
            time_out = struct.pack("ll", int(send_seconds), int(send_seconds % 1 * 1e6))
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, time_out)
        self._connection = connection
        self._max_message = max_message
        self._left = max_total
        self._sending = threading.Lock()
        self._buffer = bytearray()
        self._searched = 0  # bytes of the buffer that hold no end of a line
        self._files: deque[int] = deque()
        self._open = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection and the files that nobody took. Any number of times."""
        if self._open:
            self._open = False
            self._connection.close()
            while self._files:
                os.close(self._files.popleft())

    def shutdown(self) -> None:
        """End the conversation for the other side, while threads of this side may still use the channel."""
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)

    def is_open(self) -> bool:
        """Tell whether the other side has not closed the connection; nothing may have been sent yet."""
        if not self._open:
            return False
        if not self._wait(0):
            return True
        with contextlib.suppress(ConnectionError):
            return bool(self._connection.recv(1, socket.MSG_PEEK))
        return False

    def send(self, content: Mapping[str, Any], files: Sequence[int] = ()) -> None:
        """Send a message; the files stay open on this side.

        Raises:
            OSError: the other side is gone.
        """
        data = json.dumps({**content, "descriptors": len(files)}).encode() + b"\n"
        with self._sending:
            # The files travel with the first byte, so they are there before the line is complete.
            sent = socket.send_fds(self._connection, [data], list(files)) if files else 0
            if sent < len(data):  # the other side may have answered all of it, and be gone
                self._connection.sendall(memoryview(data)[sent:])

    def receive(self, timeout: float | None = None) -> WireMessage | None:
        """Wait for the next message.

        Args:
            timeout: seconds, for the whole message; None waits for ever.

        Returns:
            None when the other side has closed the connection, between two messages.

        Raises:
            TimeoutError: no whole message came in time.
            BadMessage: it is no JSON object, too large, cut off, or its files are missing or too many.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        late = False
        while (end := self._buffer.find(b"\n", self._searched)) < 0:
            if late:  # also where the other side sends a little all the time
                raise TimeoutError("no whole message")
            self._searched = len(self._buffer)
            if self._searched > self._max_message:
                raise BadMessage(f"a message of more than {self._max_message:,} bytes")
            if not self._read(deadline):
                if self._buffer:
                    raise BadMessage("a message was cut off")
                return None
            late = deadline is not None and time.monotonic() > deadline
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        self._searched = 0
        return self._message(line)

    def _read(self, deadline: float | None) -> bool:
        """Read what is there; False at the end of the connection."""
        if not self._wait(None if deadline is None else deadline - time.monotonic()):
            raise TimeoutError("no message")
        try:
            data, files, flags, _ = socket.recv_fds(self._connection, _CHUNK, _MAX_FILES, socket.MSG_CMSG_CLOEXEC)
        except ConnectionResetError:
            return False
        self._files.extend(files)
        if flags & socket.MSG_CTRUNC or len(self._files) > _MAX_FILES:
            raise BadMessage("too many open files")
        if self._left is not None:
            self._left -= len(data)
            if self._left < 0:
                raise BadMessage("too much was sent")
        self._buffer += data
        return bool(data)

    def _wait(self, seconds: float | None) -> bool:
        """Wait until there is something to read; poll, as select knows no descriptor above 1,023."""
        poll = select.poll()
        poll.register(self._connection, select.POLLIN)
        return bool(poll.poll(None if seconds is None else max(0.0, seconds) * 1000))

    def _message(self, line: bytes) -> WireMessage:
        content = _content(line, self._max_message)
        if not isinstance(content, dict):
            raise BadMessage("a message is not an object")
        count = content.pop("descriptors", None)
        if type(count) is not int or not 0 <= count <= len(self._files):
            raise BadMessage("a message's files did not come with it")
        return WireMessage(content, tuple(self._files.popleft() for _ in range(count)))


def check_sendable(content: Mapping[str, Any]) -> None:
    """Raise `BadMessage` if the other side would: it takes the sender of such a message for broken."""
    _content(json.dumps(content).encode(), MAX_MESSAGE - 100)  # the number of files is added


def _content(line: bytes, max_message: int) -> Any:
    if len(line) > max_message:
        raise BadMessage(f"a message of more than {max_message:,} bytes")
    if line.count(b",") + line.count(b"[") + line.count(b"{") > MAX_VALUES:
        raise BadMessage(f"a message of more than {MAX_VALUES:,} values")
    try:
        return _parsed(line)
    except (ValueError, RecursionError):
        raise BadMessage("a message is not JSON") from None


def _parsed(line: bytes) -> Any:
    """Parse JSON as its standard has it: UTF-8, no NaN, no half characters. Whoever passed one on would fail."""
    text = line.decode()
    content = json.loads(text, parse_float=_finite, parse_constant=_finite)
    if deeper_than(content, MAX_DEPTH):
        raise ValueError("nested too deeply")
    if "\\u" in text:
        json.dumps(content, ensure_ascii=False).encode()
    return content


def deeper_than(value: Any, limit: int) -> bool:
    """Tell whether parsed JSON is nested deeper than ``limit`` levels."""
    level = [value]
    for _ in range(limit):
        level = [child for item in level for child in _children(item)]
        if not level:
            return False
    return True


def _children(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("not a number")
    return value
