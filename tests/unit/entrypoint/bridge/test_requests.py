"""A request is taken as it was sent, and no more of it than a function would get."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from entrypoint.bridge.requests import MOST_BYTES, Gone, HeldBodies, HttpRequest, TooLarge, TooMany, read


def scope(**more: Any) -> dict[str, Any]:
    return {
        "method": "GET", "path": "/a b", "raw_path": b"/a%20b", "query_string": b"a=1&b=%C3%BC&a=",
        "headers": [(b"cookie", b"a=1"), (b"x-own", "Grüße".encode("latin-1")), (b"cookie", b"b=2")],
        "client": ("10.0.0.7", 1), **more,
    }  # fmt: skip


def taken(*chunks: bytes, grow: Callable[[int], None] = lambda _: None, **more: Any) -> HttpRequest:
    messages = [{"type": "http.request", "body": one, "more_body": True} for one in chunks]
    messages.append({"type": "http.request"})

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    return asyncio.run(read(scope(**more), receive, grow))


def test_path_and_query_stay_encoded_and_headers_in_order() -> None:
    request = taken(b"x", b"y")
    assert (request.path, request.query, request.body) == ("/a%20b", "a=1&b=%C3%BC&a=", b"xy")
    assert request.grouped() == {"cookie": ["a=1", "b=2"], "x-own": ["Grüße"]}
    assert request.header("cookie") == "b=2"
    assert request.header("none") is None
    assert request.parameters() == {"a": ["1", ""], "b": ["ü"]}


def test_a_server_that_tells_no_raw_path_is_believed() -> None:
    assert taken(raw_path=None).path == "/a b"


def test_the_client_is_who_the_load_balancer_saw() -> None:
    spoofed = [(b"x-forwarded-for", b"6.6.6.6, 7.7.7.7"), (b"x-forwarded-for", b"8.8.8.8, 9.9.9.9")]
    assert taken(headers=spoofed).client == "9.9.9.9"
    assert taken().client == "10.0.0.7"


def test_a_body_that_no_function_would_get_is_not_kept() -> None:
    half = b"x" * (MOST_BYTES // 2)
    assert len(taken(half, half).body) == MOST_BYTES
    with pytest.raises(TooLarge):
        taken(half, half, b"x")


def test_bodies_that_are_held_together_have_a_limit() -> None:
    waiting = HeldBodies(10)
    with waiting.one() as first:
        taken(b"12345", b"6", grow=first)
        with waiting.one() as second, pytest.raises(TooMany):
            taken(b"1234", b"5", grow=second)
        assert waiting.bytes == 6
    with waiting.one() as third:
        assert len(taken(b"1234567890", grow=third).body) == 10
    assert waiting.bytes == 0


def test_a_client_that_goes_gives_back_what_it_held() -> None:
    waiting = HeldBodies(10)
    with pytest.raises(Gone), waiting.one() as grow:
        broken_off(b"1234567890", grow)
    assert waiting.bytes == 0


def broken_off(begun: bytes, grow: Callable[[int], None] = lambda _: None) -> None:
    """Take a request whose client leaves before it has sent all of the body."""
    messages: list[dict[str, Any]] = [
        {"type": "http.request", "body": begun, "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    asyncio.run(read(scope(), receive, grow))


def test_a_request_that_is_broken_off_is_none() -> None:
    with pytest.raises(Gone):
        broken_off(b"half of an or")
