"""From what a function returns to what the client gets, as API Gateway does it."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from entrypoint.bridge.front import Fixed, Front
from entrypoint.bridge.requests import HttpRequest
from entrypoint.edge import Send

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class BridgeAnswer:
    """An answer to a request."""

    status: int
    headers: tuple[Pair, ...]
    body: bytes

    async def give(self, send: Send) -> None:
        """Send it."""
        kept = [(name, value) for name, value in self.headers if name.lower() not in _HOP_BY_HOP]
        headers = [(name.lower().encode("latin-1"), value.encode("latin-1", "replace")) for name, value in kept]
        headers.append((b"content-length", str(len(self.body)).encode()))
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


_LEAST_STATUS, _MOST_STATUS = 200, 599
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_MALFORMED = (ValueError, TypeError, AttributeError, binascii.Error)
_HOP_BY_HOP = {"content-length", "connection", "transfer-encoding", "keep-alive", "upgrade"}
_JSON = ("content-type", "application/json")


def refusal(status: int, message: str | None, kind: str, *, spelled: str = "message") -> BridgeAnswer:
    """Return an answer of API Gateway's own."""
    return BridgeAnswer(status, (_JSON, ("x-amzn-errortype", kind)), json.dumps({spelled: message}).encode())


MISSING_TOKEN = refusal(403, "Missing Authentication Token", "MissingAuthenticationTokenException")
UNAUTHORIZED = refusal(401, "Unauthorized", "UnauthorizedException")
AUTHORIZER_FAILED = refusal(500, None, "AuthorizerConfigurationException")
AUTHORIZER_IS_WRONG = refusal(500, "Internal server error", "AuthorizerConfigurationException")
EXPLICIT_DENY = refusal(
    403,
    "User is not authorized to access this resource with an explicit deny in an identity-based policy",
    "AccessDeniedException",
    spelled="Message",
)
IMPLICIT_DENY = refusal(
    403, "User is not authorized to access this resource", "AccessDeniedException", spelled="Message"
)
TOO_LARGE = refusal(413, "HttpRequest Too Long", "RequestEntityTooLargeException")
TOO_MANY = refusal(503, "Service Unavailable", "ServiceUnavailableException")
TOO_SLOW = refusal(504, "Endpoint request timed out", "GatewayTimeoutException")
REST_FAILED = refusal(502, "Internal server error", "InternalServerErrorException")
HTTP_FAILED = BridgeAnswer(500, (_JSON,), b'{"message":"Internal Server Error"}')


def fixed(of: Fixed) -> BridgeAnswer:
    """Return the answer to a preflight."""
    return BridgeAnswer(of.status, (_JSON, *((name, value) for name, value in of.headers.items())), b"")


def rest(returned: Any, request: HttpRequest, front: Front) -> BridgeAnswer:
    """Return the answer of a REST API.

    A body in base64 is decoded for those alone who accept a binary type, as the API is set up.
    """
    if not isinstance(returned, dict) or "statusCode" not in returned:
        return REST_FAILED
    decode = bool(returned.get("isBase64Encoded")) and front.is_binary(request.header("accept"))
    try:
        several = {name: value for name, value in (returned.get("multiValueHeaders") or {}).items() if value}
        taken = {name.lower() for name in several}
        single = returned.get("headers") or {}
        pairs = [_header(name, value) for name, value in single.items() if name.lower() not in taken]
        pairs += [_header(name, value) for name, values in several.items() for value in values]
        return BridgeAnswer(_status(returned["statusCode"]), _typed(pairs), _content(returned.get("body"), decode))
    except _MALFORMED:
        return REST_FAILED


def http(returned: Any) -> BridgeAnswer:
    """Return the answer of an HTTP API or a function URL; what has no status is the body itself."""
    if not isinstance(returned, dict) or "statusCode" not in returned:
        return BridgeAnswer(200, (_JSON,), json.dumps(returned).encode())
    try:
        pairs = [_header(name, value) for name, value in (returned.get("headers") or {}).items()]
        cookies = [_header("set-cookie", one) for one in returned.get("cookies") or []]
        body = _content(returned.get("body"), bool(returned.get("isBase64Encoded")))
        return BridgeAnswer(_status(returned["statusCode"]), _typed([*cookies, *pairs]), body)
    except _MALFORMED:
        return HTTP_FAILED


def _typed(pairs: list[Pair]) -> tuple[Pair, ...]:
    known = any(name.lower() == "content-type" for name, _ in pairs)
    return tuple(pairs) if known else (_JSON, *pairs)


def _content(body: Any, decode: bool) -> bytes:
    if body is None:
        return b""
    if not isinstance(body, str):
        return json.dumps(body).encode()
    return base64.b64decode(body, validate=True) if decode else body.encode()


def _status(value: Any) -> int:
    """Return a status that ends a request: what is said before the answer is the server's."""
    status = int(value)
    if not _LEAST_STATUS <= status <= _MOST_STATUS:
        raise ValueError(f"{status} is no status of an answer")
    return status


def _header(name: str, value: object) -> Pair:
    """Return a header that can be sent: the server ends a connection with any other."""
    text = _text(value)
    if not _NAME.fullmatch(name) or "\0" in text:
        raise ValueError(f"{name!r} is no header")
    return name, text


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value).replace("\r", " ").replace("\n", " ")


def context_of(decision: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what an authorizer says of the caller, every value as text."""
    context = {name: _text(value) for name, value in (decision.get("context") or {}).items()}
    principal = decision.get("principalId")
    return context if principal in (None, "") else {**context, "principalId": str(principal)}
