"""Kills a program before or after each call of AWS that changes something, as often as there are such calls."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

READS = ("Describe", "Get", "List")


class Killed(BaseException):
    """The process is gone; nothing of it runs any more."""


class Killer:
    """Counts the calls of clients that change something, and dies at one of them.

    Args:
        at: the call, from 1; 0 for none.
        after: dies once the call was carried out, not before.
        error: what is raised instead of dying, by the operation's name.
        reads: counts calls that only read, too.
    """

    def __init__(
        self,
        at: int = 0,
        *,
        after: bool = False,
        error: Callable[[str], BaseException] = Killed,
        reads: bool = False,
    ) -> None:
        self.calls: list[str] = []
        self._at = at
        self._after = after
        self._error = error
        self._reads = reads

    @contextmanager
    def watching(self, *clients: Any) -> Iterator[None]:
        for client in clients:
            client.meta.events.register("before-call", self._before)
            client.meta.events.register("after-call", self._done)
        try:
            yield
        finally:
            for client in clients:
                client.meta.events.unregister("before-call", self._before)
                client.meta.events.unregister("after-call", self._done)

    def _before(self, model: Any, **_: Any) -> None:
        if self._reads or not model.name.startswith(READS):
            self.calls.append(model.name)
            self._die(after=False)

    def _done(self, model: Any, **_: Any) -> None:
        if self._reads or not model.name.startswith(READS):
            self._die(after=True)

    def _die(self, *, after: bool) -> None:
        if len(self.calls) == self._at and after == self._after:
            raise self._error(self.calls[-1])


def kills(run: Callable[[Killer], object]) -> Iterator[tuple[int, bool]]:
    """Run once unharmed to count the calls; then yield each way to die."""
    unharmed = Killer()
    run(unharmed)
    for at in range(1, len(unharmed.calls) + 1):
        yield from ((at, False), (at, True))
