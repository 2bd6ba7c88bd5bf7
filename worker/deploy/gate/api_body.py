"""What an API's document names: the functions behind its routes and authorizers, user pools, and endpoints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from worker.deploy.gate.properties import AUTHORIZER_URI, NEVER, PropertyRule

_PREFIX = "x-amazon-apigateway-"
_POOLS = PropertyRule("points", grants=("user_pools",))
_ENDPOINTS = PropertyRule("points", grants=("vpc_endpoints",))
_BACKEND = PropertyRule("points", own=("Lambda::Alias",))
# By extension: its fields, spelled as AWS's reference has them; those with a rule name something.
_FIELDS: Mapping[str, Mapping[str, PropertyRule]] = {
    "authorizer": {"authorizerUri": AUTHORIZER_URI, "providerARNs": _POOLS, "authorizerCredentials": NEVER},
    "endpoint-configuration": {"vpcEndpointIds": _ENDPOINTS},
    "integration": {
        "uri": _BACKEND, "credentials": NEVER, "connectionId": NEVER, "connectionType": NEVER,
        "integration-subtype": NEVER, "tlsConfig": NEVER,
    },
}  # fmt: skip
_PLAIN_FIELDS: Mapping[str, frozenset[str]] = {
    "authorizer": frozenset({
        "authorizerPayloadFormatVersion", "authorizerResultTtlInSeconds", "enableSimpleResponses", "identitySource",
        "identityValidationExpression", "jwtConfiguration", "type",
    }),
    "endpoint-configuration": frozenset({"disableExecuteApiEndpoint", "ipAddressType", "types"}),
    "integration": frozenset({
        "cacheKeyParameters", "cacheNamespace", "contentHandling", "httpMethod", "passthroughBehavior",
        "payloadFormatVersion", "requestParameters", "requestTemplates", "responses", "timeoutInMillis", "type",
    }),
}  # fmt: skip
_HARMLESS = frozenset(
    {
        "any-method", "api-key-source", "authtype", "binary-media-types", "cors", "documentation", "gateway-responses",
        "importexport-version", "minimum-compression-size", "policy", "request-validator", "request-validators",
    }
)  # fmt: skip


def placed(value: Any, path: str = "Body") -> Iterator[tuple[str, Any, PropertyRule | None]]:
    """Yield each value of the document that names something, or is of an extension that the gate does not know."""
    if isinstance(value, list):
        for item in value:
            yield from placed(item, path)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            name = key.lower().removeprefix(_PREFIX)
            if key.lower() == "$ref" and not (isinstance(item, str) and item.startswith("#/")):
                yield f"{path}.{key}", item, None
            elif name == key.lower() or name in _HARMLESS:
                yield from placed(item, f"{path}.{key}")
            elif name not in _FIELDS:
                yield f"{path}.{key}", item, None
            else:
                yield from _extension(name, item, f"{path}.{key}")


def _extension(name: str, extension: Any, path: str) -> Iterator[tuple[str, Any, PropertyRule | None]]:
    if not isinstance(extension, Mapping):
        yield path, extension, None
        return
    for key, given in extension.items():
        if rule := _FIELDS[name].get(key):
            yield from ((f"{path}.{key}", one, rule) for one in (given if isinstance(given, list) else [given]))
        elif key not in _PLAIN_FIELDS[name]:
            yield f"{path}.{key}", given, None
