"""Metrics as CloudWatch gets them, on moto."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from moto import mock_aws

from auto_lambda.aws.cloudwatch import Alarms, FunctionMetrics, Metrics, VersionCalls

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


def put(cloudwatch: Any, version: str, metric: str, value: float, at: datetime) -> None:
    named = {"FunctionName": "shop-dev", "Resource": "shop-dev:live", "ExecutedVersion": version}
    dimensions = [{"Name": name, "Value": text} for name, text in named.items()]
    data = [{"MetricName": metric, "Dimensions": dimensions, "Value": value, "Timestamp": at}]
    cloudwatch.put_metric_data(Namespace="AWS/Lambda", MetricData=data)


def test_calls_are_counted_by_version_from_a_time_on(cloudwatch: Any) -> None:
    for version, metric, value in (
        ("1", "Invocations", 90), ("1", "Duration", 900.0), ("2", "Invocations", 10), ("2", "Errors", 3),
        ("2", "Duration", 500.0), ("3", "Invocations", 7),
    ):  # fmt: skip
        put(cloudwatch, version, metric, value, NOW)
    put(cloudwatch, "2", "Invocations", 1000, NOW - timedelta(minutes=10))
    new, live = FunctionMetrics(cloudwatch).calls("shop-dev", "live", ("2", "1"), NOW - timedelta(minutes=1))
    assert (new, live) == (VersionCalls(10, 3, 500.0), VersionCalls(90, 0, 900.0))
    assert (new.rate, new.average, live.rate) == (30.0, 50.0, 0.0)
    assert new + live == VersionCalls(100, 3, 1400.0)


def test_no_calls_have_no_rate() -> None:
    assert (VersionCalls().rate, VersionCalls().average) == (0.0, 0.0)


def test_alarms_that_ring_or_are_missing_are_told(cloudwatch: Any) -> None:
    for name in ("quiet", "loud"):
        cloudwatch.put_metric_alarm(
            AlarmName=name, Namespace="N", MetricName="M", Statistic="Sum", Period=60, EvaluationPeriods=1,
            Threshold=1, ComparisonOperator="GreaterThanThreshold",
        )  # fmt: skip
    cloudwatch.set_alarm_state(AlarmName="loud", StateValue="ALARM", StateReason="3 were above 1")
    cloudwatch.set_alarm_state(AlarmName="quiet", StateValue="OK", StateReason="none was")
    alarms = Alarms(cloudwatch)
    assert alarms.ringing(["quiet", "loud", "gone"]) == ["gone does not exist", "loud: 3 were above 1"]
    assert alarms.ringing([]) == []
