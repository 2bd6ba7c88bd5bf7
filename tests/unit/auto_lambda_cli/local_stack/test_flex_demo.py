from __future__ import annotations

import tomllib

from auto_lambda_cli.local_stack.flex_demo import FLEX, HIGH, LOW, STEADY, Second, balancer_of


def test_a_load_balancer_is_named_by_its_address() -> None:
    assert balancer_of("al-flex-quotes-dev-687-zovot0jk.us-east-1.elb.amazonaws.com") == "al-flex-quotes-dev-687"


def test_the_load_crosses_both_thresholds_of_the_app() -> None:
    settings = tomllib.loads(FLEX)["flex"]
    assert max(STEADY, LOW) < settings["below"] < settings["above"] < HIGH


def test_a_second_says_where_the_app_is_and_who_answers() -> None:
    line = Second(25.0, {"lambda": 4, "fargate": 21}, "both", 100, 2, 0.0123).line()
    for part in ("both", "100 % to Fargate", "25 requests/s", "lambda   4", "fargate  21", "2 tasks", "12 ms"):
        assert part in line
