"""No rule of an app hears of the others, however its pattern is written."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto.events.models import EventPattern

from worker.deploy.gate.event_patterns import may_match_pipeline

OURS = [
    {"source": "auto-lambda", "detail-type": kind, "detail": {"app": "bank"}} for kind in ("App Live", "App Failed")
]


@pytest.mark.parametrize(
    "pattern",
    [
        {"source": ["auto-lambda"]},
        {"source": ["aws.s3", "auto-lambda"]},
        {"source": [{"prefix": "auto"}]},
        {"source": [{"prefix": ""}]},
        {"source": [{"anything-but": ["aws.s3"]}]},
        {"source": [{"equals-ignore-case": "AUTO-LAMBDA"}]},
        {"source": [{"exists": True}]},
        {"source": {"Fn::Sub": "x"}},
        {"detail-type": ["App Live"]},
        {"detail": {"app": ["bank"]}},
        {"account": ["111122223333"]},
        {"$or": [{"source": ["aws.s3"]}, {"source": ["auto-lambda"]}]},
        {},
        '{"source": ["auto-lambda"]}',
    ],
)
def test_what_may_match_is_seen(pattern: Any) -> None:
    assert may_match_pipeline(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        None,
        {"source": ["aws.s3"]},
        {"source": [{"prefix": "aws."}, "orders"]},
        {"source": ["orders"], "detail": {"app": ["bank"]}},
        {"detail-type": ["Order Placed"]},
        {"detail-type": ["App Live"], "source": ["orders"]},
    ],
)
def test_what_is_about_something_else_is_not(pattern: Any) -> None:
    assert not may_match_pipeline(pattern)


_TESTS = st.sampled_from(
    ["auto-lambda", "aws.s3", "App Live", "Order", {"prefix": "a"}, {"prefix": "x"}, {"anything-but": "aws.s3"}]
)
_FIELD = st.lists(_TESTS, min_size=1, max_size=3)


@given(st.dictionaries(st.sampled_from(["source", "detail-type"]), _FIELD, min_size=1))
def test_whatever_matches_one_of_ours_is_seen(pattern: dict[str, Any]) -> None:
    if any(EventPattern.load(json.dumps(pattern)).matches_event(event) for event in OURS):  # type: ignore[arg-type]
        assert may_match_pipeline(pattern)
