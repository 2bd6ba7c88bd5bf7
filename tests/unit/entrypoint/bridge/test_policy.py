"""A policy allows what it names, and a denial wins over everything."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrypoint.bridge.policy import verdict

ARN = "arn:aws:execute-api:us-east-1:000000000000:fargate/api/GET/things/7"
API = "arn:aws:execute-api:us-east-1:000000000000:fargate/api"


def statement(effect: str, resource: Any, action: Any = "execute-api:Invoke") -> dict[str, Any]:
    return {"Effect": effect, "Action": action, "Resource": resource}


@pytest.mark.parametrize(
    "resource",
    [ARN, "*", "arn:*", f"{API}/*", f"{API}/GET/things/*", f"{API}/*/things/?", [f"{API}/POST/x", ARN], f"{API}/***"],
)
def test_what_a_policy_allows_is_allowed(resource: Any) -> None:
    assert verdict({"Statement": [statement("Allow", resource)]}, ARN) == "allowed"


@pytest.mark.parametrize(
    "given",
    [
        statement("Allow", f"{API}/GET/things"), statement("Allow", f"{API}/POST/things/7"), statement("Allow", ""),
        statement("Allow", "*", "execute-api:ManageConnections"), statement("Allow", "*", "s3:*"),
        statement("Maybe", "*"),
        statement("Allow", f"{API}/GET/things/7/"), {"Effect": "Allow"}, {}, "Allow", None, statement("Allow", None),
    ],
)  # fmt: skip
def test_what_it_does_not_name_is_not(given: Any) -> None:
    assert verdict({"Statement": [given]}, ARN) == "unmentioned"


@pytest.mark.parametrize("action", ["execute-api:*", "*", "EXECUTE-API:INVOKE", ["s3:*", "execute-api:In*"]])
def test_actions_have_wildcards_and_any_case(action: Any) -> None:
    assert verdict({"Statement": statement("allow", "*", action)}, ARN) == "allowed"


def test_a_policy_without_statements_allows_nothing() -> None:
    assert verdict({}, ARN) == "unmentioned"


STATEMENTS = st.lists(st.builds(statement, st.sampled_from(["Allow", "Deny"]), st.sampled_from(["*", ARN, "arn:x"])))


@given(STATEMENTS, STATEMENTS)
def test_a_denial_wins_wherever_it_stands(before: list[Any], after: list[Any]) -> None:
    assert verdict({"Statement": [*before, statement("Deny", f"{API}/*"), *after]}, ARN) == "denied"


@given(st.text(max_size=30), st.text(max_size=30))
def test_a_text_without_wildcards_is_itself_alone(one: str, other: str) -> None:
    plain = one.replace("*", "").replace("?", "")
    said = verdict({"Statement": statement("Allow", plain)}, other)
    assert (said == "allowed") is (plain == other)


def test_a_policy_of_wildcards_is_judged_at_once() -> None:
    assert verdict({"Statement": statement("Allow", "*a" * 20 + "*b")}, "a" * 2000) == "unmentioned"
