from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from auto_lambda.aws.cloudformation import Stack
from auto_lambda.aws.cloudwatch import VersionCalls
from auto_lambda.aws.lambda_ import Alias, State
from auto_lambda.errors import AppError, Code
from builder.protocol.traffic import TrafficMessage
from worker.deploy.context import DeployContext
from worker.deploy.switch.shifter import TrafficShifter
from worker.deploy.switch.switchover import ExpandedStack
from worker.traffic.shift import Moved, Shift, ShiftGoesOn

CANARY = TrafficMessage(kind="canary", percent=10, interval=600)
MOVED = (Moved("shop-dev", "1", "2"),)
VERSIONS = {"Shop": "2"}
ALARM = "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:shop-dev-5xx"


class Killed(BaseException):
    """The worker is gone."""


@dataclass
class World:
    """Lambda and CloudWatch, as far as a shift asks them, a clock, and a journal."""

    now: datetime = datetime(2026, 11, 28, 12, tzinfo=UTC)
    versions: tuple[str, dict[str, float]] = ("1", {})
    roles: dict[str, str] = field(default_factory=dict)
    calls_of: dict[str, VersionCalls] = field(default_factory=dict)
    rings: list[str] = field(default_factory=list)
    journal: list[str] = field(default_factory=list)
    noted: Shift | None = None
    warnings: list[str] = field(default_factory=list)
    killed_in: str = ""

    # Lambda
    def state(self, function: str) -> State:
        return State("Active", "Successful", "", "x", {"Role": self.roles.get(function.partition(":")[2], "role")})

    def alias(self, _: str, __: str) -> Alias:
        return Alias(self.versions[0], bool(self.versions[1]))

    def share(self, _: str, __: str, version: str, other: str, weight: float) -> None:
        self.versions = (version, {other: weight})

    def point(self, _: str, __: str, version: str) -> None:
        self.versions = (version, {})

    # CloudWatch
    def calls(self, _: str, __: str, versions: Sequence[str], start: datetime) -> list[VersionCalls]:
        assert self.noted
        assert start == self.noted.began
        return [self.calls_of.get(version, VersionCalls()) for version in versions]

    def ringing(self, names: Sequence[str]) -> list[str]:
        return [name for name in names if name in self.rings]

    # the worker
    @contextmanager
    def effect(self, step: str) -> Iterator[None]:
        self.journal.append(f"{step} begun at {self.noted.weight if self.noted else None}")
        if self.killed_in == step:
            self.killed_in = ""
            raise Killed
        yield

    def note(self, shift: Shift) -> None:
        self.noted = shift

    @property
    def context(self) -> DeployContext:
        return DeployContext(lambda _: None, self.effect, warn=self.warnings.append, note_shift=self.note)

    @property
    def shifter(self) -> TrafficShifter:
        me: Any = self
        return TrafficShifter(me, lambda: me, lambda: me, lambda: self.now)

    def begin(self, plan: TrafficMessage = CANARY, live: Mapping[str, str] = {"Shop": "1"}) -> None:
        aliases = {name: Alias(version, weighted=False) for name, version in live.items()}
        found = ExpandedStack(Stack("s", "i", "", {}, {}), changed=False, functions={"Shop": "shop-dev"}, live=aliases)
        self.shifter.begin(plan, found, VERSIONS, self.context)

    def look(self, plan: TrafficMessage = CANARY) -> None:
        assert self.noted
        self.shifter.go_on(plan, self.noted, self.context)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def shifting(world: World) -> World:
    with pytest.raises(ShiftGoesOn):
        world.begin()
    return world


def test_it_begins_with_the_first_share_and_is_looked_at_later(world: World) -> None:
    with pytest.raises(ShiftGoesOn) as caught:
        world.begin()
    assert caught.value.seconds == 60
    assert world.versions == ("1", {"2": 0.1})
    assert world.noted == Shift(MOVED, 10, world.now, world.now)
    assert world.journal == ["traffic begun at 10"], "the journal has the share before the alias has it"


def test_a_linear_shift_takes_a_share_more_after_each_interval_by_whoever_looks(world: World) -> None:
    linear = TrafficMessage(kind="linear", percent=30, interval=60)
    with pytest.raises(ShiftGoesOn):
        world.begin(linear)
    shares = [dict(world.versions[1])]
    while world.noted and not world.noted.over:
        world.now += timedelta(seconds=60)
        world.killed_in = "traffic" if world.noted.weight == 30 else ""
        with suppress(ShiftGoesOn, Killed):
            world.look(linear)
        shares.append(dict(world.versions[1]))
    assert shares == [{"2": 0.3}, {"2": 0.3}, {"2": 0.9}, {"2": 0.9}], "60 % was noted by one who died, and held"
    assert world.journal == [f"traffic begun at {weight}" for weight in (30, 60, 90, 100)]


def test_looks_that_find_nothing_change_nothing(shifting: World) -> None:
    noted, journal = shifting.noted, list(shifting.journal)
    shifting.now += timedelta(seconds=599)
    with pytest.raises(ShiftGoesOn) as caught:
        shifting.look()
    assert caught.value.seconds == pytest.approx(1)
    assert (shifting.noted, shifting.journal, shifting.versions) == (noted, journal, ("1", {"2": 0.1}))


def test_after_its_interval_the_release_may_have_all_and_nobody_asks_again(shifting: World) -> None:
    shifting.now += timedelta(seconds=600)
    shifting.look()
    assert shifting.noted
    assert shifting.noted.over
    shifting.calls_of["2"] = VersionCalls(10, 10)
    shifting.look()
    assert shifting.versions == ("1", {"2": 0.1}), "the switch itself comes next"


def test_it_goes_back_and_the_journal_has_the_reason(shifting: World) -> None:
    shifting.calls_of["2"] = VersionCalls(20, 2)
    with pytest.raises(AppError) as caught:
        shifting.look()
    assert caught.value.code is Code.TRAFFIC_WENT_BACK
    assert "With 10 % of the calls, 2 of 20 calls of the new version failed" in caught.value.message
    assert shifting.versions == ("1", {})
    assert shifting.journal[-1] == "traffic begun at 0"


def test_an_alarm_that_rings_already_lets_nothing_begin(world: World) -> None:
    world.rings = ["shop-dev-5xx"]
    with pytest.raises(AppError, match="With 0 % of the calls, an alarm rings: shop-dev-5xx"):
        world.begin(CANARY.model_copy(update={"alarms": [ALARM]}))
    assert world.versions == ("1", {})


def test_a_worker_that_is_killed_before_it_weighs_leaves_that_to_the_next(world: World) -> None:
    world.killed_in = "traffic"
    with pytest.raises(Killed):
        world.begin()
    assert world.versions == ("1", {})
    with pytest.raises(ShiftGoesOn):
        world.look()
    assert world.versions == ("1", {"2": 0.1})


def test_somebodys_own_weights_are_set_back_while_it_shifts(shifting: World) -> None:
    shifting.versions = ("1", {"2": 0.9})
    with pytest.raises(ShiftGoesOn):
        shifting.look()
    assert shifting.versions == ("1", {"2": 0.1})


def test_another_role_shares_no_alias_so_all_goes_over_at_once(world: World) -> None:
    world.roles = {"2": "another"}
    world.begin()
    assert world.versions == ("1", {})
    (warning,) = world.warnings
    assert "the Role of shop-dev has changed" in warning


@pytest.mark.parametrize("live", [{}, {"Shop": "2"}])
def test_where_nothing_else_is_live_there_is_nothing_to_shift(world: World, live: dict[str, str]) -> None:
    world.begin(live=live)
    assert world.noted is None


def test_another_release_in_its_place_gets_it_to_an_end(shifting: World) -> None:
    assert shifting.noted
    told: list[str] = []
    shifting.shifter.end(shifting.noted, told.append)
    assert shifting.versions == ("1", {})
    shifting.versions = ("2", {})
    shifting.shifter.end(shifting.noted, told.append)
    assert shifting.versions == ("2", {}), "it had all calls already"
    assert len(told) == 1
