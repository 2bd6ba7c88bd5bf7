"""Tells functions of requests what API Gateway and function URLs tell them, and where they really are."""

from __future__ import annotations

import re
from typing import Any


def patch() -> None:
    """Take apps from paths alone, to which `addresses` brings all requests, and complete their events."""
    from ministack import app  # type: ignore[import-not-found,unused-ignore]
    from ministack.services import apigateway, lambda_svc  # type: ignore[import-not-found,unused-ignore]
    from ministack.services import apigateway_v1 as apis  # type: ignore[import-not-found,unused-ignore]

    never = re.compile(r"(?!)")
    app._EXECUTE_API_RE = app._LAMBDA_URL_RE = never
    _paths_with_stage(apigateway, apis)
    _paths_as_sent(app, apis)
    _hosts_of_domains(apis)
    _real_addresses(lambda_svc)


def _paths_with_stage(apigateway: Any, apis: Any) -> None:
    """Have HTTP APIs tell the stage in the path, as they do below their own names, but not below a domain."""
    invoke = apigateway._invoke_lambda_proxy

    async def with_stage(
        integration: Any, api: str, stage: str, path: str, method: str, headers: Any, *rest: Any, **more: Any
    ) -> Any:
        whole = path if stage == "$default" or _is_domain(apis, headers) else f"/{stage}{path}"
        return await invoke(integration, api, stage, whole, method, headers, *rest, **more)

    apigateway._invoke_lambda_proxy = with_stage


def _paths_as_sent(app: Any, apis: Any) -> None:
    """Have REST APIs tell paths and their parameters percent-encoded, as they were sent."""
    handle = app._handle_execute_api_request

    async def handle_as_sent(host: str, path: str, *rest: Any, raw_path: str | None = None, **more: Any) -> Any:
        found = app._parse_execute_api_url(host, path) or app._resolve_custom_domain_request(host, path)
        sent = raw_path if raw_path and found and apis.find_api_scope(found[0]) is not None else path
        return await handle(host, sent, *rest, raw_path=raw_path, **more)

    app._handle_execute_api_request = handle_as_sent


def _hosts_of_domains(apis: Any) -> None:
    """Have REST APIs name a domain by a header that is spelled ``Host``, for which frameworks look."""
    build = apis._build_lambda_event_v1

    def with_host(*given: Any, **more: Any) -> dict[str, Any]:
        event: dict[str, Any] = build(*given, **more)
        if _is_domain(apis, event["headers"]):
            for name in ("headers", "multiValueHeaders"):
                event[name]["Host"] = event[name].pop("host")
        return event

    apis._build_lambda_event_v1 = with_host


def _is_domain(apis: Any, headers: Any) -> bool:
    host = str(headers.get("host", "")).partition(":")[0]
    return "." in host and apis.find_domain_scope(host) is not None


def _real_addresses(lambda_svc: Any) -> None:
    build = lambda_svc._build_function_url_event

    def with_real_address(*given: Any, **more: Any) -> dict[str, Any]:
        headers = given[5] if len(given) > 5 else more["headers"]
        told = {name: value for name, value in headers.items() if name in ("host", "x-forwarded-port")}
        event: dict[str, Any] = build(*given, **more)
        event["headers"].update({**told, "x-forwarded-proto": "http"})
        return event

    lambda_svc._build_function_url_event = with_real_address
