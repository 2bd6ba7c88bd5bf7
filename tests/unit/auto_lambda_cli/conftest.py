"""A pipeline of which only the bucket is there, and a worker that is done at once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from commands import BUCKET, RECEIPT
from moto import mock_aws
from seen_pipeline import SeenPipeline
from tables import create_ledger

from auto_lambda.aws.dynamodb import Table
from auto_lambda_cli.queries.services import Services


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    monkeypatch.setenv("AUTO_LAMBDA_UPLOADS_BUCKET", BUCKET)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        client = boto3.client("s3")
        client.create_bucket(Bucket=BUCKET)
        client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        yield client


@pytest.fixture
def answer(s3: Any, while_waiting: Callable[[Callable[[float], Any]], None]) -> Callable[..., None]:
    """A worker that is done as soon as one looks again."""

    def use(**changes: Any) -> None:
        def work(_: float) -> None:
            version = s3.head_object(Bucket=BUCKET, Key="apps/dev/shop.zip")["VersionId"]
            fields = {**RECEIPT, "upload": {"key": "apps/dev/shop.zip", "version": version}, **changes}
            s3.put_object(Bucket=BUCKET, Key="apps/dev/shop.receipt.json", Body=json.dumps(fields).encode())

        while_waiting(work)

    return use


@pytest.fixture
def while_waiting(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[float], Any]], None]:
    """What happens instead of sleeping between two looks at a receipt."""

    def use(work: Callable[[float], Any]) -> None:
        # `follow` has its sleep as a default argument, so the function's own is what counts.
        follow = __import__("auto_lambda.drops", fromlist=["follow"]).follow
        monkeypatch.setitem(follow.__kwdefaults__, "sleep", work)

    return use


@pytest.fixture
def pipeline(s3: Any, monkeypatch: pytest.MonkeyPatch) -> SeenPipeline:
    """A pipeline with a ledger."""
    dynamodb = boto3.client("dynamodb")
    create_ledger(dynamodb)
    monkeypatch.setenv("AUTO_LAMBDA_TABLE", "ledger")
    return SeenPipeline(s3, Table(dynamodb, "ledger"))


@pytest.fixture
def services(pipeline: SeenPipeline) -> Services:
    return Services.of(BUCKET, {"AUTO_LAMBDA_TABLE": "ledger"})
