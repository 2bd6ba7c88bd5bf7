"""Sample events, in the shapes in which services send them to Lambda."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any

from auto_lambda.keys import App
from auto_lambda.lambda_events import get_event

_WHEN = "2026-01-01T00:00:00Z"
_ID = "00000000-0000-4000-8000-000000000000"
_REGION, _ACCOUNT = "us-east-1", "123456789012"
_BODY = json.dumps({"sample": True})


def sample(kind: str, app: App) -> Any | None:
    """Return the sample of a kind; None if there is none. https://docs.aws.amazon.com/lambda/latest/dg/lambda-services.html"""
    made = _SAMPLES.get(kind)
    return made(app) if made else None


def kinds() -> tuple[str, ...]:
    """List the kinds."""
    return tuple(sorted(_SAMPLES))


def _arn(service: str, resource: str) -> str:
    return f"arn:aws:{service}:{_REGION}:{_ACCOUNT}:{resource}"


def _sqs(_: App) -> Mapping[str, Any]:
    record = {
        "messageId": _ID,
        "receiptHandle": "sample",
        "body": _BODY,
        "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1767225600000"},
        "messageAttributes": {},
        "md5OfBody": "",
        "eventSource": "aws:sqs",
        "eventSourceARN": _arn("sqs", "sample"),
        "awsRegion": _REGION,
    }
    return {"Records": [record]}


def _sns(_: App) -> Mapping[str, Any]:
    told = {
        "Type": "Notification", "MessageId": _ID, "TopicArn": _arn("sns", "sample"), "Subject": "sample",
        "Message": _BODY, "Timestamp": _WHEN, "MessageAttributes": {},
    }  # fmt: skip
    subscription = f"{_arn('sns', 'sample')}:{_ID}"
    return {
        "Records": [
            {"EventSource": "aws:sns", "EventVersion": "1.0", "EventSubscriptionArn": subscription, "Sns": told}
        ]
    }


def _s3(_: App) -> Mapping[str, Any]:
    changed = {"key": "sample.txt", "size": 6, "eTag": "0" * 32, "sequencer": "0A1B2C3D4E5F678901"}
    bucket = {"name": "sample", "arn": "arn:aws:s3:::sample"}
    record = {
        "eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": _REGION, "eventTime": _WHEN,
        "eventName": "ObjectCreated:Put", "s3": {"s3SchemaVersion": "1.0", "bucket": bucket, "object": changed},
    }  # fmt: skip
    return {"Records": [record]}


def _schedule(_: App) -> Mapping[str, Any]:
    return _bus("aws.events", "Scheduled Event", {}, [_arn("events", "rule/sample")])


def _eventbridge(_: App) -> Mapping[str, Any]:
    return _bus("sample", "Sample", {"sample": True}, [])


def _bus(source: str, kind: str, detail: Mapping[str, Any], resources: list[str]) -> Mapping[str, Any]:
    return {
        "version": "0", "id": _ID, "detail-type": kind, "source": source, "account": _ACCOUNT, "time": _WHEN,
        "region": _REGION, "resources": resources, "detail": detail,
    }  # fmt: skip


def _dynamodb(_: App) -> Mapping[str, Any]:
    change = {
        "Keys": {"id": {"S": "1"}}, "NewImage": {"id": {"S": "1"}, "sample": {"BOOL": True}},
        "SequenceNumber": "111", "SizeBytes": 26, "StreamViewType": "NEW_AND_OLD_IMAGES",
    }  # fmt: skip
    record = {
        "eventID": "1", "eventName": "INSERT", "eventVersion": "1.1", "eventSource": "aws:dynamodb",
        "awsRegion": _REGION, "dynamodb": change, "eventSourceARN": _arn("dynamodb", f"table/sample/stream/{_WHEN}"),
    }  # fmt: skip
    return {"Records": [record]}


def _kinesis(_: App) -> Mapping[str, Any]:
    data = {
        "kinesisSchemaVersion": "1.0", "partitionKey": "1", "sequenceNumber": "1",
        "data": base64.b64encode(_BODY.encode()).decode(), "approximateArrivalTimestamp": 1767225600.0,
    }  # fmt: skip
    record = {
        "kinesis": data, "eventSource": "aws:kinesis", "eventVersion": "1.0", "eventName": "aws:kinesis:record",
        "eventID": "shardId-000000000000:1", "awsRegion": _REGION, "eventSourceARN": _arn("kinesis", "stream/sample"),
    }  # fmt: skip
    return {"Records": [record]}


_SAMPLES: Mapping[str, Callable[[App], Any]] = {
    "dynamodb": _dynamodb,
    "eventbridge": _eventbridge,
    "function-url": lambda _: get_event("function-url", "/", "", "sample.invalid"),
    "http-api": lambda app: get_event("http-api", "/", app.stage, "sample.invalid"),
    "kinesis": _kinesis,
    "rest-api": lambda app: get_event("rest-api", "/", app.stage, "sample.invalid"),
    "s3": _s3,
    "schedule": _schedule,
    "sns": _sns,
    "sqs": _sqs,
}
