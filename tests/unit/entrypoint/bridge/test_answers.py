"""What a handler returns becomes the answer that API Gateway would give."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrypoint.bridge import answers
from entrypoint.bridge.answers import BridgeAnswer
from entrypoint.bridge.front import PASS_ALL, Front
from entrypoint.bridge.requests import HttpRequest

PICTURES = Front("api", ("image/png",), {}, {})


def asking(accept: str | None = None) -> HttpRequest:
    headers = (("accept", accept),) if accept is not None else ()
    return HttpRequest("GET", "/", "", headers, b"", "9.9.9.9")


def rest(returned: Any, accept: str | None = None, front: Front = PICTURES) -> BridgeAnswer:
    return answers.rest(returned, asking(accept), front)


def test_a_rest_api_gives_several_values_of_a_header() -> None:
    returned = {
        "statusCode": 201, "headers": {"X-Own": "1", "set-cookie": "lost"},
        "multiValueHeaders": {"Set-Cookie": ["a=1", "b=2"], "Empty": []}, "body": "ü",
    }  # fmt: skip
    answer = rest(returned)
    assert (answer.status, answer.body) == (201, "ü".encode())
    assert answer.headers[1:] == (("X-Own", "1"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"))
    assert answer.headers[0] == ("content-type", "application/json")


BYTES = {"statusCode": 200, "body": base64.b64encode(b"\xff").decode(), "isBase64Encoded": True}


@pytest.mark.parametrize(
    ("accept", "front", "decoded"),
    [("image/png", PICTURES, True), ("image/png, text/html", PICTURES, True), ("text/html", PICTURES, False),
     (None, PICTURES, False), (None, PASS_ALL, True), ("text/html", PASS_ALL, True)],
)  # fmt: skip
def test_bytes_are_for_those_who_accept_them(accept: str | None, front: Front, decoded: bool) -> None:
    assert rest(BYTES, accept, front).body == (b"\xff" if decoded else str(BYTES["body"]).encode())


@pytest.mark.parametrize(
    "returned",
    [None, "text", [], {}, {"body": "x"}, {"statusCode": "x"}, {"statusCode": None},
     {"statusCode": 200, "body": "?", "isBase64Encoded": True}],
)  # fmt: skip
def test_what_is_no_answer_of_a_rest_api_is_a_fault(returned: Any) -> None:
    assert rest(returned, None, PASS_ALL) == answers.REST_FAILED


@pytest.mark.parametrize(("returned", "body"), [("text", b'"text"'), ({"a": 1}, b'{"a": 1}'), (None, b"null")])
def test_an_http_api_takes_what_has_no_status_for_the_body(returned: Any, body: bytes) -> None:
    answer = answers.http(returned)
    assert (answer.status, answer.headers, answer.body) == (200, (("content-type", "application/json"),), body)


def test_an_http_api_has_cookies_apart() -> None:
    answer = answers.http({"statusCode": 200, "cookies": ["a=1", "b=2"], "headers": {"content-type": "x"}, "body": "y"})
    assert answer.headers == (("set-cookie", "a=1"), ("set-cookie", "b=2"), ("content-type", "x"))


@pytest.mark.parametrize("returned", [{"statusCode": []}, {"statusCode": 200, "body": "?", "isBase64Encoded": True}])
def test_what_is_no_answer_of_an_http_api_is_a_fault(returned: Any) -> None:
    assert answers.http(returned) == answers.HTTP_FAILED


def sent(answer: BridgeAnswer) -> list[Any]:
    messages: list[Any] = []

    async def send(message: Any) -> None:
        messages.append(message)

    asyncio.run(answer.give(send))
    return messages


def test_a_handler_cannot_say_how_its_answer_travels() -> None:
    headers = (("Content-Length", "9"), ("Transfer-Encoding", "chunked"), ("Connection", "close"), ("X-Own", "1"))
    start, body = sent(BridgeAnswer(200, headers, b"abc"))
    assert start["headers"] == [(b"x-own", b"1"), (b"content-length", b"3")]
    assert body["body"] == b"abc"


@given(st.text(max_size=30))
def test_a_value_never_begins_a_header_of_its_own(value: str) -> None:
    (start, _) = sent(rest({"statusCode": 200, "headers": {"X-Own": value}}))
    assert not {b"\r", b"\n"} & {bytes([one]) for _, told in start["headers"] for one in told}


@pytest.mark.parametrize(
    "headers", [{"X Own": "1"}, {"X-Own\r\nX-Other": "1"}, {"": "1"}, {"ü": "1"}, {"X-Own": "\0"}, {"a:b": "1"}]
)
def test_a_header_that_is_none_is_a_fault(headers: dict[str, str]) -> None:
    assert rest({"statusCode": 200, "headers": headers}) == answers.REST_FAILED


@pytest.mark.parametrize("status", [0, 99, 100, 101, 199, 600, 1000, -1])
def test_a_status_that_is_none_is_a_fault(status: int) -> None:
    assert rest({"statusCode": status}) == answers.REST_FAILED
    assert answers.http({"statusCode": status}) == answers.HTTP_FAILED


@pytest.mark.parametrize("headers", ["text", [1], 7])
def test_headers_of_another_form_are_a_fault(headers: Any) -> None:
    assert rest({"statusCode": 200, "headers": headers}) == answers.REST_FAILED
    assert answers.http({"statusCode": 200, "headers": headers}) == answers.HTTP_FAILED


def test_what_an_authorizer_says_becomes_text() -> None:
    decision = {"principalId": 7, "context": {"number": 1, "true": True, "none": None}}
    assert answers.context_of(decision) == {"number": "1", "true": "true", "none": "None", "principalId": "7"}
    assert answers.context_of({"principalId": ""}) == {}
