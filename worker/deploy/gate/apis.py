"""Checks the APIs of a template: what their routes invoke, and that every wanted authorizer is in place.

If an authorizer is missing or of a wrong type, API Gateway silently serves the route without any check.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from worker.deploy.gate.symbols import readable
from worker.deploy.gate.template import Call, Properties, TemplateView, Violation, api_source, invoked, text

_SERVICE = "apigateway.amazonaws.com"
_FOREIGN = re.compile(r"arn:aws[a-z-]*:lambda:[a-z0-9-]+:\d{12}:function:([\w-]+)(?::[\w$-]+)?")
_METHODS = frozenset({"get", "put", "post", "delete", "options", "head", "patch", "x-amazon-apigateway-any-method"})
# By the authorization type of a route: the types of authorizer that it needs.
_REST_AUTHORIZATION: Mapping[str, frozenset[str]] = {
    "NONE": frozenset(),
    "AWS_IAM": frozenset(),
    "CUSTOM": frozenset({"TOKEN", "REQUEST"}),
    "COGNITO_USER_POOLS": frozenset({"COGNITO_USER_POOLS"}),
}
_HTTP_AUTHORIZATION: Mapping[str, frozenset[str]] = {
    "NONE": frozenset(),
    "AWS_IAM": frozenset(),
    "CUSTOM": frozenset({"REQUEST"}),
    "JWT": frozenset({"JWT"}),
}


def calls(view: TemplateView) -> Iterator[Call]:
    """Yield every invocation that an API of the template makes, of a route or of an authorizer."""
    for name, properties in view.of("ApiGateway::RestApi"):
        yield from _body_calls(view, name, properties.get("Body", {}))
    for name, properties in view.of("ApiGateway::Method"):
        integration = properties.get("Integration", {})
        if str(integration.get("Type")).upper() != "MOCK":
            api = view.refers_to(properties.get("RestApiId"), "ApiGateway::RestApi") or ""
            requests = [f"stage/{verb}/path" for verb in _verbs(str(properties.get("HttpMethod")))]
            yield _call(name, integration.get("Uri"), api, *requests)
    for name, properties in view.of("ApiGatewayV2::Integration"):
        api = view.refers_to(properties.get("ApiId"), "ApiGatewayV2::Api") or ""
        yield _call(name, properties.get("IntegrationUri"), api, "stage/$default", "stage/GET/path")
    for kind, api_key in (("ApiGateway", "RestApiId"), ("ApiGatewayV2", "ApiId")):
        api_kind = "ApiGateway::RestApi" if kind == "ApiGateway" else "ApiGatewayV2::Api"
        for name, properties in view.of(f"{kind}::Authorizer"):
            if "AuthorizerUri" in properties and not _foreign(view, properties["AuthorizerUri"]):
                api = view.refers_to(properties.get(api_key), api_kind) or ""
                yield _call(name, properties["AuthorizerUri"], api, "authorizers/id")


def problems(view: TemplateView) -> Iterator[Violation]:
    """Yield integrations that invoke anything but functions, and authorizers that guard nothing."""
    for name, properties in view.of("ApiGateway::RestApi"):
        yield from (Violation(name, rule) for rule in _body(properties.get("Body", {})))
    for name, properties in view.of("ApiGateway::Method"):
        integration = properties.get("Integration", {})
        yield from (Violation(name, rule) for rule in _integration(integration, "Type", "Credentials"))
    for name, properties in view.of("ApiGatewayV2::Integration"):
        yield from (Violation(name, rule) for rule in _integration(properties, "IntegrationType", "CredentialsArn"))
    yield from _rest_authorizers(view)
    yield from _http_authorizers(view)


def _foreign(view: TemplateView, uri: Any) -> bool:
    """Tell whether an authorizer is another owner's function. That owner has to permit the calls."""
    found = _FOREIGN.fullmatch(invoked(uri))
    own = {text(properties.get("FunctionName")) for _, properties in view.of("Lambda::Function")}
    return found is not None and found[1] not in own


def _call(resource: str, uri: Any, api: str, *requests: str) -> Call:
    return Call(resource, invoked(uri), _SERVICE, tuple(api_source(api, request) for request in requests))


def _verbs(method: str) -> tuple[str, ...]:
    return ("GET", "POST") if method in {"ANY", "x-amazon-apigateway-any-method"} else (method.upper(),)


def _operations(body: Properties) -> Iterator[tuple[str, str, Properties]]:
    for path, methods in sorted(body.get("paths", {}).items()):
        for method, operation in sorted(methods.items()):
            if method in _METHODS:
                yield path, method, operation


def _body_calls(view: TemplateView, api: str, body: Properties) -> Iterator[Call]:
    for path, method, operation in _operations(body):
        integration = operation.get("x-amazon-apigateway-integration", {})
        if str(integration.get("type")).upper() != "MOCK":
            yield _call(api, integration.get("uri"), api, *(f"stage/{verb}{path}" for verb in _verbs(method)))
    for definition in body.get("securityDefinitions", {}).values():
        authorizer = definition.get("x-amazon-apigateway-authorizer", {})
        if "authorizerUri" in authorizer and not _foreign(view, authorizer["authorizerUri"]):
            yield _call(api, authorizer["authorizerUri"], api, "authorizers/id")


def _integration(integration: Properties, kind: str, credentials: str) -> Iterator[str]:
    if str(integration.get(kind)).upper() not in {"MOCK", "AWS", "AWS_PROXY"}:
        yield f"an integration of type {integration.get(kind)} is not allowed"
    if credentials in integration:
        yield "an integration may not carry credentials: a permission lets it call the function"


def _body(body: Properties) -> Iterator[str]:
    if "security" in body:
        yield "API Gateway ignores security of the whole API: each route must ask for its own"
    definitions = body.get("securityDefinitions", {})
    for name, definition in sorted(definitions.items()):
        yield from (f"authorizer {name}: {rule}" for rule in _definition(definition))
    for path, methods in sorted(body.get("paths", {}).items()):
        if odd := sorted(name for name in methods if name not in _METHODS and name.lower() in _METHODS):
            yield f"{odd[0]} {path}: methods are written in lower case"
    used = set()
    for path, method, operation in _operations(body):
        where = f"{method.upper()} {path}"
        yield from (f"{where}: {rule}" for rule in _operation(operation, definitions))
        used |= {name for asked in operation.get("security", []) for name in asked}
    for name in sorted(definitions.keys() - used):
        yield f"authorizer {name} is on no route"


def _operation(operation: Properties, definitions: Properties) -> Iterator[str]:
    yield from _integration(operation.get("x-amazon-apigateway-integration", {}), "type", "credentials")
    security = operation.get("security", [])
    if "security" in operation and not all(security):
        yield "it asks for security, and for none in particular"
    for name in sorted({name for asked in security for name in asked} - definitions.keys()):
        yield f"it asks for authorizer {name}, which is not defined"


def _definition(definition: Properties) -> Iterator[str]:
    authorizer = definition.get("x-amazon-apigateway-authorizer")
    kind = definition.get("x-amazon-apigateway-authtype")
    if authorizer is None:
        if kind not in {None, "awsSigv4"} or definition.get("type") != "apiKey":
            yield f"{kind or definition.get('type')} guards nothing without a definition"
        elif kind is None and definition.get("name") != "x-api-key":
            yield "it guards nothing: neither an authorizer nor the API key's header"
    elif authorizer.get("type") in {"token", "request"}:
        if not text(authorizer.get("authorizerUri")):
            yield "it names no function"
    elif authorizer.get("type") == "cognito_user_pools":
        if not authorizer.get("providerARNs"):
            yield "it names no user pool"
    else:
        yield f"unknown type {authorizer.get('type')}"


def _rest_authorizers(view: TemplateView) -> Iterator[Violation]:
    authorizers = dict(view.of("ApiGateway::Authorizer"))
    routes = [
        (name, properties)
        for name, properties in view.of("ApiGateway::Method")
        if str(properties.get("Integration", {}).get("Type")).upper() != "MOCK"
    ]
    for name, properties in routes:
        for rule in _guard(view, properties, "ApiGateway", _REST_AUTHORIZATION, "Type"):
            yield Violation(name, rule)
    yield from _unguarded(authorizers, routes, "RestApiId")


def _http_authorizers(view: TemplateView) -> Iterator[Violation]:
    authorizers = dict(view.of("ApiGatewayV2::Authorizer"))
    routes = list(view.of("ApiGatewayV2::Route"))
    for name, properties in routes:
        for rule in _guard(view, properties, "ApiGatewayV2", _HTTP_AUTHORIZATION, "AuthorizerType"):
            yield Violation(name, rule)
    # A WebSocket API authorizes once, when the client connects.
    sockets = {name for name, api in view.of("ApiGatewayV2::Api") if api.get("ProtocolType") == "WEBSOCKET"}
    guarded = [
        (name, properties)
        for name, properties in routes
        if view.refers_to(properties.get("ApiId"), "ApiGatewayV2::Api") not in sockets
        or properties.get("RouteKey") == "$connect"
    ]
    yield from _unguarded(authorizers, guarded, "ApiId")


def _guard(
    view: TemplateView, route: Properties, kind: str, known: Mapping[str, frozenset[str]], type_key: str
) -> Iterator[str]:
    asked = route.get("AuthorizationType", "NONE")
    if asked not in known:
        yield f"unknown authorization type {asked}"
        return
    if not known[asked]:
        if "AuthorizerId" in route:
            yield f"it names an authorizer that authorization type {asked} does not use"
        return
    name = view.refers_to(route.get("AuthorizerId"), f"{kind}::Authorizer")
    if name is None:
        yield f"authorization type {asked} needs an authorizer of this template"
        return
    authorizer = view.resources[name].get("Properties", {})
    if authorizer.get(type_key) not in known[asked]:
        yield f"authorizer {name} of type {authorizer.get(type_key)} does not go with {asked}"
    api_key = "RestApiId" if kind == "ApiGateway" else "ApiId"
    if text(authorizer.get(api_key)) != text(route.get(api_key)):
        yield f"authorizer {name} belongs to another API"


def _unguarded(
    authorizers: Mapping[str, Properties], routes: list[tuple[str, Properties]], api_key: str
) -> Iterator[Violation]:
    """Check that no route is open beside an authorizer: one made as a resource is meant for the whole API."""
    for name, authorizer in authorizers.items():
        api = text(authorizer.get(api_key))
        own = [(route, properties) for route, properties in routes if text(properties.get(api_key)) == api]
        if not own:
            yield Violation(name, f"the authorizer is on no route of {readable(api)}")
        for route, properties in own:
            if properties.get("AuthorizationType", "NONE") == "NONE":
                yield Violation(route, f"the route is open, though {name} guards the API")
