"""What a pipeline is doing at one moment, from its queue, its group, its ledger and its receipts. Only reads."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from heapq import nlargest
from typing import Any, Protocol

from auto_lambda import keys
from auto_lambda.attempts import Attempt
from auto_lambda.aws.autoscaling import Capacity
from auto_lambda.aws.s3 import Head, ObjectMissing
from auto_lambda.aws.sqs import Depth
from checker.sample import AttemptSource, CapacitySource, DepthSource

NEWEST = 100
"""Receipts that are read, those written last: what runs writes its own all the time."""
LAST = 8
"""Receipts that are shown of uploads that nobody has in hand any more."""
_RECEIPT = ".receipt.json"
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
        self._read: dict[str, tuple[str | None, Mapping[str, Any]]] = {}

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

    def _receipts(self) -> list[Mapping[str, Any]]:
        """The newest ones; each is read again only when it has changed."""
        heads = [head for head in self._store.list(self._bucket, keys.PREFIX) if head.key.endswith(_RECEIPT)]
        newest = nlargest(NEWEST, heads, key=lambda head: head.modified)
        self._read = {head.key: self._receipt(head) for head in newest}
        return [fields for _, fields in self._read.values() if fields]

    def _receipt(self, head: Head) -> tuple[str | None, Mapping[str, Any]]:
        known = self._read.get(head.key)
        if known and head.etag is not None and known[0] == head.etag:
            return known
        return head.etag, _parsed(self._store, self._bucket, head.key)


def divide(
    receipts: Iterable[Mapping[str, Any]], attempts: Iterable[Attempt], now: datetime
) -> tuple[tuple[Running, ...], list[Mapping[str, Any]]]:
    """What is running, the longest first, and the other receipts, the latest first.

    A receipt says ``building`` for ever when its worker was killed or has handed the upload back; the ledger, where
    there is one, knows that the attempt has ended.
    """
    newest: dict[str, Attempt] = {}
    for attempt in attempts:
        newest.setdefault(attempt.subject, attempt)
    running, rest = [], []
    for fields in receipts:
        attempt_at_it = newest.get(_subject(fields))
        if fields.get("status") in _RUNNING and not (attempt_at_it and attempt_at_it.ended):
            running.append(_running(fields, attempt_at_it, now))
        else:
            rest.append(fields)
    running.sort(key=lambda build: (-build.seconds, build.app))
    return tuple(running), sorted(rest, key=_updated, reverse=True)


def _running(fields: Mapping[str, Any], attempt: Attempt | None, now: datetime) -> Running:
    if attempt:
        seconds = (now - attempt.started).total_seconds()
    else:
        seconds = sum((fields.get("timings") or {}).values()) + (now - _updated(fields)).total_seconds()
    step, worker = str(fields.get("step") or "fetch"), str(fields.get("worker") or "?")
    return Running(_name(fields), step, max(0.0, seconds), worker)


def _told(fields: Mapping[str, Any]) -> Told:
    problem = fields.get("error")
    what = str(problem["code"]) if problem else fields.get("url") or fields.get("function") or ""
    return Told(_name(fields), str(fields.get("status")), _updated(fields), what)


def _name(fields: Mapping[str, Any]) -> str:
    if fields.get("app") and fields.get("stage"):
        return f"{fields['stage']}/{fields['app']}"
    return str((fields.get("upload") or {}).get("key") or "?")


def _subject(fields: Mapping[str, Any]) -> str:
    upload = fields.get("upload") or {}
    return f"{upload.get('key')}@{upload.get('version')}"


def _updated(fields: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(fields["updated"])


def _parsed(store: ReceiptStore, bucket: str, key: str) -> Mapping[str, Any]:
    """Nothing for what was just deleted, or is no receipt of ours: whoever may drop may also write beside it."""
    try:
        fields = json.loads(store.get(bucket, key))
        return fields if datetime.fromisoformat(fields["updated"]).tzinfo else {}
    except (ObjectMissing, ValueError, KeyError, TypeError):
        return {}


def _rounded(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: round(value, 1) if isinstance(value, float) else value for name, value in fields.items()}
