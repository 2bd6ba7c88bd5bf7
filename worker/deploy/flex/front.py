"""Describe to tasks what an app's API does itself before it calls the function, or say what tasks cannot do.

Pure: from a template that has passed the gate.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from auto_lambda.model import Template
from entrypoint.task import MOST_CHARACTERS
from worker.bundle.domains import front
from worker.bundle.pointers import RELEASE_VARIABLE, variables
from worker.deploy.flex.methods import ApiAuthorizer, ApiMethod, ApiResponse, document_extras, methods
from worker.deploy.gate.symbols import lone_symbol
from worker.deploy.gate.template import Properties, TemplateView, invoked

_MOST_CHARACTERS = MOST_CHARACTERS - 4_000  # what the rest of a description needs
_REST = "AWS::ApiGateway::RestApi"
_LITERAL = re.compile(r"'([^']*)'")
_PARAMETER = "method.response.header."
_SAME = ("Code", "Layers", "Role", "Runtime", "VpcConfig")  # what authorizer and app share in a task
_DEFAULT_TIMEOUT = 3  # seconds: Lambda's
_NO_TASK_ASKS = {
    "aws_iam": "asks for IAM's signatures, which AWS alone can check",
    "api_key": "asks for API keys, which tasks do not know",
    "cognito_user_pools": "asks a user pool of Cognito, which tasks do not",
    "request": "has an authorizer of type REQUEST, and tasks know those of type TOKEN",
}


@dataclass(slots=True)
class ApiFront:
    """What an app's API does itself.

    Attributes:
        described: for the task's description; None for an HTTP API, which does nothing.
        only_passes: whether it hands every request to the function as it is.
        reasons: what tasks cannot do.
    """

    described: dict[str, Any] | None = None
    only_passes: bool = True
    reasons: list[str] = field(default_factory=list)


def api_front(template: Template, main: str) -> ApiFront:
    """Return what the API of an app does.

    Args:
        template: of the release.
        main: logical id of the function that serves it.
    """
    found, view = front(template), TemplateView(template["Resources"])
    if found is None:
        return ApiFront()
    api, stage = found
    if view.resources[api]["Type"] != _REST:
        return ApiFront(reasons=list(_http_reasons(view, api)))
    return _rest_front(view, api, view.resources[stage].get("Properties", {}), main)


def _rest_front(view: TemplateView, api: str, stage: Properties, main: str) -> ApiFront:
    properties = view.resources[api].get("Properties", {})
    made = ApiFront(reasons=list(_rest_reasons(view, api, stage)))
    routes: dict[str, dict[str, Any]] = {}
    authorizers: dict[str, Any] = {}
    fixed: list[dict[str, Any]] = []
    for method in methods(view, api):
        where = f"{method.verb} {method.path}"
        told, reasons = _method(view, main, method, authorizers, fixed)
        made.reasons += [f"{where}: {one}" for one in reasons]
        routes.setdefault(method.path, {})[method.verb] = told
    made.only_passes = not authorizers and not fixed and {"/", "/{proxy+}"} == {
        path for path, verbs in routes.items() if "ANY" in verbs
    } == set(routes)  # fmt: skip
    made.described = {
        "stage": str(stage.get("StageName")),
        "binary": list(properties.get("BinaryMediaTypes", [])),
        "routes": routes,
        "authorizers": authorizers,
        "fixed": fixed,
    }
    if len(json.dumps(made.described, separators=(",", ":"))) > _MOST_CHARACTERS:
        made.reasons.append("its API has more routes than the description of a task has room for")
    return made


def _rest_reasons(view: TemplateView, api: str, stage: Properties) -> Iterator[str]:
    properties = view.resources[api].get("Properties", {})
    extras = list(document_extras(properties.get("Body", {})))
    policy = "it has a resource policy"
    if "Policy" in properties and policy not in extras:
        extras.append(policy)
    yield from (f"its API: {one}, which tasks do not" for one in extras)
    if stage.get("Variables"):
        yield "the stage of its API has variables, which tasks do not know"
    for name, response in view.of("ApiGateway::GatewayResponse"):
        if view.refers_to(response.get("RestApiId"), "ApiGateway::RestApi") == api:
            yield f"{name} changes API Gateway's own answers, which tasks do not"


def _method(
    view: TemplateView, main: str, method: ApiMethod, authorizers: dict[str, Any], fixed: list[dict[str, Any]]
) -> tuple[dict[str, Any], list[str]]:
    """Return what a task is told of a method, and what it could not do; note authorizers and fixed answers."""
    told: dict[str, Any] = {}
    reasons = list(method.extras)
    if method.integration == "mock":
        answer = _fixed(method.responses)
        if answer is None:
            reasons.append("it answers by a mapping, which tasks do not know")
        else:
            if answer not in fixed:
                fixed.append(answer)
            told["fixed"] = fixed.index(answer)
    elif method.integration != "aws_proxy":
        reasons.append("it changes requests by a mapping, which tasks do not know")
    if len(method.authorizers) > 1:
        reasons.append("it asks for two things at once")
    for one in method.authorizers:
        if why := _refused(view, main, one):
            reasons.append(why)
            continue
        authorizers[one.name] = _described(view, one)
        told["authorizer"] = one.name
    return told, reasons


def _fixed(responses: tuple[ApiResponse, ...]) -> dict[str, Any] | None:
    """Return the one answer of a mock; None if it depends on something, or says more than constants."""
    if len(responses) != 1 or responses[0].pattern or any(responses[0].templates.values()):
        return None
    headers = {}
    for name, value in sorted(responses[0].headers.items()):
        literal = _LITERAL.fullmatch(str(value))
        if not name.startswith(_PARAMETER) or literal is None:
            return None
        headers[name.removeprefix(_PARAMETER)] = literal[1]
    return {"status": int(responses[0].status), "headers": headers}


def _refused(view: TemplateView, main: str, authorizer: ApiAuthorizer) -> str | None:
    if authorizer.kind != "token":
        return f"it {_NO_TASK_ASKS.get(authorizer.kind, f'has an authorizer of type {authorizer.kind}')}"
    function = _function(view, authorizer)
    if function is None:
        return f"its authorizer {authorizer.name} is a function of another app"
    if authorizer.header is None:
        return f"its authorizer {authorizer.name} takes no header, but {authorizer.source}"
    if authorizer.pattern is not None and not _known(authorizer.pattern):
        return f"the pattern of its authorizer {authorizer.name} is none that Python knows"
    own, theirs = (_shared(view.resources[name].get("Properties", {})) for name in (main, function))
    if different := sorted(name for name in own if own[name] != theirs[name]):
        return f"its authorizer {authorizer.name} has another {', '.join(different)} than the function, and tasks one"
    return None


def _function(view: TemplateView, authorizer: ApiAuthorizer) -> str | None:
    return view.live.get(lone_symbol(invoked(authorizer.uri)) or "")


def _shared(function: Properties) -> Mapping[str, Any]:
    own = {name: value for name, value in variables(function).items() if name != RELEASE_VARIABLE}
    return {**{name: function.get(name) for name in _SAME}, "Environment": own}


def _described(view: TemplateView, authorizer: ApiAuthorizer) -> dict[str, Any]:
    function = view.resources[str(_function(view, authorizer))]["Properties"]
    return {
        "handler": function["Handler"],
        "header": authorizer.header,
        "pattern": authorizer.pattern,
        "ttl": authorizer.ttl,
        "timeout": function.get("Timeout", _DEFAULT_TIMEOUT),
    }


def _known(pattern: str) -> bool:
    """Tell whether a pattern, which API Gateway reads as Java does, means the same in Python."""
    if "&&" in pattern or "[[" in pattern:
        return False  # set operations, which Python does not have yet
    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError):
        return False
    return True


def _http_reasons(view: TemplateView, api: str) -> Iterator[str]:
    if view.resources[api].get("Properties", {}).get("CorsConfiguration"):
        yield "its HTTP API answers preflights itself (CorsConfiguration), which tasks do not"
    for _, route in view.of("ApiGatewayV2::Route"):
        if view.refers_to(route.get("ApiId"), "ApiGatewayV2::Api") != api:
            continue
        key = str(route.get("RouteKey"))
        if str(route.get("AuthorizationType", "NONE")).upper() != "NONE":
            yield f"{key}: it asks for authorization by an HTTP API, which tasks do not"
        if key not in {"$default", "ANY /{proxy+}", "ANY /"}:
            yield f"{key}: its HTTP API has routes of its own, which tasks do not know"
