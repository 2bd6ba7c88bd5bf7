"""When failed work is tried again."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.consumer.backoff import BackOff, when_throttled


@given(st.integers(min_value=1, max_value=10_000))
def test_the_back_off_is_at_least_a_second_and_capped(attempts: int) -> None:
    assert 1 <= BackOff(base=30, cap=900).delay(attempts) <= 900


def test_its_bound_doubles_with_each_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random, "uniform", lambda low, high: high)
    assert [BackOff(base=30, cap=900).delay(attempts) for attempts in range(1, 8)] == [30, 60, 120, 240, 480, 900, 900]


@given(st.integers(min_value=1, max_value=10_000))
def test_throttled_work_waits_longer_than_a_creation_that_aws_allows_every_30_seconds(attempts: int) -> None:
    assert 30 <= when_throttled().delay(attempts) <= 900
