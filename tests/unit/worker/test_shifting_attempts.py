"""An upload whose traffic shifts: nobody holds it between two looks, and whoever looks next knows where it is."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
from attempt_world import APP_ERROR, NOON, RELEASE, SHOP, SHOP_ZIP, World, deliver, fail, upload

from auto_lambda.aws.s3 import Head
from auto_lambda.keys import AT_ONCE, YES
from builder.protocol.traffic import TrafficMessage
from worker.consumer.daemon import Later
from worker.outcome import AttemptOutcome
from worker.pipeline import Task
from worker.traffic.shift import Moved, Shift, ShiftGoesOn

PLAN = TrafficMessage(kind="canary", percent=10, interval=600)
TEN = Shift((Moved("shop-dev", "1", "2"),), 10, NOON, NOON)


@dataclass
class ShiftingWorld(World):
    """A pipeline whose deployment shifts traffic as long as it is told where the shift is."""

    shift: Shift | None = TEN
    seen: list[Shift | None] = field(default_factory=list)
    ended: list[Shift] = field(default_factory=list)
    later: dict[str, timedelta] = field(default_factory=dict)

    def head(self, bucket: str, key: str) -> Head:
        found = super().head(bucket, key)
        return replace(found, modified=found.modified + self.later.get(key, timedelta()))

    def _run(self, task: Task) -> AttemptOutcome:
        self.seen.append(task.shift)
        if self.shift is None:
            return super()._run(task)
        task.guard.traffic = self.shift.text()
        task.report.shifts(PLAN, self.shift)
        if task.shift != self.shift:
            release = replace(RELEASE, object_version=task.upload.version)
            with task.guard.effect_of(release)("traffic"):
                pass
        raise ShiftGoesOn(60, self.shift.weight)

    # The deployer
    def end_shift(self, shift: Shift, log: object) -> None:
        self.ended.append(shift)

    def outcomes(self) -> list[str | None]:
        return [attempt.outcome for attempt in self.ledger.history(SHOP, 20)]

    def look(self, version: str = "v1") -> None:
        self.seconds += 60
        with pytest.raises(Later) as caught:
            deliver(self, upload(version))
        assert caught.value.seconds == 60


@pytest.fixture
def world() -> ShiftingWorld:
    return ShiftingWorld()


def test_it_is_let_go_of_with_a_receipt_that_says_how_far_it_is(world: ShiftingWorld) -> None:
    world.look()
    assert world.record().lease.owner is None
    told = world.receipt
    assert (told["status"], told["traffic"]["weight"], told["traffic"]["kind"]) == ("deploying", 10, "canary")
    assert world.outcomes() == ["shifting"]
    assert world.bus.entries == []


def test_the_next_look_knows_where_it_is_and_leaves_no_trace_if_nothing_is_due(world: ShiftingWorld) -> None:
    for _ in range(3):
        world.look()
    assert world.seen == [None, TEN, TEN]
    assert world.outcomes() == ["shifting"]
    world.shift = TEN.grown(20, NOON + timedelta(seconds=300))
    world.look()
    assert world.outcomes() == ["shifting", "shifting"]


def test_once_it_has_all_it_is_live_as_any_other(world: ShiftingWorld) -> None:
    world.look()
    world.shift = None
    deliver(world, upload())
    assert world.seen == [None, TEN]
    assert world.record().live
    assert world.record().entry is None
    assert world.outcomes() == ["live", "shifting"]


def test_a_newer_zip_ends_the_shift_before_anything_else(world: ShiftingWorld) -> None:
    world.look()
    world.newest[SHOP_ZIP] = "v2"
    world.shift = None
    deliver(world, upload("v2"))
    assert world.ended == [TEN]
    assert world.seen[-1] is None, "its own traffic has not shifted yet"
    deliver(world, upload("v1"))
    assert world.built == ["v2"], "the message of the one before finds that it is superseded"


def test_a_zip_that_takes_all_at_once_leaves_the_share_until_then(world: ShiftingWorld) -> None:
    world.look()
    world.newest[SHOP_ZIP] = "v2"
    world.metadata = {AT_ONCE: YES}
    world.shift = None
    deliver(world, upload("v2"))
    assert world.ended == []


def test_nobody_announces_it_anew_meanwhile(world: ShiftingWorld) -> None:
    world.look()
    assert world.record().accounts_for(upload(), world.head("drops", SHOP_ZIP))
    world.newest[SHOP_ZIP] = "v2"
    assert not world.record().accounts_for(upload("v2"), world.head("drops", SHOP_ZIP))


def test_a_newer_zip_that_fails_goes_back_and_says_that_traffic_was_shifting(world: ShiftingWorld) -> None:
    world.shift, world.templates = None, {"v1": "bundles/v0.json"}
    deliver(world, upload())
    world.newest[SHOP_ZIP], world.shift = "v2", TEN
    world.look("v2")
    world.newest[SHOP_ZIP], world.shift, world.trouble = "v3", None, fail(APP_ERROR)
    deliver(world, upload("v3"))
    assert (world.ended, world.receipt["status"]) == ([TEN], "failed")
    assert "w shifted traffic to another release: rolling back to what was live" in world.logs["apps/dev/shop.log"]


@pytest.mark.parametrize("later", [1, 0])
def test_of_two_zips_under_both_keys_of_an_app_only_the_newer_one_shifts(world: ShiftingWorld, later: int) -> None:
    """Each message would end the other's shift, and begin its own again, for ever."""
    short = replace(upload("v2"), key="apps/shop.zip")
    world.later = {short.key: timedelta(seconds=later)}
    world.newest[short.key] = "v2"
    world.look()
    world.seconds += 60
    with pytest.raises(Later):
        deliver(world, short)
    assert world.ended == [TEN]
    assert world.receipt["status"] == "superseded"
    deliver(world, upload())
    assert world.ended == [TEN]
    world.seconds += 60
    with pytest.raises(Later):
        deliver(world, short)
    assert world.seen == [None, None, TEN]
