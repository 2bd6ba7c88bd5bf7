from __future__ import annotations

from datetime import UTC, datetime, timedelta

import boto3
import pytest
from botocore.exceptions import ClientError
from console import Page, PipelineParts
from seen_pipeline import SeenPipeline

from auto_lambda.aws.cloudwatch import Metrics
from auto_lambda.aws.sqs import Queue
from auto_lambda_cli.console.context import ConsoleContext
from auto_lambda_cli.console.requests import PageRequest
from auto_lambda_cli.console.watching.fleet import FleetWatch


def test_the_fleet_is_told_in_parts(page: Page, parts: PipelineParts, pipeline: SeenPipeline) -> None:
    pipeline.drop()
    pipeline.tell(status="building", step="build", worker="worker-1", timings={"fetch": 0.5})
    parts.put_aside("apps/dev/quotes.zip")
    parts.sqs.send_message(QueueUrl=parts.queue, MessageBody="{}")
    answer = page.get("api/fleet")
    assert answer.value("queue") == {"visible": 1, "in_flight": 0, "delayed": 0}
    assert answer.value("dead_letters") == 1
    (build,) = answer.value("running")
    assert (build["app"], build["step"], build["worker"]) == ("dev/shop", "build", "worker-1")
    assert answer.value("last") == []


def test_without_a_worker_group_only_that_part_is_missing(page: Page, parts: PipelineParts) -> None:
    answer = page.get("api/fleet")
    assert answer.problem("workers")["code"] == "unset"
    assert answer.value("queue")["visible"] == 0


def test_without_a_queue_only_that_part_is_missing(page: Page, pipeline: SeenPipeline) -> None:
    pipeline.go_live(pipeline.drop())
    answer = page.get("api/fleet")
    assert answer.problem("queue")["code"] == "unset"
    assert [one["app"] for one in answer.value("last")] == ["dev/shop"]


def test_a_part_that_is_refused_says_so_alone(
    page: Page, parts: PipelineParts, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Queue) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "GetQueueAttributes")

    monkeypatch.setattr(Queue, "depth", refuse)
    answer = page.get("api/fleet")
    assert answer.problem("queue")["code"] == "refused"
    assert "GetQueueAttributes" in answer.problem("queue")["message"]
    assert answer.value("running") == []


def test_the_backlog_is_told_over_time(page: Page, parts: PipelineParts) -> None:
    metrics = Metrics(boto3.client("cloudwatch"), "AutoLambda")
    now = datetime.now(UTC).replace(microsecond=0)
    for seconds, backlog in ((20, 30.0), (10, 12.5)):
        at = now - timedelta(seconds=seconds)
        metrics.publish({"BacklogSeconds": backlog, "QueueVisible": 3}, {"QueueName": "drops"}, at)
    told = page.get("api/fleet/series?minutes=5").value("series")
    assert told["period"] == 1
    assert told["times"] == [int(now.timestamp()) - 20, int(now.timestamp()) - 10]
    assert told["series"]["backlog_seconds"] == [30.0, 12.5]
    assert told["series"]["visible"] == [3, 3]
    assert told["series"]["workers"] == [None, None]


@pytest.mark.parametrize(("minutes", "period"), [(1, 1), (10, 1), (60, 10), (1440, 300)])
def test_a_longer_time_has_longer_periods(page: Page, parts: PipelineParts, minutes: int, period: int) -> None:
    assert page.get(f"api/fleet/series?minutes={minutes}").value("series")["period"] == period


@pytest.mark.parametrize("minutes", ["0", "1441", "-1", "x", "", "1e3", "9" * 30, "%D9%A3"])
def test_a_time_that_is_none_is_refused(page: Page, parts: PipelineParts, minutes: str) -> None:
    answer = page.get(f"api/fleet/series?minutes={minutes}")
    assert (answer.status, answer.error["code"]) == (400, "bad-request")


def test_the_fleet_is_told_again_only_if_something_happens(context: ConsoleContext, parts: PipelineParts) -> None:
    seconds = 0.0
    watch = FleetWatch(context, PageRequest(), clock=lambda: seconds)
    assert [event.name for event in watch.look()] == ["fleet"]
    assert watch.look() == []
    parts.sqs.send_message(QueueUrl=parts.queue, MessageBody="{}")
    assert len(watch.look()) == 1
    seconds = 11.0
    assert len(watch.look()) == 1
