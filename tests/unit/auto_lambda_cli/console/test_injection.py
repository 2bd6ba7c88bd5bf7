"""Nothing that an uploader has written is ever sent as markup or as code, whatever is asked for."""

from __future__ import annotations

import json
from typing import Any

import pytest
from commands import BUCKET
from console import Page, PipelineParts
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from seen_pipeline import SHOP, SeenPipeline
from starlette.routing import Route

from auto_lambda_cli.console.application import make_routes
from auto_lambda_cli.console.context import ConsoleContext
from auto_lambda_cli.console.server import ConsoleServer

MARKUP = "<script>alert(1)</script><img src=x onerror=alert(1)>"
PAGE_TYPES = {
    "text/html; charset=utf-8", "text/javascript; charset=utf-8", "text/css; charset=utf-8", "image/svg+xml",
    "image/png", "application/json",
}  # fmt: skip


@pytest.fixture
def hostile(pipeline: SeenPipeline, parts: PipelineParts) -> None:
    """An app whose every text is markup."""
    pipeline.go_live(pipeline.drop())
    error = {"code": MARKUP, "message": MARKUP, "hint": MARKUP}
    texts: dict[str, Any] = dict.fromkeys(("step", "worker", "framework", "python", "url", "function"), MARKUP)
    pipeline.tell(
        SHOP,
        **texts,
        status="failed",
        error=error,
        warnings=[MARKUP],
        function_log=[MARKUP],
        upload={"version": MARKUP},
    )
    for key in ("apps/dev/shop.log", f"apps/dev/{MARKUP}.zip", f"apps/{MARKUP}/x.receipt.json"):
        pipeline.s3.put_object(Bucket=BUCKET, Key=key, Body=MARKUP.encode())
    parts.put_aside("apps/dev/shop.zip", code=MARKUP, reason=MARKUP)


def paths(server: ConsoleServer, context: ConsoleContext) -> list[str]:
    routes = make_routes(context, server.streams)
    assert all(isinstance(route, Route) for route in routes)
    reads = [route.path for route in routes if isinstance(route, Route) and "GET" in (route.methods or ())]
    filled = [path.replace("{stage}", "dev").replace("{name}", "shop").replace("{code}", "bad-key") for path in reads]
    return [path.removeprefix("/") for path in filled if "{" not in path]


@pytest.mark.usefixtures("hostile")
def test_no_answer_but_the_page_is_markup(page: Page, server: ConsoleServer, context: ConsoleContext) -> None:
    asked = paths(server, context)
    assert len(asked) > 12
    for path in asked:
        if path.endswith(("/events", "/runtime")):
            with page.stream(path) as events:  # which asserts the type of the stream
                next(events)
            continue
        answer = page.get(path)
        expected = "text/plain; charset=utf-8" if path.endswith("/log") else "application/json"
        assert answer.headers["content-type"] == expected, path
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.usefixtures("hostile")
def test_the_log_is_a_file_to_save(page: Page) -> None:
    answer = page.get("api/apps/dev/shop/log")
    assert answer.body == MARKUP.encode()
    assert answer.headers["content-disposition"] == 'attachment; filename="shop-dev.log"'


@pytest.mark.usefixtures("hostile")
def test_markup_arrives_as_the_text_that_it_is(page: Page) -> None:
    receipt = page.get("api/apps/dev/shop").value("receipt")
    assert receipt["error"]["message"] == MARKUP
    assert receipt["warnings"] == [MARKUP]
    stages = page.get("api/apps").value("apps")["stages"]
    assert f"apps/dev/{MARKUP}.zip" in {row["key"] for stage in stages for row in stage["apps"]}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.text(st.characters(codec="ascii", exclude_characters=" \r\n\t#?"), max_size=30),
    api=st.booleans(),
    method=st.sampled_from(["GET", "POST", "PUT", "HEAD"]),
)
def test_whatever_is_asked_for_only_files_of_the_page_are_markup(page: Page, path: str, api: bool, method: str) -> None:
    asked = f"/{page.address.token}/{'api/' if api else ''}{path.strip()}"
    printable = "".join(c for c in asked if c.isprintable())
    answer = page.ask(method, printable, {**page.own_headers, "Content-Type": "application/json"}, b"{}")
    kind = answer.headers.get("content-type")
    if answer.status == 200 and method in {"GET", "HEAD"} and not api:
        assert kind in PAGE_TYPES
    else:
        assert kind in {"application/json", None}


def test_a_broken_request_is_answered_as_text(page: Page) -> None:
    answer = page.ask("GET", f"/{page.address.token}/api/apps/{'%3Cscript%3E' * 3}/x", {})
    assert answer.headers["content-type"] == "application/json"
    text: Any = json.loads(answer.body)
    assert "<script>" in text["error"]["message"]
