"""The event that an app's front sends for a GET, so that a version can be asked before the front leads to it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from auto_lambda.lambda_events import EventShape, Route, find_route, get_event
from auto_lambda.model import Template
from worker.bundle.references import referenced
from worker.deploy.gate.symbols import Unreadable, lone_symbol, readable, render
from worker.deploy.gate.template import TemplateView, invoked
from worker.model import Bundle

_REST, _HTTP, _URL = "AWS::ApiGateway::RestApi", "AWS::ApiGatewayV2::Api", "AWS::Lambda::Url"
_ANY = "x-amazon-apigateway-any-method"
_OPEN = (None, "NONE")
_VARIABLE = re.compile(r"\$\{[^}]*\}")
_KEY = re.compile(r"(?:GET|ANY) (/.*)")


@dataclass(frozen=True, slots=True)
class FrontRequest:
    """Which function a GET gets to (logical id), and the event by which it does."""

    function: str
    event: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Target:
    """What a front makes of a GET."""

    shape: EventShape
    function: str | None
    route: Route | None = None


def front_request(bundle: Bundle, url: str | None, region: str) -> FrontRequest | None:
    """Return the request that a GET of the health path becomes; None if the front would answer it by itself.

    So it does where it has no such path, and where it lets only some callers through. A WebSocket takes no GET.

    Args:
        bundle: the release.
        url: of the app, if it has one already.
        region: of the pipeline.
    """
    base = url or _future_url(bundle.template, region)
    if not bundle.asked or not base or base.startswith("ws") or not _lets_everybody_in(bundle.template):
        return None
    target = next(_targets(bundle), None)
    if target is None or target.function is None:
        return None
    asked = urlsplit(base)
    stage = asked.path.strip("/").partition("/")[0]
    event = get_event(target.shape, bundle.health_path, stage, asked.netloc, target.route)
    return FrontRequest(target.function, event)


def _future_url(template: Template, region: str) -> str | None:
    value = template.get("Outputs", {}).get("AutoLambdaUrl", {}).get("Value")
    try:
        told = readable(render(value)) if value is not None else ""
    except Unreadable:
        return None
    if told.startswith("${"):  # a function URL, whose host nobody knows yet
        return f"https://verification.lambda-url.{region}.on.aws/"
    known = told.replace("${AWS::Region}", region).replace("${AWS::URLSuffix}", "amazonaws.com")
    return _VARIABLE.sub("verification", known) or None


def _targets(bundle: Bundle) -> Iterator[_Target]:
    view = TemplateView(bundle.template["Resources"])
    for name in referenced(bundle.template["Outputs"]["AutoLambdaUrl"]["Value"]):
        resource = view.resources.get(name, {})
        properties = resource.get("Properties", {})
        match resource.get("Type"):
            case str(kind) if kind == _URL:
                yield _Target("function-url", view.function(properties.get("TargetFunctionArn")))
            case str(kind) if kind == _REST and "Body" in properties:
                yield _by_document(view, properties["Body"], bundle.health_path)
            case str(kind) if kind == _REST:
                yield _Target("rest-api", bundle.main)
            case str(kind) if kind == _HTTP:
                yield _by_routes(view, bundle.health_path)


def _by_document(view: TemplateView, body: Mapping[str, Any], path: str) -> _Target:
    paths = body.get("paths", {})
    route = find_route(paths, path)
    methods = paths[route.resource] if route else {}
    method = methods.get("get", methods.get(_ANY))
    if method is None or method.get("security"):
        return _Target("rest-api", None)
    integration = method.get("x-amazon-apigateway-integration", {})
    return _Target("rest-api", _invoked(view, integration.get("uri")), route)


def _by_routes(view: TemplateView, path: str) -> _Target:
    routes = {str(one.get("RouteKey")): one for _, one in view.of("ApiGatewayV2::Route")}
    keys = {found[1]: key for key in routes if (found := _KEY.fullmatch(key))}
    route = find_route(keys, path)
    chosen = routes.get(keys[route.resource] if route else "$default", {})
    integration = next((it for it in referenced(chosen.get("Target")) if it in view.resources), "")
    properties = view.resources.get(integration, {}).get("Properties", {})
    rest = properties.get("PayloadFormatVersion", "1.0") == "1.0"
    return _Target("rest-api" if rest else "http-api", _invoked(view, properties.get("IntegrationUri")))


def _invoked(view: TemplateView, uri: Any) -> str | None:
    return view.live.get(lone_symbol(invoked(uri)) or "")


def _lets_everybody_in(template: Template) -> bool:
    view = TemplateView(template["Resources"])
    closed = [
        *(api.get("Policy") for _, api in view.of("ApiGateway::RestApi")),
        *(api.get("Body", {}).get("security") for _, api in view.of("ApiGateway::RestApi")),
        *(one.get("AuthorizationType") not in _OPEN or one.get("ApiKeyRequired")
          for kind in ("ApiGateway::Method", "ApiGatewayV2::Route") for _, one in view.of(kind)),
        *(one.get("AuthType") not in _OPEN for _, one in view.of("Lambda::Url")),
    ]  # fmt: skip
    return not any(closed)
