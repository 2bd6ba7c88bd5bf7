from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from auto_lambda import drops, keys
from auto_lambda.aws.s3 import Head, ObjectMissing, ObjectStore
from auto_lambda.receipts import Receipt

BUCKET = "uploads"
SHOP = keys.App("dev", "shop")


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[ObjectStore]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket=BUCKET)
        client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        yield ObjectStore(client)


@pytest.fixture
def zip_path(tmp_path: Path) -> Path:
    path = tmp_path / "shop.zip"
    path.write_bytes(b"a zip, for all that the bucket knows")
    return path


def put_receipt(store: ObjectStore, dropped: drops.Drop, status: str, **more: Any) -> None:
    fields = {"status": status, "step": None, "upload": {"version": dropped.version}, **more}
    store.put(BUCKET, keys.receipt_key(dropped.key), json.dumps(fields).encode(), "application/json")


class Time:
    """A clock that only sleeping moves, and what happens meanwhile."""

    def __init__(self, *happenings: Callable[[], None]) -> None:
        self.now = 0.0
        self.happenings = list(happenings)

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += max(seconds, 0.001)
        if self.happenings:
            self.happenings.pop(0)()


def followed(store: ObjectStore, dropped: drops.Drop, time: Time, timeout: float = 100) -> list[str]:
    states = drops.follow(store, dropped, timeout=timeout, sleep=time.sleep, clock=time.clock)
    return [receipt.status for receipt in states]


def test_a_drop_is_known_by_the_version_that_it_became(store: ObjectStore, zip_path: Path) -> None:
    told: list[int] = []
    dropped = drops.drop(store, BUCKET, SHOP, zip_path, told.append)
    assert dropped.version == store.head(BUCKET, "apps/dev/shop.zip").version
    assert sum(told) == dropped.size == zip_path.stat().st_size


def test_each_state_is_told_once_until_it_is_live(store: ObjectStore, zip_path: Path) -> None:
    dropped = drops.drop(store, BUCKET, SHOP, zip_path)
    time = Time(
        lambda: put_receipt(store, dropped, "building", step="build"),
        lambda: None,
        lambda: put_receipt(store, dropped, "deploying", step="deploy"),
        lambda: put_receipt(store, dropped, "live", url="https://x"),
    )
    assert followed(store, dropped, time) == ["building", "deploying", "live"]


def test_the_receipt_of_an_earlier_version_is_not_ours(store: ObjectStore, zip_path: Path) -> None:
    earlier = drops.drop(store, BUCKET, SHOP, zip_path)
    put_receipt(store, earlier, "live")
    later = drops.drop(store, BUCKET, SHOP, zip_path)
    assert followed(store, later, Time(lambda: None, lambda: put_receipt(store, later, "failed"))) == ["failed"]


def test_who_is_overtaken_before_the_first_receipt_is_told_so(store: ObjectStore, zip_path: Path) -> None:
    ours = drops.drop(store, BUCKET, SHOP, zip_path)
    theirs = drops.drop(store, BUCKET, SHOP, zip_path)
    assert followed(store, ours, Time(lambda: put_receipt(store, theirs, "building"))) == ["superseded"]


def test_delayed_is_no_end(store: ObjectStore, zip_path: Path) -> None:
    dropped = drops.drop(store, BUCKET, SHOP, zip_path)
    put_receipt(store, dropped, "delayed")
    assert followed(store, dropped, Time(lambda: put_receipt(store, dropped, "live"))) == ["delayed", "live"]


def test_waiting_ends_in_time(store: ObjectStore, zip_path: Path) -> None:
    dropped = drops.drop(store, BUCKET, SHOP, zip_path)
    time = Time()
    with pytest.raises(drops.TimedOut, match="dev/shop was not live after 30 s"):
        followed(store, dropped, time, timeout=30)
    assert time.now == pytest.approx(30, abs=0.1)


def test_without_versions_the_content_tells_whose_receipt_it_is() -> None:
    dropped = drops.Drop(SHOP, BUCKET, SHOP.key, None, "abc", 1)
    assert drops.tells_of(Receipt.from_json({"upload": {"sha256": "abc"}}), dropped)
    assert not drops.tells_of(Receipt.from_json({"upload": {"sha256": "def", "version": None}}), dropped)
    assert not drops.tells_of(Receipt.from_json({}), dropped)


def test_every_zip_is_listed_with_its_receipt_and_every_receipt_without_a_zip_too(
    store: ObjectStore, zip_path: Path
) -> None:
    shop = drops.drop(store, BUCKET, SHOP, zip_path)
    put_receipt(store, shop, "live")
    drops.drop(store, BUCKET, keys.App("prod", "new"), zip_path)
    gone = drops.Drop(keys.App("dev", "gone"), BUCKET, "apps/dev/gone.zip", "1", "", 0)
    put_receipt(store, gone, "failed")
    store.put(BUCKET, "apps/dev/shop.log", b"lines", "text/plain")
    found = {key: receipt.status if receipt else None for key, receipt, _ in drops.every(store, BUCKET)}
    assert found == {"apps/dev/gone.zip": "failed", "apps/dev/shop.zip": "live", "apps/prod/new.zip": None}


def test_what_somebody_wrote_in_a_receipt_s_place_ends_no_list(store: ObjectStore, zip_path: Path) -> None:
    shop = drops.drop(store, BUCKET, SHOP, zip_path)
    put_receipt(store, shop, "live")
    store.put(BUCKET, "apps/dev/odd.receipt.json", b"[" * 100_000, "application/json")
    found = {key: receipt.status if receipt else None for key, receipt, _ in drops.every(store, BUCKET)}
    assert found == {"apps/dev/odd.zip": None, "apps/dev/shop.zip": "live"}


def test_an_earlier_zip_dropped_again_is_the_newest_version_and_asks_for_its_release(
    store: ObjectStore, zip_path: Path
) -> None:
    first = drops.drop(store, BUCKET, SHOP, zip_path)
    zip_path.write_bytes(b"another zip")
    drops.drop(store, BUCKET, SHOP, zip_path)
    assert first.version
    dropped = drops.again(store, BUCKET, SHOP, first.version)
    newest = store.head(BUCKET, SHOP.key)
    assert newest.version == dropped.version not in (None, first.version)
    assert (newest.size, newest.metadata) == (first.size, {keys.ROLLBACK: first.version})
    assert store.get(BUCKET, SHOP.key) == b"a zip, for all that the bucket knows"


def test_a_version_that_is_not_there_is_no_drop(store: ObjectStore, zip_path: Path) -> None:
    drops.drop(store, BUCKET, SHOP, zip_path)
    with pytest.raises(ObjectMissing):
        drops.again(store, BUCKET, SHOP, "3HL4kqtJlcpXroDTDmJrmSpXd3dIbrHY")


def test_of_the_two_keys_of_the_default_stage_the_one_worked_on_last_counts(store: ObjectStore) -> None:
    def told(key: str, status: str, second: int) -> None:
        dropped = drops.Drop(SHOP, BUCKET, key, "1", None, 0)
        put_receipt(store, dropped, status, updated=f"2026-01-02T03:04:0{second}.000+00:00")

    assert drops.latest(store, BUCKET, SHOP) == (SHOP.key, None)
    told("apps/shop.zip", "live", 5)
    assert drops.latest(store, BUCKET, SHOP)[0] == "apps/shop.zip"
    told(SHOP.key, "failed", 6)
    key, receipt = drops.latest(store, BUCKET, SHOP)
    assert (key, receipt and receipt.status) == (SHOP.key, "failed")


def test_a_removal_is_followed_until_the_app_is_gone(store: ObjectStore, zip_path: Path) -> None:
    drops.drop(store, BUCKET, SHOP, zip_path)
    store.upload(BUCKET, "apps/shop.zip", zip_path)
    removed = drops.remove(store, BUCKET, SHOP, SHOP.key)
    assert not store.exists(BUCKET, SHOP.key)
    assert not store.exists(BUCKET, "apps/shop.zip")
    put_receipt(store, drops.Drop(SHOP, BUCKET, SHOP.key, "1", None, 1), "live", serving={"version": "1"})
    time = Time(
        lambda: put_receipt(store, removed, "deploying", serving={"version": "1"}),
        lambda: put_receipt(store, removed, "superseded", serving=None),
    )
    assert followed(store, removed, time) == ["deploying", "superseded"]


def test_a_removal_that_was_found_later_has_no_version(store: ObjectStore) -> None:
    removed = drops.Drop(SHOP, BUCKET, SHOP.key, "marker", None, 0, removed=True)
    no_version = {"upload": {"version": None}, "status": "superseded"}
    assert drops.tells_of(Receipt.from_json({**no_version, "serving": None}), removed)
    assert not drops.tells_of(Receipt.from_json({**no_version, "serving": {"version": "1"}}), removed)


def test_a_zip_dropped_after_the_removal_ends_the_wait(store: ObjectStore, zip_path: Path) -> None:
    removed = drops.remove(store, BUCKET, SHOP, drops.drop(store, BUCKET, SHOP, zip_path).key)
    put_receipt(store, drops.drop(store, BUCKET, SHOP, zip_path), "live", serving={"version": "1"})
    (receipt,) = drops.follow(store, removed, timeout=9, sleep=Time().sleep)
    assert (receipt.status, receipt.undeployed) == ("superseded", False)


def test_an_earlier_zip_is_dropped_again_under_its_own_key_and_keeps_what_its_uploader_said_of_it(
    store: ObjectStore, zip_path: Path
) -> None:
    client = boto3.client("s3", region_name="us-east-1")
    short = client.put_object(Bucket=BUCKET, Key="apps/shop.zip", Body=b"1", Metadata={"commit": "abc"})["VersionId"]
    drops.drop(store, BUCKET, SHOP, zip_path)
    dropped = drops.again(store, BUCKET, SHOP, short)
    assert (dropped.key, dropped.size) == ("apps/shop.zip", 1)
    assert store.head(BUCKET, "apps/shop.zip").metadata == {"commit": "abc", keys.ROLLBACK: short}


def test_a_zip_waits_until_it_has_its_receipt(store: ObjectStore, zip_path: Path) -> None:
    assert drops.waiting(store, BUCKET, SHOP) is None
    dropped = drops.drop(store, BUCKET, SHOP, zip_path)
    assert drops.waiting(store, BUCKET, SHOP) == SHOP.key
    put_receipt(store, dropped, "building")
    assert drops.waiting(store, BUCKET, SHOP) is None
    drops.drop(store, BUCKET, SHOP, zip_path)
    assert drops.waiting(store, BUCKET, SHOP) == SHOP.key
    drops.remove(store, BUCKET, SHOP, SHOP.key)
    assert drops.waiting(store, BUCKET, SHOP) is None


class OnlyItsOwnFolder(ObjectStore):
    """A bucket for somebody whose rights end at ``apps/dev/``."""

    def _check(self, key: str) -> None:
        if not key.startswith("apps/dev/"):
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "GetObject")

    def head(self, bucket: str, key: str, version: str | None = None) -> Head:
        self._check(key)
        return super().head(bucket, key, version)

    def get_start(self, bucket: str, key: str, at_most: int) -> bytes:
        self._check(key)
        return super().get_start(bucket, key, at_most)


def test_rights_on_one_of_the_two_keys_are_enough(store: ObjectStore, zip_path: Path) -> None:
    own = OnlyItsOwnFolder(boto3.client("s3", region_name="us-east-1"))
    dropped = drops.drop(own, BUCKET, SHOP, zip_path)
    assert dropped.version
    assert drops.latest(own, BUCKET, SHOP) == (SHOP.key, None)
    assert drops.waiting(own, BUCKET, SHOP) == SHOP.key
    assert drops.again(own, BUCKET, SHOP, dropped.version).key == SHOP.key
    assert drops.remove(own, BUCKET, SHOP, SHOP.key).removed


def test_no_rights_at_all_are_told(store: ObjectStore) -> None:
    own = OnlyItsOwnFolder(boto3.client("s3", region_name="us-east-1"))
    with pytest.raises(ClientError):
        drops.latest(own, BUCKET, keys.App("prod", "shop"))


@pytest.mark.parametrize("version", ["624ce092-...", "marker"])
def test_a_text_that_names_no_zip_is_missing(store: ObjectStore, zip_path: Path, version: str) -> None:
    drops.drop(store, BUCKET, SHOP, zip_path)
    if version == "marker":
        version = str(store.delete(BUCKET, SHOP.key))
    with pytest.raises(ObjectMissing):
        drops.again(store, BUCKET, SHOP, version)


class Dated(ObjectStore):
    """A bucket whose zip under the short key was put there so many seconds after the other."""

    seconds = 0

    def head(self, bucket: str, key: str, version: str | None = None) -> Head:
        later = timedelta(seconds=self.seconds if key == "apps/shop.zip" else 0)
        return replace(super().head(bucket, key, version), modified=datetime(2026, 1, 2, tzinfo=UTC) + later)


@pytest.mark.parametrize(("seconds", "waits"), [(-5, None), (5, "apps/shop.zip")])
def test_an_older_zip_under_the_other_key_waits_for_nothing(
    store: ObjectStore, zip_path: Path, seconds: int, waits: str | None
) -> None:
    client = boto3.client("s3", region_name="us-east-1")
    dated = Dated(client)
    dated.seconds = seconds
    client.put_object(Bucket=BUCKET, Key="apps/shop.zip", Body=b"other")
    dropped = drops.drop(dated, BUCKET, SHOP, zip_path)
    put_receipt(dated, dropped, "live", serving={"version": "1", "upload": dropped.version})
    assert drops.waiting(dated, BUCKET, SHOP) == waits


class ListedInOrder(ObjectStore):
    """A bucket whose objects were put there a minute apart, in the order of ``keys``."""

    keys: Sequence[str] = ()

    def list(self, bucket: str, prefix: str = "") -> Iterator[Head]:
        for head in super().list(bucket, prefix):
            minutes = timedelta(minutes=self.keys.index(head.key))
            yield replace(head, modified=datetime(2026, 1, 2, tzinfo=UTC) + minutes)


@pytest.mark.parametrize(("newer", "status"), [("receipt", "failed"), ("zip", "queued")])
def test_a_zip_that_is_newer_than_its_receipt_is_queued_beside_what_is_live(
    store: ObjectStore, zip_path: Path, newer: str, status: str
) -> None:
    ordered = ListedInOrder(boto3.client("s3", region_name="us-east-1"))
    objects = [SHOP.key, keys.receipt_key(SHOP.key)]
    ordered.keys = objects if newer == "receipt" else objects[::-1]
    dropped = drops.drop(ordered, BUCKET, SHOP, zip_path)
    error = {"code": "bad-config", "message": "line 3", "hint": "mend it"}
    put_receipt(ordered, dropped, "failed", error=error, serving={"url": "https://x", "version": "1", "upload": "v0"})
    ((key, receipt, is_there),) = drops.every(ordered, BUCKET)
    assert receipt
    assert (key, receipt.status, is_there) == (SHOP.key, status, True)
    assert (receipt.error is None) == (newer == "zip")
    assert receipt.live
    assert receipt.live.url == "https://x"


def test_silence_is_told_at_each_look_that_finds_nothing(store: ObjectStore, zip_path: Path) -> None:
    dropped = drops.drop(store, BUCKET, SHOP, zip_path)
    told: list[tuple[str | None, float]] = []

    def silent(receipt: Receipt | None, seconds: float) -> None:
        told.append((receipt.status if receipt else None, seconds))

    time = Time(
        lambda: None,
        lambda: put_receipt(store, dropped, "building", step="build"),
        lambda: None,
        lambda: put_receipt(store, dropped, "live"),
    )
    states = drops.follow(store, dropped, timeout=100, sleep=time.sleep, clock=time.clock, silent=silent)
    assert [receipt.status for receipt in states] == ["building", "live"]
    assert [status for status, _ in told] == [None, None, "building"]
    assert 0 == told[0][1] < told[1][1]
    assert told[2][1] == pytest.approx(0.1)


def test_a_key_that_may_not_be_looked_at_is_told(store: ObjectStore, zip_path: Path) -> None:
    own, told = OnlyItsOwnFolder(boto3.client("s3", region_name="us-east-1")), list[str]()
    drops.drop(own, BUCKET, SHOP, zip_path)
    drops.remove(own, BUCKET, SHOP, SHOP.key, told.append)
    assert told == ["apps/shop.zip"]


def test_receipts_that_may_not_be_read_are_left_out_of_the_list_and_told(store: ObjectStore, zip_path: Path) -> None:
    put_receipt(store, drops.drop(store, BUCKET, SHOP, zip_path), "live")
    put_receipt(store, drops.drop(store, BUCKET, keys.App("prod", "bank"), zip_path), "live")
    own, told = OnlyItsOwnFolder(boto3.client("s3", region_name="us-east-1")), list[str]()
    assert [key for key, *_ in drops.every(own, BUCKET, unseen=told.append)] == [SHOP.key]
    assert told == ["apps/prod/bank.zip"]


def test_only_keys_with_a_prefix_are_listed(store: ObjectStore, zip_path: Path) -> None:
    for app in (SHOP, keys.App("prod", "shop"), keys.App("prod", "bank")):
        drops.drop(store, BUCKET, app, zip_path)
    assert [key for key, *_ in drops.every(store, BUCKET, "prod/s")] == ["apps/prod/shop.zip"]


class WithoutListBucket(ObjectStore):
    """S3 for somebody without ``s3:ListBucket``: what is missing is forbidden."""

    def get_start(self, bucket: str, key: str, at_most: int) -> bytes:
        try:
            return super().get_start(bucket, key, at_most)
        except ObjectMissing:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "GetObject") from None


def test_a_first_drop_is_followed_without_permission_to_list(store: ObjectStore, zip_path: Path) -> None:
    own, told = WithoutListBucket(boto3.client("s3", region_name="us-east-1")), list[ClientError]()
    dropped = drops.drop(own, BUCKET, SHOP, zip_path)
    time = Time(lambda: None, lambda: put_receipt(store, dropped, "live"))
    seen = list(drops.follow(own, dropped, timeout=99, sleep=time.sleep, clock=time.clock, refused=told.append))
    assert ([receipt.status for receipt in seen], len(told)) == (["live"], 2)


def test_whoever_may_only_write_has_dropped_all_the_same(store: ObjectStore, zip_path: Path) -> None:
    bank = keys.App("prod", "bank")
    own, told = OnlyItsOwnFolder(boto3.client("s3", region_name="us-east-1")), list[ClientError]()
    dropped = drops.drop(own, BUCKET, bank, zip_path)
    assert (store.exists(BUCKET, bank.key), dropped.version, dropped.size) == (True, None, zip_path.stat().st_size)
    time = Time()
    with pytest.raises(drops.TimedOut):
        list(drops.follow(own, dropped, timeout=9, sleep=time.sleep, clock=time.clock, refused=told.append))
    assert told


@pytest.mark.parametrize(
    ("key", "whose"),
    [("apps/prod/shop.zip", ("shop", "prod")), ("apps/shop.zip", ("shop", "dev")), ("apps/Bad Key.zip", (None, None))],
)
def test_the_key_says_whose_a_receipt_is(store: ObjectStore, key: str, whose: tuple[str | None, str | None]) -> None:
    forged = {"status": "live", "app": "victim", "stage": "prod", "url": "https://evil.example"}
    store.put(BUCKET, keys.receipt_key(key), json.dumps(forged).encode(), "application/json")
    receipt = drops.read(store, BUCKET, key)
    assert receipt
    assert (receipt.app, receipt.stage) == whose
    stored = receipt.stored or {}
    assert (stored.get("app"), stored.get("stage")) == whose


def test_of_a_receipt_without_end_no_more_is_read_than_a_receipt_has(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("auto_lambda.drops.MAX_BYTES", 1000)
    for size, known in ((900, True), (1100, False)):
        text = json.dumps({"status": "live", "url": "x" * size})
        store.put(BUCKET, keys.receipt_key(SHOP.key), text.encode(), "application/json")
        assert (drops.read(store, BUCKET, SHOP.key) is not None) == known
