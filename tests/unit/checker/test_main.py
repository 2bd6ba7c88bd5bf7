"""The checker as it is started, on moto's server and off it."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
import structlog
from moto import mock_aws

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
    assert published() == ["QueueDelayed", "QueueInFlight", "QueueVisible"]


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
        assert "the first look failed" in process.stderr.readline()
        assert "ready" in process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(4) == 0
