"""Credentials that are missing, expire at whatever call, or do not reach everywhere: every command says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError
from commands import run
from seen_pipeline import SeenPipeline
from typer.testing import Result

CALL = BaseClient._make_api_call  # type: ignore[attr-defined]
COMMANDS = [
    ["status"],
    ["status", "shop"],
    ["status", "--history", "shop"],
    ["releases", "shop"],
    ["url", "shop"],
    ["logs", "shop"],
    ["logs", "shop", "--follow"],
    ["logs", "shop", "--runtime"],
    ["invoke", "shop"],
    ["run", "shop", "--", "migrate"],
    ["config", "shop"],
    ["config", "shop", "set", "COLOR=red", "--no-wait"],
    ["rollback", "shop", "--no-wait"],
    ["promote", "shop", "--no-wait"],
    ["undeploy", "shop", "--yes", "--no-wait"],
    ["deploy", "FOLDER", "--name", "shop", "--timeout", "1"],
    ["deploy", "FOLDER", "--name", "shop", "--no-wait"],
]
MOST_CALLS = 40


@pytest.fixture
def shop(pipeline: SeenPipeline) -> SeenPipeline:
    """A pipeline with an app, an earlier release of it, and its log."""
    first = pipeline.drop()
    pipeline.go_live(first)
    second = pipeline.drop(body=b"another zip")
    pipeline.go_live(second, before=first)
    pipeline.s3.put_object(Bucket="uploads", Key="apps/dev/shop.log", Body=b"live\n")
    group = boto3.client("logs")
    group.create_log_group(logGroupName="/aws/lambda/shop-dev")
    return pipeline


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text("app = 1\n")
    return tmp_path


def failing_from(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Have every call fail from one of them on."""
    calls = list[str]()

    def call(client: Any, operation: str, parameters: Any) -> Any:
        calls.append(operation)
        if len(calls) > number:
            raise ClientError({"Error": {"Code": "ExpiredToken", "Message": "the token has expired"}}, operation)
        return CALL(client, operation, parameters)

    monkeypatch.setattr(BaseClient, "_make_api_call", call)


def ended_plainly(done: Result) -> None:
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_credentials_may_expire_at_any_call(
    shop: SeenPipeline, folder: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    session = boto3.Session()  # one for all runs: to make one takes longer than a command
    monkeypatch.setattr("boto3.Session", lambda **_: session)
    words = [str(folder) if word == "FOLDER" else word for word in command]
    for number in range(MOST_CALLS):
        failing_from(monkeypatch, number)
        done = run(*words)
        ended_plainly(done)
        if "expired" not in done.stderr:
            break  # it makes no more calls than these
        assert done.exit_code in (1, 2), done.stderr
        assert "log in again" in done.stderr
    else:
        pytest.fail("it makes calls without end")
    assert number, "it makes no call"


@pytest.mark.parametrize(
    "command",
    [["status"], ["logs", "shop", "--runtime"], ["config", "shop"], ["deploy", "FOLDER", "--name", "shop"]],
    ids=" ".join,
)
def test_without_credentials_every_command_says_how_to_log_in(
    shop: SeenPipeline, folder: Path, monkeypatch: pytest.MonkeyPatch, command: list[str], tmp_path: Path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    done = run(*(str(folder) if word == "FOLDER" else word for word in command))
    ended_plainly(done)
    assert done.exit_code == 2
    assert "there are no AWS credentials" in done.stderr


def denied(monkeypatch: pytest.MonkeyPatch, operation: str) -> None:
    def call(client: Any, called: str, parameters: Any) -> Any:
        if called == operation:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": f"not allowed: {operation}"}}, called)
        return CALL(client, called, parameters)

    monkeypatch.setattr(BaseClient, "_make_api_call", call)


@pytest.mark.parametrize(
    ("command", "operation", "shown"),
    [
        (["status", "shop"], "Query", "https://shop.example/"),
        (["status", "shop"], "ListObjectsV2", "https://shop.example/"),
        (["releases", "shop"], "Query", "live now"),
        (["releases", "shop"], "ListObjectVersions", "live now"),
        (["url", "shop"], "Query", "https://shop.example/"),
    ],
)
def test_a_part_that_is_not_allowed_is_named_and_the_rest_is_shown(
    shop: SeenPipeline, monkeypatch: pytest.MonkeyPatch, command: list[str], operation: str, shown: str
) -> None:
    denied(monkeypatch, operation)
    done = run(*command)
    ended_plainly(done)
    assert done.exit_code == 0, done.stderr
    assert shown in done.stdout
    if command[0] != "url":
        assert f"{operation}: not allowed" in done.stdout + done.stderr or operation == "ListObjectsV2"
