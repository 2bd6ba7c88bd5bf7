"""The queue, as the daemon sees it: deliveries of uploads that can be kept, done, given back or put off.

What a message says is read by `read`, which never raises, whatever the message is. A message that nobody can read is
moved to the dead-letter queue with the reason, where there is one, and is done with a log line otherwise.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import quote_plus, unquote_plus

from pydantic import AliasPath, BaseModel, Field, ValidationError

from auto_lambda import keys, logs
from auto_lambda.aws.s3 import Head
from auto_lambda.aws.sqs import Message, MessageGone, Queue
from worker.cancellation import Cancelled
from worker.model import Upload

_CREATED = ("ObjectCreated:", "s3:ObjectCreated:")
_REMOVED = ("ObjectRemoved:", "s3:ObjectRemoved:")
_SNS_CHATTER = ("SubscriptionConfirmation", "UnsubscribeConfirmation")
_SHOWN = 500  # characters of an unreadable body in the log
_MAX_KEY = 1024  # bytes, S3's limit
MOST_ATTEMPTS = 5
"""How often a message is tried. The queue counts too, but begins anew with each message that was put off."""
FIRST_SENT, ATTEMPTS, REDRIVE = "first-sent", "attempts", "redrive"
"""Attributes of messages: when the first of them was sent (ISO 8601), tries before this one, a redrive's name."""

_log = logs.get("inbox")


@dataclass(frozen=True, slots=True)
class Misnamed:
    """An object that was meant as an upload, but whose key names no app. ``reason`` says why."""

    bucket: str
    key: str
    version: str | None
    size: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class Letter:
    """What a message says. ``ignored`` holds a reason for each part that asks nothing of us.

    ``unreadable`` is the reason why nothing at all could be made of the message.
    """

    uploads: tuple[Upload, ...] = ()
    misnamed: tuple[Misnamed, ...] = ()
    ignored: tuple[str, ...] = ()
    unreadable: str | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message in hand. A message that was put off is another one for the queue, and the same for us."""

    message: Message
    letter: Letter

    @property
    def id(self) -> str:
        """The message's id."""
        return self.message.id

    @property
    def attempts(self) -> int:
        """How often the message has been received to be worked on, this time included."""
        return self.carried + self.message.receives

    @property
    def carried(self) -> int:
        """Attempts before it was last put off."""
        text = self.message.attributes.get(ATTEMPTS, "")
        return int(text) if text.isdecimal() else 0

    @property
    def sent(self) -> datetime | None:
        """When the queue took the message first, in UTC."""
        try:
            return datetime.fromisoformat(self.message.attributes.get(FIRST_SENT, "")).astimezone(UTC)
        except ValueError:
            return self.message.sent

    @property
    def lanes(self) -> frozenset[str]:
        """The apps it is about: two deliveries with a common lane must not be worked on at once."""
        return frozenset(str(upload.app) for upload in self.letter.uploads)


class NotDeleted(Exception):
    """Some messages will come again."""


class Inbox:
    """Receives deliveries from the queue and settles them.

    Args:
        queue: announces the uploads.
        bucket: the one bucket whose uploads are ours.
        dead_letters: takes messages that nobody can read.
        poll_seconds: how long a receive waits.
        removals: whether the deletion of a zip asks something of us.
    """

    def __init__(
        self, queue: Queue, bucket: str, *, dead_letters: Queue | None, poll_seconds: int, removals: bool = False
    ) -> None:
        self._queue = queue
        self._bucket = bucket
        self._dead_letters = dead_letters
        self._poll_seconds = poll_seconds
        self._wait = 0  # at first: who has started us waits to hear that the queue can be used
        self._removals = removals

    def receive(self, at_most: int) -> Sequence[Delivery]:
        """Wait for deliveries. Messages that ask nothing of us are settled here and not handed on."""
        messages = self._queue.receive(at_most, self._wait)
        self._wait = self._poll_seconds
        deliveries = [Delivery(message, self._read(message)) for message in messages]
        return [delivery for delivery in deliveries if self._asks_something(delivery)]

    def keep(self, delivery: Delivery) -> None:
        """Keep it hidden from others for another visibility time-out; raises `Cancelled` when they have it already."""
        try:
            self._queue.extend(delivery.message)
        except MessageGone as error:
            raise Cancelled("the message is in other hands") from error

    def done(self, delivery: Delivery) -> None:
        """It is settled for good."""
        self._queue.delete(delivery.message)

    def done_all(self, deliveries: Sequence[Delivery]) -> None:
        """All of them are settled for good, but for those that the error names."""
        if kept := self._queue.delete_all([delivery.message for delivery in deliveries]):
            raise NotDeleted(f"SQS did not delete {', '.join(message.id for message in kept)}")

    def give_back(self, delivery: Delivery, delay: float) -> None:
        """Let any worker have it again in ``delay`` seconds."""
        self._queue.release(delivery.message, delay)

    def put_off(self, delivery: Delivery, delay: float) -> None:
        """The same, but without counting as an attempt: a copy is sent before the message is deleted."""
        history = {ATTEMPTS: str(delivery.attempts - 1), FIRST_SENT: _text(delivery.sent)}
        self._queue.send(delivery.message.body, delay, {**delivery.message.attributes, **history})
        self._queue.delete(delivery.message)

    def bury(self, delivery: Delivery, code: str, reason: str) -> None:
        """Put a copy aside for a person, with the reason. The delivery itself is still to be settled."""
        body = delivery.message.body
        moved = self._dead_letters is not None
        _log.error("put aside", message=delivery.id, code=code, reason=reason, body=body[:_SHOWN], dead_letter=moved)
        if self._dead_letters:
            about = {"code": code, "reason": reason[:256], "message": delivery.id, FIRST_SENT: _text(delivery.sent)}
            self._dead_letters.send(body, attributes={**about, ATTEMPTS: str(delivery.attempts)})

    def announce(self, key: str, head: Head) -> None:
        """Announce an upload as S3 would have done."""
        self._tell("ObjectCreated", {"key": quote_plus(key), "versionId": head.version, "size": head.size})

    def announce_removal(self, key: str) -> None:
        """Announce that an upload was deleted, as S3 would have done."""
        self._tell("ObjectRemoved", {"key": quote_plus(key)})

    def _tell(self, event: str, item: Mapping[str, object]) -> None:
        record = {"eventName": f"{event}:Reconciled", "s3": {"bucket": {"name": self._bucket}, "object": item}}
        self._queue.send(json.dumps({"Records": [record]}))

    def _read(self, message: Message) -> Letter:
        letter = read(message.body, self._bucket, removals=self._removals)
        redrive = message.attributes.get(REDRIVE)
        return replace(letter, uploads=tuple(replace(it, redrive=redrive) for it in letter.uploads))

    def _asks_something(self, delivery: Delivery) -> bool:
        letter = delivery.letter
        for reason in letter.ignored:
            _log.info("ignored", message=delivery.id, reason=reason)
        exhausted = delivery.carried > 0 and delivery.attempts > MOST_ATTEMPTS
        if (letter.uploads or letter.misnamed) and not exhausted:
            return True
        try:
            if letter.unreadable:
                self.bury(delivery, "unreadable", letter.unreadable)
            elif exhausted:
                self.bury(delivery, "tried-too-often", f"it was tried {delivery.attempts - 1} times")
            self.done(delivery)
        except Exception as error:  # noqa: BLE001 - it comes back by itself, and the other deliveries must go on
            _log.warning("message not settled", message=delivery.id, error=str(error))
        return False


class _Object(BaseModel):
    """One changed object, in either of the two shapes that S3 announces it in."""

    bucket: Annotated[str, Field(min_length=1)]
    key: Annotated[str, Field(min_length=1)]
    version: str | None = None
    sequencer: str | None = None
    size: int | None = None


class _Record(_Object):
    """One entry of ``Records``, S3's own shape: keys are form-encoded."""

    event: str = Field(validation_alias="eventName")
    bucket: str = Field(validation_alias=AliasPath("s3", "bucket", "name"), min_length=1)
    key: str = Field(validation_alias=AliasPath("s3", "object", "key"), min_length=1)
    version: str | None = Field(default=None, validation_alias=AliasPath("s3", "object", "versionId"))
    sequencer: str | None = Field(default=None, validation_alias=AliasPath("s3", "object", "sequencer"))
    size: int | None = Field(default=None, validation_alias=AliasPath("s3", "object", "size"))


class _Detail(_Object):
    """The ``detail`` of an EventBridge event: keys are as they are."""

    bucket: str = Field(validation_alias=AliasPath("bucket", "name"), min_length=1)
    key: str = Field(validation_alias=AliasPath("object", "key"), min_length=1)
    version: str | None = Field(default=None, validation_alias=AliasPath("object", "version-id"))
    sequencer: str | None = Field(default=None, validation_alias=AliasPath("object", "sequencer"))
    size: int | None = Field(default=None, validation_alias=AliasPath("object", "size"))


@dataclass(slots=True)
class _Draft:
    """A letter in the making."""

    bucket: str
    uploads: list[Upload] = field(default_factory=list)
    misnamed: list[Misnamed] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)

    def letter(self) -> Letter:
        return Letter(tuple(self.uploads), tuple(self.misnamed), tuple(self.ignored))

    def add(self, item: _Object, key: str, *, removed: bool = False) -> None:
        """Sort one created or removed object: an upload, a misnamed one, or nothing of ours."""
        version = None if item.version in ("null", "") else item.version
        if item.bucket != self.bucket:
            self.ignored.append(f"{item.bucket!r} is not our bucket (key {key!r})")
        elif not (key.startswith(keys.PREFIX) and key.endswith(keys.SUFFIX)):
            self.ignored.append(f"{key!r} is no upload")
        elif len(keys.receipt_key(key).encode("utf-8", "replace")) > _MAX_KEY:
            self.ignored.append(f"{key!r} leaves no room for a receipt beside it")
        else:
            try:
                app = keys.parse(key)
            except keys.BadKey as error:
                if not removed:
                    self.misnamed.append(Misnamed(item.bucket, key, version, item.size, str(error)))
            else:
                sequencer = item.sequencer or None
                self.uploads.append(Upload(app, item.bucket, key, version, sequencer, item.size, removed=removed))


def read(body: str, bucket: str, *, removals: bool = False) -> Letter:
    """Make sense of a message body. Never raises.

    Understood are S3 notifications (one or several records), the same wrapped by SNS, and EventBridge's
    ``Object Created``; with ``removals`` also those of deleted objects. Test events, other kinds of events and other
    buckets' objects are ignored, each with a reason.
    """
    try:
        return _read(json.loads(body), bucket, removals, depth=0)
    except (ValueError, RecursionError) as error:
        return Letter(unreadable=f"not JSON: {error}")


def _read(data: Any, bucket: str, removals: bool, depth: int) -> Letter:
    if not isinstance(data, dict):
        return Letter(unreadable=f"a JSON {type(data).__name__} instead of an object")
    if isinstance(data.get("Records"), list):
        return _records(data["Records"], bucket, removals)
    if data.get("Event") == "s3:TestEvent":
        return Letter(ignored=("S3's test event",))
    if "detail-type" in data and "detail" in data:
        return _eventbridge(data, bucket, removals)
    if data.get("Type") in _SNS_CHATTER:
        return Letter(ignored=(f"SNS's {data['Type']}",))
    if data.get("Type") == "Notification" and isinstance(data.get("Message"), str) and depth == 0:
        return _read(json.loads(data["Message"]), bucket, removals, depth + 1)
    return Letter(unreadable="neither an S3 notification nor an EventBridge event")


def _records(records: list[Any], bucket: str, removals: bool) -> Letter:
    draft = _Draft(bucket)
    broken: list[str] = []
    for number, data in enumerate(records):
        try:
            record = _Record.model_validate(data)
        except ValidationError as error:
            broken.append(f"record {number}: {_first(error)}")
            continue
        if record.event.startswith(_CREATED):
            draft.add(record, unquote_plus(record.key, errors="replace"))
        elif removals and record.event.startswith(_REMOVED):
            draft.add(record, unquote_plus(record.key, errors="replace"), removed=True)
        else:
            draft.ignored.append(f"event {record.event!r} of {record.key!r}")
    if broken and len(broken) == len(records):
        return Letter(unreadable="; ".join(broken))
    draft.ignored += broken
    return draft.letter()


def _eventbridge(data: dict[str, Any], bucket: str, removals: bool) -> Letter:
    removed = data["detail-type"] == "Object Deleted"
    if not (data["detail-type"] == "Object Created" or (removals and removed)):
        return Letter(ignored=(f"EventBridge's {data['detail-type']!r}",))
    try:
        item = _Detail.model_validate(data["detail"])
    except ValidationError as error:
        return Letter(unreadable=f"EventBridge's Object Created: {_first(error)}")
    draft = _Draft(bucket)
    draft.add(item, item.key, removed=removed)
    return draft.letter()


def _text(moment: datetime | None) -> str:
    return moment.isoformat() if moment else ""


def _first(error: ValidationError) -> str:
    problem = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}"
