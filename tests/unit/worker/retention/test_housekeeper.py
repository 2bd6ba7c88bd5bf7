"""When what is collected, and by whom."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from attempt_world import RELEASE
from tables import FakeTable

from auto_lambda.keys import App
from worker.records.ledger import Ledger, PastRelease, put_past_release
from worker.records.retention import Due, RetentionRecords, put_due
from worker.retention.housekeeper import DAY_SECONDS, PAUSE_SECONDS, Housekeeper

SHOP, BANK = App("dev", "shop"), App("prod", "bank")
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


@dataclass
class World:
    """A ledger, and collectors that only note what they are asked for."""

    table: FakeTable = field(default_factory=FakeTable)
    seconds: float = 0.0
    collected: list[App] = field(default_factory=list)
    swept: int = 0
    fails: Exception | None = None
    wanted: bool = True
    happens: Callable[[], object] = lambda: None

    @property
    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.seconds)

    def housekeeper(self, worker: str = "w") -> Housekeeper:
        records = RetentionRecords(self.table, worker)
        records.ledger = Ledger(self.table, now=lambda: self.now.timestamp(), clock=lambda: self.seconds)
        return Housekeeper(
            records, self, Sweep(self), worker=worker, between=0, now=lambda: self.now,  # type: ignore[arg-type]
        )  # fmt: skip

    def deployed(self, app: App, again: datetime | None = None) -> None:
        item = {**put_due(app, self.now).item, "again": again.isoformat() if again else None}
        self.table.write(replace(put_due(app, self.now), item=item))

    # The collector
    def collect(self, due: Due, check: Callable[[], None]) -> None:
        self.collected.append(due.app)
        self.happens()
        check()
        if self.fails:
            raise self.fails

    def wants(self, record: Any, releases: dict[str, PastRelease], since: datetime) -> bool:
        return self.wanted


@dataclass
class Sweep:
    world: World

    def collect(self, alive: Callable[[], object]) -> list[str]:
        self.world.swept += 1
        return []


def test_what_was_deployed_here_is_collected_at_once() -> None:
    world = World()
    housekeeper = world.housekeeper()
    world.deployed(SHOP)
    world.deployed(BANK)
    housekeeper.changed(SHOP)
    housekeeper.round()
    assert world.collected == [SHOP]


def test_what_another_has_left_is_collected_after_a_while() -> None:
    world = World()
    world.deployed(SHOP)
    housekeeper = world.housekeeper()
    housekeeper.round()
    assert world.collected == []
    world.seconds += PAUSE_SECONDS
    housekeeper.round()
    assert world.collected == [SHOP]


def test_one_worker_of_the_fleet_looks_at_what_others_have_left() -> None:
    world = World()
    world.deployed(SHOP)
    world.seconds += PAUSE_SECONDS
    for name in ("one", "two"):
        world.housekeeper(name).round()
    assert (world.collected, world.swept) == ([SHOP], 1)


def test_what_has_to_wait_waits() -> None:
    world = World()
    world.deployed(SHOP, again=NOON + timedelta(hours=1))
    housekeeper = world.housekeeper()
    for seconds in (0, 3599, 3660):
        world.seconds = seconds
        housekeeper.round()
    assert world.collected == [SHOP]


def test_artifacts_are_looked_through_once_a_day() -> None:
    world = World()
    housekeeper = world.housekeeper()
    for seconds in (0, DAY_SECONDS - 1, DAY_SECONDS):
        world.seconds = seconds
        housekeeper.round()
    assert world.swept == 2


def test_apps_of_earlier_days_become_due_if_there_is_anything_to_collect() -> None:
    for wanted in (True, False):
        world = World(wanted=wanted)
        world.table.write(put_past_release(SHOP, "v1", PastRelease(RELEASE.text(), None)))
        housekeeper = world.housekeeper()
        housekeeper.round()
        world.seconds += PAUSE_SECONDS
        housekeeper.round()
        assert world.collected == [SHOP] * wanted


def test_a_failure_keeps_nobody_else_waiting() -> None:
    world = World(fails=OSError("no Lambda"))
    for app in (SHOP, BANK):
        world.deployed(app)
    world.seconds += PAUSE_SECONDS
    world.housekeeper().round()
    assert (world.collected, world.swept) == ([SHOP, BANK], 1)


def test_after_failures_an_app_is_due_later_and_later() -> None:
    world = World(fails=OSError("no Lambda"))
    world.deployed(SHOP)
    housekeeper = world.housekeeper()
    tries = []
    for minute in range(1, 60 * 24 * 5):
        world.seconds = minute * 60.0
        before = len(world.collected)
        housekeeper.round()
        if len(world.collected) > before:
            tries.append(minute)
    assert tries[:4] == [1, 2, 4, 8]
    assert len(tries) < 17, "at most once a day in the end"
    world.fails = None
    world.seconds += DAY_SECONDS
    housekeeper.round()
    assert len(world.collected) == len(tries) + 1


def test_a_worker_that_ends_begins_nothing_more() -> None:
    world = World()
    housekeeper = world.housekeeper()
    world.happens = housekeeper.stop
    for app in (SHOP, BANK):
        world.deployed(app)
    world.seconds += PAUSE_SECONDS
    housekeeper.round()
    assert (world.collected, world.swept) == ([SHOP], 0)


def test_the_thread_wakes_up_for_a_deployment_and_ends_when_asked() -> None:
    world, ran = World(), threading.Event()
    world.happens = ran.set
    housekeeper = world.housekeeper()
    world.deployed(SHOP)
    thread = housekeeper.start()
    housekeeper.changed(SHOP)
    assert ran.wait(30)
    housekeeper.stop()
    thread.join(30)
    assert not thread.is_alive()
