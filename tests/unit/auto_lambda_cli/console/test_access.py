from __future__ import annotations

from typing import Any

import pytest
from console import Page
from hypothesis import given
from hypothesis import strategies as st

from auto_lambda_cli.console.access import HEADERS, ConsoleAddress, judge

ADDRESS = ConsoleAddress(4711, "secret-token")
READ = {"host": "127.0.0.1:4711"}
CHANGE = {**READ, "origin": "http://127.0.0.1:4711", "sec-fetch-site": "same-origin", "x-auto-lambda": "console"}
PATH = "/secret-token/api/about"


@pytest.mark.parametrize("host", ["127.0.0.1:4711", "localhost:4711", "LocalHost:4711"])
def test_the_page_may_read(host: str) -> None:
    assert judge("GET", PATH, {**READ, "host": host}, ADDRESS) is None


@pytest.mark.parametrize("host", [
    "", "127.0.0.1", "localhost", "evil.example", "evil.example:4711", "127.0.0.1:4712", "[::1]:4711", "0.0.0.0:4711",
    "127.0.0.1:4711.evil.example", "127.0.0.1:4711,127.0.0.1:4711",
])  # fmt: skip
def test_another_name_for_the_loopback_address_gets_nothing(host: str) -> None:
    refusal = judge("GET", PATH, {"host": host}, ADDRESS)
    assert refusal
    assert refusal.status == 403


@pytest.mark.parametrize("path", [
    "/", "/api/about", "//secret-token/api/about", "/secret-toke/api", "/secret-tokens/api", "/x/secret-token/api",
    "/%73ecret-token/", "/SECRET-TOKEN/", "/secret-token%2fapi", "/é/api", "*", "", "secret-token",
    "x/secret-token/api",
])  # fmt: skip
def test_who_lacks_the_token_finds_nothing(path: str) -> None:
    refusal = judge("GET", path, READ, ADDRESS)
    assert refusal
    assert refusal.status == 404


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_another_page_may_not_read(site: str) -> None:
    refusal = judge("GET", PATH, {**READ, "sec-fetch-site": site, "sec-fetch-mode": "no-cors"}, ADDRESS)
    assert refusal
    assert refusal.status == 403


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:4712", "https://127.0.0.1:4711"])
def test_a_page_of_another_origin_may_not_read(origin: str) -> None:
    refusal = judge("GET", PATH, {**READ, "origin": origin}, ADDRESS)
    assert refusal
    assert refusal.status == 403
    assert judge("GET", PATH, {**READ, "origin": "http://127.0.0.1:4711"}, ADDRESS) is None


def test_a_link_elsewhere_may_open_the_page() -> None:
    opened = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
    assert judge("GET", "/secret-token/", {**READ, **opened}, ADDRESS) is None
    framed = judge("GET", "/secret-token/", {**READ, **opened, "sec-fetch-dest": "iframe"}, ADDRESS)
    assert framed
    assert framed.status == 403


def test_the_page_may_change() -> None:
    assert judge("POST", PATH, CHANGE, ADDRESS) is None
    named = {**CHANGE, "host": "localhost:4711", "origin": "http://localhost:4711"}
    assert judge("POST", PATH, named, ADDRESS) is None


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
@pytest.mark.parametrize("changed", [
    {"origin": "http://evil.example"}, {"origin": "null"}, {"origin": "https://127.0.0.1:4711"},
    {"origin": "http://127.0.0.1:4712"}, {"origin": "http://127.0.0.1:4711, http://127.0.0.1:4711"}, {"origin": ""},
    {"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}, {"sec-fetch-site": "none"},
    {"x-auto-lambda": ""}, {"x-auto-lambda": "page"},
])  # fmt: skip
def test_another_page_may_not_change(method: str, changed: dict[str, str]) -> None:
    refusal = judge(method, PATH, {**CHANGE, **changed}, ADDRESS)
    assert refusal
    assert refusal.status == 403


@pytest.mark.parametrize("missing", ["origin", "x-auto-lambda"])
def test_a_request_that_does_not_say_whose_it_is_may_not_change(missing: str) -> None:
    assert judge("POST", PATH, {name: value for name, value in CHANGE.items() if name != missing}, ADDRESS)


@given(st.text(max_size=50), st.dictionaries(st.sampled_from(sorted(CHANGE)), st.text(max_size=20)))
def test_nobody_gets_in_by_chance(path: str, headers: dict[str, str]) -> None:
    assert judge("POST", f"/{path}", headers, ADDRESS)


def test_every_response_has_the_headers_that_protect_it(page: Page) -> None:
    token = page.address.token
    answers = [
        page.get(""), page.get("api/about"), page.get("api/nothing"), page.get("nothing.js"), page.post("api/nothing"),
        page.ask("GET", "/", {}), page.ask("GET", f"/{token}", {}), page.ask("POST", f"/{token}/", {}),
        page.get("", Host="evil.example"),
    ]  # fmt: skip
    assert [answer.status for answer in answers] == [200, 200, 404, 404, 404, 404, 307, 403, 403]
    for answer in answers:
        assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
        assert "server" not in answer.headers


def test_the_policy_allows_nothing_inline_and_no_frame() -> None:
    policy: dict[str, Any] = dict(part.strip().split(" ", 1) for part in HEADERS["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert "unsafe" not in HEADERS["content-security-policy"]


def test_the_token_is_in_no_answer(page: Page) -> None:
    for path in ("", "api/about", "api/nothing"):
        assert page.address.token.encode() not in page.get(path).body


def test_two_consoles_have_two_tokens(page: Page) -> None:
    from auto_lambda_cli.console.access import make_token

    tokens = {make_token() for _ in range(100)}
    assert len(tokens) == 100
    assert all(len(token) >= 32 for token in tokens)
