"""Events as EventBridge gets them: on moto, and with answers that only AWS gives."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber
from moto import mock_aws

from auto_lambda.aws.events import Entry, EventBus

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


@pytest.fixture
def region(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        yield "eu-west-1"


def entry(number: int) -> Entry:
    return Entry("auto-lambda", "App Live", json.dumps({"number": number}), NOON)


def test_events_reach_who_has_a_rule_for_them_on_that_bus(region: str) -> None:
    events, sqs = boto3.client("events", region_name=region), boto3.client("sqs", region_name=region)
    events.create_event_bus(Name="platform")
    queue = sqs.create_queue(QueueName="told")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name="ours", EventBusName="platform", EventPattern=json.dumps({"source": ["auto-lambda"]}))
    events.put_targets(Rule="ours", EventBusName="platform", Targets=[{"Id": "queue", "Arn": arn}])

    assert EventBus(events, "platform").put([entry(1), entry(2)]) == (None, None)
    assert EventBus(events, "default").put([entry(3)]) == (None,)

    told = [json.loads(it["Body"]) for it in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]]
    assert [it["detail"]["number"] for it in told] == [1, 2]
    assert {(it["source"], it["detail-type"], it["time"]) for it in told} == {
        ("auto-lambda", "App Live", "2026-01-02T12:00:00Z")
    }


def test_a_bus_that_does_not_exist_takes_nothing(region: str) -> None:
    """On AWS, PutEvents itself says that it has taken them."""
    client = boto3.client("events", region_name=region)
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        EventBus(client, "platform").put([entry(1)])


def test_each_event_that_was_refused_comes_with_its_reason() -> None:
    client = boto3.client("events", region_name="eu-west-1", aws_access_key_id="a", aws_secret_access_key="b")
    with Stubber(client) as stubber:
        refusal = {"ErrorCode": "ThrottlingException", "ErrorMessage": "Rate exceeded"}
        stubber.add_response(
            "put_events", {"FailedEntryCount": 1, "Entries": [{"EventId": "1"}, refusal]}, {"Entries": ANY}
        )
        assert EventBus(client, "default").put([entry(1), entry(2)]) == (None, "ThrottlingException: Rate exceeded")


def test_an_answer_that_leaves_events_out_is_no_success() -> None:
    client: Any = boto3.client("events", region_name="eu-west-1", aws_access_key_id="a", aws_secret_access_key="b")
    with Stubber(client) as stubber:
        stubber.add_response("put_events", {"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]}, {"Entries": ANY})
        with pytest.raises(ValueError, match="shorter"):
            EventBus(client, "default").put([entry(1), entry(2)])
