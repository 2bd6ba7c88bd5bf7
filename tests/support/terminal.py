"""A real terminal of any size: runs a command in it, and shows what stands there."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import pyte

LINES = 200
"""So many that nothing scrolls away."""


@dataclass
class Terminal:
    """A command in a terminal. Use it as a context manager: at its end, the command is ended.

    Attributes:
        columns: how wide it is.
        raw: everything that was written, escape sequences included.
    """

    command: Sequence[str | os.PathLike[str]]
    environ: Mapping[str, str]
    columns: int = 80
    raw: str = field(default="", init=False)

    def __enter__(self) -> Self:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, self.columns, 0, 0))
        terminal = {"TERM": "xterm-256color", **self.environ}
        for told in ("COLUMNS", "LINES"):  # xdist sets them; the terminal itself says how large it is
            terminal.pop(told, None)
        self.process = subprocess.Popen(
            self.command, env=terminal, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )  # fmt: skip
        os.close(theirs)
        self._screen = pyte.Screen(self.columns, LINES)
        self._stream = pyte.Stream(self._screen)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()
        os.close(self._ours)

    @property
    def lines(self) -> list[str]:
        """What stands there now, without what is empty below."""
        shown = [line.rstrip() for line in self._screen.display]
        while shown and not shown[-1]:
            shown.pop()
        return shown

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self._ours, keys.encode())

    def ended(self, seconds: float = 60) -> int:
        """Wait until the command has ended; its exit code."""
        for _ in self._until(seconds, lambda: False):
            pass
        return self.process.wait(seconds)

    def until(self, look: Callable[[], object], seconds: float = 60) -> None:
        """Wait until there is something to see."""
        for _ in self._until(seconds, look):
            pass
        assert look(), "\n".join(self.lines)

    def _until(self, seconds: float, look: Callable[[], object]) -> Iterator[None]:
        deadline = time.monotonic() + seconds
        while not look() and time.monotonic() < deadline:
            if not select.select([self._ours], [], [], 0.05)[0]:
                continue
            try:
                chunk = os.read(self._ours, 65_536)
            except OSError:  # the command has ended
                return
            text = chunk.decode(errors="replace")
            self.raw += text
            self._stream.feed(text)
            yield


def run(command: Sequence[str | os.PathLike[str]], environ: Mapping[str, str], columns: int = 80) -> Terminal:
    """Run a command to its end; it must succeed."""
    with Terminal(command, environ, columns) as terminal:
        code = terminal.ended()
        assert code == 0, "\n".join(terminal.lines)
    return terminal
