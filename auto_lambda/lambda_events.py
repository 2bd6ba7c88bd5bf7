"""Harmless events: one GET, in the shapes in which Lambda receives it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import parse_qs, unquote

EventShape = Literal["rest-api", "http-api", "function-url"]
_HOST = "proof.invalid"  # a name that never resolves (RFC 6761)
_AGENT = "auto-lambda"
_ADDRESS = "127.0.0.1"
_TRACE = "Root=1-69560a00-000000000000000000000000"
_TIME, _EPOCH = "01/Jan/2026:00:00:00 +0000", 1767225600000
# What API Gateway says of a caller who signs nothing: each null.
_NOBODY = (
    "accessKey", "accountId", "caller", "cognitoAuthenticationProvider", "cognitoAuthenticationType",
    "cognitoIdentityId", "cognitoIdentityPoolId", "principalOrgId", "user", "userArn",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Route:
    """What a request's path belongs to in a REST API: the path of a resource, and what stands for its parameters."""

    resource: str
    parameters: Mapping[str, str] | None = None


def find_route(resources: Iterable[str], path: str) -> Route | None:
    """Return the route of a path, as API Gateway would choose it; None if the API has none for it.

    API Gateway Developer Guide, 'Set up REST API methods': literal segments win over parameters, ``{name+}`` takes the
    rest.

    Args:
        resources: the paths of the API's resources, such as ``/items/{id}``.
        path: with a leading slash; a query does not count.
    """
    found = [(shape, route) for one in resources if (shape := _shape(one, path)) and (route := _route(one, path))]
    return min(found, key=lambda one: one[0], default=(None, None))[1]


def _segments(path: str) -> list[str]:
    return path.partition("?")[0].strip("/").split("/")


def _shape(resource: str, path: str) -> tuple[int, ...] | None:
    """Return how exactly a resource names a path, segment by segment, the lower the better; None if it is another."""
    kinds: list[int] = []
    wanted, given = _segments(resource), _segments(path)
    for position, name in enumerate(wanted):
        segment = given[position] if position < len(given) else ""
        if name.startswith("{") and name.endswith("+}"):
            return (*kinds, 2) if segment and position == len(wanted) - 1 else None
        if name.startswith("{") and name.endswith("}") and segment:
            kinds.append(1)
        elif name == segment:
            kinds.append(0)
        else:
            return None
    return tuple(kinds) if len(wanted) == len(given) else None


def _route(resource: str, path: str) -> Route:
    parameters, given = {}, _segments(path)
    for position, name in enumerate(_segments(resource)):
        if name.startswith("{"):
            greedy = name.endswith("+}")
            value = "/".join(given[position:]) if greedy else given[position]
            parameters[name.strip("{+}")] = unquote(value)
    return Route(resource, parameters or None)


def get_event(
    shape: EventShape, path: str, stage: str, host: str = _HOST, route: Route | None = None
) -> Mapping[str, Any]:
    """Return the event of ``GET path``.

    Shapes: API Gateway Developer Guide, 'Set up Lambda proxy integrations' (payload 1.0) and 'Create Lambda proxy
    integrations for HTTP APIs' (payload 2.0, which function URLs send too).

    Args:
        shape: who sends it.
        path: with a leading slash, perhaps with a query.
        stage: the API's stage; a function URL has none.
        host: that is asked. Some frameworks answer for no other than their own.
        route: of a REST API; by default, one that takes all paths.
    """
    plain, _, query = path.partition("?")
    if shape == "rest-api":
        taken = route or Route("/{proxy+}", {"proxy": plain.lstrip("/")})
        return _rest_api(plain, query, stage, host, taken)
    return _http_api(plain, query, stage if shape == "http-api" else None, host)


def _rest_api(path: str, query: str, stage: str, host: str, route: Route) -> Mapping[str, Any]:
    headers = {
        "Host": host, "User-Agent": _AGENT, "X-Amzn-Trace-Id": _TRACE, "X-Forwarded-For": _ADDRESS,
        "X-Forwarded-Port": "443", "X-Forwarded-Proto": "https",
    }  # fmt: skip
    asked = parse_qs(query, keep_blank_values=True)
    return {
        "resource": route.resource,
        "path": path,
        "httpMethod": "GET",
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": {name: values[-1] for name, values in asked.items()} or None,
        "multiValueQueryStringParameters": asked or None,
        "pathParameters": route.parameters,
        "stageVariables": None,
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "proof",
            "httpMethod": "GET",
            "deploymentId": "proof",
            "domainName": host,
            "domainPrefix": host.partition(".")[0],
            "extendedRequestId": "proof=",
            "identity": {**dict.fromkeys(_NOBODY), "sourceIp": _ADDRESS, "userAgent": _AGENT},
            "path": f"/{stage}{path}",
            "protocol": "HTTP/1.1",
            "requestId": "00000000-0000-4000-8000-000000000000",
            "requestTime": _TIME,
            "requestTimeEpoch": _EPOCH,
            "resourceId": "proof",
            "resourcePath": route.resource,
            "stage": stage,
        },
        "body": None,
        "isBase64Encoded": False,
    }


def _http_api(path: str, query: str, stage: str | None, host: str) -> Mapping[str, Any]:
    raw = f"/{stage}{path}" if stage else path
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": raw,
        "rawQueryString": query,
        "headers": {
            "host": host, "user-agent": _AGENT, "x-amzn-trace-id": _TRACE, "x-forwarded-for": _ADDRESS,
            "x-forwarded-port": "443", "x-forwarded-proto": "https",
        },
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "proof",
            "domainName": host,
            "domainPrefix": host.partition(".")[0],
            "http": {
                "method": "GET", "path": raw, "protocol": "HTTP/1.1", "sourceIp": _ADDRESS, "userAgent": _AGENT,
            },
            "requestId": "00000000-0000-4000-8000-000000000000",
            "routeKey": "$default",
            "stage": stage or "$default",
            "time": _TIME,
            "timeEpoch": _EPOCH,
        },
        "isBase64Encoded": False,
    }  # fmt: skip
