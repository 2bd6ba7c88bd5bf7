"""A console of a pipeline that is in moto, on a real port."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import boto3
import pytest
from commands import BUCKET
from console import ARTIFACTS, Page, PipelineParts
from seen_pipeline import SeenPipeline

from auto_lambda_cli.console.context import ConsoleContext
from auto_lambda_cli.console.server import ConsoleServer
from auto_lambda_cli.target import Target


@pytest.fixture
def context(pipeline: SeenPipeline) -> ConsoleContext:
    return ConsoleContext(Target(BUCKET, None), os.environ)


@pytest.fixture
def server(context: ConsoleContext) -> Iterator[ConsoleServer]:
    made = ConsoleServer(context)
    thread = threading.Thread(target=made.run, daemon=True)
    thread.start()
    yield made
    made.stop()
    thread.join()


@pytest.fixture
def page(server: ConsoleServer) -> Page:
    return Page(server.address)


@pytest.fixture
def parts(pipeline: SeenPipeline, monkeypatch: pytest.MonkeyPatch) -> PipelineParts:
    """The pipeline's other parts, named in the environment."""
    sqs = boto3.client("sqs")
    queue, dead = (sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("drops", "dead"))
    pipeline.s3.create_bucket(Bucket=ARTIFACTS)
    named = {
        "QUEUE_URL": queue, "DEAD_LETTER_QUEUE_URL": dead, "ARTIFACTS_BUCKET": ARTIFACTS,
        "METRICS_NAMESPACE": "AutoLambda",
    }  # fmt: skip
    for name, value in named.items():
        monkeypatch.setenv(f"AUTO_LAMBDA_{name}", value)
    return PipelineParts(pipeline.s3, sqs, pipeline.table, queue, dead)
