"""What the ledger holds for retention."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from attempt_world import RELEASE
from tables import FakeTable

from auto_lambda.aws.dynamodb import Item, Put
from auto_lambda.keys import App
from worker.records.ledger import Ledger, PastRelease, put_past_release
from worker.records.retention import Due, RetentionRecords, named, put_due

SHOP = App("dev", "shop")
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def table() -> FakeTable:
    return FakeTable()


@pytest.fixture
def records(table: FakeTable) -> RetentionRecords:
    return RetentionRecords(table, "w")


def released(table: FakeTable, number: int) -> list[str]:
    versions = [f"v{one:03d}" for one in range(number)]
    for version in versions:
        table.write(put_past_release(SHOP, version, PastRelease(RELEASE.text(), "v", NOON.isoformat())))
    return versions


def test_an_app_is_due_until_it_is_done(table: FakeTable, records: RetentionRecords) -> None:
    table.write(put_due(SHOP, NOON))
    assert records.due() == [Due(SHOP, NOON)]
    records.done(Due(SHOP, NOON), None)
    assert records.due() == []


def test_an_app_may_be_due_later(table: FakeTable, records: RetentionRecords) -> None:
    table.write(put_due(SHOP, NOON))
    records.done(Due(SHOP, NOON), NOON + HOUR)
    assert records.due() == [Due(SHOP, NOON, NOON + HOUR)]


def test_what_was_deployed_meanwhile_stays_due(table: FakeTable, records: RetentionRecords) -> None:
    for again in (None, NOON + HOUR):
        table.write(put_due(SHOP, NOON + HOUR))
        records.done(Due(SHOP, NOON), again)
        assert records.due() == [Due(SHOP, NOON + HOUR)]


def test_making_an_app_due_leaves_a_later_time_alone(table: FakeTable, records: RetentionRecords) -> None:
    table.write(put_due(SHOP, NOON))
    records.add(SHOP, NOON + HOUR)
    assert records.due() == [Due(SHOP, NOON)]


def test_one_at_a_time_collects_an_app_and_no_upload_waits_for_it(table: FakeTable, records: RetentionRecords) -> None:
    hold = records.claim(SHOP)
    assert hold
    assert records.claim(SHOP) is None
    assert Ledger(table).record(SHOP).lease.owner is None
    hold.release()
    assert records.claim(SHOP)


@pytest.mark.parametrize("number", [0, 1, 200])
def test_what_is_given_up_keeps_its_place_in_the_way_back(
    table: FakeTable, records: RetentionRecords, number: int
) -> None:
    versions = released(table, number)
    table.write(Put({"pk": f"app#{SHOP}", "sk": "lease", "fence": 3, "deaths": 2, "subject": "k@v"}))
    lease = Ledger(table).record(SHOP).lease
    assert records.collect(SHOP, lease, records.releases(SHOP), versions, NOON)
    collected = PastRelease(None, "v", NOON.isoformat(), NOON.isoformat())
    assert records.releases(SHOP) == dict.fromkeys(versions, collected)
    assert Ledger(table).record(SHOP).lease == lease
    assert all(item.get("expires") for (pk, _), item in table.items_.items() if pk.startswith("releases#"))


@pytest.mark.parametrize("change", [{"fence": 4}, {"owner": "somebody", "until": 0.0}])
def test_nothing_is_given_up_once_somebody_has_begun(table: FakeTable, records: RetentionRecords, change: Item) -> None:
    versions = released(table, 2)
    lease: Item = {"pk": f"app#{SHOP}", "sk": "lease", "fence": 3}
    table.write(Put(lease))
    seen = Ledger(table).record(SHOP).lease
    table.write(Put({**lease, **change}))
    assert not records.collect(SHOP, seen, records.releases(SHOP), versions, NOON)
    assert not records.collect(SHOP, replace(seen, owner="somebody"), records.releases(SHOP), versions, NOON)
    assert all(past.release for past in records.releases(SHOP).values())


@pytest.mark.parametrize("text", ["shop", "dev/", "dev/Shop", ""])
def test_what_names_no_app(text: str) -> None:
    assert named(text) is None
