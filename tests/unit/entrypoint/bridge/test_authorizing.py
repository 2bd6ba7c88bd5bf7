"""An authorizer decides who may call what, as often as API Gateway would ask it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from entrypoint.bridge import answers
from entrypoint.bridge.authorizing import MOST_DECISIONS, Authorizers
from entrypoint.bridge.front import Authorizer, Front, Method
from entrypoint.bridge.requests import HttpRequest
from entrypoint.bridge.workers import HandlerFailed, HandlerTooSlow

ALL = {"Statement": [{"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": "*"}]}

DENIED = {"Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}


@dataclass
class Deciding:
    """An authorizer that answers or raises as it is told, and remembers for what it was asked."""

    answer: Any = field(default_factory=lambda: {"principalId": "me", "policyDocument": ALL})
    asked: list[Mapping[str, Any]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    async def invoke(self, event: Mapping[str, Any], seconds: float) -> Any:
        self.asked.append(event)
        self.seconds.append(seconds)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@dataclass
class World:
    pool: Deciding = field(default_factory=Deciding)
    now: float = 0.0
    ttl: int = 300
    pattern: str | None = None

    def __post_init__(self) -> None:
        authorizer = Authorizer("app.check", "Authorization", self.pattern, self.ttl, 10)
        routes = {"/things/{id}": {"GET": Method("check"), "DELETE": Method("check")}}
        self.front = Front("api", (), routes, {"check": authorizer})
        self.authorizers = Authorizers(self.front, {"app.check": self.pool}, 29, lambda: self.now)

    def decide(self, *tokens: str, method: str = "GET", path: str = "/things/7") -> Any:
        headers = tuple(("authorization", one) for one in tokens)
        match = self.front.find(method, path)
        assert match is not None
        request = HttpRequest(method, path, "", headers, b"", "9.9.9.9")
        return asyncio.run(self.authorizers.decide(request, match, "check"))


def allowing(resource: str) -> Any:
    return {"policyDocument": {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": resource}]}}


def test_who_is_allowed_is_described_to_the_app() -> None:
    world = World(Deciding({"principalId": "me", "policyDocument": ALL, "context": {"age": 7}}))
    assert world.decide("token") == {"principalId": "me", "age": "7"}
    assert world.pool.seconds == [10]


@pytest.mark.parametrize("tokens", [(), ("",)])
def test_without_a_token_nobody_is_asked(tokens: tuple[str, ...]) -> None:
    world = World()
    assert world.decide(*tokens) == answers.UNAUTHORIZED
    assert world.pool.asked == []


def test_a_token_has_to_match_its_pattern_as_a_whole() -> None:
    world = World(pattern="Bearer [a-z]+")
    assert world.decide("Bearer x1") == answers.UNAUTHORIZED
    assert world.pool.asked == []
    assert world.decide("Bearer x") == {"principalId": "me"}


def test_a_token_that_is_sent_twice_is_none_of_the_two() -> None:
    world = World()
    world.decide("bad", "good")
    assert world.pool.asked[0]["authorizationToken"] == "bad, good"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (HandlerFailed('{"errorMessage": "Unauthorized", "errorType": "Exception"}'), answers.UNAUTHORIZED),
        (HandlerFailed('{"errorMessage":"Unauthorized"}'), answers.UNAUTHORIZED),
        (HandlerFailed('{"errorMessage": "Unauthorized to do so"}'), answers.AUTHORIZER_FAILED),
        (HandlerTooSlow(), answers.AUTHORIZER_FAILED),
        ({"policyDocument": {"Statement": []}}, answers.IMPLICIT_DENY),
        (
            {"policyDocument": {"Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}},
            answers.EXPLICIT_DENY,
        ),
        ({"principalId": "me"}, answers.AUTHORIZER_IS_WRONG),
        ({"policyDocument": "Allow"}, answers.AUTHORIZER_IS_WRONG),
        (None, answers.AUTHORIZER_IS_WRONG),
        (["Allow"], answers.AUTHORIZER_IS_WRONG),
    ],
)
def test_who_is_not_allowed_is_told_so(answer: Any, expected: answers.BridgeAnswer) -> None:
    assert World(Deciding(answer)).decide("token") == expected


def test_a_decision_is_kept_for_its_token_as_long_as_it_counts() -> None:
    world = World()
    for token in ("one", "one", "two"):
        world.decide(token)
    assert [one["authorizationToken"] for one in world.pool.asked] == ["one", "two"]
    world.now = 300
    world.decide("one")
    assert len(world.pool.asked) == 3


def test_a_kept_decision_counts_only_for_what_it_names() -> None:
    world = World(Deciding(allowing("*/GET/things/7")))
    assert world.decide("token") == {}
    assert world.decide("token", method="DELETE") == answers.IMPLICIT_DENY
    assert world.decide("token", path="/things/8") == answers.IMPLICIT_DENY
    assert len(world.pool.asked) == 1


@pytest.mark.parametrize("path", ["/things/7/", "//things/7", "/things//7"])
def test_another_spelling_of_a_path_evades_no_denial(path: str) -> None:
    denied = [
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": "*", "Resource": "arn:*/api/GET/things/7"},
    ]
    world = World(Deciding({"policyDocument": {"Statement": denied}}))
    assert world.decide("token", path=path) == answers.EXPLICIT_DENY


def test_a_ttl_of_nothing_keeps_nothing() -> None:
    world = World(ttl=0)
    world.decide("token")
    world.decide("token")
    assert len(world.pool.asked) == 2


@pytest.mark.parametrize("answer", [HandlerFailed("x"), HandlerTooSlow(), None])
def test_a_failure_is_not_kept(answer: Any) -> None:
    world = World(Deciding(answer))
    world.decide("token")
    world.pool.answer = {"policyDocument": ALL}
    assert world.decide("token") == {}


def test_no_more_decisions_are_kept_than_fit() -> None:
    world = World()
    for number in range(MOST_DECISIONS + 1):
        world.authorizers._keep("check", str(number), {}, 300)
    assert len(world.authorizers._kept) == MOST_DECISIONS
    assert world.authorizers._known("check", "0") is None
    assert world.authorizers._known("check", str(MOST_DECISIONS)) == {}
