"""A daemon's settings are those of its fleet and those of its machine, read once, and again before it reloads."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from fake_credentials import set_credentials
from moto import mock_aws
from structlog.testing import capture_logs

from auto_lambda.daemon.start import SettingsUnreadable, load_settings, may_start
from auto_lambda.fleet_settings import PATH_VARIABLE
from auto_lambda.settings import CheckerSettings, SettingsError

PATH = "/auto-lambda-fleet/drops/checker"


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of a checker, in which a parameter path is named."""
    for name in list(os.environ):
        if name.startswith("AUTO_LAMBDA_") or name == "AWS_ENDPOINT_URL":
            monkeypatch.delenv(name)
    set_credentials(monkeypatch)
    environ = {
        "AWS_REGION": "us-east-1",
        "AUTO_LAMBDA_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/123456789012/drops",
        "RUNTIME_DIRECTORY": str(tmp_path),
        PATH_VARIABLE: PATH,
    }
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    with mock_aws():
        yield environ


def write(name: str, value: str) -> None:
    boto3.client("ssm").put_parameter(Name=f"{PATH}/{name}", Value=value, Type="SecureString", Overwrite=True)


def test_parameters_are_settings(machine: dict[str, str]) -> None:
    write("AUTO_LAMBDA_CHECK_SECONDS", "7")
    write("HTTPS_PROXY", "http://proxy.example:3128")
    assert load_settings(CheckerSettings, machine).check_seconds == 7
    assert machine["HTTPS_PROXY"] == "http://proxy.example:3128"


def test_a_value_that_is_not_valid_is_told_with_its_parameter(machine: dict[str, str]) -> None:
    write("AUTO_LAMBDA_CHECK_SECONDS", "often")
    del machine["AUTO_LAMBDA_QUEUE_URL"], os.environ["AUTO_LAMBDA_QUEUE_URL"]
    with pytest.raises(SettingsError) as caught:
        load_settings(CheckerSettings, machine)
    first, second = sorted(caught.value.problems)
    assert first.startswith(f"{PATH}/AUTO_LAMBDA_CHECK_SECONDS is 'often'")
    assert second.startswith("AUTO_LAMBDA_QUEUE_URL is not set")


def test_without_a_region_only_that_is_told(machine: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name)
    del machine["AWS_REGION"]
    with pytest.raises(SettingsError, match=r"AWS_REGION .* is not set"):
        load_settings(CheckerSettings, machine)


def test_an_aws_that_does_not_answer_is_no_fault_of_the_settings(
    machine: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    mock = "http://127.0.0.1:9"
    monkeypatch.setenv("AWS_ENDPOINT_URL", mock)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(SettingsUnreadable, match="the fleet's settings cannot be read"):
        load_settings(CheckerSettings, machine)


def test_it_reloads_only_what_it_could_start_with(machine: dict[str, str]) -> None:
    write("AUTO_LAMBDA_CHECK_SECONDS", "7")
    before = dict(os.environ)
    assert may_start(CheckerSettings, "checker")
    write("AUTO_LAMBDA_CHECK_SECONDS", "often")
    with capture_logs() as lines:
        assert not may_start(CheckerSettings, "checker")
    (line,) = lines
    assert line["event"] == "not reloaded: it could not start"
    assert line["problems"][0].startswith(f"{PATH}/AUTO_LAMBDA_CHECK_SECONDS")
    assert dict(os.environ) == before
