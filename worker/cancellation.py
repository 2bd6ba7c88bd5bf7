"""Whether work is still wanted: the one thing that heartbeat, drain and the steps of a build all look at."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol


class Cancelled(Exception):
    """The work's result is no longer wanted: its delivery is in other hands."""


class Kept(Protocol):
    """Something that work must hold as long as it lasts, and that runs out unless it is renewed."""

    def renew(self) -> None:
        """Hold it for another while. Raises `Cancelled` when it is lost; anything else may pass by itself."""

    def check(self) -> None:
        """Raise `Cancelled` when it is lost or has run out. Asks nobody."""

    def let_go(self) -> None:
        """Nobody works under it any more; others may have it at once."""


class Cancel:
    """Says whether the work is still wanted, and holds what it needs to be.

    Args:
        react: called once, with nothing, when the work is cancelled; from any thread.
    """

    def __init__(self, react: Callable[[], object] = lambda: None) -> None:
        self._react = react
        self._reason: str | None = None
        self._kept: list[Kept] = []
        self._lock = threading.Lock()

    def cancel(self, reason: str) -> None:
        """It is not wanted. The first reason counts."""
        with self._lock:
            if self._reason:
                return
            self._reason = reason
        self._react()

    def check(self) -> None:
        """Raise `Cancelled` when the work is not wanted, or something it must hold has run out."""
        if self._reason:
            raise Cancelled(self._reason)
        for kept in self._held():
            kept.check()

    @contextmanager
    def holding(self, kept: Kept) -> Iterator[None]:
        """As long as this lasts, the heartbeat renews it."""
        with self._lock:
            self._kept.append(kept)
        try:
            yield
        finally:
            with self._lock:
                self._kept.remove(kept)

    def beat(self) -> None:
        """Renew everything; cancel when something is lost or has run out.

        Raises:
            Exception: the first failure that may pass by itself, after all have been tried.
        """
        failures: list[Exception] = []
        try:
            for kept in self._held():
                try:
                    kept.renew()
                except Cancelled:
                    raise
                except Exception as error:  # noqa: BLE001 - the others must be renewed all the same
                    failures.append(error)
            self.check()
        except Cancelled as lost:
            self.cancel(str(lost))
        if failures:
            raise failures[0]

    def let_go(self) -> None:
        """Give up all that is held; for a process that ends at once."""
        for kept in self._held():
            kept.let_go()

    def _held(self) -> tuple[Kept, ...]:
        with self._lock:
            return tuple(self._kept)
