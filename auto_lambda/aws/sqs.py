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
"""Maximum delay of a new message, in seconds."""
LONGEST_HIDDEN = 43_000
"""Maximum visibility timeout, in seconds, counted from the receive."""

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
    "InvalidAddress": "that is not the URL of a queue",
}


_GONE = {
    "AWS.SimpleQueueService.MessageNotInflight",
    "MessageNotInflight",
    "ReceiptHandleIsInvalid",
    "InvalidParameterValue",
}


class MessageGone(Exception):
    """The message is no longer ours: it was deleted, or received by another consumer."""


class QueueUnusable(Exception):
    """The queue does not exist or may not be used; the message says which and names it. Waiting does not help.

    Attributes:
        denied: it may exist, but may not be used.
    """

    def __init__(self, message: str, *, denied: bool = False) -> None:
        super().__init__(message)
        self.denied = denied


@dataclass(frozen=True, slots=True)
class Message:
    """One received message. ``receives`` includes this receive; ``sent`` is when it was sent, in UTC.

    ``attributes`` are its message attributes, strings only.
    """

    id: str
    handle: str
    body: str
    receives: int
    sent: datetime | None
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Depth:
    """The numbers of messages in a queue, as SQS estimates: visible, in flight, delayed."""

    visible: int
    in_flight: int
    delayed: int


@dataclass(frozen=True, slots=True)
class Wiring:
    """The ARNs of a queue and of its dead-letter queue; None without one."""

    arn: str
    dead_letters: str | None


class Queue:
    """One queue. Every call retries by itself; exceptions are botocore's.

    Args:
        client: its read time-out must be longer than the longest ``wait``.
        url: the queue's URL.
        visibility: the visibility timeout of received messages, in seconds.
    """

    def __init__(self, client: SQSClient, url: str, visibility: int = 120) -> None:
        self._client = client
        self._url = url
        self._visibility = visibility

    def receive(self, at_most: int, wait: int) -> tuple[Message, ...]:
        """Receive up to ``at_most`` messages (ten at most), waiting up to ``wait`` seconds for the first."""
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
        """Restart the visibility timeout of a message.

        Raises:
            MessageGone: it was received by another consumer, or deleted.
        """
        try:
            self.release(message, self._visibility)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code", "") in _GONE:
                raise MessageGone(message.id) from error
            raise

    def release(self, message: Message, visibility: float = 0) -> None:
        """Make a message visible to others in ``visibility`` seconds."""
        seconds = max(0, min(round(visibility), LONGEST_HIDDEN))
        self._client.change_message_visibility(
            QueueUrl=self._url, ReceiptHandle=message.handle, VisibilityTimeout=seconds
        )

    def delete(self, message: Message) -> None:
        """Delete a message."""
        self._client.delete_message(QueueUrl=self._url, ReceiptHandle=message.handle)

    def delete_all(self, messages: Sequence[Message]) -> tuple[Message, ...]:
        """Delete messages, ten per call, and return those that SQS did not delete."""
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
        """Send a message that becomes visible in ``delay`` seconds. Empty attributes are left out."""
        self._client.send_message(
            QueueUrl=self._url,
            MessageBody=body,
            DelaySeconds=max(0, min(round(delay), LONGEST_DELAY)),
            MessageAttributes={
                name: {"DataType": "String", "StringValue": text} for name, text in (attributes or {}).items() if text
            },
        )

    def depth(self) -> Depth:
        """Return the number of messages.

        Raises:
            QueueUnusable: there is no such queue, or it may not be used.
        """
        answer = self._attributes(*_DEPTH)
        visible, in_flight, delayed = (int(answer[name]) for name in _DEPTH)
        return Depth(visible, in_flight, delayed)

    def wiring(self) -> Wiring:
        """Return the ARNs of the queue and of its dead-letter queue.

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
