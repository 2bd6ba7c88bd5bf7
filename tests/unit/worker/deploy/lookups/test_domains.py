from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from drafts import APP, resource
from fake_credentials import set_credentials
from moto import mock_aws

from auto_lambda.aws.existence import Existing
from auto_lambda.errors import AppError, Code
from auto_lambda.namespace import APP_TAG, STAGE_TAG
from worker.deploy.lookups.domains import check_domains
from worker.model import Bundle

NAME = "shop-dev.apps.example.com"


@pytest.fixture(autouse=True)
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    set_credentials(monkeypatch)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield


def client(service: str = "apigateway") -> Any:
    return boto3.client(service, region_name="us-east-1")  # type: ignore[call-overload]


def check(kind: str = "ApiGateway") -> list[str]:
    template = {"Resources": {"Domain": resource(f"{kind}::DomainName", DomainName=NAME)}}
    warnings: list[str] = []
    made = Bundle(APP, "chalice", "3.12", "x86_64", template, "bundles/x", (), "Work", True, "/")
    check_domains(Existing(client), made, warnings.append)
    return warnings


@pytest.mark.parametrize("kind", ["ApiGateway", "ApiGatewayV2"])
def test_a_name_that_nobody_has_is_free(kind: str) -> None:
    assert check(kind) == []


def test_the_apps_own_name_stays_its_own() -> None:
    client().create_domain_name(domainName=NAME, tags={APP_TAG: "shop", STAGE_TAG: "dev"})
    assert check() == []


@pytest.mark.parametrize("kind", ["ApiGateway", "ApiGatewayV2"])
@pytest.mark.parametrize(
    ("tags", "owner"),
    [
        ({APP_TAG: "bank", STAGE_TAG: "prod"}, "prod/bank"),
        ({APP_TAG: "shop"}, "something else"),
        ({}, "something else"),
    ],
)
def test_a_name_of_somebody_else_is_refused(kind: str, tags: dict[str, str], owner: str) -> None:
    client().create_domain_name(domainName=NAME, tags=tags)
    with pytest.raises(AppError) as caught:
        check(kind)
    assert caught.value.code is Code.DOMAIN_TAKEN
    assert owner in caught.value.message


def test_a_look_up_that_fails_refuses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(_: object, name: str) -> None:
        raise PermissionError(name)

    monkeypatch.setattr(Existing, "domain", denied)
    assert "may be taken" in check()[0]
