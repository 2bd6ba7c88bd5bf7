from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from drafts import function, resource, role

from auto_lambda.errors import AppError, Code
from builder.frameworks.throttle import with_throttle
from builder.lint.lint import lint
from builder.model import Draft, Throttle

LIMITS = {"ThrottlingRateLimit": 5.0, "ThrottlingBurstLimit": 20}
EVERY = {"ResourcePath": "/*", "HttpMethod": "*"}


def draft(**stages: dict[str, Any]) -> Draft:
    return Draft({"Resources": {"Web": function("web.answer"), "Role": role(), **stages}}, Path(), "Web")


def stage(**properties: Any) -> dict[str, Any]:
    return resource("ApiGateway::Stage", RestApiId={"Ref": "Api"}, StageName="api", **properties)


def limited(before: Draft) -> dict[str, Any]:
    kept = copy.deepcopy(before.template)
    after = with_throttle(before, Throttle(5.0, 20))
    assert before.template == kept, "the draft itself is not changed"
    resources: dict[str, Any] = after.template["Resources"]
    return resources


def test_nothing_asked_changes_nothing() -> None:
    before = draft()
    assert with_throttle(before, None) is before


def test_every_method_of_a_rest_api_is_limited_and_other_settings_stay() -> None:
    assert limited(draft(Stage=stage()))["Stage"]["Properties"]["MethodSettings"] == [EVERY | LIMITS]
    logged, one = EVERY | {"LoggingLevel": "INFO"}, {"ResourcePath": "/a", "HttpMethod": "GET", "CachingEnabled": True}
    after = limited(draft(Stage=stage(MethodSettings=[one, logged])))
    assert after["Stage"]["Properties"]["MethodSettings"] == [logged | LIMITS, one]


def test_http_and_websocket_apis_are_limited_too() -> None:
    settings = {"LoggingLevel": "INFO"}
    http = resource("ApiGatewayV2::Stage", ApiId={"Ref": "Api"}, StageName="$default", DefaultRouteSettings=settings)
    assert limited(draft(Stage=http))["Stage"]["Properties"]["DefaultRouteSettings"] == settings | LIMITS


def test_an_app_without_an_api_has_nothing_to_limit() -> None:
    with pytest.raises(AppError) as refused:
        limited(draft())
    assert refused.value.code is Code.BAD_CONFIG
    assert "[throttle]" in refused.value.message


def test_aws_takes_it() -> None:
    with_api = draft(
        Api=resource("ApiGateway::RestApi", Name="api"),
        Deployment=resource("ApiGateway::Deployment", RestApiId={"Ref": "Api"}),
        Stage=stage(DeploymentId={"Ref": "Deployment"}),
    )
    lint(with_throttle(with_api, Throttle(0.5, 1)).template, {})
