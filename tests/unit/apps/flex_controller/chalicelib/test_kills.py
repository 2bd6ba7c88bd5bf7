"""The controller dies before and after each call, all the way up and down: the next run goes on from there."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from flex_kills import FAULTS, KILLED_WAY, journey, kills_of_a_way, same_end
from killing import Killer


def test_a_way_up_and_down_makes_calls_of_every_kind(aws_client: Callable[[str], Any]) -> None:
    seen = Killer(reads=True)
    journey(aws_client, name(), seen)
    assert set(seen.calls) == {
        "ListStacks", "DescribeStacks", "DescribeStackEvents", "DescribeAlarms", "DescribeTargetHealth",
        "DescribeServices", "UpdateStack", "PutMetricData",
    }  # fmt: skip
    assert seen.calls.count("UpdateStack") == len(KILLED_WAY)


def test_a_kill_at_any_of_a_spread_of_calls_changes_nothing_of_the_way(aws_client: Callable[[str], Any]) -> None:
    # Every transition, before and after, and a spread of the other calls; `make chaos` takes all of them.
    for killer, what in kills_of_a_way(aws_client, name(), every=19):
        assert same_end(journey(aws_client, name(), killer)), what


def test_a_call_that_fails_costs_a_minute_at_most(aws_client: Callable[[str], Any]) -> None:
    for killer, what in kills_of_a_way(aws_client, name(), every=31, ways=FAULTS):
        assert same_end(journey(aws_client, name(), killer)), what


def name() -> str:
    return f"k{uuid.uuid4().hex[:10]}"
