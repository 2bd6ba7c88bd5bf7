"""Requests by a domain reach functions as API Gateway sends them: without the stage, with the path as it was sent."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from auto_lambda_cli.local_stack.emulator.request_events import _hosts_of_domains, _paths_as_sent, _paths_with_stage

DOMAIN = {"host": "shop.apps.localhost:1"}
APIS = SimpleNamespace(find_domain_scope=lambda host: host == "shop.apps.localhost" or None)


@pytest.mark.parametrize(
    ("stage", "headers", "path"),
    [("dev", {"host": "127.0.0.1:1"}, "/dev/x"), ("dev", DOMAIN, "/x"), ("$default", {}, "/x"), ("dev", {}, "/dev/x")],
)
def test_an_http_api_tells_its_stage_but_below_a_domain(stage: str, headers: dict[str, str], path: str) -> None:
    async def invoke(_: Any, __: str, ___: str, path: str, *____: Any) -> str:
        return path

    apigateway = SimpleNamespace(_invoke_lambda_proxy=invoke)
    _paths_with_stage(apigateway, APIS)
    assert asyncio.run(apigateway._invoke_lambda_proxy({}, "api", stage, "/x", "GET", headers)) == path


@pytest.mark.parametrize(
    ("api", "raw", "path"), [("rest", "/a%20b", "/a%20b"), ("http", "/a%20b", "/a b"), ("rest", None, "/a b")]
)
def test_a_rest_api_tells_paths_as_they_were_sent(api: str, raw: str | None, path: str) -> None:
    async def handle(_: str, path: str, *__: Any, raw_path: str | None) -> str:
        return path

    app = SimpleNamespace(
        _handle_execute_api_request=handle,
        _parse_execute_api_url=lambda *_: None,
        _resolve_custom_domain_request=lambda *_: (api, "dev", "/a b"),
    )
    _paths_as_sent(app, SimpleNamespace(find_api_scope=lambda api: ("1", "r") if api == "rest" else None))
    assert asyncio.run(app._handle_execute_api_request("host", "/a b", "GET", raw_path=raw)) == path


@pytest.mark.parametrize(("host", "name"), [("shop.apps.localhost:1", "Host"), ("127.0.0.1:1", "host")])
def test_a_rest_api_spells_the_host_of_a_domain_for_frameworks(host: str, name: str) -> None:
    apis = SimpleNamespace(
        find_domain_scope=APIS.find_domain_scope,
        _build_lambda_event_v1=lambda: {"headers": {"host": host}, "multiValueHeaders": {"host": [host]}},
    )
    _hosts_of_domains(apis)
    assert apis._build_lambda_event_v1() == {"headers": {name: host}, "multiValueHeaders": {name: [host]}}
