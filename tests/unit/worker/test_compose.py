"""What a machine cannot do is told when the worker starts, not when an upload comes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from auto_lambda import logs
from auto_lambda.aws.s3 import ObjectStore
from auto_lambda.receipts import Receipt
from auto_lambda.runtimes import newest_first
from auto_lambda.settings import WorkerSettings
from auto_lambda.tools import interpreters
from worker import compose
from worker.builds.compose import MisconfiguredMachine


def settings(tmp_path: Path, **more: Any) -> WorkerSettings:
    return WorkerSettings(
        region="eu-west-1", queue_url="https://sqs.eu-west-1.amazonaws.com/123456789012/drops",
        uploads_bucket="my-uploads", artifacts_bucket="my-artifacts", table="ledger",
        boundary_arn="arn:aws:iam::123456789012:policy/boundary", cache=tmp_path, **more,
    )  # fmt: skip


def test_apps_that_name_no_python_get_the_newest_of_this_machine(tmp_path: Path) -> None:
    assert compose._default_python(settings(tmp_path)) == newest_first(tuple(interpreters()))[0]


def test_a_python_that_is_not_here_is_told_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(MisconfiguredMachine, match=r"AUTO_LAMBDA_PYTHON is '3.99', but this machine has 3\."):
        compose._default_python(settings(tmp_path, python="3.99"))


@pytest.mark.parametrize(
    ("value", "stage", "refused"),
    [
        (None, "prod", False),
        ("*", "dev", True),
        ("prod", "prod", True),
        ("stage, prod", "prod", True),
        ("prod", "dev", False),
    ],
)
def test_stages_may_refuse_retired_pythons(tmp_path: Path, value: str | None, stage: str, refused: bool) -> None:
    assert compose._refuses_retired(settings(tmp_path, refuse_retired_pythons=value), stage) is refused


def test_a_machine_without_any_python_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compose, "interpreters", dict)
    with pytest.raises(MisconfiguredMachine, match="no Python"):
        compose._default_python(settings(tmp_path))


class Store(ObjectStore):
    """Takes whatever is stored."""

    def __init__(self) -> None:
        self.stored: dict[str, bytes] = {}

    def put(self, bucket: str, key: str, body: bytes, content_type: str) -> None:
        self.stored[key] = body


@pytest.mark.parametrize(("sandbox", "warnings"), [("off", 1), ("bubblewrap", 0)])
def test_a_sandbox_that_is_off_is_said_at_each_build(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], sandbox: str, warnings: int
) -> None:
    logs.configure()
    reporter = compose._reporter(settings(tmp_path, sandbox=sandbox), Store(), lambda *_: None)
    for key in ("apps/one.zip", "apps/two.zip"):
        receipt = Receipt(key, "w")
        made = reporter(receipt, "uploads").receipt
        assert made.sandbox == sandbox
        assert len(made.warnings) == warnings
        told = capsys.readouterr().err
        assert ("AUTO_LAMBDA_SANDBOX=off" in told) == bool(warnings)
        assert (key in told) == bool(warnings)
