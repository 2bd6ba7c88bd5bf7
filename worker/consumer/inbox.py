"""The queue as the daemon sees it: deliveries of uploads to extend, acknowledge, give back, requeue or dead-letter.

An unreadable message is moved to the dead-letter queue with the reason; without a dead-letter queue it is deleted, and
logged.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from urllib.parse import quote_plus

from auto_lambda import logs
from auto_lambda.aws.s3 import Head
from auto_lambda.aws.sqs import Message, MessageGone, Queue
from worker.cancellation import Cancelled
from worker.consumer.messages import (
    ATTEMPTS,
    FIRST_SENT,
    PUT_OFFS,
    REDRIVE,
    ParsedMessage,
    parse_message,
    refuse_reserved,
)

_SHOWN = 500  # characters of an unreadable body in the log
MAX_ATTEMPTS = 5
"""Maximum number of attempts at a message. The queue counts too, but starts again with each requeued message."""

_log = logs.get("inbox")


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


def _text(moment: datetime | None) -> str:
    return moment.isoformat() if moment else ""
