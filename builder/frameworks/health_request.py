"""Which request the proof sends, so that an app's answer is known before it is deployed."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from auto_lambda.lambda_events import find_route, get_event
from builder.model import Draft

_BODY = "Body"
_POLICY = "x-amazon-apigateway-policy"
_ANY = "x-amazon-apigateway-any-method"
_OPEN = (None, "NONE")


def with_health_request(draft: Draft, path: str, stage: str) -> Draft:
    """Return a draft whose first event is the GET that is sent after the deployment, if that reaches the function.

    It is left as it is where nobody knows what the function takes, where the API has no such path, and where it lets
    only some callers through: it answers such a request itself.

    Args:
        draft: as its framework compiled it; not changed.
        path: to ask for.
        stage: of the API.
    """
    if not draft.known_front or draft.url is None or not _lets_everybody_in(draft):
        return draft
    event = draft.first_event
    for body in _bodies(draft):
        paths = body.get("paths", {})
        route = find_route(paths, path)
        methods: Mapping[str, Any] = paths[route.resource] if route else {}
        method = methods.get("get", methods.get(_ANY))
        if method is None or method.get("security"):
            return draft
        event = event or get_event("rest-api", path, stage, route=route)
    return dataclasses.replace(draft, first_event=event, health=True) if event else draft


def _of(draft: Draft, kind: str) -> Iterator[Mapping[str, Any]]:
    for resource in draft.template["Resources"].values():
        if resource["Type"] == f"AWS::{kind}":
            yield resource.get("Properties", {})


def _bodies(draft: Draft) -> Iterator[Mapping[str, Any]]:
    for api in _of(draft, "ApiGateway::RestApi"):
        if isinstance(body := api.get(_BODY), dict):
            yield body


def _lets_everybody_in(draft: Draft) -> bool:
    private = any("PRIVATE" in api.get("EndpointConfiguration", {}).get("Types", []) or api.get("Policy")
                  for api in _of(draft, "ApiGateway::RestApi"))  # fmt: skip
    closed = [
        *(body.get(_POLICY) or body.get("security") for body in _bodies(draft)),
        *(one.get("AuthorizationType") not in _OPEN or one.get("ApiKeyRequired")
          for kind in ("ApiGateway::Method", "ApiGatewayV2::Route") for one in _of(draft, kind)),
        *(one.get("AuthType") not in _OPEN for one in _of(draft, "Lambda::Url")),
    ]  # fmt: skip
    return not private and not any(closed)
