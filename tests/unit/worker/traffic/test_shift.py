from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.traffic.shift import Moved, Shift

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
moments = st.datetimes(timezones=st.just(UTC))
moved = st.builds(Moved, st.text(max_size=8), st.text(max_size=3), st.text(max_size=3))


@given(st.builds(Shift, st.lists(moved, max_size=3).map(tuple), st.integers(0, 100), moments, moments))
def test_the_journal_gives_it_back(shift: Shift) -> None:
    assert Shift.of(shift.text()) == shift


def test_it_grows_and_is_over_with_all() -> None:
    begun = Shift.starts((Moved("shop-dev", "1", "2"),), NOON)
    grown = begun.grown(10, NOON + timedelta(minutes=1))
    assert (begun.weight, grown.weight, grown.since - grown.began) == (0, 10, timedelta(minutes=1))
    assert not grown.over
    assert grown.grown(100, NOON).over


@pytest.mark.parametrize("text", [None, "", "null", "[]", "{}", '{"moved": 1}', '{"moved": [], "weight": "x"}', "(("])
def test_what_is_none_is_none(text: str | None) -> None:
    assert Shift.of(text) is None
