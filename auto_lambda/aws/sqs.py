"""SQS, as far as we use it. The only module that calls it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

MOST_AT_ONCE = 10
LONGEST_DELAY = 900
"""Seconds; SQS takes no longer delay of a new message."""
LONGEST_HIDDEN = 43_000
"""Seconds; SQS hides no message longer than twelve hours from its receive on."""

_Depth = Literal[
    "ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed"
]
_DEPTH: tuple[_Depth, ...] = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)
_Attribute = Literal[_Depth, "QueueArn", "RedrivePolicy"]
_UNUSABLE = {
    "AWS.SimpleQueueService.NonExistentQueue": "there is no such queue",
    "QueueDoesNotExist": "there is no such queue",
    "AccessDenied": "we are not allowed to use it",
    "AccessDeniedException": "we are not allowed to use it",
    "InvalidAddress": "that is not the address of a queue",
}


_GONE = {
    "AWS.SimpleQueueService.MessageNotInflight",
    "MessageNotInflight",
    "ReceiptHandleIsInvalid",
    "InvalidParameterValue",
}


class MessageGone(Exception):
    """The message is not ours any more: it has been deleted, or shown to somebody else."""


class QueueUnusable(Exception):
    """The queue is not there or not ours to use; the message says which and names it. Waiting does not help.

    Attributes:
        denied: it may be there, but we may not use it.
    """

    def __init__(self, message: str, *, denied: bool = False) -> None:
        super().__init__(message)
        self.denied = denied


@dataclass(frozen=True, slots=True)
class Message:
    """One message as received. ``receives`` counts this receive too; ``sent`` is when the queue took it, in UTC.

    ``attributes`` are those that its sender gave it, texts only.
    """

    id: str
    handle: str
    body: str
    receives: int
    sent: datetime | None
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Depth:
    """Messages in a queue, as SQS estimates: waiting, being worked on, not due yet."""

    visible: int
    in_flight: int
    delayed: int


@dataclass(frozen=True, slots=True)
class Wiring:
    """A queue's ARN, and that of the queue which takes what could not be worked on; None without one."""

    arn: str
    dead_letters: str | None


class Queue:
    """One queue. Every call retries by itself; what it raises is botocore's.

    Args:
        client: its read time-out must be above the longest ``wait``.
        url: of the queue.
        visibility: seconds that a received message stays hidden from others.
    """

    def __init__(self, client: SQSClient, url: str, visibility: int = 120) -> None:
        self._client = client
        self._url = url
        self._visibility = visibility

    def receive(self, at_most: int, wait: int) -> tuple[Message, ...]:
        """Up to ``at_most`` messages (SQS gives ten at the most), waiting up to ``wait`` seconds for the first."""
        answer = self._client.receive_message(
            QueueUrl=self._url,
            MaxNumberOfMessages=min(at_most, MOST_AT_ONCE),
            WaitTimeSeconds=wait,
            VisibilityTimeout=self._visibility,
            MessageSystemAttributeNames=["ApproximateReceiveCount", "SentTimestamp"],
            MessageAttributeNames=["All"],
        )
        return tuple(
            Message(
                id=item["MessageId"],
                handle=item["ReceiptHandle"],
                body=item["Body"],
                receives=int(item.get("Attributes", {}).get("ApproximateReceiveCount", "1")),
                sent=_moment(item.get("Attributes", {}).get("SentTimestamp")),
                attributes={
                    name: value["StringValue"]
                    for name, value in item.get("MessageAttributes", {}).items()
                    if "StringValue" in value
                },
            )
            for item in answer.get("Messages", [])
        )

    def extend(self, message: Message) -> None:
        """Hide a message for the visibility time-out anew, from now.

        Raises:
            MessageGone: others have it, or nobody.
        """
        try:
            self.release(message, self._visibility)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code", "") in _GONE:
                raise MessageGone(message.id) from error
            raise

    def release(self, message: Message, visibility: float = 0) -> None:
        """Let others have the message in ``visibility`` seconds."""
        seconds = max(0, min(round(visibility), LONGEST_HIDDEN))
        self._client.change_message_visibility(
            QueueUrl=self._url, ReceiptHandle=message.handle, VisibilityTimeout=seconds
        )

    def delete(self, message: Message) -> None:
        """The message is done with."""
        self._client.delete_message(QueueUrl=self._url, ReceiptHandle=message.handle)

    def delete_all(self, messages: Sequence[Message]) -> tuple[Message, ...]:
        """Several messages are done with, ten in a call. Those that SQS did not delete are returned; they come back."""
        kept: list[Message] = []
        for first in range(0, len(messages), MOST_AT_ONCE):
            batch = messages[first : first + MOST_AT_ONCE]
            answer = self._client.delete_message_batch(
                QueueUrl=self._url,
                Entries=[{"Id": str(number), "ReceiptHandle": it.handle} for number, it in enumerate(batch)],
            )
            kept += [batch[int(failure["Id"])] for failure in answer.get("Failed", [])]
        return tuple(kept)

    def send(self, body: str, delay: float = 0, attributes: Mapping[str, str] | None = None) -> None:
        """Add a message that shows up in ``delay`` seconds. An attribute without text is left out."""
        self._client.send_message(
            QueueUrl=self._url,
            MessageBody=body,
            DelaySeconds=max(0, min(round(delay), LONGEST_DELAY)),
            MessageAttributes={
                name: {"DataType": "String", "StringValue": text} for name, text in (attributes or {}).items() if text
            },
        )

    def depth(self) -> Depth:
        """How much there is to do.

        Raises:
            QueueUnusable: there is no such queue, or we may not ask.
        """
        answer = self._attributes(*_DEPTH)
        visible, in_flight, delayed = (int(answer[name]) for name in _DEPTH)
        return Depth(visible, in_flight, delayed)

    def wiring(self) -> Wiring:
        """What it is called, and where its messages go in the end.

        Raises:
            QueueUnusable: as `depth`.
        """
        answer = self._attributes("QueueArn", "RedrivePolicy")
        policy = json.loads(answer.get("RedrivePolicy") or "{}")
        return Wiring(answer["QueueArn"], policy.get("deadLetterTargetArn"))

    def _attributes(self, *names: _Attribute) -> Mapping[str, str]:
        try:
            answer = self._client.get_queue_attributes(QueueUrl=self._url, AttributeNames=names)
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if why := _UNUSABLE.get(code):
                message = f"the queue {self._url} cannot be used: {why}"
                raise QueueUnusable(message, denied=code.startswith("AccessDenied")) from error
            raise
        return {str(name): value for name, value in answer.get("Attributes", {}).items()}


def _moment(milliseconds: str | None) -> datetime | None:
    return datetime.fromtimestamp(int(milliseconds) / 1000, UTC) if milliseconds else None
