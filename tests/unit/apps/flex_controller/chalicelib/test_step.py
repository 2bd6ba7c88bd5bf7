"""What happens next to an app: each row of the table, what holds it back, and a world that judges every move."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from flex_controller.chalicelib.model import Tasks
from flex_controller.chalicelib.step import Action, Move, Observed, Stay, step
from flex_world import NOON, Step, World, Wrong, attempt, observed
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test


def moves(seen: Observed, now: datetime = NOON) -> tuple[str, int] | None:
    action = step(seen, now)
    return (action.phase, action.weight) if isinstance(action, Move) else None


def stays(seen: Observed, now: datetime = NOON) -> Stay:
    action = step(seen, now)
    assert isinstance(action, Stay), action
    return action


READY: dict[str, Any] = {"healthy": 1, "answers": True}


@pytest.mark.parametrize(
    ("seen", "move"),
    [
        (observed(high="ALARM"), ("both", 0)),
        (observed(high="OK"), None),
        (observed(high="OK", low="ALARM"), None),
        (observed("both", high="ALARM", **READY), ("both", 100)),
        (observed("both", high="ALARM", low="ALARM", **READY), ("both", 100)),
        (observed("both", high="OK", low="ALARM", **READY), ("lambda", 0)),
        (observed("both", 50, low="OK", **READY), ("both", 100)),
        (observed("both", 50, low="ALARM", **READY), ("both", 0)),
        (observed("both", 100, low="OK", **READY), ("fargate", 100)),
        (observed("both", 100, low="ALARM", **READY), ("fargate", 100)),
        (observed("fargate", 100, low="OK", **READY), None),
        (observed("fargate", 100, high="ALARM", low="OK", **READY), None),
        (observed("fargate", 100, high="ALARM", low="ALARM", **READY), ("both", 0)),
    ],
)
def test_each_row_of_the_table(seen: Observed, move: tuple[str, int] | None) -> None:
    assert moves(seen) == move


@pytest.mark.parametrize("phase", [("lambda", 0), ("both", 0), ("fargate", 100)])
@pytest.mark.parametrize("state", ["INSUFFICIENT_DATA", ""])
def test_alarms_without_data_move_nothing(phase: tuple[str, int], state: str) -> None:
    assert "has no data" in stays(observed(*phase, high=state, low=state, **READY)).why


@pytest.mark.parametrize(
    ("healthy", "answers", "why"),
    [
        (0, True, "0 of 2 tasks are healthy"),
        (1, True, "1 of 2 tasks are healthy"),
        (None, True, "not known"),
        (2, False, "does not answer yet"),
    ],
)
def test_no_traffic_moves_to_tasks_that_are_not_ready_and_a_person_is_called_in_the_end(
    healthy: int | None, answers: bool, why: str
) -> None:
    for ago, stuck in ((899, False), (901, True)):
        seen = observed("both", high="ALARM", healthy=healthy, answers=answers, settings={"min_tasks": 2}, ago=ago)
        assert why in stays(seen).why
        assert stays(seen).stuck is stuck


def test_what_ecs_says_of_missing_capacity_is_passed_on() -> None:
    said = "(service shop) was unable to place a task. Reason: Capacity is unavailable at this time."
    assert said in stays(observed("both", high="ALARM", said=said)).why
    busy = observed("lambda", status="UPDATE_IN_PROGRESS", said=said, updated=NOON - timedelta(minutes=31))
    assert said in stays(busy).why
    assert stays(busy).stuck


@pytest.mark.parametrize("phase", [("both", 100), ("fargate", 100), ("both", 30)])
def test_traffic_leaves_tasks_none_of_which_is_healthy_whatever_held_other_moves_back(phase: tuple[str, int]) -> None:
    many = tuple(attempt(seconds) for seconds in range(20))
    action = step(observed(*phase, low="OK", healthy=0, attempts=many, status="UPDATE_ROLLBACK_COMPLETE"), NOON)
    assert isinstance(action, Move)
    assert (action.phase, action.weight, action.rescue) == ("both", 0, True)


def test_traffic_stays_where_it_is_while_the_health_is_not_known() -> None:
    assert moves(observed("fargate", 100, low="OK", healthy=None)) is None


def test_after_a_rescue_healthy_tasks_get_traffic_only_after_the_cool_down() -> None:
    for ago, moved in ((599, None), (600, ("both", 100))):
        rescued = (attempt(ago, rescue=True),)
        assert moves(observed("both", high="ALARM", attempts=rescued, mode="up", **READY)) == moved


@pytest.mark.parametrize(("phase", "to"), [(("both", 100), "fargate"), (("both", 0), "lambda")])
def test_clients_have_twice_the_ttl(phase: tuple[str, int], to: str) -> None:
    cool = {"cool_down": timedelta(0)}
    early = observed(*phase, high="OK", low="ALARM", ago=119, settings=cool, **READY)
    assert stays(early).at == NOON + timedelta(seconds=1)
    late = observed(*phase, high="OK", low="ALARM", ago=120, settings=cool, **READY)
    assert moves(late) == (to, 100 if to == "fargate" else 0)


def test_a_standing_load_balancer_needs_no_wait_for_dns() -> None:
    standing = {"dns": False, "cool_down": timedelta(0)}
    assert moves(observed("both", 100, ago=0, settings=standing, **READY)) == ("fargate", 100)
    assert moves(observed("both", 0, high="OK", ago=0, settings=standing, **READY)) == ("lambda", 0)


def test_an_app_that_has_just_moved_cools_down() -> None:
    seen = observed(high="ALARM", attempts=(attempt(599, "lambda"),))
    assert stays(seen).at == NOON + timedelta(seconds=1)
    assert moves(seen, NOON + timedelta(seconds=1)) == ("both", 0)
    assert moves(replace(seen, flex=replace(seen.flex, mode="up"))) == ("both", 0), "a person need not wait"


def test_so_many_transitions_an_hour_and_no_more() -> None:
    for mode in ("auto", "up"):
        attempts = tuple(attempt(seconds) for seconds in (1000, 2000, 3599))
        seen = observed(high="ALARM", mode=mode, attempts=attempts, settings={"per_hour": 3})
        assert stays(seen).at == NOON + timedelta(seconds=1)
        assert moves(seen, NOON + timedelta(seconds=1)) == ("both", 0)


def test_what_failed_is_said_and_tried_again_after_the_cool_down() -> None:
    reason = "Service: ECS Deployment Circuit Breaker was triggered"
    for mode in ("auto", "up"):
        failed = observed(high="ALARM", status="UPDATE_ROLLBACK_COMPLETE", ago=10, failure=reason, mode=mode)
        assert reason in stays(failed).why
        assert stays(failed).at == NOON + timedelta(seconds=590)
        assert not stays(failed).stuck
        assert moves(failed, NOON + timedelta(seconds=590)) == ("both", 0)


@pytest.mark.parametrize(
    "status", ["UPDATE_ROLLBACK_FAILED", "DELETE_FAILED", "ROLLBACK_COMPLETE", "CREATE_FAILED", "ROLLBACK_FAILED"]
)
def test_a_stack_that_cannot_go_on_by_itself_calls_a_person(status: str) -> None:
    assert stays(observed("both", high="ALARM", status=status, **READY)).stuck


@pytest.mark.parametrize("phase", [("lambda", 0), ("both", 0), ("both", 100), ("fargate", 100)])
def test_paused_it_stays_wherever_it_is(phase: tuple[str, int]) -> None:
    assert "paused" in stays(observed(*phase, high="ALARM", low="ALARM", mode="pause")).why


def test_a_person_overrules_the_alarms() -> None:
    assert moves(observed(high="OK", mode="up")) == ("both", 0)
    assert moves(observed("fargate", 100, low="ALARM", mode="up", **READY)) is None
    assert moves(observed("fargate", 100, low="OK", mode="down", **READY)) == ("both", 0)
    assert moves(observed("both", 100, ago=0, low="OK", mode="down", **READY)) == ("both", 0)
    assert moves(observed(high="ALARM", mode="down")) is None


class Anything(RuleBasedStateMachine):
    """An app to which anything may happen; the world judges each move."""

    decide: Step = staticmethod(step)

    @initialize(min_tasks=st.integers(1, 3), per_hour=st.integers(5, 8), dns=st.booleans())
    def begin(self, min_tasks: int, per_hour: int, dns: bool) -> None:
        self.world = World(self.decide)
        # A standing load balancer has no clients that hold on to an address.
        ttl = timedelta(seconds=60 if dns else 0)
        self.world.settings = replace(self.world.settings, min_tasks=min_tasks, per_hour=per_hour, dns=dns, ttl=ttl)

    @rule(demand=st.sampled_from(["high", "high", "middle", "low", "low"]))
    def demand_is(self, demand: str) -> None:
        self.world.demand = demand

    @rule(healthy=st.sampled_from([0, 1, 3, 3, 3]), answers=st.sampled_from([True, True, False]))
    def tasks_are(self, healthy: int, answers: bool) -> None:
        self.world.healthy, self.world.answers = healthy, answers

    @rule(mode=st.sampled_from(["auto", "auto", "up", "down", "pause"]))
    def a_person_says(self, mode: str) -> None:
        self.world.mode = mode

    @rule(known=st.booleans())
    def alarms_are(self, known: bool) -> None:
        self.world.alarms_known = known

    @rule(fails=st.sampled_from([False, False, True]), seconds=st.sampled_from([0, 0, 90, 400]))
    def operations(self, fails: bool, seconds: int) -> None:
        self.world.fails, self.world.lasts = fails, timedelta(seconds=seconds)

    @precondition(lambda self: hasattr(self, "world"))
    @rule()
    def drop(self) -> None:
        self.world.drop()

    @rule(seconds=st.sampled_from([1, 59, 60, 61, 121, 301, 1800]))
    def time_passes(self, seconds: int) -> None:
        self.world.pass_by(seconds)
        self.world.tick()

    @rule(times=st.integers(1, 15))
    def minutes_pass(self, times: int) -> None:
        for _ in range(times):
            self.world.pass_by(60)
            self.world.tick()

    def teardown(self) -> None:
        """From wherever it is, demand that lasts decides where it ends."""
        if not hasattr(self, "world"):
            return
        world = self.world
        world.mode, world.fails, world.lasts, world.alarms_known = "auto", False, timedelta(seconds=90), True
        world.healthy, world.answers = 3, True
        for demand, phase in (("high", "fargate"), ("low", "lambda")):
            world.demand = demand
            for _ in range(180):
                if world.phase == phase:
                    break
                world.pass_by(60)
                world.tick()
            assert world.phase == phase, f"{demand} for three hours, and still {world.phase}: {world.moves}"


ONCE = settings(
    max_examples=400, stateful_step_count=40, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)


def test_whatever_happens_no_move_is_wrong_and_lasting_demand_decides() -> None:
    run_state_machine_as_test(Anything, settings=ONCE)


def _settings(seen: Observed, **changed: Any) -> Observed:
    return replace(seen, flex=replace(seen.flex, settings=replace(seen.flex.settings, **changed)))


def _blind(seen: Observed) -> Observed:
    return replace(seen, tasks=Tasks(99), answers=True)


def _mode(seen: Observed, paused: str) -> Observed:
    return replace(seen, flex=replace(seen.flex, mode=paused if seen.flex.mode == "pause" else seen.flex.mode))


def _nothing_failed(seen: Observed) -> Observed:
    return replace(seen, flex=replace(seen.flex, status=seen.flex.status.replace("_ROLLBACK", "")))


TWINS: dict[str, Callable[[Observed], Observed]] = {
    "forgets slow resolvers": lambda seen: _settings(seen, ttl=seen.flex.settings.ttl / 2, cool_down=timedelta(0)),
    "does not look at health": _blind,
    "does not cool down": lambda seen: _settings(seen, cool_down=timedelta(0)),
    "does not count": lambda seen: _settings(seen, per_hour=10**6),
    "goes on while paused": lambda seen: _mode(seen, "auto"),
    "forgets that it failed": _nothing_failed,
    "goes on while CloudFormation works": lambda seen: replace(seen, flex=replace(seen.flex, status="UPDATE_COMPLETE")),
    "never comes down": lambda seen: replace(seen, low="OK"),
    "never goes up": lambda seen: replace(seen, high="OK"),
}


@pytest.mark.parametrize("twin", TWINS)
def test_the_world_finds_a_twin_that_is_wrong(twin: str) -> None:
    def decide(seen: Observed, now: datetime) -> Action:
        return step(TWINS[twin](seen), now)

    class Broken(Anything):
        pass

    Broken.decide = staticmethod(decide)
    with pytest.raises((Wrong, AssertionError)):
        run_state_machine_as_test(
            Broken, settings=settings(ONCE, max_examples=5000, phases=[Phase.generate], print_blob=False)
        )
