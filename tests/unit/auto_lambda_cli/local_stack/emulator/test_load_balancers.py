from __future__ import annotations

from collections import Counter
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auto_lambda_cli.local_stack.emulator.load_balancers import (
    answers,
    chosen,
    codes_of,
    event_as_sent,
    fits,
    groups_of,
    query_as_sent,
    weighted,
)


@given(st.lists(st.integers(0, 999), min_size=1, max_size=5), st.floats(0, 1, exclude_max=True))
def test_a_group_without_weight_gets_nothing(weights: list[int], share: float) -> None:
    groups = [(str(index), weight) for index, weight in enumerate(weights)]
    found = weighted(groups, share)
    assert dict(groups).get(found or "", 0) > 0 if any(weights) else found is None


def test_the_shares_of_groups_are_their_weights() -> None:
    found = Counter(weighted([("a", 1), ("b", 3)], share / 100) for share in range(100))
    assert found == {"a": 25, "b": 75}


def test_an_action_with_several_groups_becomes_one_with_one() -> None:
    groups = [{"TargetGroupArn": "a", "Weight": 0}, {"TargetGroupArn": "b", "Weight": 100}]
    action = {"Type": "forward", "TargetGroupArn": "a", "ForwardConfig": {"TargetGroups": groups}}
    assert groups_of(action) == {"a": 0, "b": 100}
    assert chosen(action, 0.0)["TargetGroupArn"] == "b"
    plain = {"Type": "forward", "TargetGroupArn": "a"}
    assert chosen(plain, 0.5) == plain
    assert groups_of({"Type": "redirect"}) == {}


@pytest.mark.parametrize(
    ("codes", "status", "good"),
    [("200", 200, True), ("200", 201, False), ("200,302", 302, True), ("200-299", 250, True), ("200-299", 300, False)],
)
def test_codes_are_matched_as_the_matcher_says(codes: str, status: int, good: bool) -> None:
    assert fits(status, codes) is good


def test_a_group_without_matcher_wants_200() -> None:
    assert codes_of({}) == "200"
    assert codes_of({"Matcher": {"HttpCode": "200-399"}}) == "200-399"


def test_only_targets_on_this_machine_are_asked() -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/well" else 500)
            self.end_headers()

        def log_message(self, *_: Any) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        assert answers("127.0.0.1", server.server_port, "/well", "200")
        assert not answers("127.0.0.1", server.server_port, "/ill", "200")
        server.shutdown()
    assert not answers("127.0.0.1", server.server_port, "/well", "200")
    assert not answers("192.0.2.1", 80, "/well", "200")


def test_a_function_gets_the_query_as_it_came() -> None:
    assert query_as_sent("q=a%20b&q=c+d&empty=&%C3%A9") == {"q": ["a%20b", "c+d"], "empty": [""], "%C3%A9": [""]}


def test_a_function_gets_several_values_of_each_header_or_one_and_never_both() -> None:
    both = {"headers": {"a": "2"}, "queryStringParameters": {"b": "2"}}
    several = {"multiValueHeaders": {"a": ["1", "2"]}, "multiValueQueryStringParameters": {"b": ["1", "2"]}}
    balanced: dict[str, Any] = {"requestContext": {"elb": {}}}
    assert event_as_sent({**balanced, **both, **several}) == {**balanced, **several}
    assert event_as_sent({**balanced, **both}) == {**balanced, **both}
    assert event_as_sent({"requestContext": {}, **both, **several}) == {"requestContext": {}, **both, **several}
