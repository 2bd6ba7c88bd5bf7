"""Which uploads ask for work: duplicates and older versions do not, in whatever order they come."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto import mock_aws
from tables import create_ledger

from auto_lambda.attempts import Attempt
from auto_lambda.aws.dynamodb import SCHEMA, Delete, Put, Refused, Table, Unanswered
from auto_lambda.aws.s3 import Head
from auto_lambda.keys import App
from worker.model import Upload
from worker.records.lease import Lost
from worker.records.ledger import AppRecord, FailedUpload, Ledger, LiveRelease, decide, put_failed, put_live

SHOP = App("dev", "shop")
KEY = "apps/dev/shop.zip"
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def upload(version: str | None = "v2", sequencer: str | None = None, key: str = KEY) -> Upload:
    return Upload(SHOP, "drops", key, version, sequencer)


def live(
    version: str | None = "v1", sequencer: str | None = None, key: str = KEY, modified: datetime = NOON
) -> LiveRelease:
    return LiveRelease(
        key, version, sequencer, modified.isoformat(), "ab" * 32, "chalice", "bundles/1.json", "shop-dev", "7",
        "https://shop.example/", NOON.isoformat(),
    )  # fmt: skip


def failed(version: str | None = "v1", sequencer: str | None = None) -> FailedUpload:
    return FailedUpload(KEY, version, sequencer, "no-framework", NOON.isoformat())


def newest(version: str | None, modified: datetime = NOON) -> Head:
    return Head(KEY, 1, version, modified)


def never(_: Upload) -> Head:
    raise AssertionError("S3 was asked without need")


def test_the_first_upload_of_an_app_is_work() -> None:
    claim = decide(upload("v1"), AppRecord(), lambda _: newest("v1"))
    assert (claim.decision, claim.upload.version, claim.modified) == ("go", "v1", NOON.isoformat())


def test_a_newer_version_than_what_is_live_is_work() -> None:
    assert decide(upload("v2"), AppRecord(live("v1")), lambda _: newest("v2")).decision == "go"


def test_a_duplicate_of_what_is_live_is_answered_without_asking_s3() -> None:
    assert decide(upload("v1"), AppRecord(live("v1")), never).decision == "answered"


def test_a_duplicate_of_what_failed_by_the_uploaders_fault_is_answered() -> None:
    assert decide(upload("v1"), AppRecord(failed=failed("v1")), never).decision == "answered"


def test_known_bug_9_an_event_that_comes_late_does_not_overwrite_a_newer_zip() -> None:
    record = AppRecord(live("v2", sequencer="0055AED6DCD90281E6"))
    assert decide(upload("v1", "0055AED6DCD90281E5"), record, never).decision == "superseded"


def test_a_removal_is_about_what_is_there_now() -> None:
    gone = replace(upload("v2", "0055A"), removed=True)
    back = decide(gone, AppRecord(live("v2", "0055A")), lambda _: newest("v1"), undeploys=True)
    assert (back.decision, back.upload.version, back.upload.removed) == ("go", "v1", False)
    assert decide(gone, AppRecord(), lambda _: newest("v1"), undeploys=True).decision == "go"
    assert decide(gone, AppRecord(live("v3")), lambda _: newest("v3"), undeploys=True).decision == "answered"
    assert decide(gone, AppRecord(failed=failed("v1")), lambda _: newest("v1"), undeploys=True).decision == "answered"


def test_an_unversioned_bucket_announces_what_is_there_itself() -> None:
    gone = replace(upload(None, "0055A"), removed=True)
    assert decide(gone, AppRecord(live(None, "0055A")), lambda _: newest(None), undeploys=True).decision == "superseded"


def test_known_bug_9_sequencers_are_compared_padded_to_one_length() -> None:
    record = AppRecord(live("v2", sequencer="0055B"))
    assert decide(upload("v1", "0055AFFFFF"), record, never).decision == "superseded"
    assert decide(upload("v3", "0055b1"), record, lambda _: newest("v3")).decision == "go"


def test_without_sequencers_the_version_that_s3_calls_newest_wins() -> None:
    assert decide(upload("v1"), AppRecord(live("v0")), lambda _: newest("v2")).decision == "superseded"


def test_an_event_without_a_version_gets_the_newest_one() -> None:
    claim = decide(upload(None), AppRecord(live("v1")), lambda _: newest("v2"))
    assert (claim.decision, claim.upload.version) == ("go", "v2")
    assert decide(upload(None), AppRecord(live("v2")), lambda _: newest("v2")).decision == "answered"


def test_a_deleted_object_is_left_to_the_fetch_to_tell() -> None:
    assert decide(upload("v1"), AppRecord(), lambda _: None).decision == "go"


def test_on_an_unversioned_bucket_repeated_events_are_known_by_their_sequencer() -> None:
    record = AppRecord(live(None, sequencer="00A1"))
    assert decide(upload(None, "00A1"), record, never).decision == "answered"
    assert decide(upload(None, "00A2"), record, lambda _: newest(None)).decision == "go"


def test_without_version_and_sequencer_nothing_counts_as_a_duplicate() -> None:
    assert decide(upload(None), AppRecord(live(None)), lambda _: newest(None)).decision == "go"


def test_between_the_two_keys_of_one_app_the_later_object_wins() -> None:
    record = AppRecord(live("v1", key="apps/shop.zip", modified=NOON))
    earlier, later = NOON - timedelta(minutes=1), NOON + timedelta(minutes=1)
    assert decide(upload("w1"), record, lambda _: newest("w1", earlier)).decision == "superseded"
    assert decide(upload("w1"), record, lambda _: newest("w1", later)).decision == "go"


@given(st.lists(st.integers(min_value=0, max_value=5), min_size=1, max_size=20))
def test_whatever_the_order_of_events_the_newest_version_ends_live(order: list[int]) -> None:
    """Each upload's event comes at least once, the newest's too; the bucket holds them all from the start."""
    last = max(order)
    record = AppRecord()
    for number in order:
        claim = decide(upload(f"v{number}", f"{number:04X}"), record, lambda _: newest(f"v{last}"))
        if claim.decision == "go":
            record = replace(record, live=live(claim.upload.version, claim.upload.sequencer))
    assert record.live is not None
    assert record.live.object_version == f"v{last}"


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Iterator[Table]:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        client = boto3.client("dynamodb", region_name="eu-west-1")
        create_ledger(client)
        yield Table(client, "ledger")


@pytest.fixture
def ledger(table: Table) -> Ledger:
    return Ledger(table)


def attempt(started: datetime = NOON) -> Attempt:
    return Attempt(KEY, "v1", "w", 1, started, outcome="live", timings={"build": 1.5})


def test_an_unknown_app_has_an_empty_record(ledger: Ledger) -> None:
    assert ledger.record(SHOP) == AppRecord()


@pytest.mark.parametrize("entry", [live("v1", "00"), replace(live(None), url=None, modified=None)])
def test_what_is_live_is_remembered_whole(ledger: Ledger, table: Table, entry: LiveRelease) -> None:
    table.write(put_live(SHOP, entry))
    assert ledger.record(SHOP) == AppRecord(live=entry)
    assert ledger.record(App("prod", "shop")) == AppRecord()


def test_a_failure_does_not_forget_what_is_live(ledger: Ledger, table: Table) -> None:
    table.write(put_live(SHOP, live("v1")))
    table.write(put_failed(SHOP, failed("v2")))
    assert ledger.record(SHOP) == AppRecord(live("v1"), failed("v2"))


def test_the_answers_of_many_apps_come_in_one_reading(ledger: Ledger, table: Table) -> None:
    apps = [App("dev", f"app-{number}") for number in range(60)]  # more than one call of DynamoDB's can answer
    table.write(put_live(apps[0], live("v1")))
    table.write(put_failed(apps[0], failed("v2")))
    table.write(put_live(apps[59], live("v3")))
    answers = ledger.answers(apps)
    assert answers == {**dict.fromkeys(apps, AppRecord()), apps[0]: AppRecord(live("v1"), failed("v2")),
                       apps[59]: AppRecord(live("v3"))}  # fmt: skip


def test_no_answers_are_read_for_no_apps(ledger: Ledger) -> None:
    assert ledger.answers([]) == {}


def test_half_an_answer_is_none() -> None:
    class Busy:
        def batch_get_item(self, **_: object) -> object:
            return {"Responses": {"ledger": []}, "UnprocessedKeys": {"ledger": {"Keys": [{"pk": {"S": "a"}}]}}}

    with pytest.raises(Unanswered):
        Ledger(Table(Busy(), "ledger")).answers([SHOP])  # type: ignore[arg-type]


def test_a_claim_is_refused_while_another_lasts_and_the_fence_outlives_it(ledger: Ledger) -> None:
    first = ledger.claim(attempt(), upload(), AppRecord(), owner="a")
    assert first
    assert ledger.claim(attempt(), upload(), ledger.record(SHOP), owner="b") is None
    assert ledger.claim(attempt(), upload(), AppRecord(), owner="b") is None  # decided on what it saw before
    first.finish()
    second = ledger.claim(attempt(), upload(), ledger.record(SHOP), owner="b")
    assert second
    assert second.fence == first.fence + 1


def test_whoever_lost_the_lease_can_store_nothing(table: Table) -> None:
    late = Ledger(table, now=lambda: 1e9 + 200)
    first = Ledger(table, now=lambda: 1e9).claim(attempt(), upload(), AppRecord(), owner="a")
    second = late.claim(attempt(), upload(), late.record(SHOP), owner="b")
    assert first
    assert second
    assert second.crashes == 1
    with pytest.raises(Lost):
        first.finish(put_live(SHOP, live("v1")))
    with pytest.raises(Lost):
        first.renew()
    assert late.record(SHOP).live is None
    second.finish(put_live(SHOP, live("v2")))
    assert late.record(SHOP).live == live("v2")


def test_a_renewal_that_came_in_time_keeps_others_out(table: Table) -> None:
    seconds = [1e9]
    ledger = Ledger(table, now=lambda: seconds[0])
    hold = ledger.claim(attempt(), upload(), AppRecord(), owner="a")
    assert hold
    seen = ledger.record(SHOP)
    seconds[0] += 100
    hold.renew()
    seconds[0] += 100
    assert ledger.claim(attempt(), upload(), seen, owner="b") is None
    assert ledger.claim(attempt(), upload(), ledger.record(SHOP), owner="b") is None


def test_the_history_comes_newest_first_and_has_an_expiry(ledger: Ledger, table: Table) -> None:
    for hours in range(3):
        table.write(attempt(NOON + timedelta(hours=hours)).put(SHOP, hours))
    assert [it.started.hour for it in ledger.history(SHOP, 2)] == [14, 13]
    assert ledger.history(SHOP, 1)[0].timings == {"build": 1.5}
    (item, *_) = table.items("history#dev/shop")
    assert item["expires"] == int((NOON + timedelta(days=90)).timestamp())


def test_a_duty_of_the_fleet_is_done_once(ledger: Ledger) -> None:
    duty = ledger.duty("reconcile", owner="a", every=3600)
    assert duty
    assert ledger.duty("reconcile", owner="b", every=3600) is None
    duty.complete()
    assert ledger.duty("reconcile", owner="b", every=3600) is None
    assert ledger.duty("reconcile", owner="b", every=0)


def test_an_expectation_that_does_not_hold_writes_nothing_at_all(table: Table) -> None:
    table.write(Put({"pk": "a", "sk": "1", "n": 1}))
    with pytest.raises(Refused):
        table.write(Put({"pk": "b", "sk": "1"}), Put({"pk": "a", "sk": "1", "n": 3}, {"n": 2}))
    assert list(table.items("b")) == []
    table.write(Put({"pk": "a", "sk": "1", "n": 3, "x": 1.25}, {"n": 1, "gone": None}), Delete("b", "1"))
    assert list(table.items("a")) == [{"pk": "a", "sk": "1", "n": 3, "x": 1.25, "schema": SCHEMA}]


def test_a_deletion_may_expect_something(table: Table) -> None:
    table.write(Put({"pk": "a", "sk": "b", "when": "noon"}))
    with pytest.raises(Refused):
        table.write(Delete("a", "b", {"when": "midnight"}))
    table.write(Delete("a", "b", {"when": "noon"}))
    assert list(table.items("a")) == []


def test_everything_but_one_kind_of_item(table: Table) -> None:
    for pk in ("app#1", "history#1", "releases#1"):
        table.write(Put({"pk": pk, "sk": "x"}))
    assert {item["pk"] for item in table.others("history#")} == {"app#1", "releases#1"}
