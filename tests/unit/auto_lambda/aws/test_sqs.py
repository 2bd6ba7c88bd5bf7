"""The queue on moto."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import boto3
import pytest
from moto import mock_aws

from auto_lambda.aws.sqs import LONGEST_DELAY, Depth, Queue, QueueUnusable
from worker.consumer.messages import parse_message


@pytest.fixture
def sqs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        yield boto3.client("sqs", region_name="eu-west-1")


@pytest.fixture
def queue(sqs: Any) -> Queue:
    return Queue(sqs, sqs.create_queue(QueueName="drops")["QueueUrl"], visibility=30)


def test_a_message_comes_with_its_count_and_its_time(queue: Queue) -> None:
    queue.send("hello")
    (message,) = queue.receive(5, 0)
    assert (message.body, message.receives) == ("hello", 1)
    assert message.sent is not None
    assert message.sent.tzinfo is not None


def test_a_received_message_is_in_flight_until_it_is_deleted(queue: Queue) -> None:
    queue.send("hello")
    (message,) = queue.receive(1, 0)
    assert queue.depth() == Depth(visible=0, in_flight=1, delayed=0)
    assert queue.receive(1, 0) == ()
    queue.delete(message)
    assert queue.depth() == Depth(0, 0, 0)


def test_a_released_message_is_there_at_once_and_counts(queue: Queue) -> None:
    queue.send("hello")
    queue.release(queue.receive(1, 0)[0])
    (again,) = queue.receive(1, 0)
    assert again.receives == 2


def test_an_extended_message_stays_hidden(queue: Queue) -> None:
    queue.send("hello")
    queue.extend(queue.receive(1, 0)[0])
    assert queue.depth().in_flight == 1


@pytest.mark.parametrize("visibility", [-5, 0.4, 1e9])
def test_no_visibility_is_out_of_bounds(queue: Queue, visibility: float) -> None:
    queue.send("hello")
    queue.release(queue.receive(1, 0)[0], visibility)


@pytest.mark.parametrize("delay", [3, LONGEST_DELAY * 10])
def test_a_delayed_message_is_counted_as_such(queue: Queue, delay: float) -> None:
    queue.send("later", delay)
    assert queue.depth() == Depth(0, 0, 1)


def test_attributes_are_sent_but_for_empty_ones(sqs: Any, queue: Queue) -> None:
    queue.send("x", attributes={"reason": "why", "nothing": ""})
    url = sqs.get_queue_url(QueueName="drops")["QueueUrl"]
    (item,) = sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"])["Messages"]
    assert {name: value["StringValue"] for name, value in item["MessageAttributes"].items()} == {"reason": "why"}


def test_more_than_ten_at_once_are_asked_for_as_ten(queue: Queue) -> None:
    for number in range(12):
        queue.send(str(number))
    assert len(queue.receive(64, 0)) == 10


def test_a_queue_that_is_not_there_is_named(sqs: Any, queue: Queue) -> None:
    with pytest.raises(QueueUnusable, match=r"drops-typo.*there is no such queue"):
        Queue(sqs, sqs.get_queue_url(QueueName="drops")["QueueUrl"] + "-typo").depth()


def test_what_moto_announces_of_an_upload_is_read(sqs: Any, queue: Queue) -> None:
    """Moto encodes slashes and sends neither version nor sequencer."""
    s3 = boto3.client("s3", region_name="eu-west-1")
    s3.create_bucket(Bucket="uploads", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    url = sqs.get_queue_url(QueueName="drops")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    s3.put_bucket_notification_configuration(
        Bucket="uploads",
        NotificationConfiguration={"QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]},
    )
    s3.put_object(Bucket="uploads", Key="apps/prod/shop.zip", Body=b"zip")
    read = [(message.body, parse_message(message.body, "uploads")) for message in queue.receive(10, 0)]
    assert [reason for _, letter in read for reason in letter.ignored] == ["S3's test event"]
    ((text, upload),) = [(text, letter.uploads[0]) for text, letter in read if letter.uploads]
    assert upload.key == "apps/prod/shop.zip"
    assert json.loads(text)["Records"][0]["s3"]["object"]["key"] == quote("apps/prod/shop.zip", safe="")


def test_many_messages_are_deleted_at_once(queue: Queue) -> None:
    for number in range(12):
        queue.send(str(number))
    messages = [message for _ in range(4) for message in queue.receive(10, 0)]
    assert len(messages) == 12
    assert queue.delete_all(messages) == ()
    assert queue.depth() == Depth(0, 0, 0)


def test_messages_that_sqs_did_not_delete_are_named(queue: Queue) -> None:
    queue.send("hello")
    (message,) = queue.receive(1, 0)
    stranger = replace(message, id="stranger", handle="no handle of anything")
    assert queue.delete_all([stranger, message]) == (stranger,)
    assert queue.depth() == Depth(0, 0, 0)
