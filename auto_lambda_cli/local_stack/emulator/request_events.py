"""Tells functions of requests what API Gateway and function URLs tell them, and where they really are."""

from __future__ import annotations

import re
from typing import Any


def patch() -> None:
    """Take apps from paths alone, to which `addresses` brings all requests, and complete their events."""
    from ministack import app  # type: ignore[import-not-found,unused-ignore]
    from ministack.services import apigateway, lambda_svc  # type: ignore[import-not-found,unused-ignore]

    never = re.compile(r"(?!)")
    app._EXECUTE_API_RE = app._LAMBDA_URL_RE = never
    _paths_with_stage(apigateway)
    _real_addresses(lambda_svc)


def _paths_with_stage(apigateway: Any) -> None:
    invoke = apigateway._invoke_lambda_proxy

    async def with_stage(integration: Any, api: str, stage: str, path: str, *rest: Any, **more: Any) -> Any:
        whole = path if stage == "$default" else f"/{stage}{path}"
        return await invoke(integration, api, stage, whole, *rest, **more)

    apigateway._invoke_lambda_proxy = with_stage


def _real_addresses(lambda_svc: Any) -> None:
    build = lambda_svc._build_function_url_event

    def with_real_address(*given: Any, **more: Any) -> dict[str, Any]:
        headers = given[5] if len(given) > 5 else more["headers"]
        told = {name: value for name, value in headers.items() if name in ("host", "x-forwarded-port")}
        event: dict[str, Any] = build(*given, **more)
        event["headers"].update({**told, "x-forwarded-proto": "http"})
        return event

    lambda_svc._build_function_url_event = with_real_address
