"""The checker as it is started, on moto's server and off it."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import boto3
import pytest
import structlog
from botocore.client import BaseClient
from botocore.exceptions import ClientError
from moto import mock_aws
from tables import create_ledger

from checker.__main__ import main


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in list(os.environ):
        if name.startswith(("AUTO_LAMBDA_", "AWS_")):
            monkeypatch.delenv(name)
    settings = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_REGION": "eu-west-1"}
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    with mock_aws():
        sqs = boto3.client("sqs", region_name="eu-west-1")
        monkeypatch.setenv("AUTO_LAMBDA_QUEUE_URL", sqs.create_queue(QueueName="drops")["QueueUrl"])
        yield sqs
    structlog.reset_defaults()
    root.handlers[:], root.level = before, level


def published() -> list[str]:
    metrics = boto3.client("cloudwatch", region_name="eu-west-1").list_metrics(Namespace="AutoLambda")["Metrics"]
    return sorted(metric["MetricName"] for metric in metrics)


def test_once_publishes_and_prints_json(aws: Any, capsys: pytest.CaptureFixture[str]) -> None:
    aws.send_message(QueueUrl=os.environ["AUTO_LAMBDA_QUEUE_URL"], MessageBody="x")
    assert main(["--once", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["QueueVisible"] == 1
    assert published() == ["BacklogSeconds", "CheckerHeartbeat", "QueueDelayed", "QueueInFlight", "QueueVisible"]


def test_a_dry_run_prints_and_publishes_nothing(aws: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--once", "--dry-run"]) == 0
    assert "QueueVisible 0" in capsys.readouterr().out
    assert published() == []


def test_an_unknown_queue_is_told_at_start(
    aws: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTO_LAMBDA_QUEUE_URL", os.environ["AUTO_LAMBDA_QUEUE_URL"] + "-typo")
    assert main() == 2
    assert "there is no such queue" in capsys.readouterr().err


@pytest.fixture
def fleet(aws: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    """A ledger, and a group of two machines; its name."""
    create_ledger(boto3.client("dynamodb", region_name="eu-west-1"))
    groups = boto3.client("autoscaling", region_name="eu-west-1")
    groups.create_launch_configuration(LaunchConfigurationName="c", ImageId="ami-12345678", InstanceType="t3.micro")
    groups.create_auto_scaling_group(
        AutoScalingGroupName="workers", LaunchConfigurationName="c", MinSize=2, MaxSize=2,
        AvailabilityZones=["eu-west-1a"],
    )  # fmt: skip
    monkeypatch.setenv("AUTO_LAMBDA_TABLE", "ledger")
    monkeypatch.setenv("AUTO_LAMBDA_WORKER_GROUP", "workers")
    return "workers"


def test_with_a_fleet_everything_is_published_in_one_call(fleet: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--once", "--json"]) == 0
    sample = json.loads(capsys.readouterr().out)
    assert sample["WorkersInService"] == 2
    assert sample["BacklogSecondsPerWorker"] == 0
    names = published()
    assert {"BacklogPerWorker", "BacklogSeconds", "BacklogSecondsWithoutWorkers", "QueueOldestSeconds"} <= set(names)
    assert len(names) == len(sample) - 1


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("AUTO_LAMBDA_WORKER_GROUP", "typo", "there is no Auto Scaling group typo in eu-west-1"),
        ("AUTO_LAMBDA_TABLE", "typo", "there is no such table"),
        ("AUTO_LAMBDA_CHECK_SECONDS", "soon", "AUTO_LAMBDA_CHECK_SECONDS"),
        ("AUTO_LAMBDA_CHECK_SECONDS", "0", "AUTO_LAMBDA_CHECK_SECONDS"),
        ("AUTO_LAMBDA_IDLE_CHECK_SECONDS", "2", "must not be less than"),
    ],
)
def test_what_cannot_work_is_told_at_start(
    fleet: str,
    variable: str,
    value: str,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(variable, value)
    assert main() == 2
    assert said in capsys.readouterr().err


def test_a_group_of_another_region_is_told_at_start(
    fleet: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    queue = boto3.client("sqs", region_name="us-west-2").create_queue(QueueName="drops")["QueueUrl"]
    monkeypatch.setenv("AWS_REGION", "us-west-2")
    monkeypatch.setenv("AUTO_LAMBDA_QUEUE_URL", queue)
    monkeypatch.delenv("AUTO_LAMBDA_TABLE")
    assert main() == 2
    assert "no Auto Scaling group workers in us-west-2; a group of another region" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("operation", "code", "said"),
    [
        ("GetQueueAttributes", "AccessDenied", "drops cannot be used: we are not allowed to use it"),
        ("GetQueueAttributes", "AccessDeniedException", "drops cannot be used: we are not allowed to use it"),
        ("PutMetricData", "AccessDenied", "not allowed to publish metrics in AutoLambda"),
        (
            "DescribeAutoScalingGroups",
            "AccessDenied",
            "group workers cannot be used: we are not allowed to describe it",
        ),
        ("Query", "AccessDeniedException", "the ledger ledger cannot be used: we are not allowed to read its index"),
    ],
)
def test_what_is_not_allowed_is_told_at_start(
    fleet: str,
    operation: str,
    code: str,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def refuse(self: BaseClient, asked: str, arguments: Any) -> Any:
        if asked == operation:
            raise ClientError({"Error": {"Code": code, "Message": ""}}, operation)
        return call(self, asked, arguments)

    call = BaseClient._make_api_call  # type: ignore[attr-defined]
    monkeypatch.setattr(BaseClient, "_make_api_call", refuse)
    assert main() == 2
    assert said in capsys.readouterr().err


def suspended() -> list[str]:
    (group,) = boto3.client("autoscaling", region_name="eu-west-1").describe_auto_scaling_groups()["AutoScalingGroups"]
    return [one["ProcessName"] for one in group["SuspendedProcesses"]]


def test_a_checker_keeps_the_group_from_rebalancing_its_zones(fleet: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("checker.__main__._until", lambda *_: 0)
    monkeypatch.setenv("AUTO_LAMBDA_WORKER_GROUP", fleet)
    assert main(["--dry-run"]) == 0
    assert suspended() == []
    assert main() == 0
    assert suspended() == ["AZRebalance"]


def test_a_checker_that_may_not_suspend_goes_on(
    fleet: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def denied(_: object) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "SuspendProcesses")

    monkeypatch.setattr("checker.__main__._until", lambda *_: 0)
    monkeypatch.setattr("checker.__main__.AutoScalingGroup.suspend_rebalancing", denied)
    monkeypatch.setenv("AUTO_LAMBDA_WORKER_GROUP", fleet)
    assert main() == 0
    assert "AZRebalance not suspended" in capsys.readouterr().err


def test_two_at_once_publish_the_same_which_no_statistic_but_the_count_shows(fleet: str) -> None:
    assert main(["--once"]) == main(["--once"]) == 0
    queue = os.environ["AUTO_LAMBDA_QUEUE_URL"].rpartition("/")[2]
    now = datetime.now(UTC)
    (point,) = boto3.client("cloudwatch", region_name="eu-west-1").get_metric_statistics(
        Namespace="AutoLambda", MetricName="WorkersInService", Dimensions=[{"Name": "QueueName", "Value": queue}],
        StartTime=now - timedelta(hours=1), EndTime=now + timedelta(hours=1), Period=7200,
        Statistics=["Maximum", "Minimum", "Average", "SampleCount"],
    )["Datapoints"]  # fmt: skip
    assert point["Maximum"] == point["Minimum"] == point["Average"] == 2
    assert point["SampleCount"] == 2


def test_all_problems_with_the_settings_are_told_at_start(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AUTO_LAMBDA_QUEUE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AUTO_LAMBDA_CHECK_SECONDS", "never")
    assert main() == 2
    told = capsys.readouterr().err
    for name in ("AWS_REGION", "AUTO_LAMBDA_QUEUE_URL", "AUTO_LAMBDA_CHECK_SECONDS"):
        assert name in told


def test_sigterm_ends_it_even_while_a_call_hangs() -> None:
    """The queue's address accepts connections and never answers."""
    environ = {
        **os.environ,
        "AWS_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "y",
        "AUTO_LAMBDA_CHECK_SECONDS": "1",
    }
    script = (
        "import os, socket, sys, checker.__main__ as main\n"
        "with socket.create_server(('127.0.0.1', 0)) as server:\n"
        "    url = f'http://127.0.0.1:{server.getsockname()[1]}'\n"
        "    os.environ |= {'AWS_ENDPOINT_URL': url, 'AUTO_LAMBDA_QUEUE_URL': url + '/1/q'}\n"
        "    sys.exit(main.main())"
    )
    with subprocess.Popen([sys.executable, "-c", script], env=environ, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert "the first sample failed" in process.stderr.readline()
        assert "ready" in process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(4) == 0


class Refuses(BaseHTTPRequestHandler):
    """An AWS in which nobody may do anything."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        body = json.dumps({"__type": "com.amazonaws.sqs#AccessDeniedException", "message": "no"}).encode()
        self.send_response(403)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Quietly."""


@pytest.fixture
def refusing() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Refuses) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "we are not allowed to use it"),
        ({"AUTO_LAMBDA_CHECK_SECONDS": "-5"}, "AUTO_LAMBDA_CHECK_SECONDS is '-5'"),
        ({"AUTO_LAMBDA_QUEUE_URL": "drops"}, "does not look like the URL of the queue"),
    ],
    ids=["no permission", "nonsense interval", "no queue's address"],
)
def test_the_process_ends_with_2_and_a_line_that_says_why(refusing: str, settings: dict[str, str], said: str) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "AUTO_LAMBDA_"))}
    environ = {
        **kept, "AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y",
        "AWS_ENDPOINT_URL": refusing, "AUTO_LAMBDA_QUEUE_URL": f"{refusing}/123456789012/drops", **settings,
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "checker"], env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
