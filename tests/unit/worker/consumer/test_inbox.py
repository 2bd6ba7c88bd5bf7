"""What becomes of messages, of those too that say nothing."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pytest
from messages_of_s3 import BUCKET, SHOP, body, record

from auto_lambda.aws.s3 import Head
from auto_lambda.aws.sqs import Message
from worker.consumer.inbox import Inbox, NotDeleted
from worker.consumer.messages import parse_message
from worker.model import Upload


@dataclass
class FakeQueue:
    messages: list[Message] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    sent: list[tuple[str, float, dict[str, str]]] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    fails: bool = False
    waits: list[int] = field(default_factory=list)
    away: bool = False

    def receive(self, at_most: int, wait: int) -> tuple[Message, ...]:
        self.waits.append(wait)
        if self.away:
            raise OSError("down")
        return tuple(self.messages[:at_most])

    def delete(self, message: Message) -> None:
        if self.fails:
            raise OSError("down")
        self.log.append("delete")
        self.deleted.append(message.id)

    def send(self, text: str, delay: float = 0, attributes: dict[str, str] | None = None) -> None:
        self.log.append("send")
        self.sent.append((text, delay, dict(attributes or {})))


def message(text: str, name: str = "m") -> Message:
    return Message(name, f"handle of {name}", text, 1, None)


def inbox(queue: FakeQueue, dead: FakeQueue | None = None) -> Inbox:
    return Inbox(queue, BUCKET, dead_letters=dead, poll_seconds=1)  # type: ignore[arg-type]


def test_only_until_the_queue_has_answered_once_does_a_receive_not_wait() -> None:
    queue = FakeQueue(away=True)
    room = inbox(queue)
    with pytest.raises(OSError, match="down"):
        room.receive(1)
    queue.away = False
    for _ in range(2):
        room.receive(1)
    assert queue.waits == [0, 0, 1]


def test_only_deliveries_with_something_to_do_are_handed_on_and_the_rest_is_done() -> None:
    queue = FakeQueue([message(body(record()), "a"), message(body(record(event="ObjectRemoved:Delete")), "b")])
    (delivery,) = inbox(queue).receive(10)
    assert delivery.id == "a"
    assert delivery.lock_keys == {"prod/shop"}
    assert queue.deleted == ["b"]


def test_an_unreadable_message_is_moved_to_the_dead_letters_with_its_reason() -> None:
    queue, dead = FakeQueue([message("garbage")]), FakeQueue()
    assert inbox(queue, dead).receive(10) == []
    ((text, _, attributes),) = dead.sent
    assert text == "garbage"
    assert attributes["reason"].startswith("not JSON")
    assert queue.deleted == ["m"]


def test_an_unreadable_message_is_done_where_there_are_no_dead_letters() -> None:
    queue = FakeQueue([message("garbage")])
    assert inbox(queue).receive(10) == []
    assert queue.deleted == ["m"]


def test_a_message_that_cannot_be_settled_does_not_lose_the_others() -> None:
    queue = FakeQueue([message("garbage", "a"), message(body(record()), "b")], fails=True)
    assert [delivery.id for delivery in inbox(queue).receive(10)] == ["b"]


def test_putting_off_sends_the_copy_before_it_deletes() -> None:
    queue = FakeQueue([message(body(record()))])
    room = inbox(queue)
    (delivery,) = room.receive(1)
    room.requeue(delivery, 3)
    assert queue.log == ["send", "delete"]
    assert queue.sent[0][:2] == (body(record()), 3)


def test_throttled_work_is_counted_apart_from_attempts() -> None:
    queue = FakeQueue([message(body(record()))])
    for times in (1, 2, 3):
        room = inbox(queue)
        (delivery,) = room.receive(1)
        assert (delivery.put_offs, delivery.attempts) == (times - 1, 1)
        room.put_off(delivery, 60)
        text, delay, attributes = queue.sent[-1]
        assert (text, delay) == (body(record()), 60)
        queue.messages = [replace(message(text), attributes=attributes)]


@pytest.mark.parametrize("kept", [(), ("b",)])
def test_messages_that_stay_although_they_are_done_are_told_of(kept: tuple[str, ...]) -> None:
    class Batches(FakeQueue):
        def delete_all(self, messages: Sequence[Message]) -> tuple[Message, ...]:
            self.deleted += [it.id for it in messages if it.id not in kept]
            return tuple(it for it in messages if it.id in kept)

    queue = Batches([message(body(record()), name) for name in "abc"])
    room = inbox(queue)
    deliveries = room.receive(10)
    with pytest.raises(NotDeleted, match="b") if kept else nullcontext():
        room.ack_all(deliveries)
    assert queue.deleted == [name for name in "abc" if name not in kept]


def test_what_is_announced_by_us_is_read_as_what_s3_announces() -> None:
    sent: list[str] = []

    class Outgoing:
        def send(self, text: str) -> None:
            sent.append(text)

    inbox = Inbox(Outgoing(), BUCKET, dead_letters=None, poll_seconds=0)  # type: ignore[arg-type]
    inbox.announce("apps/prod/shop.zip", Head("apps/prod/shop.zip", 7, "v1", datetime(2026, 1, 2, tzinfo=UTC)))
    inbox.announce_removal("apps/prod/shop.zip")
    made, removed = sent
    assert parse_message(made, BUCKET).uploads == (Upload(SHOP, BUCKET, "apps/prod/shop.zip", "v1", None, 7),)
    assert parse_message(removed, BUCKET, removals=True).uploads == (
        Upload(SHOP, BUCKET, "apps/prod/shop.zip", removed=True),
    )  # fmt: skip
    assert parse_message(removed, BUCKET).uploads == ()


def test_an_inbox_refuses_apps_that_would_hold_the_pipelines_names() -> None:
    queue = FakeQueue([message(body(record("apps/lambda/auto.zip")))])
    room = Inbox(queue, BUCKET, dead_letters=None, poll_seconds=1, reserved=["auto-lambda-worker-*"])  # type: ignore[arg-type]
    (delivery,) = room.receive(1)
    assert [one.key for one in delivery.parsed.invalid_keys] == ["apps/lambda/auto.zip"]
