"""Lets REST APIs keep their ids when their routes change, and answer as their documents say: preflights, bytes."""

from __future__ import annotations

from typing import Any


def patch() -> None:
    """Import all of an API's document, and a changed one into the API that is there."""
    from ministack.services import apigateway_v1 as apis  # type: ignore[import-not-found,unused-ignore]
    from ministack.services.cloudformation import provisioners  # type: ignore[import-not-found,unused-ignore]

    _import_whole_integrations(apis)
    _everything_is_binary(apis)
    _update_in_place(apis, provisioners._RESOURCE_HANDLERS["AWS::ApiGateway::RestApi"])


def _everything_is_binary(apis: Any) -> None:
    """Let the binary type ``*/*`` be that of requests and answers of which nobody says a type."""
    matches = apis._media_type_matches

    def matches_or_all(media_type: str | None, binary: list[str] | None) -> bool:
        return bool(matches(media_type, binary)) or ("*/*" in (binary or []) and not (media_type or "").strip())

    apis._media_type_matches = matches_or_all


def _update_in_place(apis: Any, handlers: dict[str, Any]) -> None:
    update = handlers["update"]

    def update_in_place(api: str, old: dict[str, Any], new: dict[str, Any], *rest: Any, **more: Any) -> Any:
        body = new.get("Body")
        if body != old.get("Body") and isinstance(body, dict) and api in apis._rest_apis:
            _import_again(apis, api, body)
            old = {**old, "Body": body}
        return update(api, old, new, *rest, **more)

    handlers["update"] = update_in_place


def _import_again(apis: Any, api: str, document: dict[str, Any]) -> None:
    resources = apis._resources[api]
    (root,) = (one for one in resources.values() if one["path"] == "/")
    root["resourceMethods"] = {}
    for name in [name for name in resources if name != root["id"]]:
        del resources[name]
    apis._authorizers_v1.get(api, {}).clear()
    schemes = apis._import_security_schemes(api, document)
    for path, item in (document.get("paths") or {}).items():
        apis._import_path_item(api, path, item, schemes, document.get("security"))


def _import_whole_integrations(apis: Any) -> None:
    imported = apis._import_operation

    def import_operation(api: str, resource: str, method: str, operation: Any, *rest: Any) -> None:
        imported(api, resource, method, operation, *rest)
        integration = apis._resources[api][resource]["resourceMethods"][method]["methodIntegration"]
        if integration:
            integration.update(integration_of(operation["x-amazon-apigateway-integration"]))

    apis._import_operation = import_operation


def integration_of(document: dict[str, Any]) -> dict[str, Any]:
    """Return what an operation's `x-amazon-apigateway-integration` says beyond its target, as the emulator keeps it."""
    responses = {
        str(one.get("statusCode", "200")): {
            "statusCode": str(one.get("statusCode", "200")),
            "selectionPattern": "" if pattern == "default" else pattern,
            "responseParameters": one.get("responseParameters") or {},
            "responseTemplates": one.get("responseTemplates") or {},
            "contentHandling": one.get("contentHandling"),
        }
        for pattern, one in (document.get("responses") or {}).items()
    }
    return {
        "requestTemplates": document.get("requestTemplates") or {},
        "passthroughBehavior": str(document.get("passthroughBehavior") or "when_no_match").upper(),
        "contentHandling": document.get("contentHandling"),
        "integrationResponses": responses,
    }
