"""Events as API Gateway sends them: payload 1.0 of REST APIs, 2.0 of HTTP APIs and function URLs."""

from __future__ import annotations

import base64
import os
import time
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from entrypoint.bridge.front import Front, Match
from entrypoint.bridge.requests import HttpRequest

ACCOUNT, API = "000000000000", "fargate"
_TEXTS = ("application/json", "application/xml", "application/javascript", "application/graphql")
_PERCENT = "%25"
Event = dict[str, Any]


def rest(request: HttpRequest, front: Front, match: Match, authorized: Mapping[str, Any] | None = None) -> Event:
    """Return the event of a REST API.

    Args:
        request: what came.
        front: the API.
        match: where the request leads.
        authorized: what an authorizer has said of the caller.
    """
    headers = {_titled(name): values for name, values in request.grouped().items()}
    parameters = request.parameters()
    body, encoded = _body(request, front.is_binary(request.header("content-type")))
    return {
        "version": "1.0",
        "resource": match.resource,
        "path": request.path,
        "httpMethod": request.method,
        "headers": {name: values[-1] for name, values in headers.items()},
        "multiValueHeaders": headers,
        "queryStringParameters": {name: values[-1] for name, values in parameters.items()} or None,
        "multiValueQueryStringParameters": parameters or None,
        "pathParameters": dict(match.parameters) or None,
        "stageVariables": None,
        "requestContext": _rest_context(request, front, match, authorized),
        "body": body,
        "isBase64Encoded": encoded,
    }


def _rest_context(
    request: HttpRequest, front: Front, match: Match, authorized: Mapping[str, Any] | None
) -> Mapping[str, Any]:
    now, identifier, host = datetime.now(UTC), str(uuid.uuid4()), request.header("host") or ""
    context = {
        "accountId": ACCOUNT,
        "apiId": API,
        "domainName": host,
        "domainPrefix": host.partition(".")[0],
        "extendedRequestId": identifier,
        "httpMethod": request.method,
        "identity": {"sourceIp": request.client, "userAgent": request.header("user-agent") or ""},
        "path": request.path,
        "protocol": "HTTP/1.1",
        "requestId": identifier,
        "requestTime": now.strftime("%d/%b/%Y:%H:%M:%S +0000"),
        "requestTimeEpoch": int(now.timestamp() * 1000),
        "resourceId": API,
        "resourcePath": match.resource,
        "stage": front.stage,
    }
    return context if authorized is None else {**context, "authorizer": authorized}


def http(request: HttpRequest) -> Event:
    """Return the event of an HTTP API or a function URL."""
    kind = (request.header("content-type") or "").split(";", 1)[0].strip().lower()
    body, encoded = _body(request, not (kind.startswith("text/") or kind in _TEXTS or kind.endswith(("+json", "+xml"))))
    grouped = dict(request.grouped())
    cookies = [one.strip() for value in grouped.pop("cookie", []) for one in value.split(";") if one.strip()]
    host, parameters = request.header("host") or "", request.parameters()
    event: Event = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": _decoded(request.path),
        "rawQueryString": request.query,
        "headers": {name: ",".join(values) for name, values in grouped.items()},
        "requestContext": {
            "accountId": ACCOUNT,
            "apiId": API,
            "domainName": host,
            "domainPrefix": host.partition(".")[0],
            "http": {
                "method": request.method,
                "path": _decoded(request.path),
                "protocol": "HTTP/1.1",
                "sourceIp": request.client,
                "userAgent": request.header("user-agent") or "",
            },
            "requestId": str(uuid.uuid4()),
            "routeKey": "$default",
            "stage": "$default",
            "time": datetime.now(UTC).strftime("%d/%b/%Y:%H:%M:%S +0000"),
            "timeEpoch": int(time.time() * 1000),
        },
        "isBase64Encoded": encoded,
    }
    optional = {
        "cookies": cookies,
        "queryStringParameters": {name: ",".join(values) for name, values in parameters.items()},
        "body": body,
    }
    return event | {name: value for name, value in optional.items() if value}


def authorization(request: HttpRequest, front: Front, match: Match, token: str) -> Event:
    """Return the event that an authorizer decides about."""
    return {"type": "TOKEN", "authorizationToken": token, "methodArn": method_arn(request, front, match)}


def method_arn(request: HttpRequest, front: Front, match: Match) -> str:
    """Return the name of what is called, about which an authorizer's policy speaks."""
    region = os.environ.get("AWS_REGION") or "us-east-1"
    return f"arn:aws:execute-api:{region}:{ACCOUNT}:{API}/{front.stage}/{request.method}/{match.path.lstrip('/')}"


def _body(request: HttpRequest, binary: bool) -> tuple[str | None, bool]:
    if not request.body:
        return None, False
    if binary:
        return base64.b64encode(request.body).decode(), True
    return request.body.decode("utf-8", errors="replace"), False


def _decoded(path: str) -> str:
    """Return a path as HTTP APIs tell it: decoded, but for percent signs."""
    return _PERCENT.join(unquote(part, errors="replace") for part in path.split(_PERCENT))


def _titled(name: str) -> str:
    return "-".join(part.capitalize() for part in name.split("-"))
