"""The one schema of an attempt, as it lies in the table."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from auto_lambda.attempts import HISTORY_DAYS, Attempt
from auto_lambda.aws.dynamodb import Item
from auto_lambda.keys import App
from auto_lambda.model import Dropper

NOON = datetime(2026, 1, 2, 12, 0, 0, 5000, tzinfo=UTC)
SHOP = App("dev", "shop")
BEGUN = Attempt("apps/dev/shop.zip", "v1", "w", 2, NOON)
ENDED = replace(
    BEGUN, sent=NOON - timedelta(seconds=3), ended=NOON + timedelta(seconds=9), outcome="live", step="verify",
    template_key="bundles/1.json", function_version="7", timings={"fetch": 1.0, "build": 2.5}, rollback="v0",
    by=Dropper("AWS:AIDA1", "192.0.2.7"),
)  # fmt: skip


@pytest.mark.parametrize("attempt", [replace(BEGUN, timings={}), ENDED, replace(ENDED, object_version=None)])
def test_what_is_stored_is_read_as_it_was(attempt: Attempt) -> None:
    assert Attempt.of(attempt.put(SHOP, 7).item) == attempt


def test_the_attributes_of_the_table() -> None:
    item = ENDED.put(SHOP, 7).item
    assert {name: value for name, value in item.items() if value is not None} == {
        "pk": "history#dev/shop", "sk": "2026-01-02T12:00:00.005000+00:00#000000000007", "recent": "attempts",
        "expires": int((NOON + timedelta(days=HISTORY_DAYS)).timestamp()), "key": "apps/dev/shop.zip",
        "object_version": "v1", "worker": "w", "number": 2, "started": "2026-01-02T12:00:00.005000+00:00",
        "sent": "2026-01-02T11:59:57.005000+00:00", "ended": "2026-01-02T12:00:09.005000+00:00", "outcome": "live",
        "step": "verify", "template_key": "bundles/1.json", "function_version": "7", "seconds_fetch": 1.0,
        "seconds_build": 2.5, "rollback": "v0", "by_principal": "AWS:AIDA1", "by_address": "192.0.2.7",
    }  # fmt: skip


def test_an_item_of_the_index_has_no_worker() -> None:
    item: Item = {"key": "apps/shop.zip", "started": NOON.isoformat(), "number": 1, "outcome": "delayed"}
    assert Attempt.of(item) == Attempt("apps/shop.zip", None, None, 1, NOON, outcome="delayed", timings={})
