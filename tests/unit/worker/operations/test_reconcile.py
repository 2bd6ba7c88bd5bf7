"""What S3 never announced is found by comparing bucket and ledger, once for the whole fleet."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tables import FakeTable

from auto_lambda.attempts import Attempt
from auto_lambda.aws.s3 import Head, ObjectMissing
from auto_lambda.keys import App
from worker.model import Upload
from worker.operations.reconcile import GRACE, Reconciler
from worker.records.ledger import FailedUpload, Ledger, LiveRelease, delete_live, put_failed, put_live

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
SHOP, KEY = App("dev", "shop"), "apps/dev/shop.zip"


@dataclass
class World:
    """A bucket (keys with version and age), a table, and what was announced."""

    objects: dict[str, tuple[str, timedelta]] = field(default_factory=dict)
    table: FakeTable = field(default_factory=FakeTable)
    announced: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    hours: float = 0
    fails: bool = False
    vanishing: frozenset[str] = frozenset()

    def list(self, bucket: str, prefix: str) -> Iterator[Head]:
        if self.fails:
            raise OSError("no S3")
        return iter([Head(key, 1, None, self.now() - age) for key, (_, age) in sorted(self.objects.items())])

    def head(self, bucket: str, key: str) -> Head:
        if key in self.vanishing:
            raise ObjectMissing(key)
        version, age = self.objects[key]
        return Head(key, 1, version, self.now() - age)

    def now(self) -> datetime:
        return NOON + timedelta(hours=self.hours)

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.table, now=lambda: self.now().timestamp(), clock=lambda: self.hours * 3600)

    def reconciler(self, worker: str = "w", *, undeploys: bool = False) -> Reconciler:
        return Reconciler(
            self, self.ledger, lambda key, head: self.announced.append(f"{key}@{head.version}"), "drops",  # type: ignore[arg-type]
            worker=worker, now=self.now, announce_removal=self.removed.append if undeploys else None,
        )  # fmt: skip

    def drop(self, key: str = KEY, version: str = "v1", age: timedelta = timedelta(hours=1)) -> None:
        self.objects[key] = (version, age)

    def missed(self) -> Sequence[str]:
        return [f"{key}@{head.version}" for key, head in self.reconciler().missed()]


@pytest.fixture
def world() -> World:
    return World()


def live(version: str = "v1", key: str = KEY, modified: datetime = NOON) -> LiveRelease:
    return LiveRelease(
        key, version, None, modified.isoformat(), "ab", "chalice", "b/1.json", "shop-dev", "1", None, "now"
    )


def test_an_upload_that_nobody_was_told_of_is_announced(world: World) -> None:
    world.drop()
    assert world.reconciler().run() == [KEY]
    assert world.announced == [f"{KEY}@v1"]


@pytest.mark.parametrize("kind", ["live", "failed", "in hand"])
def test_what_has_its_answer_or_was_in_somebodys_hands_was_not_missed(world: World, kind: str) -> None:
    world.drop()
    if kind == "live":
        world.table.write(put_live(SHOP, live()))
    elif kind == "failed":
        world.table.write(put_failed(SHOP, FailedUpload(KEY, "v1", None, "bad-config", "now")))
    else:
        upload = Upload(SHOP, "drops", KEY, "v1")
        attempt = Attempt(KEY, "v1", "other", 1, NOON)
        assert world.ledger.claim(attempt, upload, world.ledger.record(SHOP), owner="other/1")
    assert world.missed() == []


def test_a_newer_version_than_what_is_live_was_missed(world: World) -> None:
    world.drop(version="v2")
    world.table.write(put_live(SHOP, live("v1")))
    assert world.missed() == [f"{KEY}@v2"]


def test_an_announcement_gets_time_to_arrive(world: World) -> None:
    world.drop(age=GRACE - timedelta(seconds=1))
    assert world.missed() == []
    assert [key for key, _ in world.reconciler().missed(timedelta(0))] == [KEY]


def test_what_is_no_upload_is_left_alone(world: World) -> None:
    for key in ("apps/dev/shop.receipt.json", "apps/dev/shop.log", "apps/Not A Name.zip", "apps/a/b/c.zip"):
        world.drop(key)
    assert world.missed() == []


def test_an_older_zip_under_the_apps_other_key_was_not_missed(world: World) -> None:
    world.drop("apps/shop.zip", age=timedelta(hours=2))
    world.table.write(put_live(SHOP, live(modified=NOON - timedelta(hours=1))))
    assert world.missed() == []


def test_a_zip_that_vanishes_while_we_look_is_passed_over(world: World) -> None:
    world.drop()
    world.vanishing = frozenset({KEY})
    assert world.missed() == []


# ------------------------------------------------------------------------------------------------------- deletions


def deleted(world: World) -> list[str]:
    world.drop("apps/dev/shop.receipt.json")
    return world.reconciler(undeploys=True).run()


def test_a_deletion_that_nobody_was_told_of_is_announced_where_it_counts(world: World) -> None:
    world.table.write(put_live(SHOP, live()))
    assert deleted(world) == [KEY]
    assert world.removed == [KEY]
    world.removed.clear()
    assert world.reconciler().run() == []
    assert world.removed == []


def test_a_faulty_first_drop_may_have_left_a_stack(world: World) -> None:
    world.table.write(put_failed(SHOP, FailedUpload(KEY, "v1", None, "unhealthy", "now")))
    assert deleted(world) == [KEY]


def test_once_it_is_undeployed_its_deletion_is_settled(world: World) -> None:
    world.table.write(put_live(SHOP, live()), put_failed(SHOP, FailedUpload(KEY, "v0", None, "bad-config", "now")))
    world.table.write(*delete_live(SHOP))
    assert deleted(world) == []


def test_an_app_that_lives_from_its_other_key_is_not_deleted(world: World) -> None:
    world.table.write(put_live(SHOP, live(key="apps/shop.zip")))
    assert deleted(world) == []


def test_a_zip_that_is_there_is_not_deleted(world: World) -> None:
    world.drop()
    world.table.write(put_live(SHOP, live()))
    assert deleted(world) == []


def test_a_receipt_of_a_key_that_names_no_app_is_passed_over(world: World) -> None:
    world.drop("apps/Not A Name.receipt.json")
    assert world.reconciler(undeploys=True).run() == []


# --------------------------------------------------------------------------------------------- once for the fleet


def test_once_in_so_many_hours_for_the_whole_fleet(world: World) -> None:
    world.drop()
    for hours, expected in ((0, 1), (0.1, 1), (3.9, 1), (4.1, 2), (4.2, 2)):
        world.hours = hours
        for worker in ("one", "two"):
            world.reconciler(worker).run_if_due(4)
        assert len(world.announced) == expected, hours


def test_while_one_is_at_it_no_other_begins(world: World) -> None:
    world.drop()
    other = world.reconciler("other")

    def meanwhile(key: str, head: Head) -> None:
        world.announced.append(key)
        other.run_if_due(4)

    Reconciler(world, world.ledger, meanwhile, "drops", worker="one", now=world.now).run_if_due(4)  # type: ignore[arg-type]
    assert world.announced == [KEY]


def test_a_large_bucket_takes_longer_than_a_lease_lasts(world: World) -> None:
    for number in range(20):
        world.drop(f"apps/dev/shop-{number}.zip")

    def slowly(key: str, head: Head) -> None:
        world.announced.append(key)
        world.hours += 30 / 3600
        world.reconciler("other").run_if_due(4)

    Reconciler(world, world.ledger, slowly, "drops", worker="one", now=world.now).run_if_due(4)  # type: ignore[arg-type]
    assert len(world.announced) == 20
    world.reconciler("other").run_if_due(4)
    assert len(world.announced) == 20, "it is done for these hours"


def test_a_failure_leaves_the_duty_to_the_next(world: World) -> None:
    world.drop()
    world.fails = True
    with pytest.raises(OSError, match="no S3"):
        world.reconciler("one").run_if_due(4)
    world.fails = False
    world.reconciler("two").run_if_due(4)
    assert world.announced == [f"{KEY}@v1"]


def test_a_worker_does_it_at_its_start_and_lives_through_failures(world: World) -> None:
    world.drop()
    looked, stop = threading.Event(), threading.Event()

    def announce(*_: Any) -> None:
        looked.set()
        raise OSError("no SQS")

    thread = Reconciler(world, world.ledger, announce, "drops", worker="w", now=world.now).start(4, stop)  # type: ignore[arg-type]
    assert looked.wait(30)
    assert thread.is_alive()
    stop.set()
    thread.join(30)
    assert not thread.is_alive()


def test_zero_hours_mean_never(world: World) -> None:
    world.drop()
    assert not world.reconciler().start(0, threading.Event()).is_alive()
    assert world.announced == []
