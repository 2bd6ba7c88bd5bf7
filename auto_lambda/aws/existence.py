"""Looks up what apps refer to but do not own: whether it exists, and how queues are set. Every call only reads.

Each method makes its client when it is called: most apps refer to nothing, and the description of EC2 alone is large.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from botocore.exceptions import ClientError

T = TypeVar("T")

_ABSENT = frozenset({
    "AWS.SimpleQueueService.NonExistentQueue", "NoSuchBucket", "NotFound", "NotFoundException",
    "QueueDoesNotExist", "ResourceNotFoundException",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class QueueFacts:
    """The settings of a queue; ``max_receives`` is None without a dead-letter queue."""

    visibility: int
    max_receives: int | None


class Existing:
    """What exists in the account. Exceptions are botocore's.

    Args:
        client: makes a client by boto3's name of a service.
    """

    def __init__(self, client: Callable[[str], Any]) -> None:
        self._client = client

    def queue(self, name: str, account: str) -> QueueFacts | None:
        """Return the settings of a queue, None if there is none."""

        def ask() -> QueueFacts:
            owner = {"QueueOwnerAWSAccountId": account} if account else {}
            url = self._client("sqs").get_queue_url(QueueName=name, **owner)["QueueUrl"]
            wanted = ["VisibilityTimeout", "RedrivePolicy"]
            found = self._client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=wanted).get("Attributes", {})
            receives = json.loads(found.get("RedrivePolicy") or "{}").get("maxReceiveCount")
            return QueueFacts(int(found["VisibilityTimeout"]), None if receives is None else int(receives))

        return _unless_absent(ask)

    def topic(self, arn: str) -> bool:
        """Tell whether a topic exists."""
        return bool(_unless_absent(lambda: self._client("sns").get_topic_attributes(TopicArn=arn)))

    def stream(self, name: str) -> bool:
        """Tell whether a stream of Kinesis exists."""
        return bool(_unless_absent(lambda: self._client("kinesis").describe_stream_summary(StreamName=name)))

    def table_stream(self, table: str) -> str | None:
        """Return the ARN of a table's stream, empty if it has none; None if there is no such table."""

        def ask() -> str:
            found = self._client("dynamodb").describe_table(TableName=table)["Table"]
            return str(found.get("LatestStreamArn", ""))

        return _unless_absent(ask)

    def bucket(self, name: str) -> bool:
        """Tell whether a bucket exists, by the one thing that is allowed for all of them."""
        return bool(_unless_absent(lambda: self._client("s3").get_bucket_notification_configuration(Bucket=name)))

    def domain(self, name: str) -> dict[str, str] | None:
        """Return the tags of a custom domain of API Gateway, None if there is none."""
        found = _unless_absent(lambda: self._client("apigateway").get_domain_name(domainName=name))
        return None if found is None else dict(found.get("tags") or {})

    def log_groups(self, prefix: str) -> dict[str, int | None]:
        """Return how many days the log groups whose names begin with a prefix keep events; None: for ever."""
        pages = self._client("logs").get_paginator("describe_log_groups").paginate(logGroupNamePrefix=prefix)
        return {group["logGroupName"]: group.get("retentionInDays") for page in pages for group in page["logGroups"]}

    def subnets(self, ids: Iterable[str]) -> frozenset[str]:
        """Return those of the subnets that exist."""
        wanted = [{"Name": "subnet-id", "Values": sorted(ids)}]
        return frozenset(one["SubnetId"] for one in self._client("ec2").describe_subnets(Filters=wanted)["Subnets"])

    def security_groups(self, ids: Iterable[str]) -> frozenset[str]:
        """Return those of the security groups that exist."""
        wanted = [{"Name": "group-id", "Values": sorted(ids)}]
        found = self._client("ec2").describe_security_groups(Filters=wanted)["SecurityGroups"]
        return frozenset(one["GroupId"] for one in found)


def _unless_absent(ask: Callable[[], T]) -> T | None:
    try:
        return ask()
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") in _ABSENT:
            return None
        raise
