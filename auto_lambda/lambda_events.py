"""Harmless events: one GET, in the shapes in which Lambda receives it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

EventShape = Literal["rest-api", "http-api", "function-url"]
_HOST = "proof.invalid"  # a name that never resolves (RFC 6761)
_AGENT = "auto-lambda"


def get_event(shape: EventShape, path: str, stage: str, host: str = _HOST) -> Mapping[str, Any]:
    """Return the event of ``GET path``.

    Shapes: API Gateway Developer Guide, 'Set up Lambda proxy integrations' (payload 1.0) and 'Create Lambda proxy
    integrations for HTTP APIs' (payload 2.0, which function URLs send too).

    Args:
        shape: who sends it.
        path: with a leading slash.
        stage: the API's stage; a function URL has none.
        host: that is asked. Some frameworks answer for no other than their own.
    """
    if shape == "rest-api":
        return _rest_api(path, stage, host)
    return _http_api(path, stage if shape == "http-api" else None, host)


def _rest_api(path: str, stage: str, host: str) -> Mapping[str, Any]:
    headers = {"Host": host, "User-Agent": _AGENT, "X-Forwarded-Proto": "https", "X-Forwarded-Port": "443"}
    return {
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": "GET",
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": {"proxy": path.lstrip("/")},
        "stageVariables": None,
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "proof",
            "httpMethod": "GET",
            "identity": {"sourceIp": "127.0.0.1", "userAgent": _AGENT},
            "path": f"/{stage}{path}",
            "protocol": "HTTP/1.1",
            "requestId": "00000000-0000-4000-8000-000000000000",
            "resourcePath": "/{proxy+}",
            "stage": stage,
        },
        "body": None,
        "isBase64Encoded": False,
    }


def _http_api(path: str, stage: str | None, host: str) -> Mapping[str, Any]:
    raw = f"/{stage}{path}" if stage else path
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": raw,
        "rawQueryString": "",
        "headers": {"host": host, "user-agent": _AGENT, "x-forwarded-proto": "https", "x-forwarded-port": "443"},
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "proof",
            "domainName": host,
            "http": {
                "method": "GET", "path": raw, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": _AGENT,
            },
            "requestId": "00000000-0000-4000-8000-000000000000",
            "routeKey": "$default",
            "stage": stage or "$default",
            "time": "01/Jan/2026:00:00:00 +0000",
            "timeEpoch": 1767225600000,
        },
        "isBase64Encoded": False,
    }  # fmt: skip
