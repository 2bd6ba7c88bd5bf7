"""Parameters and secrets as AWS stores them, on moto."""

from __future__ import annotations

from collections.abc import Iterator

import boto3
import pytest
from botocore.exceptions import ClientError
from fake_credentials import set_credentials
from moto import mock_aws

from auto_lambda.aws.parameters import Parameters, ParametersRefused, SecretUnusable


@pytest.fixture
def parameters(monkeypatch: pytest.MonkeyPatch) -> Iterator[Parameters]:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    set_credentials(monkeypatch)
    with mock_aws():
        yield Parameters(boto3.client("ssm"), boto3.client("secretsmanager"))


def test_all_pages_are_read_and_decrypted(parameters: Parameters) -> None:
    ssm = boto3.client("ssm")
    for number in range(25):
        ssm.put_parameter(Name=f"/fleet/worker/P{number}", Value=f"v{number}", Type="SecureString")
    ssm.put_parameter(Name="/fleet/workers/OTHER", Value="x", Type="String")
    assert parameters.below("/fleet/worker") == {f"P{number}": f"v{number}" for number in range(25)}


def test_a_path_without_parameters_is_empty(parameters: Parameters) -> None:
    assert parameters.below("/fleet/worker") == {}


def test_a_secret_is_found_by_its_name(parameters: Parameters) -> None:
    boto3.client("secretsmanager").create_secret(Name="packages", SecretString="s3cret")
    assert parameters.secret("packages") == "s3cret"


def test_a_secret_that_is_missing_or_binary_cannot_be_used(parameters: Parameters) -> None:
    boto3.client("secretsmanager").create_secret(Name="binary", SecretBinary=b"\x00")
    with pytest.raises(SecretUnusable, match="ResourceNotFoundException"):
        parameters.secret("missing")
    with pytest.raises(SecretUnusable, match="is binary"):
        parameters.secret("binary")


class Denying:
    """A client whose calls are all answered with an error."""

    def __init__(self, code: str) -> None:
        self._error = ClientError({"Error": {"Code": code, "Message": "no"}}, "Call")

    def get_paginator(self, _: str) -> Denying:
        return self

    def paginate(self, **_: object) -> Iterator[dict[str, object]]:
        yield from ()
        raise self._error

    def get_secret_value(self, **_: object) -> None:
        raise self._error


def test_a_denied_call_is_told_and_a_passing_fault_is_left_to_the_caller() -> None:
    denied = Parameters(Denying("AccessDeniedException"), Denying("AccessDeniedException"))
    with pytest.raises(ParametersRefused, match="below /fleet/worker cannot be read: AccessDeniedException: no"):
        denied.below("/fleet/worker")
    with pytest.raises(SecretUnusable, match="AccessDeniedException: no"):
        denied.secret("packages")
    failing = Parameters(Denying("InternalServerError"), Denying("InternalServiceError"))
    with pytest.raises(ClientError):
        failing.below("/fleet/worker")
    with pytest.raises(ClientError):
        failing.secret("packages")
