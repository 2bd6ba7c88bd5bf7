"""Writes states that follow each other from a thread of its own: the latest one, not every one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from auto_lambda import logs

_log = logs.get("receipt")


class BackgroundWriter:
    """Writes the latest state in a thread of its own, so that no step waits for it. Failures are only logged.

    Args:
        write: writes the current state.
        spacing: minimum seconds between two writes.
        debounce: seconds since the last write after which `request_debounced` takes effect.
    """

    def __init__(self, write: Callable[[], None], *, spacing: float = 0.25, debounce: float = 5.0) -> None:
        self._write = write
        self._spacing = spacing
        self._debounce = debounce
        self._written = time.monotonic()
        self._wanted = threading.Event()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="receipt", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def request(self) -> None:
        """Request a write."""
        self._wanted.set()

    def request_debounced(self) -> None:
        """Request a write for a change that can wait a few seconds."""
        if time.monotonic() - self._written > self._debounce:
            self._wanted.set()

    def close(self) -> None:
        """Wait for a write in progress; none happens afterwards. May be called repeatedly."""
        self._closed.set()
        self._wanted.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while self._wanted.wait() and not self._closed.is_set():
            self._wanted.clear()
            try:
                self._write()
            except Exception as error:  # noqa: BLE001 - a missing intermediate state does no harm
                _log.warning("intermediate receipt not written", error=str(error))
            self._written = time.monotonic()
            self._closed.wait(self._spacing)
