"""Which apps are asked in the proof as they are after their deployment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from drafts import function, resource, rest_template

from builder.frameworks.health_request import with_health_request
from builder.model import Draft

URL = {"Fn::Sub": "https://${Rest}.execute-api.${AWS::Region}.amazonaws.com/api/"}


def draft(template: dict[str, Any] | None = None, **more: Any) -> Draft:
    return Draft(**{"template": template or rest_template(), "code": Path("code"), "main": "Api", "url": URL, **more})


def body(template: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = template["Resources"]["Rest"]["Properties"]["Body"]
    return found


def test_the_request_is_that_of_the_apis_own_route() -> None:
    template = rest_template()
    paths = body(template)["paths"]
    paths["/items/{id}"] = paths["/"]
    asked = with_health_request(draft(template), "/items/7", "dev")
    assert asked.health
    assert asked.first_event
    assert (asked.first_event["resource"], asked.first_event["pathParameters"]) == ("/items/{id}", {"id": "7"})


def test_a_first_event_of_the_frameworks_own_is_kept() -> None:
    event = {"httpMethod": "GET"}
    template = {"Resources": {"Api": function(), "Url": resource("Lambda::Url", AuthType="NONE")}}
    asked = with_health_request(draft(template, first_event=event), "/", "dev")
    assert (asked.first_event, asked.health) == (event, True)


def closed() -> list[tuple[str, dict[str, Any]]]:
    signed, keyed, ruled, private, policy = (rest_template() for _ in range(5))
    body(signed)["paths"]["/"]["get"]["security"] = [{"guard": []}]
    body(keyed)["security"] = [{"api_key": []}]
    body(ruled)["x-amazon-apigateway-policy"] = {"Statement": []}
    private["Resources"]["Rest"]["Properties"]["EndpointConfiguration"] = {"Types": ["PRIVATE"]}
    policy["Resources"]["Rest"]["Properties"]["Policy"] = {"Statement": []}
    others = {
        "method": resource("ApiGateway::Method", AuthorizationType="AWS_IAM"),
        "method's key": resource("ApiGateway::Method", AuthorizationType="NONE", ApiKeyRequired=True),
        "route": resource("ApiGatewayV2::Route", AuthorizationType="JWT"),
        "url": resource("Lambda::Url", AuthType="AWS_IAM"),
    }
    found = {"signed": signed, "keyed": keyed, "ruled": ruled, "private": private, "policy": policy}
    for name, one in others.items():
        found[name] = rest_template()
        found[name]["Resources"]["Other"] = one
    return list(found.items())


@pytest.mark.parametrize("template", [one for _, one in closed()], ids=[name for name, _ in closed()])
def test_what_an_api_answers_itself_is_not_asked(template: dict[str, Any]) -> None:
    for event in (None, {"httpMethod": "GET"}):
        asked = with_health_request(draft(template, first_event=event), "/", "dev")
        assert (asked.first_event, asked.health) == (event, False)


def test_no_request_is_made_up_for_an_own_handler_nor_without_an_address_or_a_route() -> None:
    template = rest_template()
    del body(template)["paths"]["/{proxy+}"]
    body(template)["paths"]["/only-post"] = {"post": {}}
    for one, path in (
        (draft(known_front=False), "/"),
        (draft(url=None), "/"),
        (draft(template), "/other"),
        (draft(template), "/only-post"),
    ):
        assert with_health_request(one, path, "dev") == one
