"""Read the methods of a REST API: from an OpenAPI document, as chalice writes one, or from resources, as zappa does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from worker.deploy.gate.template import Properties, TemplateView

_ANY = "x-amazon-apigateway-any-method"
_VERBS = frozenset({"get", "put", "post", "delete", "options", "head", "patch", _ANY})
_HEADER = "method.request.header."
_TTL = 300  # seconds: API Gateway's default
_EXTENSIONS = {
    "x-amazon-apigateway-request-validator": "it validates requests",
    "x-amazon-apigateway-gateway-responses": "it changes API Gateway's own answers",
    "x-amazon-apigateway-policy": "it has a resource policy",
}


@dataclass(frozen=True, slots=True)
class ApiAuthorizer:
    """Who decides about the calls of a method.

    Attributes:
        name: by which the API knows it.
        kind: API Gateway's type in lower case; also ``aws_iam`` and ``api_key``.
        uri: of the function, as the template has it.
        source: where the token is.
        pattern: that the token has to match, or None.
        ttl: how many seconds a decision is kept.
    """

    name: str
    kind: str
    uri: Any = None
    source: str = f"{_HEADER}Authorization"
    pattern: str | None = None
    ttl: int = _TTL

    @property
    def header(self) -> str | None:
        """The header that holds the token; None if it is elsewhere."""
        return self.source.removeprefix(_HEADER) if self.source.startswith(_HEADER) else None


@dataclass(frozen=True, slots=True)
class ApiResponse:
    """What a method answers by itself."""

    status: str
    pattern: str
    headers: Mapping[str, Any]
    templates: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ApiMethod:
    """A method of a REST API.

    Attributes:
        path: of its resource, with parameters as they are declared.
        verb: in upper case, or ``ANY``.
        integration: type of the integration, in lower case.
        authorizers: all of them.
        responses: of the integration.
        extras: what it has beyond, as reasons.
    """

    path: str
    verb: str
    integration: str
    authorizers: tuple[ApiAuthorizer, ...]
    responses: tuple[ApiResponse, ...] = ()
    extras: tuple[str, ...] = ()


def methods(view: TemplateView, api: str) -> Iterator[ApiMethod]:
    """Yield all methods of a REST API, given by its logical id."""
    body = view.resources[api].get("Properties", {}).get("Body", {})
    for path, operations in sorted(body.get("paths", {}).items()):
        for verb, operation in sorted(operations.items()):
            if verb in _VERBS:
                yield _operation(path, verb, operation, body.get("securityDefinitions", {}))
    paths = _paths(view, api)
    for _, method in view.of("ApiGateway::Method"):
        if view.refers_to(method.get("RestApiId"), "ApiGateway::RestApi") == api:
            resource = view.refers_to(method.get("ResourceId"), "ApiGateway::Resource")
            yield _method(view, paths[resource] if resource else "/", method)


def document_extras(body: Properties) -> Iterator[str]:
    """Yield what an OpenAPI document has for the whole API that tasks cannot do, as reasons."""
    return (reason for extension, reason in _EXTENSIONS.items() if extension in body)


def _operation(path: str, verb: str, operation: Properties, definitions: Properties) -> ApiMethod:
    integration = operation.get("x-amazon-apigateway-integration", {})
    asked = [name for security in operation.get("security", []) for name in security]
    return ApiMethod(
        path,
        "ANY" if verb == _ANY else verb.upper(),
        str(integration.get("type")).lower(),
        tuple(_defined(name, definitions.get(name, {})) for name in asked),
        tuple(
            ApiResponse(
                str(one.get("statusCode", "200")),
                "" if pattern == "default" else pattern,
                one.get("responseParameters") or {},
                one.get("responseTemplates") or {},
            )
            for pattern, one in (integration.get("responses") or {}).items()
        ),
        tuple(document_extras(operation)),
    )


def _defined(name: str, definition: Properties) -> ApiAuthorizer:
    authorizer = definition.get("x-amazon-apigateway-authorizer")
    if authorizer is None:
        signed = definition.get("x-amazon-apigateway-authtype") == "awsSigv4"
        return ApiAuthorizer(name, "aws_iam" if signed else "api_key")
    return ApiAuthorizer(
        name,
        str(authorizer.get("type")).lower(),
        authorizer.get("authorizerUri"),
        authorizer.get("identitySource") or f"{_HEADER}{definition.get('name', 'Authorization')}",
        authorizer.get("identityValidationExpression"),
        int(authorizer.get("authorizerResultTtlInSeconds", _TTL)),
    )


def _paths(view: TemplateView, api: str) -> Mapping[str, str]:
    """Return the path of each resource of an API, by logical id."""
    found: dict[str, str] = {}
    left = {
        name: one
        for name, one in view.of("ApiGateway::Resource")
        if view.refers_to(one.get("RestApiId"), "ApiGateway::RestApi") == api
    }
    while left:
        known = [name for name, one in left.items() if _above(view, one) in {None, *found}]
        if not known:
            break  # a circle, which CloudFormation refuses
        for name in known:
            one = left.pop(name)
            above = _above(view, one)
            found[name] = f"{found[above] if above else ''}/{one.get('PathPart')}"
    return found


def _above(view: TemplateView, resource: Properties) -> str | None:
    return view.refers_to(resource.get("ParentId"), "ApiGateway::Resource")


def _method(view: TemplateView, path: str, method: Properties) -> ApiMethod:
    integration = method.get("Integration", {})
    extras = [_EXTENSIONS["x-amazon-apigateway-request-validator"]] if "RequestValidatorId" in method else []
    return ApiMethod(
        path,
        str(method.get("HttpMethod")).upper(),
        str(integration.get("Type")).lower(),
        tuple(_authorizers(view, method)),
        tuple(_responses(integration.get("IntegrationResponses") or ())),
        tuple(extras),
    )


def _authorizers(view: TemplateView, method: Properties) -> Iterator[ApiAuthorizer]:
    kind = str(method.get("AuthorizationType", "NONE")).lower()
    if method.get("ApiKeyRequired"):
        yield ApiAuthorizer("api_key", "api_key")
    if kind == "aws_iam":
        yield ApiAuthorizer(kind, kind)
    elif kind != "none":
        name = view.refers_to(method.get("AuthorizerId"), "ApiGateway::Authorizer") or ""
        one = view.resources.get(name, {}).get("Properties", {})
        yield ApiAuthorizer(
            name,
            str(one.get("Type")).lower(),
            one.get("AuthorizerUri"),
            one.get("IdentitySource") or f"{_HEADER}Authorization",
            one.get("IdentityValidationExpression"),
            int(one.get("AuthorizerResultTtlInSeconds", _TTL)),
        )


def _responses(given: Sequence[Properties]) -> Iterator[ApiResponse]:
    for one in given:
        yield ApiResponse(
            str(one.get("StatusCode", "200")),
            str(one.get("SelectionPattern") or ""),
            one.get("ResponseParameters") or {},
            one.get("ResponseTemplates") or {},
        )
