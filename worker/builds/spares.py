"""Builders that stand by: started and idle, each for exactly one request.

Starting one takes a processor for a third of a second, which a build could use: while one goes on, only the last spare
is replaced.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from auto_lambda import logs
from worker.builds.launcher import BuilderProcess, Launcher

MAX_WAIT = 1500.0
"""How long a spare waits before another takes its place: systemd counts a builder's whole life."""

_LOOK = 60.0  # seconds between two looks at the time
_RETRY_SECONDS = 1.0
_LAUNCH_SECONDS = 10.0  # for a start that is under way to be done

_log = logs.get("builder")


class Spares:
    """Hands out builders, and starts others in their place.

    Args:
        launcher: starts them.
        count: how many stand by; 0 starts each when it is asked for.
        clock: seconds, monotonic.
    """

    def __init__(self, launcher: Launcher, count: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._launcher = launcher
        self._count = count
        self._clock = clock
        self._waiting: deque[tuple[float, BuilderProcess]] = deque()  # since when, the oldest first
        self._at_work = 0
        self._changed = threading.Condition()
        self._closed = False
        # A builder ends with the thread that has started it, so one thread starts all of them.
        self._thread = threading.Thread(target=self._refill, name="spare-builders", daemon=True)

    def start(self) -> None:
        """Begin to keep spares."""
        self._thread.start()

    def close(self) -> None:
        """End all spares, and keep none from now on."""
        with self._changed:
            self._closed = True
            spares = [running for _, running in self._waiting]
            self._waiting.clear()
            self._changed.notify_all()
        for spare in spares:
            spare.end()
        if self._thread.ident:
            self._thread.join(_LAUNCH_SECONDS)

    @contextmanager
    def builder(self) -> Iterator[BuilderProcess]:
        """Give a fresh builder, which is ended afterwards with all that it has started."""
        self._count_at_work(1)
        try:
            running = self._taken() or self._launcher.launch()
            try:
                yield running
            finally:
                if said := running.end().strip():
                    _log.warning("a builder's last words", text=said)
        finally:
            self._count_at_work(-1)

    def _count_at_work(self, more: int) -> None:
        with self._changed:
            self._at_work += more
            self._changed.notify_all()

    def _taken(self) -> BuilderProcess | None:
        with self._changed:
            while self._waiting:
                _, running = self._waiting.popleft()
                self._changed.notify_all()
                if running.alive():
                    return running
                running.end()
        return None

    def _refill(self) -> None:
        while self._wanted():
            self._retire()
            try:
                spare = self._launcher.launch()
            except Exception as error:  # noqa: BLE001 - the spares that stand by would end with this thread
                _log.warning("no spare builder", error=str(error))
                with self._changed:
                    self._changed.wait(_RETRY_SECONDS)
                continue
            if not self._kept(spare):
                spare.end()

    def _wanted(self) -> bool:
        """Wait until another spare is wanted; False when none ever will be."""
        with self._changed:
            while not (self._closed or self._stale() or len(self._waiting) < self._aim()):
                self._changed.wait(_LOOK)
            return not self._closed

    def _aim(self) -> int:
        """Return how many are to stand by now."""
        return min(self._count, 1) if self._at_work else self._count

    def _stale(self) -> bool:
        return bool(self._waiting) and self._clock() - self._waiting[0][0] > MAX_WAIT

    def _retire(self) -> None:
        """End the spares that have waited too long."""
        retired = []
        with self._changed:
            while self._stale():
                retired.append(self._waiting.popleft()[1])
        for spare in retired:
            spare.end()

    def _kept(self, spare: BuilderProcess) -> bool:
        with self._changed:
            if self._closed:
                return False
            self._waiting.append((self._clock(), spare))
            return True
