"""Commands know their region from either of AWS's variables, and without one they say so in a line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fake_credentials import set_credentials
from moto import mock_aws
from typer.testing import CliRunner, Result

from auto_lambda.aws.session import make_session
from auto_lambda_cli.app import app

QUEUE = "https://sqs.eu-west-1.amazonaws.com/123456789012/drops"
ENVIRONMENT = {
    "AUTO_LAMBDA_UPLOADS_BUCKET": "uploads",
    "AUTO_LAMBDA_ARTIFACTS_BUCKET": "artifacts",
    "AUTO_LAMBDA_TABLE": "ledger",
    "AUTO_LAMBDA_QUEUE_URL": QUEUE,
    "AUTO_LAMBDA_DEAD_LETTER_QUEUE_URL": f"{QUEUE}-dead",
    "AUTO_LAMBDA_BOUNDARY_ARN": "arn:aws:iam::123456789012:policy/boundary",
}
COMMANDS = {
    "approve": ["approve", "shop"],
    "deploy": ["deploy", "APP.zip", "--name", "shop"],
    "doctor": ["doctor"],
    "grants check": ["grants", "check", "shop"],
    "grants show": ["grants", "show", "shop"],
    "logs": ["logs", "shop"],
    "reconcile": ["reconcile"],
    "redrive": ["redrive"],
    "rollback": ["rollback", "shop"],
    "simulate": ["simulate", "--from-ledger"],
    "status": ["status", "shop"],
    "status --history": ["status", "--history", "shop"],
    "status --watch": ["status", "--watch"],
    "undeploy": ["undeploy", "shop", "--yes"],
}
NEED_ONE = (
    "approve", "doctor", "grants check", "reconcile", "redrive", "simulate", "status --history", "status --watch",
)  # fmt: skip
"""S3 alone answers without a region."""


@pytest.fixture(autouse=True)
def no_region(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    set_credentials(monkeypatch)
    for name in ("AWS_DEFAULT_REGION", "AWS_REGION", "AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


def run(command: str, tmp_path: Path) -> Result:
    zipped = tmp_path / "APP.zip"
    zipped.write_bytes(b"PK")
    arguments = [str(zipped) if one == "APP.zip" else one for one in COMMANDS[command]]
    with mock_aws():
        return CliRunner().invoke(app, arguments)


def ended_by_itself(result: Result) -> bool:
    return result.exception is None or isinstance(result.exception, SystemExit)


@pytest.mark.parametrize("command", COMMANDS)
def test_without_a_region_no_command_ends_in_a_traceback(command: str, tmp_path: Path) -> None:
    result = run(command, tmp_path)
    assert ended_by_itself(result), result.exception
    if command in NEED_ONE:
        assert result.exit_code in (1, 2)
        assert "AWS_REGION" in result.output


@pytest.mark.parametrize("command", COMMANDS)
def test_the_region_of_other_sdks_is_enough(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    result = run(command, tmp_path)
    assert ended_by_itself(result), result.exception
    assert "no AWS region" not in result.output
    assert "AWS_REGION" not in result.output


def test_a_session_takes_either_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    def region() -> Any:
        return make_session().region_name

    assert region() is None
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-2")
    assert region() == "eu-west-2"
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    assert region() == "eu-west-1"
