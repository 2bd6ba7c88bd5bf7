"""The way of a message that is requeued, dead-lettered, and sent back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import boto3
import pytest
from moto import mock_aws

from auto_lambda.aws.s3 import ObjectStore
from auto_lambda.aws.sqs import Queue
from worker.consumer.inbox import MAX_ATTEMPTS, Inbox
from worker.operations.redrive import Redrive

BODY = json.dumps(
    {
        "Records": [
            {"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": "drops"}, "object": {"key": "apps/x.zip"}}}
        ]
    }
)


@dataclass
class Queues:
    main: Queue
    dead: Queue
    inbox: Inbox
    redrive: Redrive


@pytest.fixture
def queues(monkeypatch: pytest.MonkeyPatch) -> Iterator[Queues]:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        sqs, s3 = boto3.client("sqs", region_name="us-east-1"), boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket="drops")
        s3.put_object(Bucket="drops", Key="apps/x.log", Body=b"\n".join(b"line %d" % number for number in range(9)))
        main, dead = (Queue(sqs, sqs.create_queue(QueueName=name)["QueueUrl"]) for name in ("main", "dead"))
        inbox = Inbox(main, "drops", dead_letters=dead, poll_seconds=0)
        yield Queues(main, dead, inbox, Redrive(dead, main, ObjectStore(s3), "drops"))


def test_a_message_that_is_put_off_keeps_its_age_and_its_count(queues: Queues) -> None:
    queues.main.send(BODY)
    (first,) = queues.inbox.receive(1)
    queues.inbox.nack(first, 0)
    (second,) = queues.inbox.receive(1)
    queues.inbox.requeue(second, 0)
    (third,) = queues.inbox.receive(1)
    assert (first.attempts, second.attempts, third.attempts) == (1, 2, 2)
    assert third.id != first.id
    assert third.sent == first.sent


def test_a_message_that_was_put_off_in_between_is_not_tried_for_ever(queues: Queues) -> None:
    queues.main.send(BODY, attributes={"attempts": str(MAX_ATTEMPTS)})
    assert queues.inbox.receive(1) == []
    (dead_letter,) = queues.redrive.dead_letters()
    assert (dead_letter.code, dead_letter.attempts) == ("tried-too-often", MAX_ATTEMPTS + 1)


def test_what_was_put_aside_is_shown_with_its_class_its_count_and_its_last_lines(queues: Queues) -> None:
    queues.main.send(BODY)
    (delivery,) = queues.inbox.receive(1)
    queues.inbox.dead_letter(delivery, "ends-workers", "it has crashed 3 worker processes")
    (dead_letter,) = queues.redrive.dead_letters()
    assert (dead_letter.code, dead_letter.apps, dead_letter.attempts) == ("ends-workers", ("dev/x",), 1)
    assert dead_letter.log == tuple(f"line {number}" for number in range(4, 9))


def test_it_is_sent_back_under_a_name_of_its_own(queues: Queues) -> None:
    queues.dead.send(BODY)
    (dead_letter,) = queues.redrive.dead_letters()
    queues.redrive.send_back(dead_letter)
    assert list(queues.redrive.dead_letters()) == []
    (delivery,) = queues.inbox.receive(1)
    assert delivery.attempts == 1
    assert delivery.parsed.uploads[0].redrive
