"""The checker's figures arrive in CloudWatch."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from e2e_stack import Drop, Stack, until


def test_queue_depth_is_published(stack: Stack, drops: dict[str, Drop]) -> None:
    cloudwatch = stack.client("cloudwatch")
    wanted = {"QueueVisible", "QueueInFlight", "QueueDelayed"}

    def metrics() -> list[dict[str, object]] | None:
        found = cloudwatch.list_metrics(Namespace="AutoLambda")["Metrics"]
        return found if {metric["MetricName"] for metric in found} >= wanted else None

    (in_flight,) = [metric for metric in until(metrics, 60) if metric["MetricName"] == "QueueInFlight"]

    def maximum() -> float:
        now = datetime.now(UTC)
        points = cloudwatch.get_metric_statistics(
            Namespace="AutoLambda",
            MetricName="QueueInFlight",
            Dimensions=in_flight["Dimensions"],
            StartTime=now - timedelta(minutes=15),
            EndTime=now + timedelta(minutes=1),
            Period=10,
            Statistics=["Maximum"],
        )["Datapoints"]
        return max((point["Maximum"] for point in points), default=0.0)

    until(lambda: maximum() >= 1, 60, lambda: "the checker saw no message in flight while apps were built")
