"""The embedded AWS answers look-ups as AWS does, so that a local stack refuses what AWS would refuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from drafts import APP, SURROUNDINGS, function, resource

from auto_lambda.aws.existence import Existing
from auto_lambda.errors import AppError
from auto_lambda.model import BucketNotification
from worker.deploy.lookups.check import LookUps
from worker.model import Bundle

ARN = "arn:${{AWS::Partition}}:{}:${{AWS::Region}}:${{AWS::AccountId}}:{}"


def bundle(name: str, timeout: int = 3) -> Bundle:
    def source(service: str, rest: str) -> dict[str, Any]:
        arn = {"Fn::Sub": ARN.format(service, rest)}
        return resource("Lambda::EventSourceMapping", FunctionName={"Ref": "Work"}, EventSourceArn=arn)

    template = {
        "Resources": {
            "Work": function(Timeout=timeout),
            "Jobs": source("sqs", name),
            "Clicks": source("kinesis", f"stream/{name}"),
            "Changes": source("dynamodb", f"table/{name}/stream/2026-01-01T00:00:00.000"),
            "News": resource("SNS::Subscription", Protocol="lambda", TopicArn={"Fn::Sub": ARN.format("sns", name)}),
        }
    }
    events = BucketNotification(name, "Work", ("s3:ObjectCreated:*",), "", "")
    return Bundle(APP, "chalice", "3.12", "x86_64", template, "bundles/x", (), "Work", False, "/", (events,))


def check(made: Bundle, client: Callable[[str], Any]) -> list[str]:
    warnings: list[str] = []
    LookUps(Existing(client), SURROUNDINGS.place).check(made, warnings.append)
    return warnings


def test_what_does_not_exist_is_told(aws_client: Callable[[str], Any]) -> None:
    with pytest.raises(AppError) as caught:
        check(bundle("not-made"), aws_client)
    lines = caught.value.message.splitlines()[1:]
    assert len(lines) == 5
    assert all("does not exist" in line for line in lines)


def test_what_exists_is_found_and_a_queue_that_hides_too_little_is_refused(aws_client: Callable[[str], Any]) -> None:
    name = "looked-up"
    aws_client("sqs").create_queue(QueueName=name)
    aws_client("sns").create_topic(Name=name)
    aws_client("kinesis").create_stream(StreamName=name, ShardCount=1)
    aws_client("s3").create_bucket(Bucket=name)
    aws_client("dynamodb").create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
    )
    (warning,) = check(bundle(name), aws_client)
    assert "another stream now" in warning
    with pytest.raises(AppError, match="hides messages for 30 s"):
        check(bundle(name, timeout=60), aws_client)
