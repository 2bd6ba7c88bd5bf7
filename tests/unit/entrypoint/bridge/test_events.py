"""Handlers get the events that API Gateway sends."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrypoint.bridge import events
from entrypoint.bridge.front import PASS_ALL, Front, Match, Method
from entrypoint.bridge.requests import HttpRequest

REQUEST = HttpRequest(
    "POST", "/things/a%20b", "a=1&a=2&b=x+y",
    (("host", "shop.example.com"), ("content-type", "application/json"), ("x-own", "1"), ("x-own", "2"),
     ("cookie", "a=1; b=2"), ("cookie", "c=3"), ("user-agent", "own/1")),
    b'{"a": 1}', "9.9.9.9",
)  # fmt: skip
TEXTS = Front("api", ("image/png",), {}, {})
MATCH = Match("/things/{id}", {"id": "a%20b"}, Method(), "/things/a%20b")


def rest(request: HttpRequest = REQUEST, front: Front = TEXTS, authorized: Any = None) -> dict[str, Any]:
    return events.rest(request, front, MATCH, authorized)


def test_a_rest_api_tells_everything_once_and_in_all_values() -> None:
    event = rest()
    assert (event["resource"], event["path"], event["httpMethod"]) == ("/things/{id}", "/things/a%20b", "POST")
    assert event["headers"]["X-Own"] == "2"
    assert event["multiValueHeaders"]["X-Own"] == ["1", "2"]
    assert event["queryStringParameters"] == {"a": "2", "b": "x y"}
    assert event["multiValueQueryStringParameters"] == {"a": ["1", "2"], "b": ["x y"]}
    assert event["pathParameters"] == {"id": "a%20b"}
    assert (event["body"], event["isBase64Encoded"]) == ('{"a": 1}', False)
    context = event["requestContext"]
    assert context["identity"] == {"sourceIp": "9.9.9.9", "userAgent": "own/1"}
    assert (context["stage"], context["domainName"], context["path"]) == ("api", "shop.example.com", "/things/a%20b")
    assert "authorizer" not in context


def test_what_is_not_there_is_null() -> None:
    event = events.rest(replace(REQUEST, query="", body=b""), TEXTS, replace(MATCH, parameters={}))
    empty = ("queryStringParameters", "multiValueQueryStringParameters", "pathParameters", "body", "stageVariables")
    assert {event[name] for name in empty} == {None}


def test_what_an_authorizer_says_is_passed_on() -> None:
    assert rest(authorized={"principalId": "me"})["requestContext"]["authorizer"] == {"principalId": "me"}


def test_a_request_cannot_say_what_an_authorizer_says() -> None:
    spoofed = (
        *REQUEST.headers,
        ("authorizer", "spoofed"),
        ("requestcontext", "spoofed"),
        ("x-amzn-principal", "spoofed"),
    )
    context = rest(replace(REQUEST, headers=spoofed))["requestContext"]
    assert "authorizer" not in context
    assert "spoofed" not in json.dumps(context)


@pytest.mark.parametrize(("front", "encoded"), [(PASS_ALL, True), (TEXTS, False)])
def test_binary_types_decide_how_a_body_is_told(front: Front, encoded: bool) -> None:
    event = rest(front=front)
    assert event["isBase64Encoded"] is encoded
    assert (base64.b64decode(event["body"]) if encoded else event["body"].encode()) == REQUEST.body


def test_an_http_api_joins_headers_and_takes_cookies_apart() -> None:
    event = events.http(REQUEST)
    assert event["headers"]["x-own"] == "1,2"
    assert "cookie" not in event["headers"]
    assert event["cookies"] == ["a=1", "b=2", "c=3"]
    assert event["queryStringParameters"] == {"a": "1,2", "b": "x y"}
    assert (event["rawPath"], event["rawQueryString"]) == ("/things/a b", "a=1&a=2&b=x+y")
    assert event["requestContext"]["http"]["sourceIp"] == "9.9.9.9"
    assert (event["body"], event["isBase64Encoded"]) == ('{"a": 1}', False)


def test_an_http_api_leaves_out_what_is_not_there() -> None:
    event = events.http(replace(REQUEST, query="", body=b"", headers=()))
    assert not {"cookies", "queryStringParameters", "body"} & event.keys()


@pytest.mark.parametrize(
    ("sent", "told"),
    [("/a%20b", "/a b"), ("/a%252Fb", "/a%252Fb"), ("/%C3%BC", "/ü"), ("/a%2Fb", "/a/b"), ("/%ff", "/\ufffd")],
)
def test_an_http_api_decodes_all_of_a_path_but_percent_signs(sent: str, told: str) -> None:
    assert events.http(replace(REQUEST, path=sent))["rawPath"] == told


@pytest.mark.parametrize(
    ("media_type", "encoded"),
    [("text/csv", False), ("application/ld+json; a=b", False), ("image/png", True), ("", True), ("TEXT/PLAIN", False)],
)
def test_an_http_api_knows_texts_by_their_types(media_type: str, encoded: bool) -> None:
    request = replace(REQUEST, headers=(("content-type", media_type),))
    assert events.http(request)["isBase64Encoded"] is encoded


def test_an_authorizer_is_told_the_token_and_what_is_called() -> None:
    event = events.authorization(REQUEST, TEXTS, MATCH, "let me in")
    assert (event["type"], event["authorizationToken"]) == ("TOKEN", "let me in")
    assert event["methodArn"].endswith(":fargate/api/POST/things/a%20b")


@given(st.binary(max_size=50), st.sampled_from(["text/plain", "image/png", "application/json", ""]))
def test_every_request_is_json(body: bytes, media_type: str) -> None:
    request = replace(REQUEST, body=body, headers=(("content-type", media_type),))
    for event in (rest(request), rest(request, PASS_ALL), events.http(request)):
        told = json.loads(json.dumps(event))
        if told.get("isBase64Encoded"):
            assert base64.b64decode(told["body"]) == body
