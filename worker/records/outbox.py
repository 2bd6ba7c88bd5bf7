"""The outbox: events that the ledger holds until EventBridge has taken them.

An event is stored in the transaction that records its outcome, so it exists exactly if the outcome does. A thread of
its own sends it then and deletes it. What is left over, because a worker died or EventBridge refused it, any worker
sends again: an event may arrive twice, with the same id, but none is lost.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

from auto_lambda import logs
from auto_lambda.aws.dynamodb import Delete, Item, Put, Table
from auto_lambda.aws.events import MOST_AT_ONCE, EventBus
from worker.records.event import Event

PARTITION = "events"
KEPT_SECONDS = 14 * 86_400
"""How long an event that cannot be sent is kept, as messages are."""
PAUSE = 60.0
"""Seconds between two looks for what is left over, and the age at which an event counts as that."""
_CLOSING_SECONDS = 5.0

_log = logs.get("events")


class Outbox:
    """Stores events and sends them.

    Args:
        table: the ledger's.
        bus: where events go.
        now: seconds since 1970.
        clock: seconds, monotonic.
        pause: see `PAUSE`.
    """

    def __init__(
        self,
        table: Table,
        bus: EventBus,
        *,
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
        pause: float = PAUSE,
    ) -> None:
        self._table = table
        self._bus = bus
        self._now = now
        self._clock = clock
        self._pause = pause
        self._ready: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="events", daemon=True)

    def put(self, event: Event) -> Put:
        """Return what stores an event, for the transaction that records its outcome."""
        item: Item = {
            "pk": PARTITION,
            "sk": _sk(event),
            "id": event.id,
            "detail_type": event.detail_type,
            "detail": event.detail,
            "time": event.time.isoformat(),
            "expires": int(self._now() + KEPT_SECONDS),
        }
        return Put(item)

    def send(self, event: Event) -> None:
        """Have a stored event sent, without waiting for it."""
        self._ready.put(event)

    def publish(self, event: Event) -> None:
        """Store an event that belongs to no transaction, and have it sent. Raises what the table raises."""
        self._table.write(self.put(event))
        self.send(event)

    def start(self) -> None:
        """Start sending, in a thread of its own: first what is left over."""
        self._thread.start()

    def close(self) -> None:
        """Send what is ready, and stop; what cannot be sent within seconds is left to other workers."""
        self._ready.put(None)
        if self._thread.is_alive():
            self._thread.join(_CLOSING_SECONDS)

    def _run(self) -> None:
        due = self._clock()
        while True:
            try:
                event = self._ready.get(timeout=max(0.0, due - self._clock()))
            except queue.Empty:
                self.send_left_over()
                due = self._clock() + self._pause
                continue
            if event is None:
                return
            self._deliver([event])

    def send_left_over(self) -> None:
        """Send the events that no worker has sent in time. Failures are only logged."""
        try:
            batch: list[Event] = []
            for event in self._left_over():
                batch.append(event)
                if len(batch) == MOST_AT_ONCE:
                    self._deliver(batch)
                    batch = []
            self._deliver(batch)
        except Exception as error:  # noqa: BLE001 - the next look may succeed
            _log.warning("events that are left over not read", error=str(error))

    def _left_over(self) -> Iterator[Event]:
        latest = datetime.fromtimestamp(self._now() - self._pause, UTC)
        for item in self._table.items(PARTITION):
            moment = datetime.fromisoformat(str(item["time"]))
            if moment > latest:
                return  # they are in the order of their times
            yield Event(str(item["id"]), str(item["detail_type"]), str(item["detail"]), moment)

    def _deliver(self, events: Sequence[Event]) -> None:
        if not events:
            return
        try:
            refused = self._bus.put([event.entry for event in events])
        except Exception as error:  # noqa: BLE001 - whatever it is, the events stay in the table
            refused = (str(error),) * len(events)
        for event, reason in zip(events, refused, strict=True):
            if reason:  # a metric filter counts these lines (docs/reference/metrics.md)
                _log.warning("event not sent", id=event.id, detail_type=event.detail_type, error=reason)
        self._delete([event for event, reason in zip(events, refused, strict=True) if not reason])

    def _delete(self, sent: Sequence[Event]) -> None:
        if not sent:
            return
        _log.info("sent", events=[event.id for event in sent])
        try:
            self._table.write(*(Delete(PARTITION, _sk(event)) for event in sent))
        except Exception as error:  # noqa: BLE001 - then they are sent once more, with the same id
            _log.warning("sent events not deleted", error=str(error))


def _sk(event: Event) -> str:
    return f"{event.time.astimezone(UTC).isoformat(timespec='microseconds')}#{event.id}"
