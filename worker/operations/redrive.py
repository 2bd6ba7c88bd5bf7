"""Reads the dead-letter queue, and sends its messages back to the main queue."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass

from auto_lambda import keys
from auto_lambda.aws.s3 import ObjectMissing, ObjectStore
from auto_lambda.aws.sqs import MOST_AT_ONCE, Message, Queue
from worker.consumer.messages import ATTEMPTS, FIRST_SENT, REDRIVE, parse_message

LINES = 5
"""Number of the log's last lines that are shown."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One message of the dead-letter queue.

    Attributes:
        message: as it was received.
        code: ``unreadable``, ``ends-workers``, ``tried-too-often``.
        reason: for people.
        apps: that it is about, as ``<stage>/<name>``.
        attempts: how often it was tried.
        log: the last lines of the apps' build logs.
    """

    message: Message
    code: str
    reason: str
    apps: tuple[str, ...]
    attempts: int
    log: tuple[str, ...]


class Redrive:
    """Inspects and redrives dead letters.

    Args:
        dead_letters: the dead-letter queue; its visibility timeout must outlast the run, or messages come twice.
        queue: the main queue.
        store: has the logs.
        bucket: of the uploads.
    """

    def __init__(self, dead_letters: Queue, queue: Queue, store: ObjectStore, bucket: str) -> None:
        self._dead_letters = dead_letters
        self._queue = queue
        self._store = store
        self._bucket = bucket

    def dead_letters(self) -> Iterator[DeadLetter]:
        """Yield every message. One that is neither sent back nor released stays hidden for the visibility timeout."""
        empty = 0
        while empty < 2:  # a short poll may return nothing although there are messages
            messages = self._dead_letters.receive(MOST_AT_ONCE, 1)
            empty = 0 if messages else empty + 1
            yield from map(self._dead_letter, messages)

    def send_back(self, dead_letter: DeadLetter) -> None:
        """Let workers retry it, as often as a new message. It is sent before it is deleted; a duplicate is harmless."""
        attributes = {FIRST_SENT: dead_letter.message.attributes.get(FIRST_SENT, ""), REDRIVE: uuid.uuid4().hex[:12]}
        if not attributes[FIRST_SENT] and dead_letter.message.sent:
            attributes[FIRST_SENT] = dead_letter.message.sent.isoformat()
        self._queue.send(dead_letter.message.body, attributes=attributes)
        self._dead_letters.delete(dead_letter.message)

    def release(self, dead_letter: DeadLetter) -> None:
        """Leave it in the dead-letter queue, and make it visible again."""
        self._dead_letters.release(dead_letter.message)

    def _dead_letter(self, message: Message) -> DeadLetter:
        content = parse_message(message.body, self._bucket)
        told = message.attributes
        code = told.get("code") or ("unreadable" if content.unreadable else "tried-too-often")
        reason = told.get("reason") or content.unreadable or "it was received too often"
        count = told.get(ATTEMPTS, "")
        attempts = int(count) if count.isdecimal() else message.receives - 1
        zips = [upload.key for upload in content.uploads]
        lines = tuple(line for key in zips for line in self._log(key))
        return DeadLetter(message, code, reason, tuple(str(it.app) for it in content.uploads), attempts, lines)

    def _log(self, key: str) -> tuple[str, ...]:
        try:
            text = self._store.get(self._bucket, keys.log_key(key)).decode(errors="replace")
        except ObjectMissing:
            return ()
        return tuple(text.splitlines()[-LINES:])
