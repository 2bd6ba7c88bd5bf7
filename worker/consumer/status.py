"""The worker's state in one line, for ``systemctl status``."""

from __future__ import annotations

import threading
from collections.abc import Callable

WAITING = "waiting"


class StatusLine:
    """Keeps the line up to date. Used by the slots' threads, each on one upload at a time.

    Args:
        tell: takes the line, at each change.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._doing: dict[int, str] = {}
        self._lock = threading.Lock()

    def step(self, key: str, step: str) -> None:
        """Note the step that this thread has reached with an upload."""
        with self._lock:
            self._doing[threading.get_ident()] = f"{key.removesuffix('.zip')} {step}"
            self._tell(self._line())

    def over(self) -> None:
        """Note that this thread has ended its work."""
        with self._lock:
            if self._doing.pop(threading.get_ident(), None):
                self._tell(self._line())

    def _line(self) -> str:
        return f"{len(self._doing)} building: {', '.join(self._doing.values())}" if self._doing else WAITING
