"""What a pipeline is doing at one moment, from its queue, its group, its ledger and its receipts. Only reads."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from heapq import nlargest
from typing import Any, Protocol

from auto_lambda import keys
from auto_lambda.attempts import Attempt
from auto_lambda.aws.autoscaling import Capacity
from auto_lambda.aws.s3 import Head, ObjectMissing
from auto_lambda.aws.sqs import Depth
from auto_lambda.receipts import MalformedReceipt, Receipt
from checker.sample import AttemptSource, CapacitySource, DepthSource

NEWEST = 100
"""Receipts that are read, those written last: what runs writes its own all the time."""
LAST = 8
"""Receipts that are shown of uploads that nobody has in hand any more."""
_RUNNING = frozenset({"building", "deploying"})


class ReceiptStore(Protocol):
    """Where the receipts lie."""

    def list(self, bucket: str, prefix: str) -> Iterable[Head]:
        """Every object below a prefix."""

    def get(self, bucket: str, key: str) -> bytes:
        """One of them; raises `ObjectMissing`."""


@dataclass(frozen=True, slots=True)
class Running:
    """An upload that a worker has in hand.

    Attributes:
        app: ``stage/name``.
        step: that it is in.
        seconds: since the worker took it up; at least so many where no ledger is known.
        worker: its name.
    """

    app: str
    step: str
    seconds: float
    worker: str


@dataclass(frozen=True, slots=True)
class Told:
    """A receipt in short. ``what`` is where the app answers, or the code of what is wrong; ``updated`` in UTC."""

    app: str
    status: str
    updated: datetime
    what: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One moment (UTC).

    Attributes:
        at: when.
        queue: messages in it.
        dead_letters: messages that were put aside; None where no dead-letter queue is known.
        capacity: of the worker group; None where no group is known.
        running: the longest in work first.
        last: receipts of what nobody has in hand, the latest first.
    """

    at: datetime
    queue: Depth
    dead_letters: int | None
    capacity: Capacity | None
    running: tuple[Running, ...]
    last: tuple[Told, ...]

    @property
    def at_work(self) -> tuple[str, ...]:
        """The workers that have something in hand, by name."""
        return tuple(sorted({build.worker for build in self.running}))

    def facts(self) -> tuple[object, ...]:
        """All but the passing of time: equal for two moments between which nothing happened."""
        steps = tuple((build.app, build.step, build.worker) for build in self.running)
        return self.queue, self.dead_letters, self.capacity, frozenset(steps), self.last

    def as_dict(self) -> dict[str, Any]:
        """For JSON; seconds are rounded to tenths."""
        return {
            "at": self.at.isoformat(timespec="milliseconds"),
            "queue": {**asdict(self.queue), "dead_letters": self.dead_letters},
            "workers": {"at_work": self.at_work, "group": asdict(self.capacity) if self.capacity else None},
            "running": [_rounded(asdict(build)) for build in self.running],
            "last": [{**asdict(told), "updated": told.updated.isoformat()} for told in self.last],
        }


class Look:
    """Looks at everything that is known of a pipeline. What it raises is theirs.

    Args:
        store: of the receipts.
        bucket: that uploads are dropped into.
        queue: announces them.
        now: the time, in UTC.
        dead_letters: takes what was put aside.
        group: of the workers.
        history: of attempts.
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
        self._read: dict[str, tuple[str | None, Receipt | None]] = {}

    def __call__(self) -> Snapshot:
        """Look now."""
        queue = self._queue.depth()
        dead_letters = self._dead_letters.depth().visible if self._dead_letters else None
        capacity = self._group.capacity() if self._group else None
        receipts = self._receipts()
        attempts = self._history.newest(NEWEST) if self._history else ()
        at = self._now()
        running, rest = divide(receipts, attempts, at)
        return Snapshot(at, queue, dead_letters, capacity, running, tuple(map(_told, rest[:LAST])))

    def _receipts(self) -> list[Receipt]:
        """The newest ones; each is read again only when it has changed."""
        heads = [head for head in self._store.list(self._bucket, keys.PREFIX) if head.key.endswith(keys.RECEIPT_SUFFIX)]
        newest = nlargest(NEWEST, heads, key=lambda head: head.modified)
        self._read = {head.key: self._receipt(head) for head in newest}
        return [receipt for _, receipt in self._read.values() if receipt]

    def _receipt(self, head: Head) -> tuple[str | None, Receipt | None]:
        known = self._read.get(head.key)
        if known and head.etag is not None and known[0] == head.etag:
            return known
        return head.etag, _parsed(self._store, self._bucket, head.key)


def divide(
    receipts: Iterable[Receipt], attempts: Iterable[Attempt], now: datetime
) -> tuple[tuple[Running, ...], list[Receipt]]:
    """What is running, the longest first, and the other receipts, the latest first.

    A receipt says ``building`` for ever when its worker was killed or has handed the upload back; the ledger, where
    there is one, knows that the attempt has ended.
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
        seconds = sum(receipt.timings.values()) + (now - _updated(receipt)).total_seconds()
    return Running(receipt.name, receipt.step or "fetch", max(0.0, seconds), receipt.worker or "?")


def _told(receipt: Receipt) -> Told:
    what = receipt.error.code if receipt.error else receipt.url or receipt.function or ""
    return Told(receipt.name, receipt.status, _updated(receipt), what)


def _updated(receipt: Receipt) -> datetime:
    return receipt.updated or datetime.min.replace(tzinfo=UTC)


def _parsed(store: ReceiptStore, bucket: str, key: str) -> Receipt | None:
    """Return nothing for what was just deleted, or is no receipt: whoever may drop may also write beside a zip."""
    try:
        receipt = Receipt.from_text(store.get(bucket, key))
    except (ObjectMissing, MalformedReceipt):
        return None
    return receipt if receipt.updated else None


def _rounded(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: round(value, 1) if isinstance(value, float) else value for name, value in fields.items()}
