"""What the daemon works on, and one delivery in work: kept from others by a heartbeat, and settled once."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

from auto_lambda import logs
from worker.cancellation import Cancel, Cancelled

_log = logs.get("daemon")


class Delivery(Protocol):
    """Something to work on. ``attempts`` counts this one; deliveries with a common lane are never worked on at once."""

    @property
    def id(self) -> str: ...  # noqa: D102
    @property
    def attempts(self) -> int: ...  # noqa: D102
    @property
    def lanes(self) -> frozenset[str]: ...  # noqa: D102


D = TypeVar("D", bound=Delivery)


class Inbox(Protocol[D]):
    """Where deliveries come from. Any call may raise anything; an unsettled delivery comes back by itself."""

    def receive(self, at_most: int) -> Sequence[D]:
        """Wait a while for deliveries."""

    def keep(self, delivery: D) -> None:
        """Keep it from others for another while. Raises `Cancelled` when others have it already."""

    def done(self, delivery: D) -> None:
        """Never deliver it again."""

    def done_all(self, deliveries: Sequence[D]) -> None:
        """Never deliver any of them again. Raises when some may come again."""

    def give_back(self, delivery: D, delay: float) -> None:
        """Deliver it again in ``delay`` seconds."""

    def put_off(self, delivery: D, delay: float) -> None:
        """The same, without counting as an attempt."""


class Hidden(Generic[D]):
    """A delivery that is kept from others."""

    def __init__(self, inbox: Inbox[D], delivery: D, seconds: float, clock: Callable[[], float]) -> None:
        self._inbox = inbox
        self._delivery = delivery
        self._seconds = seconds
        self._clock = clock
        self._sure_until = clock() + seconds

    def renew(self) -> None:
        """Keep it for another while."""
        began = self._clock()
        self._inbox.keep(self._delivery)
        self._sure_until = began + self._seconds

    def check(self) -> None:
        """Raise `Cancelled` once others may have it."""
        if self._clock() > self._sure_until:
            raise Cancelled("the message may be in other hands")

    def let_go(self) -> None:
        """The daemon settles it."""


class Heart:
    """Beats in a thread of its own until it is stopped; then no beat is under way, nor will there be one."""

    def __init__(self, beat: Callable[[], None], interval: float) -> None:
        self._beat = beat
        self._interval = interval
        self._over = threading.Event()
        self._wake = threading.Event()
        context = contextvars.copy_context()
        self._thread = threading.Thread(target=context.run, args=(self._run,), name="heartbeat", daemon=True)

    def start(self) -> None:
        """Begin; the first beat comes after the first interval."""
        self._thread.start()

    def soon(self) -> None:
        """Beat now, out of turn."""
        self._wake.set()

    def stop(self) -> None:
        """End, waiting for a beat under way. Any number of times, also before the start."""
        self._over.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while True:
            self._wake.wait(self._interval)
            if self._over.is_set():
                return
            self._wake.clear()
            try:
                self._beat()
            except Exception as error:  # noqa: BLE001 - the next beat may succeed, what is held lasts for three
                _log.warning("heartbeat failed", error=str(error))


class Job(Generic[D]):
    """A delivery in work. Settled once, by whoever comes first: its own thread or the drain."""

    def __init__(self, delivery: D, work: Callable[[Job[D]], None], end: Callable[[int], object], beat: float) -> None:
        self.delivery = delivery
        self.cancel = Cancel(self._cancelled)
        self.heart = Heart(self.cancel.beat, beat)
        self.thread = threading.Thread(target=work, args=(self,), name="slot", daemon=True)
        self._end = end
        self._taken = threading.Lock()

    def _cancelled(self) -> None:
        if self.thread.native_id is not None and self.thread.is_alive():
            self._end(self.thread.native_id)

    def take(self) -> bool:
        """Whether the caller, and nobody else, is to settle it."""
        return self._taken.acquire(blocking=False)
