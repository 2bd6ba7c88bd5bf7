from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auto_lambda.model import Traffic
from auto_lambda.receipts import Receipt

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
TEN = Traffic("canary", 10, NOON, NOON, 10, 600)


def test_a_receipt_tells_it_and_it_is_read_again() -> None:
    text = json.dumps(Receipt("apps/dev/shop.zip", "w", status="deploying", traffic=TEN).as_json())
    read = Receipt.from_text(text)
    assert read.traffic == TEN
    assert read.shifts
    assert str(TEN) == "10 % of the calls since 2026-11-28 12:00:00 UTC (canary, 10 % for 600 s)"


@pytest.mark.parametrize(("weight", "status"), [(0, "deploying"), (100, "deploying"), (10, "live"), (10, "failed")])
def test_it_shifts_only_while_both_get_calls(weight: int, status: Any) -> None:
    traffic = Traffic("linear", weight, NOON, NOON, 10, 60)
    assert not Receipt("apps/dev/shop.zip", "w", status=status, traffic=traffic).shifts


junk = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9) | st.just("\ud800")


@given(st.dictionaries(st.sampled_from(["kind", "weight", "since", "began", "percent", "interval"]), junk))
def test_what_anybody_wrote_there_is_read_or_ignored(fields: dict[str, Any]) -> None:
    found = Traffic.told({**TEN.as_json(), **fields})
    assert found is None or str(found)
