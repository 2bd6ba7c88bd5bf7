"""What is said of a pipeline: each part right, and each part wrong in turn, on moto's AWS."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ProfileNotFound
from fake_credentials import set_credentials
from moto import mock_aws
from tables import create_ledger

from auto_lambda.aws.dynamodb import Table
from auto_lambda.aws.s3 import ObjectStore
from auto_lambda.aws.sqs import Queue, QueueUnusable
from worker.operations.doctor import pipeline
from worker.operations.doctor.finding import Finding, asked

BUCKET = "uploads"


@dataclass
class Aws:
    """A pipeline that is as it should be."""

    s3: Any
    sqs: Any
    dynamodb: Any
    url: str
    dead: str

    @property
    def store(self) -> ObjectStore:
        return ObjectStore(self.s3)

    @property
    def queue(self) -> Queue:
        return Queue(self.sqs, self.url)

    def arn(self, url: str) -> str:
        return str(self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"])

    def announce(self, *events: str) -> None:
        queues = [{"QueueArn": self.arn(self.url), "Events": list(events)}] if events else []
        self.s3.put_bucket_notification_configuration(
            Bucket=BUCKET, NotificationConfiguration={"QueueConfigurations": queues}
        )


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    set_credentials(monkeypatch)
    with mock_aws():
        s3, sqs, dynamodb = boto3.client("s3"), boto3.client("sqs"), boto3.client("dynamodb")
        s3.create_bucket(Bucket=BUCKET)
        s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        create_ledger(dynamodb)
        dead, url = (sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("dead", "drops"))
        made = Aws(s3, sqs, dynamodb, url, dead)
        policy = {"deadLetterTargetArn": made.arn(dead), "maxReceiveCount": 5}
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": json.dumps(policy)})
        made.announce("s3:ObjectCreated:*")
        yield made


def test_a_pipeline_that_is_as_it_should_be(aws: Aws) -> None:
    findings = [
        pipeline.uploads(aws.store, BUCKET),
        pipeline.announcements(aws.store, BUCKET, aws.queue),
        pipeline.artifacts(aws.store, BUCKET),
        pipeline.queue(aws.queue),
        pipeline.dead_letters(Queue(aws.sqs, aws.dead)),
        pipeline.ledger(Table(aws.dynamodb, "ledger"), "ledger"),
    ]
    assert {finding.verdict for finding in findings} == {"fine"}, findings


def test_a_bucket_that_is_not_there(aws: Aws) -> None:
    for finding in (pipeline.uploads(aws.store, "nowhere"), pipeline.artifacts(aws.store, "nowhere")):
        assert (finding.verdict, "no bucket nowhere" in finding.found) == ("broken", True)


def test_a_bucket_without_versions(aws: Aws) -> None:
    aws.s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Suspended"})
    assert "not versioned" in pipeline.uploads(aws.store, BUCKET).found


@pytest.mark.parametrize("events", [(), ("s3:ObjectRemoved:*",)])
def test_a_bucket_that_announces_no_drops(aws: Aws, events: tuple[str, ...]) -> None:
    aws.announce(*events)
    finding = pipeline.announcements(aws.store, BUCKET, aws.queue)
    assert (finding.verdict, "does not announce" in finding.found) == ("broken", True)


def test_a_queue_that_is_not_there(aws: Aws) -> None:
    gone = Queue(aws.sqs, aws.url + "-gone")
    for look in (pipeline.queue, pipeline.dead_letters):
        assert asked("queue", partial(look, gone)).verdict == "broken"


def test_a_queue_that_puts_nothing_aside(aws: Aws) -> None:
    assert pipeline.queue(Queue(aws.sqs, aws.dead)).verdict == "warning"


def test_messages_that_were_put_aside(aws: Aws) -> None:
    aws.sqs.send_message(QueueUrl=aws.dead, MessageBody="?")
    finding = pipeline.dead_letters(Queue(aws.sqs, aws.dead))
    assert (finding.verdict, finding.found) == ("warning", "1 in the dead-letter queue")


@pytest.mark.parametrize(("keys", "verdict"), [(("pk", "sk"), "warning"), (("id", "range"), "broken")])
def test_a_table_of_another_shape(aws: Aws, keys: tuple[str, str], verdict: str) -> None:
    aws.dynamodb.create_table(
        TableName="other",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
        KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in zip(keys, ("HASH", "RANGE"), strict=True)],
    )
    assert pipeline.ledger(Table(aws.dynamodb, "other"), "other").verdict == verdict


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "GetBucketVersioning"), "unknown"),
        (ClientError({"Error": {"Code": "403", "Message": "Forbidden"}}, "HeadBucket"), "unknown"),
        (ClientError({"Error": {"Code": "ResourceNotFoundException", "Message": "no"}}, "DescribeTable"), "broken"),
        (ClientError({"Error": {"Code": "ExpiredToken", "Message": "old"}}, "GetCallerIdentity"), "broken"),
        (EndpointConnectionError(endpoint_url="https://nowhere"), "broken"),
        (ProfileNotFound(profile="nope"), "broken"),
        (ValueError("Invalid endpoint: localhost:4566"), "broken"),
        (QueueUnusable("we are not allowed to use it", denied=True), "unknown"),
    ],
)
def test_what_aws_says_instead_of_an_answer(error: Exception, verdict: str) -> None:
    def ask() -> Finding:
        raise error

    assert asked("ledger", ask).verdict == verdict


def test_grants_that_can_all_be_read_are_fine_and_approvals_are_none(aws: Aws) -> None:
    aws.s3.put_object(Bucket=BUCKET, Key="grants/prod/default.json", Body=b'{"subnets": ["subnet-1"]}')
    aws.s3.put_object(Bucket=BUCKET, Key="grants/prod/shop.approvals/ab12.json", Body=b'{"by": "ana"}')
    found = pipeline.grants(aws.store, BUCKET)
    assert (found.verdict, found.found) == ("fine", "1 file")


@pytest.mark.parametrize("text", ["{", '{"queue": []}', '{"quotas": {"functons": 9}}'])
def test_a_grants_file_with_a_mistake_is_broken_and_named(aws: Aws, text: str) -> None:
    aws.s3.put_object(Bucket=BUCKET, Key="grants/prod/shop.json", Body=text.encode())
    found = pipeline.grants(aws.store, BUCKET)
    assert found.verdict == "broken"
    assert "grants/prod/shop.json" in found.found
