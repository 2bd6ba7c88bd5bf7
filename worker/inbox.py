"""The queue, as the daemon sees it: deliveries of uploads that can be kept, done, given back or put off.

What a message says is read by `read`, which never raises, whatever the message is. A message that nobody can read is
moved to the dead-letter queue with the reason, where there is one, and is done with a log line otherwise.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import unquote_plus

from pydantic import AliasPath, BaseModel, Field, ValidationError

from auto_lambda import keys, logs
from auto_lambda.aws.sqs import Message, Queue
from worker.model import Upload

_CREATED = ("ObjectCreated:", "s3:ObjectCreated:")
_SNS_CHATTER = ("SubscriptionConfirmation", "UnsubscribeConfirmation")
_SHOWN = 500  # characters of an unreadable body in the log
_MAX_KEY = 1024  # bytes, S3's limit

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
    """One message in hand. ``attempts`` counts this one; ``sent`` is when the queue took it."""

    message: Message
    letter: Letter

    @property
    def id(self) -> str:
        """The message's id."""
        return self.message.id

    @property
    def attempts(self) -> int:
        """How often the message has been received, this time included."""
        return self.message.receives

    @property
    def sent(self) -> datetime | None:
        """When the queue took the message."""
        return self.message.sent

    @property
    def lanes(self) -> frozenset[str]:
        """The apps it is about: two deliveries with a common lane must not be worked on at once."""
        return frozenset(str(upload.app) for upload in self.letter.uploads)


class Inbox:
    """Receives deliveries from the queue and settles them.

    Args:
        queue: announces the uploads.
        bucket: the one bucket whose uploads are ours.
        dead_letters: takes messages that nobody can read.
        poll_seconds: how long a receive waits.
    """

    def __init__(self, queue: Queue, bucket: str, *, dead_letters: Queue | None, poll_seconds: int) -> None:
        self._queue = queue
        self._bucket = bucket
        self._dead_letters = dead_letters
        self._poll_seconds = poll_seconds

    def receive(self, at_most: int) -> Sequence[Delivery]:
        """Wait for deliveries. Messages that ask nothing of us are settled here and not handed on."""
        deliveries = [
            Delivery(message, read(message.body, self._bucket))
            for message in self._queue.receive(at_most, self._poll_seconds)
        ]
        return [delivery for delivery in deliveries if self._asks_something(delivery)]

    def keep(self, delivery: Delivery) -> None:
        """Keep it hidden from others for another visibility time-out."""
        self._queue.extend(delivery.message)

    def done(self, delivery: Delivery) -> None:
        """It is settled for good."""
        self._queue.delete(delivery.message)

    def give_back(self, delivery: Delivery, delay: float) -> None:
        """Let any worker have it again in ``delay`` seconds."""
        self._queue.release(delivery.message, delay)

    def put_off(self, delivery: Delivery, delay: float) -> None:
        """The same, but without counting as an attempt: a copy is sent before the message is deleted."""
        self._queue.send(delivery.message.body, delay)
        self._queue.delete(delivery.message)

    def _asks_something(self, delivery: Delivery) -> bool:
        letter = delivery.letter
        for reason in letter.ignored:
            _log.info("ignored", message=delivery.id, reason=reason)
        if letter.uploads or letter.misnamed:
            return True
        try:
            if letter.unreadable:
                self._bury(delivery, letter.unreadable)
            self.done(delivery)
        except Exception as error:  # noqa: BLE001 - it comes back by itself, and the other deliveries must go on
            _log.warning("message not settled", message=delivery.id, error=str(error))
        return False

    def _bury(self, delivery: Delivery, reason: str) -> None:
        body = delivery.message.body
        moved = self._dead_letters is not None
        _log.error("unreadable message", message=delivery.id, reason=reason, body=body[:_SHOWN], dead_letter=moved)
        if self._dead_letters:
            self._dead_letters.send(body, attributes={"reason": reason[:256], "message": delivery.id})


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

    def add(self, item: _Object, key: str) -> None:
        """Sort one created object: an upload, a misnamed one, or nothing of ours."""
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
                self.misnamed.append(Misnamed(item.bucket, key, version, item.size, str(error)))
            else:
                self.uploads.append(Upload(app, item.bucket, key, version, item.sequencer or None, item.size))


def read(body: str, bucket: str) -> Letter:
    """Make sense of a message body. Never raises.

    Understood are S3 notifications (one or several records), the same wrapped by SNS, and EventBridge's
    ``Object Created``. Test events, other kinds of events and other buckets' objects are ignored, each with a reason.
    """
    try:
        return _read(json.loads(body), bucket, depth=0)
    except (ValueError, RecursionError) as error:
        return Letter(unreadable=f"not JSON: {error}")


def _read(data: Any, bucket: str, depth: int) -> Letter:
    if not isinstance(data, dict):
        return Letter(unreadable=f"a JSON {type(data).__name__} instead of an object")
    if isinstance(data.get("Records"), list):
        return _records(data["Records"], bucket)
    if data.get("Event") == "s3:TestEvent":
        return Letter(ignored=("S3's test event",))
    if "detail-type" in data and "detail" in data:
        return _eventbridge(data, bucket)
    if data.get("Type") in _SNS_CHATTER:
        return Letter(ignored=(f"SNS's {data['Type']}",))
    if data.get("Type") == "Notification" and isinstance(data.get("Message"), str) and depth == 0:
        return _read(json.loads(data["Message"]), bucket, depth + 1)
    return Letter(unreadable="neither an S3 notification nor an EventBridge event")


def _records(records: list[Any], bucket: str) -> Letter:
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
        else:
            draft.ignored.append(f"event {record.event!r} of {record.key!r}")
    if broken and len(broken) == len(records):
        return Letter(unreadable="; ".join(broken))
    draft.ignored += broken
    return draft.letter()


def _eventbridge(data: dict[str, Any], bucket: str) -> Letter:
    if data["detail-type"] != "Object Created":
        return Letter(ignored=(f"EventBridge's {data['detail-type']!r}",))
    try:
        item = _Detail.model_validate(data["detail"])
    except ValidationError as error:
        return Letter(unreadable=f"EventBridge's Object Created: {_first(error)}")
    draft = _Draft(bucket)
    draft.add(item, item.key)
    return draft.letter()


def _first(error: ValidationError) -> str:
    problem = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}"
