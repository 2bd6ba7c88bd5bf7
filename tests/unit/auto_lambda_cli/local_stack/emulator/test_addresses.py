"""Each app is at a host name of its own and below a path, and its redirects lead back to it under both."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import urljoin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auto_lambda_cli.local_stack.emulator.addresses import AppAddress, AppAddresses, of_host, of_page, of_path

STACK = "127.0.0.1:4566"
BY_PATH = AppAddress("execute-api", "ab12", STACK, by_name=False)
BY_NAME = AppAddress("execute-api", "ab12", "ab12.execute-api.localhost:4566", by_name=True)
PAGE = f"http://{STACK}/_aws/execute-api/ab12/dev/page"


@pytest.mark.parametrize(("host", "kind"), [
    ("ab12.execute-api.localhost:4566", "execute-api"),
    ("AB12.execute-api.LOCALHOST", "execute-api"),
    ("ab12.execute-api.us-east-1.localhost:4566", "execute-api"),
    ("ab12.lambda-url.us-east-1.localhost:4566", "lambda-url"),
])  # fmt: skip
def test_a_host_names_its_app(host: str, kind: str) -> None:
    found = of_host(host)
    assert found
    assert (found.id, found.kind) == ("ab12", kind)


@pytest.mark.parametrize("host", [
    STACK, "localhost:4566", "bucket.localhost:4566", "execute-api.localhost", "ab12.execute-api.localhost.evil.net",
    "x.ab12.execute-api.localhost", "",
])  # fmt: skip
def test_other_hosts_name_none(host: str) -> None:
    assert of_host(host) is None


@pytest.mark.parametrize("location", [
    "/dev/img?a=b#c", "http://ab12.execute-api.localhost:4566/dev/img?a=b#c",
    "https://ab12.execute-api.us-east-1.amazonaws.com/dev/img?a=b#c",
    f"http://{STACK}/_aws/execute-api/ab12/dev/img?a=b#c", f"https://{STACK}/dev/img?a=b#c",
])  # fmt: skip
def test_a_redirect_to_the_app_stays_at_the_app(location: str) -> None:
    assert urljoin(PAGE, BY_PATH.redirect(location)) == f"http://{STACK}/_aws/execute-api/ab12/dev/img?a=b#c"
    if STACK in location:
        return
    by_name = urljoin("http://ab12.execute-api.localhost:4566/dev/page", BY_NAME.redirect(location))
    assert by_name == "http://ab12.execute-api.localhost:4566/dev/img?a=b#c"


@pytest.mark.parametrize("location", [
    "img", "../img", "?page=2", "#end", "", "//elsewhere.example/img", "https://elsewhere.example/dev/img",
    "https://cd34.execute-api.us-east-1.amazonaws.com/dev", "mailto:someone@elsewhere.example",
])  # fmt: skip
def test_other_redirects_are_left_alone(location: str) -> None:
    assert BY_PATH.redirect(location) == BY_NAME.redirect(location) == location


@given(st.from_regex(r"(/[a-z%20]{1,5}){1,4}(\?[a-z=&]{0,9})?", fullmatch=True))
def test_every_path_of_the_app_is_found_again_below_its_folder(path: str) -> None:
    assert of_path(STACK, BY_PATH.redirect(path)) == BY_PATH


def test_a_page_is_known_by_its_address_on_this_very_host() -> None:
    assert of_page(STACK, PAGE) == BY_PATH
    for referer in ("", f"http://{STACK}/bucket/page", PAGE.replace(STACK, "evil.example"), "not a url"):
        assert of_page(STACK, referer) is None


def served(path: str, *headers: tuple[str, str], location: str = "/dev/img") -> tuple[dict[str, Any], dict[str, str]]:
    """What the embedded AWS is asked, and the headers that the client gets of its redirect."""
    asked: list[dict[str, Any]] = []
    sent: list[dict[str, Any]] = []

    async def emulator(scope: dict[str, Any], _: Any, send: Any) -> None:
        asked.append(scope)
        await send({"type": "http.response.start", "status": 302, "headers": [(b"Location", location.encode())]})

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {}

    scope = {
        "type": "http", "path": path, "raw_path": path.encode(), "client": ("127.0.0.1", 1),
        "headers": [(name.encode(), value.encode()) for name, value in headers],
    }  # fmt: skip
    asyncio.run(AppAddresses(emulator)(scope, receive, send))
    return asked[0], {name.decode().lower(): value.decode() for name, value in sent[0]["headers"]}


def headers_of(scope: dict[str, Any]) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in scope["headers"]}


def test_both_forms_reach_the_emulator_as_one() -> None:
    by_name, answer = served("/dev/go", ("host", BY_NAME.origin))
    assert (by_name["path"], by_name["raw_path"]) == ("/_aws/execute-api/ab12/dev/go", b"/_aws/execute-api/ab12/dev/go")
    assert answer["location"] == "/dev/img"
    by_path, answer = served("/_aws/execute-api/ab12/dev/go", ("host", STACK))
    assert by_path["path"] == by_name["path"]
    assert [headers_of(one)["host"] for one in (by_path, by_name)] == [STACK, BY_NAME.origin]
    assert answer["location"] == "/_aws/execute-api/ab12/dev/img"


def test_an_app_learns_how_it_is_reached_from_the_stack_and_not_from_the_client() -> None:
    scope, _ = served("/dev", ("host", BY_NAME.origin), ("x-forwarded-proto", "https"), ("x-forwarded-host", "evil"))
    told = headers_of(scope)
    assert told == {
        "host": BY_NAME.origin, "x-forwarded-for": "127.0.0.1", "x-forwarded-port": "4566", "x-forwarded-proto": "http",
    }  # fmt: skip


def test_the_emulators_own_paths_are_not_below_an_apps_host() -> None:
    scope, _ = served("/_ministack/reset", ("host", BY_NAME.origin))
    assert scope["path"] == "/_aws/execute-api/ab12/_ministack/reset"


def test_what_is_not_an_apps_goes_on_unchanged() -> None:
    scope, answer = served("/bucket/key", ("host", STACK), ("x-forwarded-proto", "https"))
    assert (scope["path"], answer["location"]) == ("/bucket/key", "/dev/img")
    assert headers_of(scope)["x-forwarded-proto"] == "https"
