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
from builder.sandbox.bubblewrap import BubblewrapSandbox, SandboxMissing
from builder.sandbox.sandbox import PlainSandbox
from worker import compose
from worker.compose import Impossible


def settings(tmp_path: Path, **more: Any) -> WorkerSettings:
    return WorkerSettings(
        region="eu-west-1", queue_url="https://sqs.eu-west-1.amazonaws.com/123456789012/drops",
        uploads_bucket="my-uploads", artifacts_bucket="my-artifacts", table="ledger",
        boundary_arn="arn:aws:iam::123456789012:policy/boundary", cache=tmp_path, **more,
    )  # fmt: skip


def test_apps_that_name_no_python_get_the_newest_of_this_machine(tmp_path: Path) -> None:
    defaults = compose._defaults(settings(tmp_path))()
    assert defaults.python == newest_first(tuple(interpreters()))[0]
    assert defaults.python in defaults.pythons


def test_a_python_that_is_not_here_is_told_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(Impossible, match=r"AUTO_LAMBDA_PYTHON is '3.99', but this machine has 3\."):
        compose._defaults(settings(tmp_path, python="3.99"))


def test_a_machine_without_any_python_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compose, "interpreters", dict)
    with pytest.raises(Impossible, match="no Python"):
        compose._defaults(settings(tmp_path))


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


@pytest.fixture
def no_bubblewrap(monkeypatch: pytest.MonkeyPatch) -> None:
    def check(_: BubblewrapSandbox) -> None:
        raise SandboxMissing("bubblewrap is not installed")

    monkeypatch.setattr(BubblewrapSandbox, "check", check)


@pytest.mark.usefixtures("no_bubblewrap")
def test_without_bubblewrap_the_worker_does_not_start_and_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(Impossible, match=r"bubblewrap is not installed.*AUTO_LAMBDA_SANDBOX=off"):
        compose._sandbox(settings(tmp_path))


@pytest.mark.usefixtures("no_bubblewrap")
def test_who_insists_on_bubblewrap_gets_no_less(tmp_path: Path) -> None:
    with pytest.raises(Impossible, match="not installed"):
        compose._sandbox(settings(tmp_path, sandbox="bubblewrap"))


def test_where_bubblewrap_works_it_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BubblewrapSandbox, "check", lambda _: None)
    assert isinstance(compose._sandbox(settings(tmp_path)), BubblewrapSandbox)
    assert isinstance(compose._sandbox(settings(tmp_path, sandbox="off")), PlainSandbox)
