"""The queue as the daemon sees it: deliveries of uploads to extend, acknowledge, give back, requeue or dead-letter.

`parse_message` reads a message and never raises, whatever the message is. An unreadable message is moved to the
dead-letter queue with the reason; without a dead-letter queue it is deleted, and logged.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Annotated, Any
from urllib.parse import quote_plus, unquote_plus

from pydantic import AliasPath, BaseModel, Field, ValidationError

from auto_lambda import keys, logs
from auto_lambda.aws.s3 import Head
from auto_lambda.aws.sqs import Message, MessageGone, Queue
from auto_lambda.model import Dropper
from worker.cancellation import Cancelled
from worker.consumer.misnamed import looks_meant
from worker.consumer.misnamed import reason as why_misnamed
from worker.model import Upload

_CREATED = ("ObjectCreated:", "s3:ObjectCreated:")
_REMOVED = ("ObjectRemoved:", "s3:ObjectRemoved:")
_SNS_CHATTER = ("SubscriptionConfirmation", "UnsubscribeConfirmation")
_SHOWN = 500  # characters of an unreadable body in the log
_MAX_KEY = 1024  # bytes, S3's limit
MAX_ATTEMPTS = 5
"""Maximum number of attempts at a message. The queue counts too, but starts again with each requeued message."""
FIRST_SENT, ATTEMPTS, REDRIVE, PUT_OFFS = "first-sent", "attempts", "redrive", "put-offs"
"""Message attributes: when the first message was sent (ISO 8601), the number of earlier attempts, a redrive's id, how
often AWS has throttled the work."""

_log = logs.get("inbox")


@dataclass(frozen=True, slots=True)
class InvalidKey:
    """An uploaded object whose key names no app. ``reason`` says why."""

    bucket: str
    key: str
    version: str | None
    size: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class ParsedMessage:
    """The contents of a message. ``ignored`` holds a reason for each part that needs no work.

    ``unreadable`` is the reason why the message could not be read at all.
    """

    uploads: tuple[Upload, ...] = ()
    invalid_keys: tuple[InvalidKey, ...] = ()
    ignored: tuple[str, ...] = ()
    unreadable: str | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """One received message. A requeued message is a new one for the queue, and the same one for us."""

    message: Message
    parsed: ParsedMessage

    @property
    def id(self) -> str:
        """The message's id."""
        return self.message.id

    @property
    def attempts(self) -> int:
        """Number of times the message has been received to be worked on, including this time."""
        return self.carried + self.message.receives

    @property
    def carried(self) -> int:
        """Attempts before it was last requeued."""
        return self._number(ATTEMPTS)

    @property
    def put_offs(self) -> int:
        """Number of times that AWS has throttled the work."""
        return self._number(PUT_OFFS)

    def _number(self, attribute: str) -> int:
        text = self.message.attributes.get(attribute, "")
        return int(text) if text.isdecimal() else 0

    @property
    def sent(self) -> datetime | None:
        """When the message was first sent, in UTC."""
        try:
            return datetime.fromisoformat(self.message.attributes.get(FIRST_SENT, "")).astimezone(UTC)
        except ValueError:
            return self.message.sent

    @property
    def lock_keys(self) -> frozenset[str]:
        """The apps it is about. Deliveries that share one must not be worked on at the same time."""
        return frozenset(str(upload.app) for upload in self.parsed.uploads)


class NotDeleted(Exception):
    """Some messages were not deleted, and will come back."""


class Inbox:
    """Receives deliveries from the queue and settles them.

    Args:
        queue: announces the uploads.
        bucket: the only bucket whose uploads count.
        dead_letters: takes messages that cannot be processed.
        poll_seconds: how long a receive waits.
        removals: whether the deletion of a zip needs work.
        reserved: names of the pipeline's own resources; no app's names may hold one of them.
    """

    def __init__(
        self,
        queue: Queue,
        bucket: str,
        *,
        dead_letters: Queue | None,
        poll_seconds: int,
        removals: bool = False,
        reserved: Sequence[str] = (),
    ) -> None:
        self._reserved = reserved
        self._queue = queue
        self._bucket = bucket
        self._dead_letters = dead_letters
        self._poll_seconds = poll_seconds
        self._wait = 0  # at first: whoever started us is waiting for the sign that the queue is usable
        self._removals = removals

    def receive(self, at_most: int) -> Sequence[Delivery]:
        """Wait for deliveries. Messages that need no work are settled here and not returned."""
        messages = self._queue.receive(at_most, self._wait)
        self._wait = self._poll_seconds
        deliveries = [Delivery(message, self._read(message)) for message in messages]
        return [delivery for delivery in deliveries if self._needs_work(delivery)]

    def extend(self, delivery: Delivery) -> None:
        """Hide it for another visibility timeout; raises `Cancelled` when another worker has it already."""
        try:
            self._queue.extend(delivery.message)
        except MessageGone as error:
            raise Cancelled("another worker has the message") from error

    def ack(self, delivery: Delivery) -> None:
        """Delete it."""
        self._queue.delete(delivery.message)

    def ack_all(self, deliveries: Sequence[Delivery]) -> None:
        """Delete all of them; `NotDeleted` names those that could not be deleted."""
        if remaining := self._queue.delete_all([delivery.message for delivery in deliveries]):
            raise NotDeleted(f"SQS did not delete {', '.join(message.id for message in remaining)}")

    def nack(self, delivery: Delivery, delay: float) -> None:
        """Make it visible to every worker again in ``delay`` seconds."""
        self._queue.release(delivery.message, delay)

    def requeue(self, delivery: Delivery, delay: float) -> None:
        """Send a copy that becomes visible in ``delay`` seconds, then delete it; this does not count as an attempt."""
        self._send_again(delivery, delay, {})

    def put_off(self, delivery: Delivery, delay: float) -> None:
        """Requeue it because AWS throttles the work, and count that."""
        self._send_again(delivery, delay, {PUT_OFFS: str(delivery.put_offs + 1)})

    def _send_again(self, delivery: Delivery, delay: float, more: Mapping[str, str]) -> None:
        history = {ATTEMPTS: str(delivery.attempts - 1), FIRST_SENT: _text(delivery.sent), **more}
        self._queue.send(delivery.message.body, delay, {**delivery.message.attributes, **history})
        self._queue.delete(delivery.message)

    def dead_letter(self, delivery: Delivery, code: str, reason: str) -> None:
        """Send a copy to the dead-letter queue, with the reason. The delivery itself is not settled."""
        body = delivery.message.body
        moved = self._dead_letters is not None
        _log.error("put aside", message=delivery.id, code=code, reason=reason, body=body[:_SHOWN], dead_letter=moved)
        if self._dead_letters:
            about = {"code": code, "reason": reason[:256], "message": delivery.id, FIRST_SENT: _text(delivery.sent)}
            self._dead_letters.send(body, attributes={**about, ATTEMPTS: str(delivery.attempts)})

    def announce(self, key: str, head: Head) -> None:
        """Send the message that S3 would have sent for an upload."""
        self._send("ObjectCreated", {"key": quote_plus(key), "versionId": head.version, "size": head.size})

    def announce_removal(self, key: str) -> None:
        """Send the message that S3 would have sent for a deleted upload."""
        self._send("ObjectRemoved", {"key": quote_plus(key)})

    def _send(self, event: str, item: Mapping[str, object]) -> None:
        record = {"eventName": f"{event}:Reconciled", "s3": {"bucket": {"name": self._bucket}, "object": item}}
        self._queue.send(json.dumps({"Records": [record]}))

    def _read(self, message: Message) -> ParsedMessage:
        parsed = parse_message(message.body, self._bucket, removals=self._removals)
        redrive = message.attributes.get(REDRIVE)
        parsed = refuse_reserved(parsed, self._reserved)
        return replace(parsed, uploads=tuple(replace(it, redrive=redrive) for it in parsed.uploads))

    def _needs_work(self, delivery: Delivery) -> bool:
        parsed = delivery.parsed
        for reason in parsed.ignored:
            _log.info("ignored", message=delivery.id, reason=reason)
        exhausted = delivery.carried > 0 and delivery.attempts > MAX_ATTEMPTS
        if (parsed.uploads or parsed.invalid_keys) and not exhausted:
            return True
        try:
            if parsed.unreadable:
                self.dead_letter(delivery, "unreadable", parsed.unreadable)
            elif exhausted:
                self.dead_letter(delivery, "tried-too-often", f"it was tried {delivery.attempts - 1} times")
            self.ack(delivery)
        except Exception as error:  # noqa: BLE001 - it comes back by itself, and the other deliveries must go on
            _log.warning("message not settled", message=delivery.id, error=str(error))
        return False


class _Object(BaseModel):
    """One changed object, in either of the two formats in which S3 announces it."""

    bucket: Annotated[str, Field(min_length=1)]
    key: Annotated[str, Field(min_length=1)]
    version: str | None = None
    sequencer: str | None = None
    size: int | None = None
    principal: Any = None
    address: Any = None


class _Record(_Object):
    """One entry of ``Records``, S3's own format: keys are form-encoded."""

    event: str = Field(validation_alias="eventName")
    bucket: str = Field(validation_alias=AliasPath("s3", "bucket", "name"), min_length=1)
    key: str = Field(validation_alias=AliasPath("s3", "object", "key"), min_length=1)
    version: str | None = Field(default=None, validation_alias=AliasPath("s3", "object", "versionId"))
    sequencer: str | None = Field(default=None, validation_alias=AliasPath("s3", "object", "sequencer"))
    size: int | None = Field(default=None, validation_alias=AliasPath("s3", "object", "size"))
    principal: Any = Field(default=None, validation_alias=AliasPath("userIdentity", "principalId"))
    address: Any = Field(default=None, validation_alias=AliasPath("requestParameters", "sourceIPAddress"))


class _Detail(_Object):
    """The ``detail`` of an EventBridge event: keys are not encoded."""

    bucket: str = Field(validation_alias=AliasPath("bucket", "name"), min_length=1)
    key: str = Field(validation_alias=AliasPath("object", "key"), min_length=1)
    version: str | None = Field(default=None, validation_alias=AliasPath("object", "version-id"))
    sequencer: str | None = Field(default=None, validation_alias=AliasPath("object", "sequencer"))
    size: int | None = Field(default=None, validation_alias=AliasPath("object", "size"))
    principal: Any = Field(default=None, validation_alias="requester")
    address: Any = Field(default=None, validation_alias="source-ip-address")


@dataclass(slots=True)
class _Collector:
    """Collects what a message says, part by part."""

    bucket: str
    uploads: list[Upload] = field(default_factory=list)
    invalid_keys: list[InvalidKey] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)

    def parsed(self) -> ParsedMessage:
        return ParsedMessage(tuple(self.uploads), tuple(self.invalid_keys), tuple(self.ignored))

    def add(self, item: _Object, key: str, *, removed: bool = False) -> None:
        """Sort one created or removed object: an upload, an invalid key, or something to ignore."""
        version = None if item.version in ("null", "") else item.version
        if item.bucket != self.bucket:
            self.ignored.append(f"{item.bucket!r} is not our bucket (key {key!r})")
        elif not (key.startswith(keys.PREFIX) and key.endswith(keys.SUFFIX)) and (removed or not looks_meant(key)):
            self.ignored.append(f"{key!r} is no upload")
        elif len(keys.receipt_key(key).encode("utf-8", "replace")) > _MAX_KEY:
            self.ignored.append(f"{key!r} leaves no room for a receipt beside it")
        else:
            try:
                app = keys.parse(key)
            except keys.BadKey:
                if not removed:
                    self.invalid_keys.append(InvalidKey(item.bucket, key, version, item.size, why_misnamed(key)))
            else:
                sequencer = item.sequencer or None
                by = Dropper.told(item.principal, item.address)
                self.uploads.append(
                    Upload(app, item.bucket, key, version, sequencer, item.size, removed=removed, by=by)
                )


def refuse_reserved(parsed: ParsedMessage, reserved: Sequence[str]) -> ParsedMessage:
    """Return a message in which apps are invalid whose names would hold the pipeline's own. They may be removed."""
    kept, invalid = [], list(parsed.invalid_keys)
    for one in parsed.uploads:
        own = rf"{re.escape(one.app.function)}(?:[-_./].*)?"
        taken = any(re.fullmatch(own, name) or fnmatchcase(one.app.function, name) for name in reserved)
        if one.removed or not taken:
            kept.append(one)
        else:
            reason = f"the pipeline's own names begin with {one.app.function!r}, which is the app's: take another name"
            invalid.append(InvalidKey(one.bucket, one.key, one.version, one.size, reason))
    return replace(parsed, uploads=tuple(kept), invalid_keys=tuple(invalid))


def parse_message(body: str, bucket: str, *, removals: bool = False) -> ParsedMessage:
    """Read a message body. Never raises.

    It understands S3 notifications (one or several records), the same wrapped by SNS, and EventBridge's
    ``Object Created``; with ``removals`` also notifications of deleted objects. Test events, other kinds of events and
    objects of other buckets are ignored, each with a reason.
    """
    try:
        return _read(json.loads(body), bucket, removals, depth=0)
    except (ValueError, RecursionError) as error:
        return ParsedMessage(unreadable=f"not JSON: {error}")


def _read(data: Any, bucket: str, removals: bool, depth: int) -> ParsedMessage:
    if not isinstance(data, dict):
        return ParsedMessage(unreadable=f"a JSON {type(data).__name__} instead of an object")
    if isinstance(data.get("Records"), list):
        return _records(data["Records"], bucket, removals)
    if data.get("Event") == "s3:TestEvent":
        return ParsedMessage(ignored=("S3's test event",))
    if "detail-type" in data and "detail" in data:
        return _eventbridge(data, bucket, removals)
    if data.get("Type") in _SNS_CHATTER:
        return ParsedMessage(ignored=(f"SNS's {data['Type']}",))
    if data.get("Type") == "Notification" and isinstance(data.get("Message"), str) and depth == 0:
        return _read(json.loads(data["Message"]), bucket, removals, depth + 1)
    return ParsedMessage(unreadable="neither an S3 notification nor an EventBridge event")


def _records(records: list[Any], bucket: str, removals: bool) -> ParsedMessage:
    collector = _Collector(bucket)
    broken: list[str] = []
    for number, data in enumerate(records):
        try:
            record = _Record.model_validate(data)
        except ValidationError as error:
            broken.append(f"record {number}: {_first(error)}")
            continue
        if record.event.startswith(_CREATED):
            collector.add(record, unquote_plus(record.key, errors="replace"))
        elif removals and record.event.startswith(_REMOVED):
            collector.add(record, unquote_plus(record.key, errors="replace"), removed=True)
        else:
            collector.ignored.append(f"event {record.event!r} of {record.key!r}")
    if broken and len(broken) == len(records):
        return ParsedMessage(unreadable="; ".join(broken))
    collector.ignored += broken
    return collector.parsed()


def _eventbridge(data: dict[str, Any], bucket: str, removals: bool) -> ParsedMessage:
    removed = data["detail-type"] == "Object Deleted"
    if not (data["detail-type"] == "Object Created" or (removals and removed)):
        return ParsedMessage(ignored=(f"EventBridge's {data['detail-type']!r}",))
    try:
        item = _Detail.model_validate(data["detail"])
    except ValidationError as error:
        return ParsedMessage(unreadable=f"EventBridge's Object Created: {_first(error)}")
    collector = _Collector(bucket)
    collector.add(item, item.key, removed=removed)
    return collector.parsed()


def _text(moment: datetime | None) -> str:
    return moment.isoformat() if moment else ""


def _first(error: ValidationError) -> str:
    problem = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}"
