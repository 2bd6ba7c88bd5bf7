"""Snapshots of a pipeline, from its queue, group, ledger and receipts. Only reads."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from heapq import nlargest
from typing import Any

from auto_lambda import drops, keys
from auto_lambda.attempts import Attempt
from auto_lambda.aws.autoscaling import Capacity
from auto_lambda.aws.s3 import Head
from auto_lambda.aws.sqs import Depth
from auto_lambda.drops import ReceiptStore
from auto_lambda.receipts import Receipt
from checker.sample import AttemptSource, CapacitySource, DepthSource

NEWEST = 100
"""The number of receipts that are read, the latest ones: running builds update theirs often."""
LAST = 8
"""The number of receipts that are shown of uploads that are not being built."""
_RUNNING = frozenset({"building", "deploying"})


@dataclass(frozen=True, slots=True)
class Running:
    """An upload that is being built or deployed.

    Attributes:
        app: ``stage/name``.
        step: the current step.
        seconds: since the worker received it; without a ledger, at least so many.
        worker: the worker's name.
        silent_since: when the worker wrote last, in UTC, if it should have written again.
    """

    app: str
    step: str
    seconds: float
    worker: str
    silent_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """A receipt in short. ``what`` is the app's URL or the error code; ``updated`` in UTC."""

    app: str
    status: str
    updated: datetime
    what: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot.

    Attributes:
        at: the time, in UTC.
        queue: the numbers of messages in the queue.
        dead_letters: messages in the dead-letter queue; None if it is not known.
        capacity: the worker group's; None if it is not known.
        running: running builds, the longest first.
        last: other receipts, the latest first.
    """

    at: datetime
    queue: Depth
    dead_letters: int | None
    capacity: Capacity | None
    running: tuple[Running, ...]
    last: tuple[Told, ...]

    @property
    def at_work(self) -> tuple[str, ...]:
        """The names of the busy workers."""
        return tuple(sorted({build.worker for build in self.running}))

    def facts(self) -> tuple[object, ...]:
        """Return all but times: equal for two snapshots between which nothing happened."""
        steps = tuple((build.app, build.step, build.worker, build.silent_since) for build in self.running)
        return self.queue, self.dead_letters, self.capacity, frozenset(steps), self.last

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form, with seconds rounded to tenths."""
        return {
            "at": self.at.isoformat(timespec="milliseconds"),
            "queue": {**asdict(self.queue), "dead_letters": self.dead_letters},
            "workers": {"at_work": self.at_work, "group": asdict(self.capacity) if self.capacity else None},
            "running": [_rounded(asdict(build)) for build in self.running],
            "last": [{**asdict(told), "updated": told.updated.isoformat()} for told in self.last],
        }


class Look:
    """Takes snapshots of a pipeline. Exceptions are those of its sources.

    Args:
        store: holds the receipts.
        bucket: the uploads bucket.
        queue: the queue of upload events.
        now: the time, in UTC.
        dead_letters: the dead-letter queue.
        group: the worker group.
        history: the latest attempts.
    """

    def __init__(
        self,
        store: ReceiptStore,
        bucket: str,
        queue: DepthSource,
        now: Callable[[], datetime],
        *,
        dead_letters: DepthSource | None = None,
        group: CapacitySource | None = None,
        history: AttemptSource | None = None,
    ) -> None:
        self._store = store
        self._bucket = bucket
        self._queue = queue
        self._dead_letters = dead_letters
        self._group = group
        self._history = history
        self._now = now
        self._newest = NewestReceipts()

    def __call__(self) -> Snapshot:
        """Take a snapshot."""
        queue = self._queue.depth()
        dead_letters = self._dead_letters.depth().visible if self._dead_letters else None
        capacity = self._group.capacity() if self._group else None
        receipts = self._newest.read(self._store, self._bucket)
        attempts = self._history.newest(NEWEST) if self._history else ()
        at = self._now()
        running, rest = divide(receipts, attempts, at)
        return Snapshot(at, queue, dead_letters, capacity, running, tuple(map(told, rest[:LAST])))


class NewestReceipts:
    """The latest receipts of a bucket; each is read again only if it has changed."""

    def __init__(self) -> None:
        self._read: dict[str, tuple[str | None, Receipt | None]] = {}

    def read(self, store: ReceiptStore, bucket: str) -> list[Receipt]:
        """Return those that were written last."""
        heads = [head for head in store.list(bucket, keys.PREFIX) if head.key.endswith(keys.RECEIPT_SUFFIX)]
        newest = nlargest(NEWEST, heads, key=lambda head: head.modified)
        self._read = {head.key: self._receipt(store, bucket, head) for head in newest}
        return [receipt for _, receipt in self._read.values() if receipt]

    def _receipt(self, store: ReceiptStore, bucket: str, head: Head) -> tuple[str | None, Receipt | None]:
        known = self._read.get(head.key)
        if known and head.etag is not None and known[0] == head.etag:
            return known
        return head.etag, _parsed(store, bucket, head.key)


def divide(
    receipts: Iterable[Receipt], attempts: Iterable[Attempt], now: datetime
) -> tuple[tuple[Running, ...], list[Receipt]]:
    """Return what is running, the longest first, and the other receipts, the latest first.

    A receipt stays ``building`` if its worker was killed or has handed the upload back; the ledger, if known, tells
    that the attempt has ended.
    """
    newest: dict[str, Attempt] = {}
    for attempt in attempts:
        newest.setdefault(attempt.subject, attempt)
    running, rest = [], []
    for receipt in receipts:
        attempt_at_it = newest.get(receipt.subject)
        if receipt.status in _RUNNING and not (attempt_at_it and attempt_at_it.ended):
            running.append(_running(receipt, attempt_at_it, now))
        else:
            rest.append(receipt)
    running.sort(key=lambda build: (-build.seconds, build.app))
    return tuple(running), sorted(rest, key=_updated, reverse=True)


def _running(receipt: Receipt, attempt: Attempt | None, now: datetime) -> Running:
    if attempt:
        seconds = (now - attempt.started).total_seconds()
    else:
        seconds = sum(receipt.timings.values()) + (now - (receipt.step_began or _updated(receipt))).total_seconds()
    silent_since = receipt.updated if receipt.silent(now) else None
    return Running(receipt.name, receipt.step or "fetch", max(0.0, seconds), receipt.worker or "?", silent_since)


def told(receipt: Receipt) -> Told:
    """Tell a receipt in short."""
    what = receipt.error.code if receipt.error else receipt.url or receipt.function or ""
    return Told(receipt.name, receipt.status, _updated(receipt), what)


def _updated(receipt: Receipt) -> datetime:
    return receipt.updated or datetime.min.replace(tzinfo=UTC)


def _parsed(store: ReceiptStore, bucket: str, key: str) -> Receipt | None:
    """Return nothing for what was just deleted, or is no receipt of a worker's."""
    receipt = drops.read(store, bucket, keys.upload_key(key))
    return receipt if receipt and receipt.updated else None


def _rounded(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: _plain(value) for name, value in fields.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return round(value, 1) if isinstance(value, float) else value
