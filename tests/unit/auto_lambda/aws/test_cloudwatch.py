"""Metrics as CloudWatch gets them, on moto."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from moto import mock_aws

from auto_lambda.aws.cloudwatch import Metrics

NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def cloudwatch(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        yield boto3.client("cloudwatch", region_name="eu-west-1")


def test_all_counts_go_in_one_high_resolution_call(cloudwatch: Any) -> None:
    calls: list[dict[str, Any]] = []
    cloudwatch.meta.events.register(
        "provide-client-params.cloudwatch.PutMetricData", lambda params, **_: calls.append(params)
    )
    Metrics(cloudwatch, "AutoLambda").publish({"QueueVisible": 3, "QueueInFlight": 0}, {"QueueName": "drops"}, NOW)
    (call,) = calls
    assert call["Namespace"] == "AutoLambda"
    assert [datum["MetricName"] for datum in call["MetricData"]] == ["QueueVisible", "QueueInFlight"]
    for datum in call["MetricData"]:
        assert datum["StorageResolution"] == 1
        assert datum["Unit"] == "Count"
        assert datum["Dimensions"] == [{"Name": "QueueName", "Value": "drops"}]


def test_what_was_published_is_found_again(cloudwatch: Any) -> None:
    Metrics(cloudwatch, "AutoLambda").publish({"QueueVisible": 3}, {"QueueName": "drops"}, NOW)
    (point,) = cloudwatch.get_metric_statistics(
        Namespace="AutoLambda", MetricName="QueueVisible", Dimensions=[{"Name": "QueueName", "Value": "drops"}],
        StartTime=NOW - timedelta(minutes=1), EndTime=NOW + timedelta(minutes=1), Period=60, Statistics=["Maximum"],
    )["Datapoints"]  # fmt: skip
    assert point["Maximum"] == 3
