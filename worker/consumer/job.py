"""The daemon's view of a queue, and one delivery in progress: hidden by a heartbeat, and settled exactly once."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

from auto_lambda import logs
from worker.cancellation import Cancelled, CancelToken

_log = logs.get("daemon")


class Deliverable(Protocol):
    """Something to work on. Deliveries that share a lock key are never worked on at the same time.

    ``attempts`` includes the present one.
    """

    @property
    def id(self) -> str: ...  # noqa: D102
    @property
    def attempts(self) -> int: ...  # noqa: D102
    @property
    def lock_keys(self) -> frozenset[str]: ...  # noqa: D102


D = TypeVar("D", bound=Deliverable)


class MessageSource(Protocol[D]):
    """The queue, for the daemon. Any call may raise anything; an unsettled delivery comes back by itself."""

    def receive(self, at_most: int) -> Sequence[D]:
        """Wait a while for deliveries."""

    def extend(self, delivery: D) -> None:
        """Hide it from other workers for longer. Raises `Cancelled` when another worker has it already."""

    def ack(self, delivery: D) -> None:
        """Delete it."""

    def ack_all(self, deliveries: Sequence[D]) -> None:
        """Delete all of them. Raises when some may come back."""

    def nack(self, delivery: D, delay: float) -> None:
        """Deliver it again in ``delay`` seconds."""

    def requeue(self, delivery: D, delay: float) -> None:
        """Deliver it again in ``delay`` seconds, without counting this as an attempt."""

    def put_off(self, delivery: D, delay: float) -> None:
        """Do the same for work that AWS throttles, and count how often that was done."""


class MessageVisibility(Generic[D]):
    """The time for which a delivery stays hidden from other workers."""

    def __init__(self, inbox: MessageSource[D], delivery: D, seconds: float, clock: Callable[[], float]) -> None:
        self._inbox = inbox
        self._delivery = delivery
        self._seconds = seconds
        self._clock = clock
        self._sure_until = clock() + seconds

    def renew(self) -> None:
        """Hide it for longer."""
        began = self._clock()
        self._inbox.extend(self._delivery)
        self._sure_until = began + self._seconds

    def check(self) -> None:
        """Raise `Cancelled` once another worker may have it."""
        if self._clock() > self._sure_until:
            raise Cancelled("another worker may have the message")

    def release(self) -> None:
        """Do nothing: the daemon settles the message."""


class Heartbeat:
    """Beats in a thread of its own until it is stopped. After that, no beat is in progress and none will follow."""

    def __init__(self, beat: Callable[[], None], interval: float) -> None:
        self._beat = beat
        self._interval = interval
        self._over = threading.Event()
        self._wake = threading.Event()
        context = contextvars.copy_context()
        self._thread = threading.Thread(target=context.run, args=(self._run,), name="heartbeat", daemon=True)

    def start(self) -> None:
        """Start; the first beat comes after the first interval."""
        self._thread.start()

    def beat_now(self) -> None:
        """Beat now instead of at the end of the interval."""
        self._wake.set()

    def stop(self) -> None:
        """Stop, and wait for a beat in progress. May be called repeatedly, also before the start."""
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
    """A delivery in progress. Its own thread or the drain settles it, whichever comes first.

    Args:
        delivery: to work on.
        work: does it, in the job's thread.
        on_cancel: called with the native id of the job's thread when the work is cancelled.
        beat: seconds between two heartbeats.
    """

    def __init__(
        self, delivery: D, work: Callable[[Job[D]], None], on_cancel: Callable[[int], object], beat: float
    ) -> None:
        self.delivery = delivery
        self.cancel_token = CancelToken(self._cancelled)
        self.heartbeat = Heartbeat(self.cancel_token.beat, beat)
        self.thread = threading.Thread(target=work, args=(self,), name="slot", daemon=True)
        self._on_cancel = on_cancel
        self._taken = threading.Lock()

    def _cancelled(self) -> None:
        if self.thread.native_id is not None and self.thread.is_alive():
            self._on_cancel(self.thread.native_id)

    def take_over(self) -> bool:
        """Claim the right to settle the delivery; False if somebody else has claimed it."""
        return self._taken.acquire(blocking=False)
