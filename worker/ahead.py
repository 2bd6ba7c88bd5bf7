"""Reads what is needed later, while something else is done."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

T = TypeVar("T")


class Ahead(Generic[T]):
    """Something that a thread of its own reads, once.

    Args:
        read: reads it.
    """

    def __init__(self, read: Callable[[], T]) -> None:
        self._read = read
        self._future: Future[T] | None = None

    def begin(self) -> None:
        """Begin to read, unless that was begun before."""
        if self._future is None:
            self._future = Future()
            threading.Thread(target=self._run, args=(self._future,), name="ahead", daemon=True).start()

    def result(self) -> T:
        """Return it, once it is read; begin to read it if nobody has. Raises what reading raised."""
        self.begin()
        assert self._future  # noqa: S101 - it has begun
        return self._future.result()

    def _run(self, future: Future[T]) -> None:
        try:
            future.set_result(self._read())
        except BaseException as error:  # noqa: BLE001 - whoever takes the result gets it
            future.set_exception(error)
