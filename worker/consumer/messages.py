"""What a message of the queue says: which objects were created or removed. `parse_message` never raises.

It is read by hand, not by pydantic: people's commands read dead letters, too, and have no more than the base installed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import unquote_plus

from auto_lambda import keys
from auto_lambda.model import Dropper
from worker.consumer.misnamed import looks_meant
from worker.consumer.misnamed import reason as why_misnamed
from worker.model import Upload

_CREATED = ("ObjectCreated:", "s3:ObjectCreated:")
_REMOVED = ("ObjectRemoved:", "s3:ObjectRemoved:")
_SNS_CHATTER = ("SubscriptionConfirmation", "UnsubscribeConfirmation")
_MAX_KEY = 1024  # bytes, S3's limit
FIRST_SENT, ATTEMPTS, REDRIVE, PUT_OFFS = "first-sent", "attempts", "redrive", "put-offs"
"""Message attributes: when the first message was sent (ISO 8601), the number of earlier attempts, a redrive's id, how
often AWS has throttled the work."""

_EVENT = "eventName"
_RECORD = {
    "bucket": "s3.bucket.name",
    "key": "s3.object.key",
    "version": "s3.object.versionId",
    "sequencer": "s3.object.sequencer",
    "size": "s3.object.size",
    "principal": "userIdentity.principalId",
    "address": "requestParameters.sourceIPAddress",
}
"""Where an entry of ``Records``, S3's own format, says what. Keys are form-encoded there."""
_DETAIL = {
    "bucket": "bucket.name",
    "key": "object.key",
    "version": "object.version-id",
    "sequencer": "object.sequencer",
    "size": "object.size",
    "principal": "requester",
    "address": "source-ip-address",
}
"""Where the ``detail`` of an EventBridge event says it. Keys are not encoded."""


class _MalformedEntry(ValueError):
    """Part of a message lacks what it has to say, or says it in another type."""


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
class _Object:
    """One changed object."""

    bucket: str
    key: str
    version: str | None
    sequencer: str | None
    size: int | None
    by: Dropper | None

    @classmethod
    def read(cls, entry: Any, paths: Mapping[str, str]) -> _Object:
        """Read an entry; raises `_MalformedEntry`."""
        size = _at(entry, paths["size"])
        if size is not None and type(size) is not int:
            raise _MalformedEntry(f"{paths['size']} is no number")
        return cls(
            _text(entry, paths["bucket"]),
            _text(entry, paths["key"]),
            _text_or_none(entry, paths["version"]),
            _text_or_none(entry, paths["sequencer"]),
            size,
            Dropper.told(_at(entry, paths["principal"]), _at(entry, paths["address"])),
        )


def _at(entry: Any, path: str) -> Any:
    for name in path.split("."):
        entry = entry.get(name) if isinstance(entry, dict) else None
    return entry


def _text(entry: Any, path: str) -> str:
    if text := _text_or_none(entry, path):
        return text
    raise _MalformedEntry(f"{path} is missing")


def _text_or_none(entry: Any, path: str) -> str | None:
    value = _at(entry, path)
    if value is None or (isinstance(value, str) and _is_unicode(value)):
        return value
    raise _MalformedEntry(f"{path} is no text")


def _is_unicode(text: str) -> bool:
    """Tell whether a text can be encoded: JSON may hold half a character."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


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
                self.uploads.append(
                    Upload(app, item.bucket, key, version, sequencer, item.size, removed=removed, by=item.by)
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
            event, record = _text(data, _EVENT), _Object.read(data, _RECORD)
        except _MalformedEntry as error:
            broken.append(f"record {number}: {error}")
            continue
        if event.startswith(_CREATED):
            collector.add(record, unquote_plus(record.key, errors="replace"))
        elif removals and event.startswith(_REMOVED):
            collector.add(record, unquote_plus(record.key, errors="replace"), removed=True)
        else:
            collector.ignored.append(f"event {event!r} of {record.key!r}")
    if broken and len(broken) == len(records):
        return ParsedMessage(unreadable="; ".join(broken))
    collector.ignored += broken
    return collector.parsed()


def _eventbridge(data: dict[str, Any], bucket: str, removals: bool) -> ParsedMessage:
    removed = data["detail-type"] == "Object Deleted"
    if not (data["detail-type"] == "Object Created" or (removals and removed)):
        return ParsedMessage(ignored=(f"EventBridge's {data['detail-type']!r}",))
    try:
        item = _Object.read(data["detail"], _DETAIL)
    except _MalformedEntry as error:
        return ParsedMessage(unreadable=f"EventBridge's {data['detail-type']}: {error}")
    collector = _Collector(bucket)
    collector.add(item, item.key, removed=removed)
    return collector.parsed()
