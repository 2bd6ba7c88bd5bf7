"""Watch a process that the proof has started: what it prints, how long it takes, how much memory it has."""

from __future__ import annotations

import os
import select
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

MOST_PRINTED = 16_000  # bytes
MOST_HELD = 1_000_000  # bytes
SETTLED_SECONDS = 0.2  # after the last of something that has no end of its own
LAST_OUTPUT_SECONDS = 2.0  # for what a process has printed before it ended


class OutputTail:
    """Passes on what a process prints, once somebody wants it, and keeps the end of it.

    Args:
        pipe: what it prints into.
        too_much: called when it has printed more than is held back.
    """

    def __init__(self, pipe: IO[bytes], too_much: Callable[[], None]) -> None:
        self._pipe = pipe
        self._too_much = too_much
        self._kept = bytearray()
        self._held: bytearray | None = bytearray()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def pass_on(self) -> None:
        """Hold nothing back any more."""
        with self._lock:
            held, self._held = self._held, None
            self._write(held or b"")

    def clear(self) -> None:
        """Forget what was printed so far, also what is still in the pipe."""
        deadline = time.monotonic() + SETTLED_SECONDS
        while select.select([self._pipe], [], [], 0)[0] and time.monotonic() < deadline:
            time.sleep(0.001)
        with self._lock:
            self._kept.clear()

    def text(self) -> str:
        """Return the end of what was printed, once the process has ended."""
        self._thread.join(LAST_OUTPUT_SECONDS)  # a process that it has left behind may hold the pipe
        with self._lock:
            return self._kept.decode(errors="replace")

    def _run(self) -> None:
        chunk = b"..."
        while chunk:
            select.select([self._pipe], [], [])
            with self._lock:  # from the pipe to what is kept at once, for who forgets it
                chunk = os.read(self._pipe.fileno(), 65_536)
                self._kept += chunk
                del self._kept[:-MOST_PRINTED]
                if self._held is None:
                    self._write(chunk)
                elif len(self._held) < MOST_HELD:
                    self._held += chunk
                else:
                    self._too_much()

    @staticmethod
    def _write(chunk: bytes) -> None:
        sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()


class ProcessMonitor:
    """Watches a running process's time and memory from outside."""

    def __init__(self, pid: int) -> None:
        self._proc = Path("/proc", str(pid))
        self._began = time.monotonic()
        self._waited = 0.0
        self.peak_mb = 0

    def look(self) -> float:
        """Return the seconds since the start without those spent waiting for a processor; update the peak of memory.

        The process may have waited before it was watched.
        """
        try:
            self._waited = int((self._proc / "schedstat").read_text().split()[1]) / 1e9
            for line in (self._proc / "status").read_text().splitlines():
                if line.startswith("VmHWM:"):
                    self.peak_mb = max(self.peak_mb, int(line.split()[1]) // 1024)
        except (OSError, ValueError, IndexError):
            pass  # it has just ended, or this kernel does not count
        return max(0.0, time.monotonic() - self._began - self._waited)
