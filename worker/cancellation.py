"""Cancellation of running work: heartbeat, drain and the steps of a build all look at one `CancelToken`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol


class Cancelled(Exception):
    """The result of the work is no longer wanted: its delivery belongs to another worker."""


class NewerUpload(Cancelled):
    """A newer version of the object has come while this one was being worked on."""


class Renewable(Protocol):
    """Something that work must hold while it runs, and that expires unless it is renewed."""

    def renew(self) -> None:
        """Extend it. Raises `Cancelled` when it is lost; any other exception may be temporary."""

    def check(self) -> None:
        """Raise `Cancelled` when it is lost or has expired. Makes no call."""

    def release(self) -> None:
        """Give it up, so that others can have it at once."""


class CancelToken:
    """Tells whether work is still wanted, and renews what the work holds.

    Args:
        on_cancel: called once, without arguments, when the work is cancelled; from any thread.
    """

    def __init__(self, on_cancel: Callable[[], object] = lambda: None) -> None:
        self._on_cancel = on_cancel
        self._reason: str | None = None
        self._renewables: list[Renewable] = []
        self._lock = threading.Lock()

    def cancel(self, reason: str) -> None:
        """Cancel the work. Only the first reason counts."""
        with self._lock:
            if self._reason:
                return
            self._reason = reason
        self._on_cancel()

    def check(self) -> None:
        """Raise `Cancelled` when the work is not wanted, or when something it must hold has expired."""
        if self._reason:
            raise Cancelled(self._reason)
        for renewable in self._held():
            renewable.check()

    @contextmanager
    def holding(self, renewable: Renewable) -> Iterator[None]:
        """Let the heartbeat renew something as long as the context lasts."""
        with self._lock:
            self._renewables.append(renewable)
        try:
            yield
        finally:
            with self._lock:
                self._renewables.remove(renewable)

    def beat(self) -> None:
        """Renew everything; cancel the work when something is lost or has expired.

        Raises:
            Exception: the first failure that may be temporary, after everything else was renewed.
        """
        failures: list[Exception] = []
        try:
            for renewable in self._held():
                try:
                    renewable.renew()
                except Cancelled:
                    raise
                except Exception as error:  # noqa: BLE001 - the others must be renewed all the same
                    failures.append(error)
            self.check()
        except Cancelled as lost:
            self.cancel(str(lost))
        if failures:
            raise failures[0]

    def release(self) -> None:
        """Give up everything that is held, because the process is about to end."""
        for renewable in self._held():
            renewable.release()

    def _held(self) -> tuple[Renewable, ...]:
        with self._lock:
            return tuple(self._renewables)
